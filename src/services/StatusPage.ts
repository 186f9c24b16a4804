/**
 * The page of `StatusSite`: drawn once by the server, then by the browser each second from `/status.json`, in the light and in the dark.
 *
 * The browser's part is the functions below and those of `StatusView.ts`, sent as their own source; they use nothing but each other and the
 * little of a browser that {@link Browser} names.
 */
import type { Status } from "./Status.ts"
import * as StatusView from "./StatusView.ts"

/** An element of a page. */
export interface Element {
  textContent: string | null
  className: string
  readonly append: (...children: Array<Element>) => void
  readonly replaceChildren: (...children: Array<Element>) => void
}

/** What the page needs of a browser. */
export interface Browser {
  readonly document: {
    readonly createElement: (tag: string) => Element
    readonly getElementById: (id: string) => Element | null
  }
  readonly fetch: (url: string) => Promise<{ readonly json: () => Promise<unknown> }>
  readonly setTimeout: (then: () => void, millis: number) => unknown
}

/** An element with text in it, which stays text whatever it says. */
export const elementOf = ({ document }: Browser, tag: string, text: string, className: string): Element => {
  const element = document.createElement(tag)
  element.textContent = text
  element.className = className
  return element
}

export const tableOf = (browser: Browser, { head, rows, title }: StatusView.Table): ReadonlyArray<Element> => {
  const heading = elementOf(browser, "h2", title, "")
  if (rows.length === 0) return [heading, elementOf(browser, "p", "none", "")]
  const kinds = head.map((name) => name.startsWith("#") ? "number" : "")
  const line = (cells: ReadonlyArray<string>, tag: string): Element => {
    const row = elementOf(browser, "tr", "", "")
    row.append(...cells.map((cell, i) => elementOf(browser, tag, cell, kinds[i]!)))
    return row
  }
  const table = elementOf(browser, "table", "", "")
  table.append(line(head.map((name) => name.replace("#", "")), "th"), ...rows.map((cells) => line(cells, "td")))
  const frame = elementOf(browser, "div", "", "frame")
  frame.append(table)
  return [heading, frame]
}

export const draw = (browser: Browser, { headline, tables }: StatusView.View): void => {
  const { document } = browser
  document.getElementById("headline")!.textContent = headline
  document.getElementById("tables")!.replaceChildren(...tables.flatMap((table) => tableOf(browser, table)))
}

/** Reads and draws, and says so where the stack does not answer; for ever. */
export const live = (browser: Browser, last: Status, view: typeof StatusView.view): void => {
  const note = (text: string): void => {
    browser.document.getElementById("note")!.textContent = text
  }
  const next = (before: Status): void => {
    browser.setTimeout(() => {
      browser.fetch("/status.json").then((response) => response.json()).then((value) => {
        const after = value as Status
        draw(browser, view(before, after))
        note(`As of ${new Date(after.at).toISOString().slice(11, 19)} UTC.`)
        next(after)
      }).catch(() => {
        note("The stack does not answer.")
        next(before)
      })
    }, 1000)
  }
  next(last)
}

const style =
  `:root { color-scheme: light dark; --ink: light-dark(#1a1d21, #e4e7eb); --paper: light-dark(#fff, #14171a);
  --line: light-dark(#d5d9de, #343a40); --quiet: light-dark(#5b6470, #9aa4af) }
body { font: 14px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); margin: 2em auto; max-width: 90em; padding: 0 1em }
h1 { font-size: 1.4em; margin: 0 } h2 { font-size: 1.1em; margin: 1.5em 0 .3em } .frame { overflow-x: auto }
table { border-collapse: collapse; white-space: nowrap } p, th, a { color: var(--quiet) }
td, th { padding: .15em .8em .15em 0; text-align: left; border-bottom: 1px solid var(--line); font-variant-numeric: tabular-nums }
.number { text-align: right } #headline { color: var(--ink); font-variant-numeric: tabular-nums }`

const escapes: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", "\"": "&quot;" }
const escape = (text: string): string => text.replace(/[&<>"]/g, (character) => escapes[character]!)

/** The same as {@link tableOf}, as text, for the first look and for those who run no scripts. */
const tableText = ({ head, rows, title }: StatusView.Table): string => {
  if (rows.length === 0) return `<h2>${escape(title)}</h2><p class="">none</p>`
  const kinds = head.map((name) => name.startsWith("#") ? "number" : "")
  const line = (cells: ReadonlyArray<string>, tag: string): string =>
    `<tr>${cells.map((cell, i) => `<${tag} class="${kinds[i]}">${escape(cell)}</${tag}>`).join("")}</tr>`
  const lines = [line(head.map((name) => name.replace("#", "")), "th"), ...rows.map((cells) => line(cells, "td"))]
  return `<h2>${escape(title)}</h2><div class="frame"><table>${lines.join("\n")}</table></div>`
}

/** What the browser runs. Data can't end the script: it holds no `<`. */
export const script = (status: Status): string => {
  const sources = Object.entries({ ...StatusView.functions, elementOf, tableOf, draw, live })
    .map(([name, source]) => `const ${name} = ${source}`)
  const data = JSON.stringify(status).replaceAll("<", "\\u003c")
  return [...sources, `live(globalThis, ${data}, view)`].join("\n")
}

/** The page at one moment. */
export const page = (status: Status): string => {
  const { headline, tables } = StatusView.view(status, status)
  return [
    `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>netstack</title>`,
    `<meta name="viewport" content="width=device-width, initial-scale=1"><style>${style}</style></head><body>`,
    `<h1>A network stack in TypeScript</h1>`,
    `<p>The same as <a href="/status.json">JSON</a> and for <a href="/metrics">Prometheus</a>. <span id="note"></span></p>`,
    `<p id="headline">${escape(headline)}</p>`,
    `<div id="tables">${tables.map(tableText).join("\n")}</div>`,
    `<script>${script(status)}</script></body></html>`
  ].join("\n")
}
