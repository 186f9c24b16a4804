/**
 * One picture: marks over time, a title, names for its colours; as SVG that stands alone and follows the reader's light or dark.
 */
import * as Plot from "@observablehq/plot"
import { parseHTML } from "linkedom"
import { type Colour, colour, colours } from "./style.ts"

export interface Name {
  readonly text: string
  readonly colour: Colour
}

export interface Picture {
  readonly title: string
  /** Of the values, with their unit. */
  readonly label: string
  readonly names: ReadonlyArray<Name>
  readonly marks: ReadonlyArray<Plot.Markish>
  /** Seconds: what the picture shows. */
  readonly span: readonly [number, number]
  /** From 0 to the largest value if absent. */
  readonly values?: readonly [number, number]
  readonly height?: number
}

const width = 880
const margins = { marginLeft: 64, marginRight: 24, marginTop: 56, marginBottom: 40 }

/** Width of a letter of the names, about. */
const letter = 7.3
const swatch = 22

/** The title, and below it the names in their colours. */
const headings = ({ names, title }: Picture): ReadonlyArray<Plot.Markish> => {
  const corner = { frameAnchor: "top-left", textAnchor: "start", lineAnchor: "middle" } as const
  let at = 0
  const legend = names.flatMap(({ colour: name, text }) => {
    const dx = at
    at += text.length * letter + swatch
    return [
      Plot.text(["■"], { ...corner, dx, dy: -16, fill: colour(name), fontSize: 12 }),
      Plot.text([text], { ...corner, dx: dx + 13, dy: -16, fill: colour("ink"), fontSize: 12 })
    ]
  })
  const heading = { ...corner, dy: -38, fill: colour("ink"), fontSize: 15, fontWeight: 600 }
  return [Plot.text([title], heading), ...legend]
}

/** Numbers with their thousands as k and M, so that an axis has room for them. */
const short = (value: number): string => {
  const [scale, unit] = Math.abs(value) >= 1e6 ? [1e6, " M"] : Math.abs(value) >= 1e4 ? [1e3, " k"] : [1, ""]
  return `${Number((value / scale).toPrecision(4))}${unit}`
}

/** Escapes text for XML. */
export const escaped = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll("\"", "&quot;")

/** The SVG of a picture. */
export const draw = (picture: Picture): string => {
  const { document } = parseHTML("<!doctype html><html><body></body></html>")
  const { height = 300, label, marks, span, title, values } = picture
  const plot = Plot.plot({
    document,
    width,
    height,
    ...margins,
    ariaLabel: title,
    style: {
      background: colour("paper"),
      color: colour("faint"),
      fontSize: "12px",
      fontFamily: "system-ui, sans-serif"
    },
    x: { domain: [...span], label: "time, s", labelAnchor: "right", nice: false },
    y: { label, grid: true, tickFormat: short, zero: true, ...(values === undefined ? {} : { domain: [...values] }) },
    marks: [Plot.ruleY([0], { stroke: colour("rule") }), ...marks, ...headings(picture)]
  })
  // The colours come along, so that the file stands alone.
  return plot.outerHTML
    .replace("<svg ", `<svg xmlns="http://www.w3.org/2000/svg" `)
    .replace("<style>", `<style>${colours("svg")}\n`)
}
