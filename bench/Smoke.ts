/**
 * A look at whether the stack has become much slower: a few rows with little work, whose ratios are compared with those on record.
 *
 * It is to find a collapse and nothing else: a row fails only if the best of three tries is less than half of what it was, and only
 * ratios count, both sides of which slow down together on a busy machine.
 */
import * as History from "./History.ts"
import * as Row from "./Row.ts"

/** The rows, each with what its work is divided by. */
export const rows: ReadonlyArray<readonly [name: string, scale: number]> = [
  ["shell", 10],
  ["tap-receive", 10],
  ["tap-send", 10],
  ["offload-receive", 10],
  ["offload-send", 20],
  ["tap-latency", 10],
  ["tap-connects", 20]
]

export const tries = 3
const collapse = 0.5

/** More is better for them; of times and memory that can't be said. */
const isRate = ({ unit }: Pick<Row.Figure, "unit">): boolean => unit.endsWith("/s")

/** The ratios of a row that are watched. */
const ratiosOf = (row: string, figures: ReadonlyArray<Row.Figure>): ReadonlyArray<readonly [string, number]> =>
  figures.filter(isRate).flatMap((figure) => {
    const ratio = Row.ratio(figure)
    return ratio === undefined ? [] : [[History.keyOf(row, figure), ratio] as const]
  })

/** The better of two tries, figure by figure. */
export const better = (
  one: ReadonlyArray<Row.Figure> | undefined,
  other: ReadonlyArray<Row.Figure>
): ReadonlyArray<Row.Figure> =>
  other.map((figure, i) => {
    const before = one?.[i]
    return before !== undefined && (Row.ratio(before) ?? 0) > (Row.ratio(figure) ?? 0) ? before : figure
  })

const howToRecord = "npm run bench -- --smoke --record, when the machine is quiet, puts it there"

/** What has collapsed, in words. Without a record there is nothing to judge by; with one, a ratio that it lacks is not watched by anybody. */
export const collapsed = (
  row: string,
  figures: ReadonlyArray<Row.Figure>,
  record: History.Entry | undefined
): ReadonlyArray<string> => {
  if (record === undefined) return []
  return ratiosOf(row, figures).flatMap(([key, ratio]) => {
    const before = record.figures[key]?.ratio
    if (before === undefined) return [`${key}: no ratio is on record at ${record.commit}; ${howToRecord}`]
    return ratio >= before * collapse
      ? []
      : [`${key}: the ratio is ${ratio.toPrecision(3)}, and was ${before.toPrecision(3)} at ${record.commit}`]
  })
}

/** What is on record and was not measured, in words; of a row that failed whole, its name has said all. */
export const unmeasured = (
  measured: History.Measured,
  record: History.Entry | undefined
): ReadonlyArray<string> => {
  const failed = measured.filter(([, figures]) => figures.length === 0).map(([row]) => `${row}: `)
  const keys = new Set(measured.flatMap(([row, figures]) => ratiosOf(row, figures).map(([key]) => key)))
  return Object.entries(record?.figures ?? {})
    .filter(([key, { ratio, unit }]) => ratio !== undefined && isRate({ unit }) && !keys.has(key))
    .filter(([key]) => !failed.some((row) => key.startsWith(row)))
    .map(([key]) => `${key}: is on record at ${record!.commit}, and was not measured; ${howToRecord}`)
}
