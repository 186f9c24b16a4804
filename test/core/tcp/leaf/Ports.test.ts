import { assert, describe, it } from "@effect/vitest"
import * as SipHash from "../../../../src/core/data/SipHash.ts"
import * as Ports from "../../../../src/core/tcp/Ports.ts"
import * as Address from "../../../../src/wire/Address.ts"

const key = SipHash.keyFrom(Uint8Array.from({ length: 16 }, (_, i) => i * 3))
const range: Ports.Range = { first: 49152, last: 65535 }
const ends = (last: number, remotePort = 80): Ports.Ends => ({
  local: Address.v4(10, 0, 0, 1),
  remote: Address.v4(192, 0, 2, last),
  remotePort
})
const free = (): boolean => true

/** The ports of `count` connections in a row. */
const series = (to: Ports.Ends, count: number, within = range): Array<number> => {
  const ports: Array<number> = []
  for (let next = 0; ports.length < count;) {
    const choice = Ports.choose(key, to, within, next, free)
    assert.isDefined(choice)
    ports.push(choice.port)
    next = choice.next
  }
  return ports
}

describe("Ports", () => {
  it("uses every port of the range before one comes back (RFC 6056 §3.3.3)", () => {
    const small = { first: 50000, last: 50099 }
    assert.strictEqual(new Set(series(ends(1), 100, small)).size, 100)
    assert.deepStrictEqual(series(ends(1), 200, small).slice(100), series(ends(1), 100, small))
  })

  it("stays within the range and goes up by one (RFC 6056 §3.3.3)", () => {
    const ports = series(ends(7), 1000)
    ports.forEach((port, i) => {
      assert.isTrue(port >= range.first && port <= range.last)
      if (i > 0) assert.include([1, 1 - (range.last - range.first + 1)], port - ports[i - 1]!)
    })
  })

  it("starts elsewhere for each destination, port, source and key (RFC 6056 §3.3.3)", () => {
    const starts = Array.from({ length: 50 }, (_, i) => series(ends(i), 1)[0]!)
    starts.push(...Array.from({ length: 50 }, (_, i) => series(ends(1, 1000 + i), 1)[0]!))
    assert.isAbove(new Set(starts).size, 95)
    const before = starts[1]!
    assert.notStrictEqual(
      Ports.choose(SipHash.keyFrom(new Uint8Array(16)), ends(1), range, 0, free)?.port,
      before
    )
    assert.notStrictEqual(
      Ports.choose(key, { ...ends(1), local: Address.v4(10, 0, 0, 9) }, range, 0, free)?.port,
      before
    )
  })

  it("passes over taken ports, and goes on behind the one it found", () => {
    const [first, second, third, fourth] = series(ends(1), 4)
    const taken = new Set([first, second])
    const choice = Ports.choose(key, ends(1), range, 0, (port) => !taken.has(port))
    assert.deepStrictEqual(choice, { port: third!, next: 3 })
    assert.strictEqual(Ports.choose(key, ends(1), range, choice!.next, free)?.port, fourth)
  })

  it("says so when no port is free, after trying each once", () => {
    const tried: Array<number> = []
    const none = Ports.choose(key, ends(1), { first: 60000, last: 60015 }, 5, (port) => {
      tried.push(port)
      return false
    })
    assert.isUndefined(none)
    assert.deepStrictEqual(tried.toSorted(), Array.from({ length: 16 }, (_, i) => 60000 + i))
  })

  it("works with a range of one port, for both families", () => {
    const v6 = { local: Address.v6(1, 2, 3, 4), remote: Address.v6(1, 2, 3, 5), remotePort: 443 }
    assert.strictEqual(Ports.choose(key, v6, { first: 1024, last: 1024 }, 0xffff_ffff, free)?.port, 1024)
  })

  it("keeps the counter within 32 bits", () => {
    assert.strictEqual(Ports.choose(key, ends(1), range, 0xffff_ffff, free)?.next, 0)
  })

  it("spreads destinations over the counters (RFC 6056 §3.3.4)", () => {
    const counts = [0, 0, 0, 0, 0, 0, 0, 0]
    for (let i = 0; i < 200; i++) counts[Ports.slot(key, ends(i), 8)]! += 1
    counts.forEach((count) => assert.isAbove(count, 8))
    assert.strictEqual(Ports.slot(key, ends(3), 8), Ports.slot(key, ends(3), 8))
  })
})
