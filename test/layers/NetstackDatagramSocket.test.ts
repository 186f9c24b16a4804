import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as NetAddress from "effect/net/NetAddress"
import * as Scope from "effect/Scope"
import * as DatagramSocket from "effect/socket/DatagramSocket"
import * as NetstackDatagramSocket from "../../layers/NetstackDatagramSocket.ts"
import { Netstack } from "../../src/sockets/Netstack.ts"
import * as Udp from "../../src/sockets/Udp.ts"
import type { Stack } from "../../src/workers/Stack.ts"
import { addressOne, addressTwo, on, pair } from "../workers/Hosts.ts"
import { bytes, settle, text } from "./Events.ts"

const inet = (host: string, port: number) => NetAddress.inetAddressFromIpStringUnsafe(host, port)

/** Both sides of a socket, open. */
const opened = (stack: Stack, options?: NetstackDatagramSocket.Options) =>
  Effect.gen(function*() {
    const socket = yield* on(stack)(NetstackDatagramSocket.make(options))
    return { socket, reader: yield* socket.reader, writer: yield* socket.writer }
  })

const reasonOf = <A, R>(self: Effect.Effect<A, DatagramSocket.DatagramSocketError, R>) =>
  Effect.map(Effect.flip(self), ({ reason }) => reason)

