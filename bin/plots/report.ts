/**
 * A report of a run: one HTML file with everything in it, and each picture as an SVG file of its own.
 */
import { format } from "../../src/testing/scenario/measures.ts"
import type { Outcome } from "../../src/testing/scenario/Run.ts"
import { draw, escaped } from "./Picture.ts"
import * as pictures from "./pictures.ts"
import { colours } from "./style.ts"

export interface File {
  readonly name: string
  readonly text: string
}

const css = `${colours(":root")}
body { background: var(--paper); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h1 { margin-bottom: 0; }
.headline { font-size: 1.15rem; font-weight: 600; }
.about { max-width: 45rem; }
figure { margin: 2rem 0; }
figure svg { max-width: 100%; height: auto; border: 1px solid var(--rule); border-radius: 6px; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
td, th { border-bottom: 1px solid var(--rule); padding: 0.15rem 0.8rem 0.15rem 0; text-align: left; }
td + td { text-align: right; }
.unmet { color: var(--lost); font-weight: 600; }
footer { color: var(--faint); font-size: 0.9rem; margin: 2rem 0; }
code { font-size: 0.95em; }
summary { cursor: pointer; }`

const table = (outcome: Outcome): string => {
  const rows = Object.entries(outcome.measures).filter(([, value]) => value !== 0).map(([name, value]) =>
    `<tr><td><code>${escaped(name)}</code></td><td>${format(value)}</td></tr>`
  )
  return `<table><thead><tr><th scope="col">measure</th><th scope="col">value</th></tr></thead><tbody>${
    rows.join("")
  }</tbody></table>`
}

const expectations = ({ scenario, unmet }: Outcome): string => {
  const count = Object.keys(scenario.expect).length
  if (count === 0) return ""
  if (unmet.length === 0) return `<p>All ${count} expectations are met.</p>`
  return `<ul>${unmet.map((line) => `<li class="unmet">${escaped(line)}</li>`).join("")}</ul>`
}

const page = (outcome: Outcome, svgs: ReadonlyArray<string>, command: string): string => {
  const { duration, headline, scenario, seed, trace } = outcome
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escaped(scenario.title)}</title>
<style>${css}</style>
</head>
<body>
<h1>${escaped(scenario.title)}</h1>
<p class="headline">${escaped(headline)}</p>
<p class="about">${escaped(scenario.about)}</p>
${expectations(outcome)}
${svgs.map((svg) => `<figure>${svg}</figure>`).join("\n")}
<details><summary>All measures that are not 0</summary>
${table(outcome)}
</details>
<footer>${duration} s of virtual time with seed ${seed}; the same run, frame by frame (trace ${trace}): <code>${
    escaped(command)
  }</code></footer>
</body>
</html>
`
}

/** The files of a report: `index.html` first. `command` makes the same run again. */
export const files = (outcome: Outcome, command: string): ReadonlyArray<File> => {
  const drawn = pictures.of(outcome).map(({ name, picture }) => ({ name: `${name}.svg`, text: draw(picture) }))
  return [{ name: "index.html", text: page(outcome, drawn.map(({ text }) => text), command) }, ...drawn]
}
