/**
 * IPv6 through the workers and the sockets, as programs see it.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as NetAddress from "effect/net/NetAddress"
import { TestClock } from "effect/testing"
import * as Network from "../../src/sockets/Network.ts"
import * as Ping from "../../src/sockets/Ping.ts"
import * as Tcp from "../../src/sockets/Tcp.ts"
import * as Udp from "../../src/sockets/Udp.ts"
import { on, pair } from "../workers/Hosts.ts"

const first = "2001:db8::1"
const second = "2001:db8::2"

/** Two stacks of both families. */
const both = Effect.gen(function*() {
  const { one, two } = yield* pair()
  yield* on(one)(Network.addAddress(1, `${first}/64`))
  yield* on(two)(Network.addAddress(1, `${second}/64`))
  return { one, two }
})

const pattern = (length: number): Uint8Array => Uint8Array.from({ length }, (_, i) => (i * 7 + (i >> 8)) & 0xff)

const settle = TestClock.adjust("10 millis")

describe("IPv6 through the sockets", () => {
  it.effect("takes the mapped form of an IPv4 address for that address, and shows it as such (RFC 4291 §2.5.5.2)", () =>
    Effect.gen(function*() {
      const { one, two } = yield* both
      const listener = yield* on(two)(Tcp.listen({ port: 80 }))
      const connection = yield* on(one)(Tcp.connect("[::ffff:10.0.0.2]:80"))
      const accepted = yield* listener.accept
      assert.strictEqual(String(connection.remote), "10.0.0.2:80")
      assert.strictEqual(String(accepted.remote).split(":")[0], "10.0.0.1")
    }))

  it.effect("shows addresses with their states and origins", () =>
    Effect.gen(function*() {
      const { one } = yield* both
      const [, own] = yield* on(one)(Network.interfaces)
      const found = own!.addresses.map(({ interface: { address }, origin, state }) => {
        const shown = NetAddress.formatIp(address)
        return `${origin} ${shown.startsWith("fe80::") ? "fe80::" : shown} ${state}`
      })
      assert.deepStrictEqual(found.slice(-2), ["linkLocal fe80:: preferred", `static ${first} preferred`])
    }))

  it.effect("pings", () =>
    Effect.gen(function*() {
      const { one } = yield* both
      const asked = yield* Effect.forkChild(on(one)(Ping.ping(second, { payload: pattern(4000) })))
      yield* settle
      const pong = yield* Fiber.join(asked)
      assert.isTrue(pong.isIntact)
      assert.strictEqual(String(pong.from), second)
    }))

  it.effect("carries datagrams both ways", () =>
    Effect.gen(function*() {
      const { one, two } = yield* both
      const server = yield* on(two)(Udp.bind({ port: 7 }))
      const client = yield* on(one)(Udp.bind())
      const data = pattern(30_000)
      yield* client.send(data, `[${second}]:7`)
      yield* settle
      const question = yield* server.receive
      assert.deepStrictEqual(question.bytes, data)
      assert.strictEqual(question.source.toString(), `[${first}]:${client.address.port}`)
      yield* server.send(Uint8Array.of(4), question.source)
      yield* settle
      assert.deepStrictEqual(Array.from((yield* client.receive).bytes), [4])
    }))

  it.effect("serves both families from one listener, and one only where that is asked for", () =>
    Effect.gen(function*() {
      const { one, two } = yield* both
      const listener = yield* on(two)(Tcp.listen({ port: 80 }))
      const client = yield* on(one)(Tcp.connect(`[${second}]:80`))
      const server = yield* listener.accept
      assert.strictEqual(server.remote.toString(), client.local.toString())
      const data = pattern(300_000)
      const reading = yield* Effect.forkChild(server.readAll)
      yield* client.write(data)
      yield* client.end
      assert.isTrue(Buffer.compare(yield* Fiber.join(reading), data) === 0)
      yield* on(two)(Tcp.listen({ port: 81, family: "IPv4" }))
      const refused = yield* Effect.flip(on(one)(Tcp.connect(`[${second}]:81`)))
      assert.strictEqual(refused.reason._tag, "ConnectionRefused")
    }))

  it.effect("listens to groups, by interfaces that zones name as numbers or by name", () =>
    Effect.gen(function*() {
      const { one, two } = yield* both
      const name = (yield* on(two)(Network.interfaces))[1]!.name
      const server = yield* on(two)(Udp.bind({ port: 7, family: "IPv6" }))
      const client = yield* on(one)(Udp.bind({ family: "IPv6", options: { multicastLoopback: false } }))
      yield* server.join(`ff02::77%${name}`)
      yield* server.join("ff05::77", { link: 1, from: [first] })
      yield* client.send(Uint8Array.of(1), "[ff02::77%1]:7")
      yield* client.send(Uint8Array.of(2), "[ff05::77]:7", { source: first })
      yield* settle
      assert.deepStrictEqual((yield* server.receiveMany(9)).map(({ bytes }) => bytes[0]), [1, 2])
      const { memberships } = yield* server.info
      assert.deepStrictEqual(
        memberships.map(({ group, link, mode, sources }) => [String(group), link, mode, sources.map(String)]),
        [
          ["ff02::77", 1, "exclude", []],
          ["ff05::77", 1, "include", [first]]
        ]
      )
      yield* server.leave("ff02::77", { link: 1 })
      yield* server.leave("ff05::77")
      assert.deepStrictEqual((yield* server.info).memberships, [])
      const unknown = yield* Effect.flip(server.join("ff02::77%eth77"))
      assert.deepStrictEqual([unknown.operation, unknown.reason._tag], ["join", "NotFound"])
    }))

  it.effect("reaches link-local addresses by the name or the number of their interface (rfc: 4007 §11.2)", () =>
    Effect.gen(function*() {
      const { one, two } = yield* both
      const local = (yield* on(two)(Network.interfaces))[1]!.addresses
        .map(({ interface: { address } }) => NetAddress.formatIp(address)).find((text) => text.startsWith("fe80::"))!
      const name = (yield* on(one)(Network.interfaces))[1]!.name
      const server = yield* on(two)(Udp.bind({ port: 7 }))
      const client = yield* on(one)(Udp.bind())
      yield* client.send(Uint8Array.of(1), `[${local}%${name}]:7`)
      yield* client.connect(`[${local}%1]:7`)
      yield* client.send(Uint8Array.of(2))
      const [question, another] = [yield* server.receive, yield* server.receive]
      assert.deepStrictEqual([question.bytes[0], another.bytes[0]], [1, 2])
      const pong = yield* Effect.forkChild(on(one)(Ping.ping(`${local}%${name}`)))
      yield* settle
      assert.isTrue((yield* Fiber.join(pong)).isIntact)
      const listener = yield* on(two)(Tcp.listen({ port: 80 }))
      yield* on(one)(Tcp.connect(`[${local}%${name}]:80`))
      yield* listener.accept
    }))
})
