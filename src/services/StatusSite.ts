/**
 * A small site that shows a stack from the inside: interfaces, neighbours, routes, connections, counters, drops.
 *
 * ```
 *   /             all of it as a page           /status.json   the same as data
 * ```
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { Netstack } from "../sockets/Netstack.ts"
import * as Network from "../sockets/Network.ts"
import * as Http from "./Http.ts"
import type { Service } from "./Service.ts"

type Cell = string | number | boolean | undefined
type Row = Readonly<Record<string, Cell>>

/** Everything that the site shows, as rows of plain values. */
export interface Status {
  readonly interfaces: ReadonlyArray<Row>
  readonly neighbors: ReadonlyArray<Row>
  readonly routes: ReadonlyArray<Row>
  readonly connections: ReadonlyArray<Row>
  readonly counters: Readonly<Record<string, number>>
  readonly drops: Readonly<Record<string, number>>
  readonly memory: Readonly<Record<string, number>>
}

/** Only what has happened: the rest of the names would hide it. */
const nonZero = (counts: Readonly<Record<string, number>>): Readonly<Record<string, number>> =>
  Object.fromEntries(Object.entries(counts).filter(([, count]) => count !== 0))

const interfaceRow = (self: Network.NetworkInterface): Row => ({
  name: self.name,
  link: self.link,
  medium: self.medium,
  mac: self.mac?.toString(),
  mtu: self.mtu,
  up: self.up,
  addresses: self.addresses.map((address) => `${address.interface} (${address.state})`).join(", ")
})

const millis = (duration: Duration.Duration): string => `${Duration.toMillis(duration).toFixed(3)} ms`

/** What the stack knows now. */
export const status: Effect.Effect<Status, Network.NetworkError, Netstack> = Effect.gen(function*() {
  return {
    interfaces: (yield* Network.interfaces).map(interfaceRow),
    neighbors: (yield* Network.neighbors()).map(({ address, link, mac, state }) => ({
      address: address.toString(),
      mac: mac?.toString(),
      link,
      state
    })),
    routes: (yield* Network.routes).map(({ gateway, link, metric, origin, to }) => ({
      to: to.toString(),
      gateway: gateway?.toString(),
      link,
      metric,
      origin
    })),
    connections: (yield* Network.connections).map((info) => ({
      state: info.state,
      local: info.local.toString(),
      remote: info.remote.toString(),
      rtt: millis(info.smoothedRtt),
      cwnd: info.congestionWindow,
      unsent: info.unsent,
      inFlight: info.inFlight,
      unread: info.unread,
      retransmitted: info.segmentsRetransmitted
    })),
    counters: nonZero(yield* Network.counters),
    drops: nonZero(yield* Network.drops),
    memory: nonZero(yield* Network.memory)
  }
})

const escapes: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", "\"": "&quot;" }
const escape = (text: string): string => text.replace(/[&<>"]/g, (character) => escapes[character]!)

const table = (title: string, rows: ReadonlyArray<Row>): string => {
  const [first] = rows
  if (first === undefined) return `<h2>${title}</h2><p>none</p>`
  const names = Object.keys(first)
  const head = names.map((name) => `<th>${escape(name)}</th>`).join("")
  const body = rows.map((row) =>
    `<tr>${names.map((name) => `<td>${escape(String(row[name] ?? ""))}</td>`).join("")}</tr>`
  )
  return `<h2>${title}</h2><table><tr>${head}</tr>${body.join("\n")}</table>`
}

const countTable = (title: string, counts: Readonly<Record<string, number>>): string =>
  table(title, Object.entries(counts).map(([name, count]) => ({ name, count })))

const style = "body{font:14px/1.5 system-ui,sans-serif;margin:2em;max-width:80em}table{border-collapse:collapse}" +
  "td,th{padding:.2em .8em;text-align:left;border-bottom:1px solid #ccc}h2{margin-top:1.5em}"

const page = (self: Status): string =>
  [
    `<!doctype html><html lang="en"><meta charset="utf-8"><title>netstack</title><style>${style}</style>`,
    `<h1>A network stack in TypeScript</h1><p>The same as <a href="/status.json">JSON</a>.</p>`,
    table("Interfaces", self.interfaces),
    table("Neighbours", self.neighbors),
    table("Routes", self.routes),
    table("Connections", self.connections),
    countTable("Counters", self.counters),
    countTable("Drops", self.drops),
    countTable("Memory in bytes", self.memory),
    "</html>"
  ].join("\n")

const respond: Http.Handler = ({ target }) => {
  const path = target.split("?", 1)[0]
  if (path !== "/" && path !== "/status.json") return Effect.succeed(Http.text(404, "not found\n"))
  return Effect.match(status, {
    onFailure: (error) => Http.text(503, `${error.message}\n`),
    onSuccess: (self) =>
      path === "/"
        ? Http.text(200, page(self), "text/html; charset=utf-8")
        : Http.text(200, `${JSON.stringify(self, undefined, 2)}\n`, "application/json")
  })
}

/** The site as a service. */
export const service: Service = Http.service(respond)
