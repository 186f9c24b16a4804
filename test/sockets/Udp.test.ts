import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import { TestClock } from "effect/testing"
import * as Udp from "../../src/sockets/Udp.ts"
import * as Readings from "../../src/workers/Readings.ts"
import * as Family from "../core/family.ts"
import { addressTwo, hostOne, hostTwo, on, pair } from "../workers/Hosts.ts"

const largest = Family.choose(65_507, 65_527)

const reasonOf = <A, R>(self: Effect.Effect<A, Udp.UdpError, R>) =>
  Effect.map(Effect.flip(self), ({ reason }) => reason)

/** Lets what was sent last arrive, and what came of it come back. */
const settle = TestClock.adjust("10 millis")

describe("Udp", () => {
  it.effect("carries datagrams both ways, and tells where each is from", () =>
    Effect.gen(function*() {
      const { one, two } = yield* pair()
      const server = yield* on(two)(Udp.bind({ port: 7 }))
      const client = yield* on(one)(Udp.bind())
      yield* client.send(Uint8Array.of(1, 2, 3), `${hostTwo}:7`)
      const question = yield* server.receive
      assert.deepStrictEqual(Array.from(question.bytes), [1, 2, 3])
      assert.strictEqual(question.source.toString(), `${hostOne}:${client.address.port}`)
      assert.strictEqual(question.destination.toString(), addressTwo)
      yield* server.send(Uint8Array.of(4), question.source)
      assert.deepStrictEqual(Array.from((yield* client.receive).bytes), [4])
    }))

  it.effect("sends many in one request, in their order, to whom each is for, and waits for room", () =>
    Effect.gen(function*() {
      const { one, two } = yield* pair()
      const servers = [yield* on(two)(Udp.bind({ port: 7 })), yield* on(two)(Udp.bind({ port: 8 }))]
      const client = yield* on(one)(Udp.bind())
      const received = servers.map((): Array<number> => [])
      // Few wait for a neighbour that is not known yet.
      yield* client.send(Uint8Array.of(0), `${hostTwo}:9`)
      yield* settle
      yield* Effect.ignore(client.send(Uint8Array.of(0), `${hostTwo}:9`))
      for (const [i, server] of servers.entries()) {
        yield* Effect.forkChild(
          Stream.runForEach(server.stream, ({ bytes }) => Effect.sync(() => received[i]!.push(bytes[0]!)))
        )
      }
      // More than the queue to the link holds of one socket.
      const datagrams = Array.from({ length: 500 }, (_, i) => ({
        bytes: new Uint8Array(1400).fill(i),
        to: `${hostTwo}:${7 + (i & 1)}` as const
      }))
      const sending = yield* Effect.forkChild(client.sendMany(datagrams))
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* Fiber.join(sending), 500)
      yield* settle
      for (const parity of [0, 1]) {
        const expected = Array.from({ length: 250 }, (_, i) => (2 * i + parity) & 0xff)
        assert.deepStrictEqual(received[parity], expected)
      }
      assert.strictEqual(yield* client.sendMany([]), 0)
    }))

  it.effect("sends many up to the first that is refused, and tells why when that comes first", () =>
    Effect.gen(function*() {
      const { one, two } = yield* pair()
      const server = yield* on(two)(Udp.bind({ port: 7 }))
      const client = yield* on(one)(Udp.bind())
      const to = `${hostTwo}:7` as const
      const datagrams = [
        { bytes: Uint8Array.of(1), to },
        { bytes: new Uint8Array(largest + 1), to },
        { bytes: Uint8Array.of(2), to }
      ]
      assert.strictEqual(yield* client.sendMany(datagrams), 1)
      assert.deepInclude(yield* reasonOf(client.sendMany(datagrams.slice(1))), { _tag: "MessageTooLarge" })
      yield* settle
      assert.deepStrictEqual((yield* server.receiveMany(9)).map(({ bytes }) => Array.from(bytes)), [[1]])
    }))

  it.effect("carries the largest datagram, in fragments", () =>
    Effect.gen(function*() {
      const { one, two } = yield* pair()
      const server = yield* on(two)(Udp.bind({ port: 7 }))
      const client = yield* on(one)(Udp.bind())
      const data = Uint8Array.from({ length: largest }, (_, i) => i * 31)
      const received = yield* Effect.forkChild(server.receive)
      yield* client.send(data, `${hostTwo}:7`)
      yield* settle
      assert.isTrue(Buffer.compare((yield* Fiber.join(received)).bytes, data) === 0)
      const tooLarge = yield* reasonOf(client.send(new Uint8Array(largest + 1), `${hostTwo}:7`))
      assert.deepInclude(tooLarge, { _tag: "MessageTooLarge", limit: largest })
    }))

  it.effect("takes what is there, and nothing without waiting when nothing is there", () =>
    Effect.gen(function*() {
      const { one } = yield* pair()
      const socket = yield* on(one)(Udp.bind({ port: 7 }))
      assert.isTrue(Option.isNone(yield* socket.tryReceive))
      for (let i = 0; i < 3; i++) yield* socket.send(Uint8Array.of(i), `${hostOne}:7`)
      yield* settle
      assert.strictEqual((yield* socket.info).datagramsWaiting, 3)
      const two = yield* socket.receiveMany(2)
      assert.deepStrictEqual(two.map(({ bytes }) => bytes[0]), [0, 1])
      assert.isTrue(Option.isSome(yield* socket.tryReceive))
    }))

  it.effect("is a stream of datagrams", () =>
    Effect.gen(function*() {
      const { one } = yield* pair()
      const socket = yield* on(one)(Udp.bind({ port: 7 }))
      for (let i = 0; i < 3; i++) yield* socket.send(Uint8Array.of(i), `${hostOne}:7`)
      const first = yield* Stream.runCollect(Stream.take(socket.stream, 3))
      assert.deepStrictEqual(first.map(({ bytes }) => bytes[0]), [0, 1, 2])
    }))

  it.effect("tells a connected socket that nobody listens over there", () =>
    Effect.gen(function*() {
      const { one } = yield* pair()
      const socket = yield* on(one)(Udp.connect(`${hostTwo}:9`))
      const waiting = yield* Effect.forkChild(reasonOf(socket.receive))
      yield* socket.send(Uint8Array.of(1))
      yield* settle
      assert.strictEqual((yield* Fiber.join(waiting))._tag, "ConnectionRefused")
    }))

  it.effect("needs a far side to send to, and hears only the one that it is connected to", () =>
    Effect.gen(function*() {
      const { one, two } = yield* pair()
      const socket = yield* on(one)(Udp.bind({ port: 5 }))
      assert.strictEqual((yield* reasonOf(socket.send(Uint8Array.of(1))))._tag, "NotConnected")
      const peer = yield* on(two)(Udp.bind({ port: 7 }))
      const stranger = yield* on(two)(Udp.bind({ port: 8 }))
      yield* socket.connect(`${hostTwo}:7`)
      assert.strictEqual((yield* socket.info).remote?.toString(), `${hostTwo}:7`)
      yield* stranger.send(Uint8Array.of(8), `${hostOne}:5`)
      yield* peer.send(Uint8Array.of(7), `${hostOne}:5`)
      assert.deepStrictEqual(Array.from((yield* socket.receive).bytes), [7])
      yield* socket.disconnect
      yield* stranger.send(Uint8Array.of(8), `${hostOne}:5`)
      assert.deepStrictEqual(Array.from((yield* socket.receive).bytes), [8])
    }))

  it.effect("fails with a typed reason for a port or an address that can't be had", () =>
    Effect.gen(function*() {
      const { one } = yield* pair()
      yield* on(one)(Udp.bind({ port: 7 }))
      assert.strictEqual((yield* reasonOf(on(one)(Udp.bind({ port: 7 }))))._tag, "AddressInUse")
      assert.strictEqual((yield* reasonOf(on(one)(Udp.bind({ address: "10.9.9.9" }))))._tag, "AddressNotAvailable")
      assert.strictEqual((yield* reasonOf(on(one)(Udp.bind({ port: 1.5 }))))._tag, "InvalidArgument")
    }))

  it.effect("names the address that a bind, a send or a connection failed at", () =>
    Effect.gen(function*() {
      const { one, two } = yield* pair()
      yield* on(one)(Udp.bind({ port: 7 }))
      const taken = yield* Effect.flip(on(one)(Udp.bind({ port: 7 })))
      assert.strictEqual(taken.message, "bind [::]:7: address in use")
      assert.deepStrictEqual(taken.local, { host: "::", port: 7 })
      const foreign = Family.choose("10.9.9.9", "2001:db8:9::9")
      const shown = Family.choose("10.9.9.9:0", "[2001:db8:9::9]:0")
      const elsewhere = yield* Effect.flip(on(one)(Udp.bind({ address: foreign })))
      assert.strictEqual(elsewhere.message, `bind ${shown}: not an address of this stack`)
      const socket = yield* on(two)(Udp.bind())
      const far = Family.choose("10.9.9.9:9", "[2001:db8:9::9]:9") as `${string}:${number}`
      assert.strictEqual(
        (yield* Effect.flip(socket.send(new Uint8Array(1), far))).message.split(": ")[0],
        `send ${far}`
      )
      const many = socket.sendMany([{ bytes: new Uint8Array(1), to: far }])
      assert.strictEqual((yield* Effect.flip(many)).message.split(": ")[0], `send ${far}`)
      assert.strictEqual((yield* Effect.flip(socket.connect(far))).message.split(": ")[0], `connect ${far}`)
    }))

  it.effect("names the far side of a connected socket, as long as it has one", () =>
    Effect.gen(function*() {
      const { one } = yield* pair()
      const socket = yield* on(one)(Udp.connect(`${hostTwo}:9`))
      yield* socket.send(new Uint8Array(1))
      yield* settle
      const refused = yield* Effect.flip(socket.receive)
      assert.strictEqual(refused.message, `receive ${hostTwo}:9: connection refused`)
      assert.strictEqual(refused.remote?.port, 9)
      yield* socket.disconnect
      assert.strictEqual((yield* Effect.flip(socket.send(new Uint8Array(1)))).message, "send: not connected")
    }))

  it.effect("is closed by its scope or before: who waits hears Closed, and the port is free again", () =>
    Effect.gen(function*() {
      const { one } = yield* pair()
      yield* Effect.scoped(on(one)(Udp.bind({ port: 7 })))
      const socket = yield* on(one)(Udp.bind({ port: 7 }))
      const waiting = yield* Effect.forkChild(reasonOf(socket.receive))
      yield* Effect.yieldNow
      yield* socket.close
      assert.strictEqual((yield* Fiber.join(waiting))._tag, "Closed")
      yield* on(one)(Udp.bind({ port: 7 }))
      assert.strictEqual(yield* one.read(Readings.parkedRequests), 0)
    }))
})
