/**
 * What is shown of a stack, as tables of text: on a terminal (`netstack watch`) and on the page of `StatusSite`. Rates come from two
 * readings of the same stack.
 *
 * The page gets these functions as their own source, so they use nothing but each other: no imports, no constants around them.
 */
import type { Connection, Interface, Status } from "./Status.ts"

export interface Table {
  readonly title: string
  /** A name that begins with `#` stands over numbers. */
  readonly head: ReadonlyArray<string>
  readonly rows: ReadonlyArray<ReadonlyArray<string>>
}

export interface View {
  readonly headline: string
  readonly tables: ReadonlyArray<Table>
}

/** 1234567 bytes as `1.23 MB`, so that three figures are seen at most. */
export const short = (value: number, what = ""): string => {
  const units = ["", "k", "M", "G", "T"]
  let unit = 0
  let scaled = value
  while (scaled >= 1000 && unit < units.length - 1) {
    scaled /= 1000
    unit += 1
  }
  const digits = unit === 0 && Number.isInteger(scaled) ? 0 : scaled < 10 ? 2 : scaled < 100 ? 1 : 0
  return `${scaled.toFixed(digits)} ${units[unit]}${what}`.trimEnd()
}

/** What came between two readings, a second; a stack that was started anew begins at zero. */
export const perSecond = (
  before: number | undefined,
  after: number | undefined,
  seconds: number
): number => seconds > 0 ? Math.max(0, (after ?? 0) - (before ?? 0)) / seconds : 0

/** The line on top: what the whole stack does. */
export const headline = (before: Status, after: Status, seconds: number): string => {
  const rate = (name: string): number => perSecond(before.counters[name], after.counters[name], seconds)
  const states: Record<string, number> = {}
  for (const { state } of after.connections) states[state] = (states[state] ?? 0) + 1
  return [
    `in ${short(rate("bytesReceived"), "B/s")}, ${short(rate("framesReceived"))} frames/s`,
    `out ${short(rate("bytesSent"), "B/s")}, ${short(rate("framesSent"))} frames/s`,
    `sent again ${short(rate("tcpSegmentsRetransmitted"))}/s`,
    ...Object.entries(states).map(([state, count]) => `${count} ${state}`)
  ].join(" · ")
}

export const interfaceRow = (self: Interface): ReadonlyArray<string> => [
  self.name,
  self.up ? "up" : "down",
  self.medium,
  self.mac,
  String(self.mtu),
  self.offload.join(", "),
  self.addresses.join(", "),
  Object.entries(self.lost).map(([reason, count]) => `${reason} ${count}`).join(", ")
]

/** The busiest connections first, and not more than one can look at. */
export const connectionRows = (
  before: Status,
  after: Status,
  seconds: number
): ReadonlyArray<ReadonlyArray<string>> => {
  const known = new Map(before.connections.map((connection) => [connection.id, connection]))
  const rated = after.connections.map((self) => {
    const last = known.get(self.id)
    return {
      self,
      sent: perSecond(last?.sent, self.sent, last === undefined ? 0 : seconds),
      received: perSecond(last?.received, self.received, last === undefined ? 0 : seconds)
    }
  })
  const row = ({ received, self, sent }: { self: Connection; sent: number; received: number }) => [
    self.state,
    self.local,
    self.remote,
    short(received, "B/s"),
    short(sent, "B/s"),
    `${self.rtt.toFixed(self.rtt < 10 ? 2 : 0)} ms`,
    short(self.cwnd, "B"),
    short(self.inFlight, "B"),
    short(self.unsent, "B"),
    String(self.retransmitted),
    String(self.timeouts),
    self.congestionControl
  ]
  return rated.toSorted((a, b) => b.sent + b.received - a.sent - a.received || b.self.id - a.self.id).slice(0, 200).map(
    row
  )
}

/** Counts by name, the highest first, with what came since the reading before. */
export const countRows = (
  before: Readonly<Record<string, number>>,
  after: Readonly<Record<string, number>>,
  seconds: number
): ReadonlyArray<ReadonlyArray<string>> =>
  Object.entries(after).toSorted(([, a], [, b]) => b - a).map(([name, count]) => [
    name,
    String(count),
    `${short(perSecond(before[name], count, seconds))}/s`
  ])

export const connectionTable = (before: Status, after: Status, seconds: number): Table => {
  const rows = connectionRows(before, after, seconds)
  const hidden = after.connections.length - rows.length
  const rates = ["#in", "#out", "#RTT", "#cwnd", "#in flight", "#unsent", "#sent again", "#timeouts"]
  return {
    title: hidden > 0 ? `Connections, and ${hidden} quieter ones` : "Connections",
    head: ["state", "local", "remote", ...rates, "control"],
    rows
  }
}

export const countTable = (
  title: string,
  head: ReadonlyArray<string>,
  before: Readonly<Record<string, number>>,
  after: Readonly<Record<string, number>>,
  seconds: number
): Table => ({ title, head, rows: countRows(before, after, seconds) })

/** Where packets may go. */
export const neighborTable = ({ neighbors }: Status): Table => ({
  title: "Neighbours",
  head: ["address", "MAC", "state", "#link"],
  rows: neighbors.map(({ address, link, mac, state }) => [address, mac, state, String(link)])
})

export const routeTable = ({ routes }: Status): Table => ({
  title: "Routes",
  head: ["to", "gateway", "#link", "#metric", "origin"],
  rows: routes.map(({ gateway, link, metric, origin, to }) => [to, gateway, String(link), String(metric), origin])
})

/** Everything that is shown at `after`. */
export const view = (before: Status, after: Status): View => {
  const seconds = (after.at - before.at) / 1000
  const head = ["name", "state", "medium", "MAC", "#MTU", "offload", "addresses", "lost"]
  return {
    headline: headline(before, after, seconds),
    tables: [
      { title: "Interfaces", head, rows: after.interfaces.map(interfaceRow) },
      connectionTable(before, after, seconds),
      countTable("Drops", ["reason", "#packets", "#now"], before.drops, after.drops, seconds),
      neighborTable(after),
      routeTable(after),
      countTable("Memory", ["what for", "#bytes", "#now"], before.memory, after.memory, seconds),
      countTable("Counters", ["name", "#count", "#now"], before.counters, after.counters, seconds)
    ]
  }
}

/** All of it, for those who send it elsewhere. */
export const functions = {
  short,
  perSecond,
  headline,
  interfaceRow,
  connectionRows,
  countRows,
  connectionTable,
  countTable,
  neighborTable,
  routeTable,
  view
} as const
