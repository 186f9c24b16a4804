/** The report of `netstack sim` as a browser shows it, to a reader who likes it light and to one who likes it dark. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath, pathToFileURL } from "node:url"
import * as report from "../../bin/plots/report.ts"
import * as Scenario from "../../src/testing/Scenario.ts"
import * as Run from "../../src/testing/scenario/Run.ts"
import * as Browser from "../browser/Browser.ts"

const examples = fileURLToPath(new URL("../../examples/sim/", import.meta.url))

/** What the browser has made of a report. */
const Look = Schema.Struct({
  isDark: Schema.Boolean,
  paper: Schema.String,
  ink: Schema.String,
  pictures: Schema.Array(Schema.Struct({
    width: Schema.Finite,
    height: Schema.Finite,
    /** Lengths of the lines that it draws. */
    paths: Schema.Array(Schema.Finite),
    /** Colours of lines and texts. */
    colours: Schema.Array(Schema.String)
  }))
})

/** Runs in the page, which has no script of its own, and leaves what it has found as text. */
const look = `
  const style = getComputedStyle(document.body)
  const pictures = Array.from(document.querySelectorAll("figure > svg"), (svg) => {
    const { height, width } = svg.getBoundingClientRect()
    const paths = Array.from(svg.querySelectorAll("path"))
    const shown = [...paths, ...svg.querySelectorAll("text")].map((part) => getComputedStyle(part))
    const colours = shown.flatMap(({ fill, stroke }) => [fill, stroke]).filter((colour) => colour.startsWith("rgb"))
    return { width, height, paths: paths.map((path) => path.getTotalLength()), colours: [...new Set(colours)] }
  })
  const isDark = matchMedia("(prefers-color-scheme: dark)").matches
  const note = document.createElement("pre")
  note.id = "look"
  note.textContent = JSON.stringify({ isDark, paper: style.backgroundColor, ink: style.color, pictures })
  document.body.append(note)
`

const pageOf = (name: string) =>
  Effect.map(
    Scenario.parse(readFileSync(join(examples, name), "utf8")),
    (scenario) => report.files(Run.run(scenario), `netstack sim ${name} --seed 1`)[0]!.text
  )

const unescaped = (text: string): string =>
  text.replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&")

const lookAt = (browser: string, page: string, scheme: Browser.Scheme) =>
  Effect.acquireUseRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "netstack-report-"))),
    (folder) =>
      Effect.gen(function*() {
        const path = join(folder, "index.html")
        writeFileSync(path, page.replace("</body>", `<script>{${look}}</script></body>`))
        const { console, html } = yield* Browser.open(browser, pathToFileURL(path).href, { scheme })
        assert.deepStrictEqual(console, [])
        const [, text] = /<pre id="look">(.*?)<\/pre>/.exec(html) ?? []
        assert.isDefined(text, "the page came to its end")
        return Schema.decodeUnknownSync(Schema.fromJsonString(Look))(unescaped(text!))
      }),
    (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
  )

/** 0 for black, 255 for white. */
const brightness = (colour: string): number => {
  const [red, green, blue] = Array.from(colour.matchAll(/\d+(?:\.\d+)?/g), ([digits]) => Number(digits))
  return 0.299 * red! + 0.587 * green! + 0.114 * blue!
}

describe("The report of a run in a browser", () => {
  for (const scheme of ["light", "dark"] as const) {
    it.live(
      `shows its pictures to a reader who likes it ${scheme}`,
      (context) =>
        Browser.use(context, `the report of netstack sim, ${scheme}`, (browser) =>
          Effect.gen(function*() {
            const seen = yield* lookAt(browser, yield* pageOf("bufferbloat.yaml"), scheme)
            assert.strictEqual(seen.isDark, scheme === "dark")
            const contrast = brightness(seen.paper) - brightness(seen.ink)
            assert.isAbove(scheme === "dark" ? -contrast : contrast, 128)
            assert.lengthOf(seen.pictures, 6)
            for (const { colours, height, paths, width } of seen.pictures) {
              assert.isAbove(Math.min(width, height), 100)
              assert.isAbove(Math.max(...paths), 100, "a line is drawn")
              assert.isTrue(colours.some((colour) => Math.abs(brightness(colour) - brightness(seen.paper)) > 80))
            }
          })),
      60_000
    )
  }
})