describe("NetstackDatagramSocket", () => {
  it.effect("binds when its reader is acquired, sends, and answers a datagram with itself", () =>
    Effect.gen(function*() {
      const { one, two } = yield* pair()
      const server = yield* opened(two, { bind: { port: 7 } })
      assert.strictEqual(server.reader.address.toString(), "0.0.0.0:7")
      const client = yield* opened(one)
      yield* client.writer.write({ payload: "hello", address: inet(addressTwo, 7) })
      const [question] = yield* server.reader.pull
      assert.strictEqual(text(question.payload), "hello")
      assert.strictEqual(question.address.toString(), `${addressOne}:${client.reader.address.port}`)
      yield* server.writer.write({ payload: "there", address: question })
      const [answer] = yield* client.reader.pull
      assert.strictEqual(text(answer.payload), "there")
    }))

  it.effect("gives all that waits at once, in order", () =>
    Effect.gen(function*() {
      const { one, two } = yield* pair()
      const server = yield* opened(two, { bind: { address: addressTwo, port: 7 } })
      const client = yield* opened(one, { peer: { address: addressTwo, port: 7 } })
      yield* client.writer.writeAll([{ payload: "a" }, { payload: "b" }, { payload: bytes("c") }])
      yield* settle
      assert.deepStrictEqual((yield* server.reader.pull).map(({ payload }) => text(payload)), ["a", "b", "c"])
    }))

  it.effect("counts what finds its queue full, and keeps the newest if it is told to", () =>
    Effect.gen(function*() {
      const { one, two } = yield* pair()
      const kept = (strategy: "dropping" | "sliding", port: number) =>
        Effect.gen(function*() {
          const server = yield* opened(two, { bind: { port }, receiveBuffer: { capacity: 2, strategy } })
          const client = yield* opened(one, { peer: { address: addressTwo, port } })
          for (const payload of ["a", "b", "c"]) yield* client.writer.write({ payload })
          yield* settle
          assert.strictEqual(server.reader.dropped(), 1)
          return (yield* server.reader.pull).map(({ payload }) => text(payload)).join("")
        })
      assert.strictEqual(yield* kept("dropping", 7), "ab")
      assert.strictEqual(yield* kept("sliding", 8), "bc")
    }))

  it.effect("hears its far side only when connected, takes no other address, and lives on after ICMP errors", () =>
    Effect.gen(function*() {
      const { one, two } = yield* pair()
      const errors: Array<string> = []
      const client = yield* opened(one, {
        connect: { address: addressTwo, port: 7 },
        onError: ({ reason }) => errors.push("kind" in reason ? reason.kind : reason._tag)
      })
      yield* client.writer.write({ payload: "nobody there" })
      yield* settle
      assert.deepStrictEqual(errors, ["ConnectionRefused"])
      const elsewhere = yield* reasonOf(client.writer.write({ payload: "x", address: inet(addressTwo, 8) }))
      assert.strictEqual(elsewhere._tag, "DatagramSocketWriteError")
      const server = yield* opened(two, { bind: { port: 7 } })
      const stranger = yield* opened(two, { bind: { port: 8 } })
      yield* stranger.writer.write({ payload: "no", address: inet(addressOne, client.reader.address.port) })
      yield* client.writer.write({ payload: "now" })
      const [question] = yield* server.reader.pull
      yield* server.writer.write({ payload: "yes", address: question })
      assert.deepStrictEqual((yield* client.reader.pull).map(({ payload }) => text(payload)), ["yes"])
    }))

  it.effect("tells an unconnected writer of a closed port by its next write there (RFC 1122 §4.1.3.3)", () =>
    Effect.gen(function*() {
      const { one } = yield* pair()
      const { writer } = yield* opened(one)
      const address = inet(addressTwo, 9)
      yield* writer.write({ payload: "x", address })
      yield* settle
      const reason = yield* reasonOf(writer.write({ payload: "x", address }))
      assert.deepInclude(reason, { _tag: "DatagramSocketWriteError", kind: "ConnectionRefused", address })
      yield* writer.write({ payload: "x", address })
    }))

  it.effect("fails a write with its kind and its address", () =>
    Effect.gen(function*() {
      const { one } = yield* pair()
      const { writer } = yield* opened(one)
      const tooLarge = yield* reasonOf(
        writer.writeAll([{ payload: "ok", address: inet(addressTwo, 9) }, {
          payload: new Uint8Array(70_000),
          address: inet(addressTwo, 10)
        }])
      )
      assert.deepInclude(tooLarge, { kind: "MessageTooLarge", address: inet(addressTwo, 10) })
      const unreachable = yield* reasonOf(writer.write({ payload: "x", address: inet("192.0.2.1", 9) }))
      assert.deepInclude(unreachable, { kind: "Unreachable" })
      assert.strictEqual((yield* reasonOf(writer.write({ payload: "x" })))._tag, "DatagramSocketWriteError")
    }))

  it.effect("fails to open with a typed kind", () =>
    Effect.gen(function*() {
      const { one } = yield* pair()
      yield* on(one)(Udp.bind({ port: 7 }))
      const kindOf = (options: NetstackDatagramSocket.Options) =>
        Effect.map(Effect.scoped(reasonOf(opened(one, options))), (reason) =>
          "kind" in reason ? reason.kind : reason._tag)
      assert.strictEqual(yield* kindOf({ bind: { port: 7 } }), "AddressInUse")
      assert.strictEqual(yield* kindOf({ bind: { address: "10.9.9.9" } }), "AddressNotAvailable")
      assert.strictEqual(yield* kindOf({ peer: { address: "name.example", port: 7 } }), "AddressNotAvailable")
      assert.strictEqual(yield* kindOf({ connect: { address: "192.0.2.1", port: 7 } }), "Unknown")
      const taken = yield* Effect.scoped(reasonOf(opened(one, { bind: { port: 7 } })))
      assert.strictEqual(taken.message, "bind [::]:7: address in use")
    }))

  it.effect("has one reader at a time, whose scope fails what waits and frees the port", () =>
    Effect.gen(function*() {
      const { one } = yield* pair()
      const socket = yield* on(one)(NetstackDatagramSocket.make({ bind: { port: 7 } }))
      const scope = yield* Scope.make()
      const reader = yield* Scope.provide(socket.reader, scope)
      const pulling = yield* Effect.forkChild(reasonOf(reader.pull), { startImmediately: true })
      const second = yield* Effect.forkScoped(socket.reader, { startImmediately: true })
      assert.isUndefined(second.pollUnsafe())
      yield* Scope.close(scope, Exit.void)
      assert.strictEqual((yield* Fiber.join(pulling))._tag, "DatagramSocketClosedError")
      assert.strictEqual((yield* Fiber.join(second)).address.port, 7)
    }))

  it.effect("fails its reader when its stack ends", () =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      const { one } = yield* Scope.provide(pair(), scope)
      const { reader } = yield* opened(one)
      const pulling = yield* Effect.forkChild(reasonOf(reader.pull), { startImmediately: true })
      yield* Scope.close(scope, Exit.void)
      assert.include(["DatagramSocketReadError", "DatagramSocketClosedError"], (yield* Fiber.join(pulling))._tag)
    }))

  it.effect("is a layer", () =>
    Effect.gen(function*() {
      const { one } = yield* pair()
      const Live = Layer.provide(
        NetstackDatagramSocket.layer({ peer: { address: addressOne, port: 7 }, bind: { port: 7 } }),
        Layer.succeed(Netstack, one)
      )
      const self = Effect.scoped(Effect.gen(function*() {
        const socket = yield* DatagramSocket.DatagramSocket
        const reader = yield* socket.reader
        const writer = yield* socket.writer
        yield* writer.write({ payload: "to myself" })
        return text((yield* reader.pull)[0].payload)
      }))
      assert.strictEqual(yield* Effect.provide(self, Live), "to myself")
    }))

  it.effect("joins multicast groups while a scope lasts, from any source or from one", () =>
    Effect.gen(function*() {
      const { one, two } = yield* pair()
      const group = NetAddress.ipFromStringUnsafe("239.1.2.3") as NetAddress.MulticastAddress<NetAddress.Ipv4Address>
      const server = yield* opened(two, { bind: { port: 7 } })
      const client = yield* opened(one, { multicast: { ttl: 3, loopback: false } })
      const tell = (payload: string) => client.writer.write({ payload, address: inet("239.1.2.3", 7) })
      const scope = yield* Scope.make()
      yield* Scope.provide(server.reader.joinMulticast({ group }), scope)
      yield* tell("a")
      yield* settle
      yield* Scope.close(scope, Exit.void)
      yield* tell("b")
      yield* settle
      const near = NetAddress.ipFromStringUnsafe(addressTwo) as NetAddress.Ipv4Address
      const stranger = NetAddress.ipFromStringUnsafe("10.0.0.77") as NetAddress.Ipv4Address
      yield* server.reader.joinMulticast({ group, interface: near, source: stranger })
      yield* tell("c")
      yield* settle
      const source = NetAddress.ipFromStringUnsafe(addressOne) as NetAddress.Ipv4Address
      yield* server.reader.joinMulticast({ group, interface: near, source })
      yield* tell("d")
      yield* settle
      assert.deepStrictEqual((yield* server.reader.pull).map(({ payload }) => text(payload)), ["a", "d"])
    }))

  it.effect("hears what it says to its own groups unless it does without (RFC 1112 §6.1)", () =>
    Effect.gen(function*() {
      const { one } = yield* pair()
      const group = NetAddress.ipFromStringUnsafe("239.1.2.3") as NetAddress.MulticastAddress<NetAddress.Ipv4Address>
      const heard = (loopback: boolean) =>
        Effect.gen(function*() {
          const { reader, writer } = yield* opened(one, { multicast: { loopback } })
          yield* reader.joinMulticast({ group })
          yield* writer.write({ payload: "to all", address: inet("239.1.2.3", reader.address.port) })
          yield* settle
          yield* writer.write({ payload: "to me", address: inet(addressOne, reader.address.port) })
          yield* settle
          return (yield* reader.pull).map(({ payload }) => text(payload))
        })
      assert.deepStrictEqual(yield* heard(true), ["to all", "to me"])
      assert.deepStrictEqual(yield* heard(false), ["to me"])
    }))

  it.effect("joins no group on an interface that is none of the stack's", () =>
    Effect.gen(function*() {
      const { one } = yield* pair()
      const { reader } = yield* opened(one)
      const group = NetAddress.ipFromStringUnsafe("239.1.2.3") as NetAddress.MulticastAddress<NetAddress.Ipv4Address>
      const elsewhere = NetAddress.ipFromStringUnsafe(addressTwo) as NetAddress.Ipv4Address
      const reason = yield* reasonOf(reader.joinMulticast({ group, interface: elsewhere }))
      assert.deepInclude(reason, { _tag: "DatagramSocketOpenError", kind: "AddressNotAvailable" })
    }))
})
