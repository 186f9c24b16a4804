import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as NetAddress from "effect/net/NetAddress"
import * as Result from "effect/Result"
import { TestClock } from "effect/testing"
import * as DnsExchange from "../../src/services/DnsExchange.ts"
import * as DnsData from "../../src/wire/DnsData.ts"
import * as EntropySource from "../../src/workers/EntropySource.ts"
import { settle } from "../layers/Events.ts"
import { addressOne, addressTwo, on, pair } from "../workers/Hosts.ts"
import * as DnsZone from "./DnsZone.ts"

const inet = (host: string) => NetAddress.inetAddressFromIpStringUnsafe(host, 53)
const good = inet(addressOne)
const stalled = inet(addressTwo)
const limit = Duration.seconds(1)

/** A stack that asks itself, and another one that never answers over TCP; the answer is too long for UDP. */
const asking = Effect.gen(function*() {
  const { one, two } = yield* pair()
  yield* on(one)(DnsZone.serve())
  const asked = yield* on(two)(DnsZone.serve((_, transport) => transport === "tcp" ? "silent" : undefined))
  const connections: DnsExchange.Connections = new Map()
  const settings: DnsExchange.Settings = { payload: 1232, generate: EntropySource.seeded(1), connections }
  const question = { name: "large.test.", type: DnsData.Type.TXT }
  const ask = (server: NetAddress.InetAddress) =>
    on(one)(Effect.result(DnsExchange.ask(server, question, limit, settings, true)))
  return { ask, asked, connections }
})

describe("questions over TCP", () => {
  it.effect("wait for no other server than their own", () =>
    Effect.gen(function*() {
      const { ask, connections } = yield* asking
      const waiting = yield* Effect.forkChild(ask(stalled), { startImmediately: true })
      yield* settle
      assert.deepStrictEqual([...connections.keys()], [String(stalled)])
      const answer = yield* Effect.forkChild(ask(good), { startImmediately: true })
      yield* settle
      assert.isTrue(Result.isSuccess(yield* Fiber.join(answer)))
      assert.isUndefined(waiting.pollUnsafe())
      yield* Fiber.interrupt(waiting)
      assert.strictEqual(connections.size, 0)
    }))

  it.effect("have one connection to a server at a time (RFC 7766 §6.2.2), and wait no longer for it than for an answer", () =>
    Effect.gen(function*() {
      const { ask, asked, connections } = yield* asking
      const several = Effect.all(Array.from({ length: 5 }, () => ask(stalled)), { concurrency: "unbounded" })
      const waiting = yield* Effect.forkChild(several, { startImmediately: true })
      yield* settle
      assert.strictEqual(asked.filter(({ transport }) => transport === "tcp").length, 1)
      yield* TestClock.adjust(limit)
      yield* settle
      const reasons = (yield* Fiber.join(waiting)).map((result) =>
        Result.isFailure(result) ? result.failure.reason : "answered"
      )
      assert.deepStrictEqual(reasons, Array.from({ length: 5 }, () => "Timeout"))
      assert.strictEqual(connections.size, 0)
    }))
})
