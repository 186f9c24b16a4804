/**
 * A read that goes on: one question, and an answer for each arrival until what was asked for has come (RFC 9293 §3.10.3, without asking again).
 */
import { assert, describe, it } from "@effect/vitest"
import type { Received } from "../../../src/core/tcp/Requests.ts"
import { connected, join, pair, pattern, write } from "./Pair.ts"

const open = (max: number) => {
  const hosts = pair()
  const [near, far] = connected(hosts)
  const request = { _tag: "TcpRead", connection: far.connection, max, block: true, goesOn: true } as const
  const send = (length: number, from = 0): void => {
    write(hosts.client, near.connection, pattern(length, from))
    hosts.wire.exchange()
  }
  return { hosts, near, far, send, read: () => hosts.server.request(request) }
}

const lengths = (parts: ReadonlyArray<Received>): ReadonlyArray<number> => parts.map(({ length }) => length)

describe("A read that goes on (RFC 9293 §3.10.3)", () => {
  it("answers each arrival until as much as it asked for has come, and leaves the rest", () => {
    const { far, hosts, read, send } = open(25)
    const asked = read()
    for (const from of [0, 10, 20]) send(10, from)
    assert.deepStrictEqual(lengths(asked.parts), [10, 10])
    const outcome = asked.outcome()
    assert(outcome._tag === "Done")
    assert.strictEqual(outcome.value.length, 5)
    const next = hosts.server.call({ _tag: "TcpRead", connection: far.connection, max: 25, block: false })
    const all = [...asked.parts, outcome.value, next].map(join)
    assert.deepStrictEqual(Buffer.concat(all), Buffer.from(pattern(30)))
  })

  it("begins with what is there", () => {
    const { read, send } = open(25)
    send(10)
    const asked = read()
    assert.deepStrictEqual(lengths(asked.parts), [10])
    send(15, 10)
    assert.strictEqual(asked.outcome()._tag, "Done")
  })

  it("ends where the stream does, behind its last byte", () => {
    const { hosts, near, read, send } = open(25)
    const asked = read()
    send(10)
    hosts.client.call({ _tag: "TcpShutdown", connection: near.connection, read: false, write: true })
    hosts.wire.exchange()
    const outcome = asked.outcome()
    assert(outcome._tag === "Done")
    assert.deepStrictEqual([lengths(asked.parts), outcome.value.length, outcome.value.end], [[10], 0, true])
  })

  it("fails when the connection does, and so does a later one", () => {
    const { far, hosts, near, read, send } = open(25)
    const asked = read()
    send(10)
    hosts.client.call({ _tag: "TcpAbort", connection: near.connection })
    hosts.wire.exchange()
    const outcome = asked.outcome()
    assert(outcome._tag === "Failed")
    assert.strictEqual(outcome.reason._tag, "ConnectionReset")
    const later = read().outcome()
    assert.strictEqual(later._tag, "Failed")
    hosts.server.call({ _tag: "TcpClose", connection: far.connection })
    assert.strictEqual(hosts.server.memory(), 0)
  })

  it("waits behind reads that were asked before, and gives a byte at least when they took what it counted on", () => {
    const { far, hosts, read, send } = open(5)
    const first = hosts.server.request({ _tag: "TcpRead", connection: far.connection, max: 20, block: true })
    const asked = read()
    send(20)
    const before = first.outcome()
    assert(before._tag === "Done")
    assert.strictEqual(before.value.length, 20)
    send(5)
    const outcome = asked.outcome()
    assert(outcome._tag === "Done")
    assert.strictEqual(outcome.value.length, 1)
  })

  it("is taken back like any other", () => {
    const { far, hosts, read, send } = open(25)
    const asked = read()
    send(10)
    hosts.server.abandon(asked)
    send(10, 10)
    const next = hosts.server.call({ _tag: "TcpRead", connection: far.connection, max: 25, block: false })
    assert.deepStrictEqual(Buffer.from(join(next)), Buffer.from(pattern(10, 10)))
  })
})
