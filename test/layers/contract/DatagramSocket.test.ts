/**
 * What every `DatagramSocket` does, on Node's network and on the stack.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as NetAddress from "effect/net/NetAddress"
import * as Scope from "effect/Scope"
import type * as DatagramSocket from "effect/socket/DatagramSocket"
import { bytes, settle, text } from "../Events.ts"
import { type DatagramOptions, environments } from "./Environments.ts"

const inet = (host: string, port: number) => NetAddress.inetAddressFromIpStringUnsafe(host, port)

const opened = (making: Effect.Effect<DatagramSocket.DatagramSocket>) =>
  Effect.gen(function*() {
    const socket = yield* making
    return { socket, reader: yield* socket.reader, writer: yield* socket.writer }
  })

const reasonOf = <A, R>(self: Effect.Effect<A, DatagramSocket.DatagramSocketError, R>) =>
  Effect.map(Effect.flip(self), ({ reason }) => reason)

const kindOf = (reason: DatagramSocket.DatagramSocketErrorReason): string =>
  "kind" in reason ? `${reason._tag} ${reason.kind}` : reason._tag

/** Pulls until so many have come. */
const pull = (reader: DatagramSocket.Reader, count: number) =>
  Effect.gen(function*() {
    const all: Array<DatagramSocket.Datagram> = []
    while (all.length < count) all.push(...yield* reader.pull)
    return all
  })

const textsOf = (datagrams: ReadonlyArray<DatagramSocket.Datagram>): ReadonlyArray<string> =>
  datagrams.map(({ payload }) => text(payload))

const ipv4 = (host: string) => NetAddress.ipFromStringUnsafe(host) as NetAddress.Ipv4Address

/** One that no other process joins at the same time: on the kernel, a socket hears of every group that anybody joined. */
const groupHost = `239.195.${process.pid >> 8 & 0xff}.${process.pid & 0xff}`
const group = ipv4(groupHost) as NetAddress.MulticastAddress<NetAddress.Ipv4Address>
/** Nobody has it. */
const strangerHost = "192.0.2.77"

