import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { parseHTML } from "linkedom"
import { createContext, runInContext } from "node:vm"
import * as HttpGet from "../../src/services/HttpGet.ts"
import { serve } from "../../src/services/Service.ts"
import { Status } from "../../src/services/Status.ts"
import * as StatusPage from "../../src/services/StatusPage.ts"
import * as StatusSite from "../../src/services/StatusSite.ts"
import * as StatusView from "../../src/services/StatusView.ts"
import * as Browser from "../browser/Browser.ts"
import * as Exposition from "../sockets/Exposition.ts"
import { addressTwo, on, pair } from "../workers/Hosts.ts"
import { overLoopback } from "./overLoopback.ts"

/** The site of the second stack, asked from the first. */
const site = Effect.gen(function*() {
  const { one, two } = yield* pair({ checksumOffload: true, segmentation: ["tcp4", "udp"] })
  yield* Effect.forkScoped(on(two)(serve(StatusSite.service, 80)), { startImmediately: true })
  return (target: string) =>
    Effect.gen(function*() {
      const response = yield* on(one)(HttpGet.get(`${addressTwo}:80`, addressTwo, target))
      const body = yield* Stream.mkString(Stream.decodeText(response.body))
      return { body, status: response.status, type: response.headers.get("content-type") }
    })
})

const connection: Status["connections"][number] = {
  id: 7,
  state: "ESTABLISHED",
  local: "10.0.0.2:80",
  remote: "10.0.0.1:50000",
  rtt: 12.5,
  cwnd: 14_480,
  ssthresh: 0,
  inFlight: 2896,
  unsent: 0,
  unread: 0,
  sent: 1000,
  received: 500,
  retransmitted: 3,
  timeouts: 1,
  congestionControl: "cubic"
}

const reading: Status = {
  at: 1_700_000_000_000,
  interfaces: [{
    name: "tap0",
    link: 1,
    medium: "ethernet",
    mac: "02:00:00:00:00:01",
    mtu: 1500,
    offload: ["checksums", "tcp4"],
    up: true,
    addresses: ["10.0.0.2/24 (preferred)"],
    lost: { ringFull: 2 }
  }],
  neighbors: [],
  routes: [],
  connections: [connection],
  counters: { bytesReceived: 10_000, bytesSent: 0, framesReceived: 10, tcpSegmentsRetransmitted: 3 },
  drops: { TcpChecksum: 4 },
  memory: {}
}

/** The same two seconds later. */
const later: Status = {
  ...reading,
  at: reading.at + 2000,
  connections: [{ ...connection, sent: 5_001_000, received: 2500, cwnd: 28_960 }, { ...connection, id: 8 }],
  counters: { ...reading.counters, bytesReceived: 30_000, framesReceived: 30 },
  drops: { TcpChecksum: 6, TcpPaws: 1 }
}

const tableOf = (view: StatusView.View, title: string) => view.tables.find((table) => table.title === title)!

describe("StatusView", () => {
  it("has rates from two readings", () => {
    const view = StatusView.view(reading, later)
    assert.include(view.headline, "in 10.0 kB/s, 10 frames/s")
    assert.include(view.headline, "2 ESTABLISHED")
    const [busy] = tableOf(view, "Connections").rows
    assert.includeMembers([...busy!], ["1.00 kB/s", "2.50 MB/s", "13 ms", "29.0 kB", "3", "1", "cubic"])
    assert.deepStrictEqual(tableOf(view, "Drops").rows, [["TcpChecksum", "6", "1/s"], ["TcpPaws", "1", "0.50/s"]])
  })

  it("has no rates for what it sees for the first time, or after a new start", () => {
    const [, fresh] = tableOf(StatusView.view(reading, later), "Connections").rows
    assert.includeMembers([...fresh!], ["0 B/s"])
    const restarted = StatusView.view(later, { ...reading, at: later.at + 1000 })
    assert.include(restarted.headline, "in 0 B/s")
    assert.deepStrictEqual(StatusView.view(reading, reading).headline.includes("NaN"), false)
  })

  it("shows each interface under the heads of its columns", () => {
    const { head, rows: [row] } = tableOf(StatusView.view(reading, reading), "Interfaces")
    assert.deepStrictEqual(Object.fromEntries(head.map((name, at) => [name, row![at]])), {
      name: "tap0",
      state: "up",
      medium: "ethernet",
      MAC: "02:00:00:00:00:01",
      "#MTU": "1500",
      offload: "checksums, tcp4",
      addresses: "10.0.0.2/24 (preferred)",
      lost: "ringFull 2"
    })
  })

  it("shows the busiest connections, and how many it does not show", () => {
    const many = { ...later, connections: Array.from({ length: 250 }, (_, id) => ({ ...connection, id, sent: id })) }
    const before = { ...many, at: reading.at, connections: many.connections.map((one) => ({ ...one, sent: 0 })) }
    const table = StatusView.view(before, many).tables[1]!
    assert.strictEqual(table.title, "Connections, and 50 quieter ones")
    assert.strictEqual(table.rows.length, 200)
    assert.strictEqual(table.rows[0]![4], "125 B/s")
  })

  const sizes: ReadonlyArray<readonly [number, string]> = [
    [0, "0 B"],
    [999, "999 B"],
    [1000, "1.00 kB"],
    [12_345, "12.3 kB"],
    [123_456_789, "123 MB"],
    [1e15, "1000 TB"]
  ]
  for (const [value, text] of sizes) {
    it(`writes ${value} bytes as ${text}`, () => assert.strictEqual(StatusView.short(value, "B"), text))
  }
})

