/**
 * The page `docs/bounds.md`, made from the table of bounds in the core.
 */
import { type Bound, table } from "../src/core/Bounds.ts"

const unitOf = (bound: Bound): string => bound.unit === "packets" || bound.unit === "entries" ? "" : ` ${bound.unit}`

const amountOf = (bound: Bound): string => {
  const mebibytes = bound.default / (1024 * 1024)
  const kibibytes = bound.default / 1024
  if (bound.unit === "bytes" && Number.isInteger(mebibytes)) return `${mebibytes} MiB`
  if (bound.unit === "bytes" && Number.isInteger(kibibytes)) return `${kibibytes} KiB`
  return `${bound.default}${unitOf(bound)}`
}

const effectOf = ({ atLimit }: Bound): string => {
  if ("drop" in atLimit) return `dropped, counted as \`${atLimit.drop}\``
  return "fails" in atLimit ? `the request fails: ${atLimit.fails}` : `makes room: ${atLimit.evicts}`
}

const rowOf = ([name, bound]: readonly [string, Bound]): string =>
  `| \`${name}\` | ${bound.limits} | ${amountOf(bound)} | ${effectOf(bound)} |`

export const page = `# Bounds

Everything that a peer or a program could make grow, with its limit. The table is code,
[\`core/Bounds.ts\`](../src/core/Bounds.ts), and a test hits every row. This page is made from it by \`npm run docs\`.

A program sets limits by their names, those that it names and no others: \`Netstack.layer({ ipv4: "10.0.0.2/24", limits: { tcpHalfOpen: 4096 } })\`. They are numbers in
the unit of the table, so bytes are bytes. The environment has no variables for them.

| name | what is limited | default | at the limit |
| --- | --- | --- | --- |
${Object.entries(table).map(rowOf).join("\n")}
`