for (const [name, environment] of Object.entries(environments)) {
  describe(`DatagramSocket on ${name}`, () => {
    it.live("sends and receives, answers a datagram by itself, and knows its address", () =>
      Effect.gen(function*() {
        const { clientDatagrams, clientHost, serverDatagrams, serverHost } = yield* environment
        const server = yield* opened(serverDatagrams())
        const client = yield* opened(clientDatagrams())
        assert.strictEqual(String(server.reader.address), `${serverHost}:${server.reader.address.port}`)
        yield* client.writer.write({ payload: "hello", address: server.reader.address })
        const [question] = yield* pull(server.reader, 1)
        assert.strictEqual(String(question!.address), `${clientHost}:${client.reader.address.port}`)
        yield* server.writer.write({ payload: "there", address: question })
        yield* server.writer.write(question!)
        assert.deepStrictEqual(textsOf(yield* pull(client.reader, 2)), ["there", "hello"])
      }))

    it.live("carries datagrams whole, in order, of any length", () =>
      Effect.gen(function*() {
        const { clientDatagrams, serverDatagrams } = yield* environment
        const server = yield* opened(serverDatagrams())
        const client = yield* opened(clientDatagrams({ peer: server.reader.address }))
        yield* client.writer.writeAll([{ payload: "" }, { payload: bytes("one") }, { payload: new Uint8Array(9000) }])
        const sizes = (yield* pull(server.reader, 3)).map(({ payload }) => payload.length)
        assert.deepStrictEqual(sizes, [0, 3, 9000])
      }))

    it.live("counts what finds its queue full, and keeps the newest if it is told to", () =>
      Effect.gen(function*() {
        const { clientDatagrams, serverDatagrams } = yield* environment
        const kept = (strategy: "dropping" | "sliding") =>
          Effect.gen(function*() {
            const server = yield* opened(serverDatagrams({ capacity: 2, strategy }))
            const client = yield* opened(clientDatagrams({ peer: server.reader.address }))
            for (const payload of ["a", "b", "c"]) yield* client.writer.write({ payload })
            while (server.reader.dropped() === 0) yield* settle
            return textsOf(yield* server.reader.pull)
          })
        assert.deepStrictEqual(yield* kept("dropping"), ["a", "b"])
        assert.deepStrictEqual(yield* kept("sliding"), ["b", "c"])
      }))

    it.live("hears only its far side when connected, and takes no other address", () =>
      Effect.gen(function*() {
        const { clientDatagrams, clientHost, serverDatagrams, serverHost } = yield* environment
        const server = yield* opened(serverDatagrams())
        const stranger = yield* opened(serverDatagrams())
        const client = yield* opened(clientDatagrams({ connect: server.reader.address }))
        const own = inet(clientHost, client.reader.address.port)
        yield* stranger.writer.write({ payload: "no", address: own })
        yield* server.writer.write({ payload: "yes", address: own })
        assert.deepStrictEqual(textsOf(yield* client.reader.pull), ["yes"])
        const elsewhere = yield* reasonOf(client.writer.write({ payload: "x", address: inet(serverHost, 9) }))
        assert.strictEqual(kindOf(elsewhere), "DatagramSocketWriteError Unknown")
      }))

    it.live("tells by onError that nobody listens at its far side, and goes on", () =>
      Effect.gen(function*() {
        const { clientDatagrams, clientHost, serverDatagrams } = yield* environment
        const far = yield* Effect.scoped(Effect.map(opened(serverDatagrams()), ({ reader }) => reader.address))
        const errors: Array<string> = []
        const client = yield* opened(
          clientDatagrams({ connect: far, onError: ({ reason }) => errors.push(kindOf(reason)) })
        )
        yield* client.writer.write({ payload: "nobody there" })
        while (errors.length === 0) yield* settle
        assert.deepStrictEqual(errors, ["DatagramSocketReadError ConnectionRefused"])
        const server = yield* opened(serverDatagrams({ port: far.port }))
        yield* server.writer.write({ payload: "now", address: inet(clientHost, client.reader.address.port) })
        assert.deepStrictEqual(textsOf(yield* client.reader.pull), ["now"])
      }))

    it.live("fails writes with a kind and the address", () =>
      Effect.gen(function*() {
        const { clientDatagrams, serverHost } = yield* environment
        const { writer } = yield* opened(clientDatagrams())
        const address = inet(serverHost, 9)
        const tooLarge = yield* reasonOf(writer.write({ payload: new Uint8Array(70_000), address }))
        assert.strictEqual(kindOf(tooLarge), "DatagramSocketWriteError MessageTooLarge")
        assert.deepInclude(tooLarge, { address })
        const second = yield* reasonOf(
          writer.writeAll([{ payload: "ok", address }, { payload: new Uint8Array(70_000), address }])
        )
        assert.deepInclude(second, { kind: "MessageTooLarge", address })
        assert.strictEqual(kindOf(yield* reasonOf(writer.write({ payload: "x" }))), "DatagramSocketWriteError Unknown")
      }))

    it.live("fails to open with a kind", () =>
      Effect.gen(function*() {
        const { serverDatagrams } = yield* environment
        const { reader } = yield* opened(serverDatagrams())
        const taken = yield* Effect.scoped(reasonOf(opened(serverDatagrams({ port: reader.address.port }))))
        assert.strictEqual(kindOf(taken), "DatagramSocketOpenError AddressInUse")
      }))

    it.live("has one reader at a time, whose scope fails what waits and frees the port", () =>
      Effect.gen(function*() {
        const { serverDatagrams } = yield* environment
        const { port } = yield* Effect.scoped(Effect.map(opened(serverDatagrams()), ({ reader }) => reader.address))
        const socket = yield* serverDatagrams({ port })
        const scope = yield* Scope.make()
        const reader = yield* Scope.provide(socket.reader, scope)
        const pulling = yield* Effect.forkChild(reasonOf(reader.pull), { startImmediately: true })
        const second = yield* Effect.forkScoped(socket.reader, { startImmediately: true })
        yield* settle
        assert.isUndefined(second.pollUnsafe())
        yield* Scope.close(scope, Exit.void)
        assert.strictEqual((yield* Fiber.join(pulling))._tag, "DatagramSocketClosedError")
        assert.strictEqual((yield* Fiber.join(second)).address.port, port)
      }))

    it.live("lets writes wait for a reader", () =>
      Effect.gen(function*() {
        const { clientDatagrams, serverDatagrams } = yield* environment
        const server = yield* opened(serverDatagrams())
        const socket = yield* clientDatagrams({ peer: server.reader.address })
        const writer = yield* socket.writer
        const writing = yield* Effect.forkChild(writer.write({ payload: "early" }), { startImmediately: true })
        yield* settle
        assert.isUndefined(writing.pollUnsafe())
        yield* socket.reader
        yield* Fiber.join(writing)
        assert.deepStrictEqual(textsOf(yield* server.reader.pull), ["early"])
      }))

    it.live("loses nothing when pulls are interrupted", () =>
      Effect.gen(function*() {
        const { clientDatagrams, serverDatagrams } = yield* environment
        const server = yield* opened(serverDatagrams())
        const client = yield* opened(clientDatagrams({ peer: server.reader.address }))
        const received: Array<string> = []
        for (let i = 0; i < 50; i++) {
          const pulling = yield* Effect.forkChild(
            Effect.map(server.reader.pull, (datagrams) => void received.push(...textsOf(datagrams)))
          )
          yield* client.writer.write({ payload: String(i) })
          for (let hops = i % 4; hops > 0; hops--) yield* Effect.yieldNow
          yield* Fiber.interrupt(pulling)
        }
        while (received.length < 50) received.push(...textsOf(yield* server.reader.pull))
        assert.deepStrictEqual(received, Array.from({ length: 50 }, (_, i) => String(i)))
      }))
  })

  describe(`multicast by DatagramSocket on ${name}`, () => {
    /** A socket that may join, and how another one's words come to it: by the group, and to it alone. */
    const members = Effect.gen(function*() {
      const { clientDatagrams, clientHost, serverDatagrams, serverHost } = yield* environment
      const { reader } = yield* opened(serverDatagrams({ address: "0.0.0.0" }))
      const client = yield* opened(clientDatagrams({ multicast: { interface: ipv4(clientHost), loopback: true } }))
      const tell = (host: string) => (payload: string) =>
        client.writer.write({ payload, address: inet(host, reader.address.port) })
      return { clientHost, serverHost, reader, toGroup: tell(groupHost), toHost: tell(serverHost) }
    })

    it.live("hears a group while it is joined", () =>
      Effect.gen(function*() {
        const { reader, serverHost, toGroup, toHost } = yield* members
        yield* toGroup("before")
        yield* toHost("one")
        assert.deepStrictEqual(textsOf(yield* pull(reader, 1)), ["one"])
        yield* Effect.scoped(Effect.gen(function*() {
          yield* reader.joinMulticast({ group, interface: ipv4(serverHost) })
          yield* toGroup("two")
          assert.deepStrictEqual(textsOf(yield* pull(reader, 1)), ["two"])
        }))
        yield* toGroup("after")
        yield* toHost("three")
        assert.deepStrictEqual(textsOf(yield* pull(reader, 1)), ["three"])
      }))

    it.live("hears of a group only the sources that were asked for (RFC 3376 §3)", () =>
      Effect.gen(function*() {
        const { clientHost, reader, serverHost, toGroup, toHost } = yield* members
        yield* reader.joinMulticast({ group, interface: ipv4(serverHost), source: ipv4(strangerHost) })
        yield* toGroup("unasked")
        yield* toHost("one")
        yield* reader.joinMulticast({ group, interface: ipv4(serverHost), source: ipv4(clientHost) })
        yield* toGroup("two")
        assert.deepStrictEqual(textsOf(yield* pull(reader, 2)), ["one", "two"])
      }))

    /** What a member hears of its own words to the group, and of those to itself behind them. */
    const heardBack = (multicast: DatagramOptions["multicast"]) =>
      Effect.gen(function*() {
        const { clientDatagrams, clientHost } = yield* environment
        const own = ipv4(clientHost)
        const options = { address: "0.0.0.0", multicast: { interface: own, ...multicast } } as const
        const { reader, writer } = yield* opened(clientDatagrams(options))
        yield* reader.joinMulticast({ group, interface: own })
        yield* writer.write({ payload: "to all", address: inet(groupHost, reader.address.port) })
        yield* writer.write({ payload: "to me", address: inet(clientHost, reader.address.port) })
        return textsOf(yield* pull(reader, 2))
      })

    // That it can also do without is not to be seen here: the kernel's loopback device brings back whatever it is given.
    it.live("hears itself (RFC 1112 §6.1)", () =>
      Effect.gen(function*() {
        assert.deepStrictEqual(yield* heardBack({}), ["to all", "to me"])
        assert.deepStrictEqual(yield* heardBack({ loopback: true }), ["to all", "to me"])
      }))

    it.live("stays in its host with no time to live, and takes none that is too long (RFC 1112 §6.1)", () =>
      Effect.gen(function*() {
        assert.deepStrictEqual(yield* heardBack({ ttl: 0 }), ["to all", "to me"])
        assert.deepStrictEqual(yield* heardBack({ ttl: 255 }), ["to all", "to me"])
        const { reason } = yield* Effect.flip(heardBack({ ttl: 256 }))
        assert.strictEqual(reason._tag, "DatagramSocketOpenError")
      }))

    it.live("joins nothing by an interface that is not there", () =>
      Effect.gen(function*() {
        const { reader } = yield* members
        const reason = yield* reasonOf(reader.joinMulticast({ group, interface: ipv4(strangerHost) }))
        assert.strictEqual(reason._tag, "DatagramSocketOpenError")
      }))
  })
}