/** A browser made of linkedom, whose clock ticks when it is told to and whose network is a queue of answers. */
const browse = (html: string, answers: Array<() => Promise<unknown>>) => {
  const { document } = parseHTML(html)
  const ticks: Array<() => void> = []
  const context = createContext({
    document,
    Date,
    fetch: (url: string) => {
      assert.strictEqual(url, "/status.json")
      return answers.shift()!().then((value) => ({ json: () => Promise.resolve(value) }))
    },
    setTimeout: (then: () => void) => ticks.push(then)
  })
  runInContext(document.querySelector("script")!.textContent!, context)
  const turn = Effect.callback<void>((resume) => void setImmediate(() => resume(Effect.void)))
  const tick = Effect.andThen(Effect.sync(() => ticks.shift()!()), turn)
  return { document, tick }
}

describe("StatusPage", () => {
  it("is drawn by the server for the first time", () => {
    const { document } = parseHTML(StatusPage.page(reading))
    assert.include(document.querySelector("#tables")!.textContent!, "10.0.0.2/24 (preferred)")
    assert.include(document.querySelector("#tables")!.textContent!, "TcpChecksum")
    assert.include(document.querySelector("style")!.textContent!, "light-dark(")
  })

  it("lets no data become part of the page's structure", () => {
    const evil = "</script><img src=x onerror=alert(1)>"
    const interfaces = [{ ...reading.interfaces[0]!, name: evil }]
    const { document } = parseHTML(StatusPage.page({ ...reading, interfaces }))
    assert.strictEqual(document.querySelectorAll("img").length, 0)
    assert.strictEqual(document.querySelectorAll("script").length, 1)
    assert.include(document.querySelector("#tables")!.textContent!, evil)
  })

  it.live("keeps itself up to date, draws as the server does, and goes on after a failure", () =>
    Effect.gen(function*() {
      const { document, tick } = browse(StatusPage.page(reading), [
        () => Promise.resolve(later),
        () => Promise.reject(new Error("gone")),
        () => Promise.resolve({ ...later, at: later.at + 1000 })
      ])
      yield* tick
      const text = (selector: string) => document.querySelector(selector)!.textContent!
      assert.strictEqual(text("#headline"), StatusView.view(reading, later).headline)
      assert.include(text("#tables"), "2.50 MB/s")
      assert.include(text("#note"), "22:13:22 UTC")
      yield* tick
      assert.strictEqual(text("#note"), "The stack does not answer.")
      yield* tick
      assert.include(text("#note"), "22:13:23 UTC")
      const drawn = parseHTML(StatusPage.page(later)).document.querySelector("#tables")!
      assert.strictEqual(document.querySelectorAll("#tables td").length, drawn.querySelectorAll("td").length)
    }))
})

describe("StatusPage in a browser", () => {
  it.live(
    "keeps itself up to date",
    (context) =>
      Browser.use(context, "the page of netstack watch", (browser) =>
        Effect.gen(function*() {
          const { asked, url } = yield* overLoopback
          const { console, html } = yield* Browser.open(browser, url)
          const { document } = parseHTML(html)
          assert.isAbove(asked.count, 0)
          assert.match(document.querySelector("#note")!.textContent!, /^As of \d\d:\d\d:\d\d UTC\.$/)
          assert.include(document.querySelector("#tables")!.textContent!, `${addressTwo}/24 (preferred)`)
          assert.deepStrictEqual(console.filter((line) => !line.includes("favicon")), [])
        })),
    60_000
  )
})

describe("StatusSite", () => {
  it.effect("has the page, the data and the metrics of the stack that serves it", () =>
    Effect.gen(function*() {
      const get = yield* site
      assert.deepInclude(yield* get("/"), { status: 200, type: "text/html; charset=utf-8" })
      const data = yield* get("/status.json?now")
      assert.strictEqual(data.type, "application/json")
      const status = Schema.decodeUnknownSync(Schema.fromJsonString(Status))(data.body)
      assert.deepStrictEqual(status.interfaces.map(({ name }) => name), ["lo", "memory1"])
      assert.deepStrictEqual(status.interfaces[1]!.offload, ["checksums", "tcp4", "udp"])
      const metrics = yield* get("/metrics")
      assert.strictEqual(metrics.type, "text/plain; version=0.0.4; charset=utf-8")
      const families = Exposition.read(metrics.body)
      assert.strictEqual(
        Exposition.valueOf(families, "netstack_tcp_connections", { netstack_tcp_state: "ESTABLISHED" }),
        1
      )
      assert.strictEqual((yield* get("/favicon.ico")).status, 404)
    }))
})
