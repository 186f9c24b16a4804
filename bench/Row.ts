/**
 * What a benchmark is made of: rows that measure, figures that they find, and how figures are read.
 */
import type * as Effect from "effect/Effect"

/** One number that a row finds, once per repetition. */
export interface Figure {
  readonly name: string
  /** e.g. `MB/s`, `ns`, `B`; 1 MB is 10^6 bytes. */
  readonly unit: string
  readonly values: ReadonlyArray<number>
  /** What it is compared with: measured in the same run, the same way, value by value in turns. */
  readonly against?: { readonly name: string; readonly values: ReadonlyArray<number> }
  /** What the figure is to reach; of the ratio if there is one, of the figure itself otherwise. */
  readonly goal?: { readonly atLeast: number } | { readonly atMost: number }
}

export interface Settings {
  /** Repetitions of each measurement; the table shows medians. */
  readonly runs: number
  /** Divides the sizes, to see quickly whether everything works. */
  readonly scale: number
}

export interface Row {
  readonly name: string
  /** One line for `--list`. */
  readonly about: string
  /** Flags for the Node that measures. */
  readonly flags?: ReadonlyArray<string>
  readonly measure: (settings: Settings) => Effect.Effect<ReadonlyArray<Figure>, unknown>
}

export const median = (values: ReadonlyArray<number>): number => {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = Math.floor(sorted.length / 2)
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

/** The median of the ratios of values that were measured in turns, which a machine that slows down does not move. */
export const ratio = (figure: Figure): number | undefined =>
  figure.against === undefined
    ? undefined
    : median(figure.values.map((value, i) => value / (figure.against!.values[i] ?? NaN)))

/** Whether the goal is reached; undefined without one. */
export const reached = (figure: Figure): boolean | undefined => {
  if (figure.goal === undefined) return undefined
  const value = ratio(figure) ?? median(figure.values)
  return "atLeast" in figure.goal ? value >= figure.goal.atLeast : value <= figure.goal.atMost
}

const digits = (value: number): string =>
  Math.abs(value) >= 1000 ? Math.round(value).toLocaleString("en-US") : value.toPrecision(3)

const goalText = (figure: Figure): string => {
  if (figure.goal === undefined) return ""
  const text = "atLeast" in figure.goal ? `≥ ${digits(figure.goal.atLeast)}` : `≤ ${digits(figure.goal.atMost)}`
  return `${text} ${reached(figure) === true ? "✓" : "✗"}`
}

const header = ["row", "figure", "median", "least … most", "against", "ratio", "goal"]

const cells = (row: string, figure: Figure): ReadonlyArray<string> => {
  const compared = ratio(figure)
  return [
    row,
    figure.name,
    `${digits(median(figure.values))} ${figure.unit}`,
    `${digits(Math.min(...figure.values))} … ${digits(Math.max(...figure.values))}`,
    figure.against === undefined ? "" : `${digits(median(figure.against.values))} (${figure.against.name})`,
    compared === undefined ? "" : digits(compared),
    goalText(figure)
  ]
}

/** The table of everything measured, as lines of text. */
export const table = (measured: ReadonlyArray<readonly [row: string, figures: ReadonlyArray<Figure>]>): string => {
  const lines = [header, ...measured.flatMap(([row, figures]) => figures.map((figure) => cells(row, figure)))]
  const widths = header.map((_, column) => Math.max(...lines.map((line) => line[column]!.length)))
  const text = lines.map((line) => line.map((cell, column) => cell.padEnd(widths[column]!)).join("  ").trimEnd())
  return [text[0], widths.map((width) => "-".repeat(width)).join("  "), ...text.slice(1)].join("\n")
}
