/**
 * What every `Dns` does with the answers of one name server: Node's resolver on the kernel's loopback, and the stack's. So the
 * codec of this project is also read, and written for, by another one.
 */
import * as NodeDns from "@effect/platform-node/NodeDns"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Dns from "effect/net/Dns"
import type * as Scope from "effect/Scope"
import type { EventEmitter } from "node:events"
import type { AddressInfo } from "node:net"
import * as NetstackDns from "../../../layers/NetstackDns.ts"
import { Netstack } from "../../../src/sockets/Netstack.ts"
import * as DnsZone from "../../services/DnsZone.ts"
import { addressTwo, on, pair } from "../../workers/Hosts.ts"
import { event } from "../Events.ts"

const dgram = process.getBuiltinModule("node:dgram")
const net = process.getBuiltinModule("node:net")

const loopback = "127.0.0.1"

const overUdp = (port: number) => {
  const socket = dgram.createSocket("udp4")
  socket.on("message", (query, from) => {
    const response = DnsZone.reply(DnsZone.zone, query, "udp")
    if (response !== undefined) socket.send(response, from.port, from.address)
  })
  socket.bind(port, loopback)
  return socket
}

const overTcp = () => {
  const server = net.createServer((connection) => {
    connection.once("data", (query) => {
      const response = DnsZone.reply(DnsZone.zone, query.subarray(2), "tcp")!
      connection.end(Buffer.concat([Buffer.from([response.length >> 8, response.length & 0xff]), response]))
    })
  })
  server.listen(0, loopback)
  return server
}

/** Waits until it listens; fails where the number is taken. */
const bound = (emitter: EventEmitter): Effect.Effect<void, unknown> =>
  Effect.raceFirst(Effect.asVoid(event(emitter, "listening")), Effect.flatMap(event(emitter, "error"), Effect.fail))

/** The zone on the kernel's loopback, over UDP and TCP; gives the port. A number that is free for TCP may be taken for UDP: then another one is tried. */
const serveOnKernel: Effect.Effect<number, never, Scope.Scope> = Effect.gen(function*() {
  const server = yield* Effect.acquireRelease(Effect.sync(overTcp), (server) => Effect.sync(() => server.close()))
  yield* bound(server)
  const { port } = server.address() as AddressInfo
  const socket = yield* Effect.acquireRelease(
    Effect.sync(() => overUdp(port)),
    (socket) => Effect.sync(() => socket.close())
  )
  yield* bound(socket)
  return port
}).pipe(Effect.retry({ times: 10 }), Effect.orDie)

const environments: Readonly<Record<string, Effect.Effect<Layer.Layer<Dns.Dns>, never, Scope.Scope>>> = {
  "Node's network": Effect.map(
    serveOnKernel,
    (port) => Layer.effect(Dns.Dns, Effect.orDie(NodeDns.make({ nameServers: [`${loopback}:${port}`] })))
  ),
  "the stack": Effect.gen(function*() {
    const { one, two } = yield* pair()
    yield* Effect.orDie(on(two)(DnsZone.serve()))
    return Layer.orDie(Layer.provide(NetstackDns.layer({ nameServers: [addressTwo] }), Layer.succeed(Netstack, one)))
  })
}

const questions: ReadonlyArray<readonly [string, Dns.RecordType]> = [
  ["www.test", "A"],
  ["www.test", "AAAA"],
  ["alias.test", "A"],
  ["test", "CAA"],
  ["alias.test", "CNAME"],
  ["test", "MX"],
  ["naptr.test", "NAPTR"],
  ["test", "NS"],
  ["1.2.0.192.in-addr.arpa", "PTR"],
  ["test", "SOA"],
  ["_http._tcp.test", "SRV"],
  ["_443._tcp.test", "TLSA"],
  ["test", "TXT"],
  ["large.test", "TXT"]
]

const expected: Readonly<Record<string, number>> = { "www.test A": 2, "alias.test A": 2 }

for (const [name, environment] of Object.entries(environments)) {
  const asking = <A, E>(use: (dns: Dns.Dns["Service"]) => Effect.Effect<A, E>) =>
    Effect.gen(function*() {
      return yield* Effect.provide(Effect.flatMap(Dns.Dns, use), yield* environment)
    })

  describe(`Dns on ${name}`, () => {
    it.live("resolves every type, over TCP where it must", () =>
      asking((dns) =>
        Effect.gen(function*() {
          for (const [owner, type] of questions) {
            const records = yield* dns.resolve(owner, type)
            assert.isTrue(records.every(({ _tag }) => _tag === type))
            assert.strictEqual(records.length, expected[`${owner} ${type}`] ?? 1, `${owner} ${type}`)
          }
        })
      ))

    it.live("says which names are not there, and which have nothing of a type", () =>
      asking((dns) =>
        Effect.gen(function*() {
          assert.strictEqual((yield* Effect.flip(dns.resolve("missing.test", "A"))).reason, "NotFound")
          assert.strictEqual((yield* Effect.flip(dns.resolve("www.test", "MX"))).reason, "NotFound")
          assert.strictEqual((yield* Effect.flip(dns.resolve("bad.test", "MX"))).reason, "InvalidResponse")
        })
      ))

    it.live("finds the name of an address", () =>
      asking((dns) =>
        Effect.map(dns.reverse("192.0.2.1"), (names) => assert.deepStrictEqual(names.map(String), ["www.test."]))
      ))
  })
}

describe("the records of both", () => {
  it.live("are the same", () =>
    Effect.gen(function*() {
      const ask = (environment: (typeof environments)[string]) =>
        Effect.gen(function*() {
          const resolved = Effect.flatMap(
            Dns.Dns,
            (dns) => Effect.forEach(questions, ([owner, type]) => dns.resolve(owner, type))
          )
          return yield* Effect.provide(resolved, yield* environment)
        })
      const [kernel, stack] = yield* Effect.all([
        ask(environments["Node's network"]!),
        ask(environments["the stack"]!)
      ])
      const formatted = (all: typeof kernel) => all.map((records) => records.map((record) => Dns.formatRecord(record)))
      assert.deepStrictEqual(formatted(stack), formatted(kernel))
    }))
})
