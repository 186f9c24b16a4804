import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as NetstackDns from "../../../layers/NetstackDns.ts"
import * as DnsZone from "../../services/DnsZone.ts"
import { addressTwo, on, pair } from "../../workers/Hosts.ts"
import { attributesOf, parentOf, Spans } from "./Spans.ts"

describe("Looking up names", () => {
  it.effect("is a span below the program's, with the name and the number of answers", () =>
    Effect.gen(function*() {
      const spans = new Spans()
      const { one, two } = yield* pair()
      yield* on(two)(DnsZone.serve())
      const dns = yield* on(one)(NetstackDns.make({ nameServers: [addressTwo] }))
      const asked = Effect.gen(function*() {
        yield* dns.lookup("www.test")
        yield* dns.resolve("www.test", "AAAA")
        yield* Effect.exit(dns.resolve("nowhere.test", "A"))
      })
      yield* asked.pipe(Effect.withSpan("program"), Effect.withTracer(spans.tracer))
      const program = spans.only("program")
      const found = spans.only("Dns.lookup")
      const [resolved, missing] = spans.named("Dns.resolve")
      assert.deepStrictEqual(attributesOf(found), { "dns.question.name": "www.test", "netstack.dns.answers": 2 })
      assert.deepStrictEqual(attributesOf(missing!), { "dns.question.name": "nowhere.test", "netstack.dns.answers": 0 })
      assert.deepStrictEqual([found, resolved!].map(parentOf), [program.spanId, program.spanId])
      assert.strictEqual(found.kind, "client")
    }))
})
