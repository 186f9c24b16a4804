import { assert, describe, it } from "@effect/vitest"
import * as ExtensionChain from "../../../src/core/ipv6/ExtensionChain.ts"
import * as IpProtocol from "../../../src/wire/IpProtocol.ts"
import * as Seeded from "../Seeded.ts"

/** The first header stands at 40, as behind an IPv6 header, whose next header is at 6. */
const start = 40
const limit = 16

/** A header as it is written here: its number, and its octets without the first, which names the next one. */
interface Part {
  readonly number: number
  readonly octets: ReadonlyArray<number>
}

const padding = (length: number): ReadonlyArray<number> => [1, length - 2, ...new Array<number>(length - 2).fill(0)]
const hopByHop = (...options: ReadonlyArray<number>): Part => optionsPart(IpProtocol.hopByHop, options)
const destination = (...options: ReadonlyArray<number>): Part => optionsPart(IpProtocol.destinationOptions, options)
const optionsPart = (number: number, options: ReadonlyArray<number>): Part =>
  options.length === 0
    ? { number, octets: [0, ...padding(6)] }
    : { number, octets: [0, ...options, ...padding(6 - options.length)] }
const routing = (type: number, segmentsLeft: number): Part => ({
  number: IpProtocol.routing,
  octets: [0, type, segmentsLeft, 0, 0, 0, 0]
})
const fragment = (offset: number, more: boolean): Part => ({
  number: IpProtocol.fragment,
  octets: [0, offset >>> 8, (offset & 0xf8) | (more ? 1 : 0), 0, 0, 0, 7]
})

/** An option of four octets whose type says what to do if it is not known. */
const option = (action: number): ReadonlyArray<number> => [(action << 6) | 0x1e, 2, 0, 0]

const routerAlert = [5, 2, 0, 0]

interface Packet {
  readonly protocol: number
  readonly range: ExtensionChain.Range
}

/** The headers one behind the other, with an upper layer of `size` octets. */
const packet = (parts: ReadonlyArray<Part>, upper = IpProtocol.udp, size = 8): Packet => {
  const numbers = [...parts.map(({ number }) => number), upper]
  const octets = parts.flatMap((part, i) => [numbers[i + 1]!, ...part.octets])
  const bytes = Uint8Array.from([...new Array<number>(start).fill(0), ...octets, ...new Array<number>(size).fill(0xee)])
  return { protocol: numbers[0]!, range: { bytes, start, end: bytes.length } }
}

const walk = ({ protocol, range }: Packet): ExtensionChain.Verdict => ExtensionChain.walk(protocol, 6, range, limit)

describe("ExtensionChain", () => {
  it("finds the upper layer and where its number stands", () => {
    assert.deepStrictEqual(walk(packet([])), {
      _tag: "UpperLayer",
      protocol: 17,
      protocolAt: 6,
      start: 40,
      seen: { routerAlert: undefined, hasFragmentHeader: false }
    })
    assert.deepStrictEqual(walk(packet([hopByHop(...routerAlert), destination(), routing(0, 0)], 99)), {
      _tag: "UpperLayer",
      protocol: 99,
      protocolAt: 56,
      start: 64,
      seen: { routerAlert: 0, hasFragmentHeader: false }
    })
  })

  it("takes headers in any order and as often as they come (rfc: 8200 §4.1)", () => {
    const odd = [
      destination(),
      routing(4, 0),
      destination(),
      routing(0, 0),
      fragment(0, false),
      destination(),
      destination()
    ]
    const verdict = walk(packet(odd))
    assert.strictEqual(verdict._tag, "UpperLayer")
  })

  it("knows hop-by-hop options in one place only (rfc: 8200 §4, §4.1)", () => {
    assert.strictEqual(walk(packet([hopByHop()]))._tag, "UpperLayer")
    const problem = { _tag: "Problem", code: 1, evenToGroup: false } as const
    assert.deepStrictEqual(walk(packet([hopByHop(), hopByHop()])), { ...problem, at: 40 })
    assert.deepStrictEqual(walk(packet([destination(), hopByHop()])), { ...problem, at: 40 })
    const { protocol, range } = packet([hopByHop()])
    const seen = { routerAlert: undefined, hasFragmentHeader: false }
    assert.deepStrictEqual(ExtensionChain.resume(protocol, 30, seen, range, limit), { ...problem, at: 30 })
  })

  for (
    const [action, verdict, why] of [
      [0, "UpperLayer", "skips"],
      [1, "Drop", "discards in silence"],
      [2, "Problem", "discards and answers, even to a group"],
      [3, "Problem", "discards and answers, but not to a group"]
    ] as const
  ) {
    it(`${why} for an unknown option of action ${action} (rfc: 8200 §4.2)`, () => {
      for (const make of [hopByHop, destination]) {
        const found = walk(packet([make(...option(action))]))
        assert.strictEqual(found._tag, verdict)
        if (found._tag === "Problem") {
          assert.deepStrictEqual(found, { _tag: "Problem", code: 2, at: 42, evenToGroup: action === 2 })
        }
        if (found._tag === "Drop") assert.strictEqual(found.reason, "IpExtensionRefused")
      }
    })
  }

  it("follows no routes, of whatever type, and skips those that are done (rfc: 8200 §4.4, 5095 §3 MUST NOT)", () => {
    for (const type of [0, 2, 3, 4, 200]) {
      assert.strictEqual(walk(packet([routing(type, 0)]))._tag, "UpperLayer")
      assert.deepStrictEqual(walk(packet([destination(), routing(type, 1)])), {
        _tag: "Problem",
        code: 0,
        at: 50,
        evenToGroup: false
      })
    }
  })

  it("hands fragments over, unless one is the whole (rfc: 8200 §4.5, 6946 §4 MUST)", () => {
    const first = walk(packet([hopByHop(...routerAlert), fragment(0, true)]))
    assert.strictEqual(first._tag, "Fragment")
    if (first._tag === "Fragment") {
      assert.strictEqual(first.at, 48)
      assert.strictEqual(first.protocolAt, 40)
      assert.strictEqual(first.header.identification, 7)
      assert.strictEqual(first.seen.routerAlert, 0)
    }
    assert.strictEqual(walk(packet([fragment(1280, false)]))._tag, "Fragment")
    const atomic = walk(packet([fragment(0, false)]))
    assert.isTrue(atomic._tag === "UpperLayer" && atomic.seen.hasFragmentHeader)
  })

  it("goes on in a packet that was put together", () => {
    const { protocol, range } = packet([destination()])
    const verdict = ExtensionChain.resume(protocol, 12, { routerAlert: 0, hasFragmentHeader: false }, range, limit)
    assert.deepStrictEqual(verdict, {
      _tag: "UpperLayer",
      protocol: 17,
      protocolAt: 40,
      start: 48,
      seen: { routerAlert: 0, hasFragmentHeader: true }
    })
  })

  it("is done when nothing follows (rfc: 8200 §4.7)", () => {
    assert.deepStrictEqual(walk(packet([], IpProtocol.noNextHeader, 0)), { _tag: "Nothing" })
    assert.deepStrictEqual(walk(packet([destination()], IpProtocol.noNextHeader)), { _tag: "Nothing" })
  })

  it("drops what is cut off, and what has more than extensionHeaders", () => {
    for (const part of [hopByHop(), destination(), routing(0, 0), fragment(0, false)]) {
      const { protocol, range } = packet([part], IpProtocol.udp, 0)
      for (let end = start; end < range.end; end++) {
        const verdict = ExtensionChain.walk(protocol, 6, { ...range, end }, limit)
        assert.deepInclude(verdict, { _tag: "Drop", reason: "Malformed" })
      }
    }
    const many = (count: number): ExtensionChain.Verdict =>
      walk(packet(Array.from({ length: count }, () => destination())))
    assert.strictEqual(many(limit)._tag, "UpperLayer")
    assert.deepInclude(many(limit + 1), { _tag: "Drop", reason: "IpExtensionRefused" })
    const withHopByHop = [hopByHop(), ...Array.from({ length: limit }, () => destination())]
    assert.deepInclude(walk(packet(withHopByHop)), { _tag: "Drop", reason: "IpExtensionRefused" })
    assert.strictEqual(walk(packet(withHopByHop.slice(1)))._tag, "UpperLayer")
  })

  it("wants all headers in the first fragment (rfc: 8200 §4.5, 7112 §5 SHOULD)", () => {
    const isComplete = (parts: ReadonlyArray<Part>, upper: number, size: number): boolean => {
      const { protocol, range } = packet(parts, upper, size)
      return ExtensionChain.isComplete(protocol, range)
    }
    for (
      const [upper, size, complete] of [
        [IpProtocol.tcp, 20, true],
        [IpProtocol.tcp, 19, false],
        [IpProtocol.udp, 8, true],
        [IpProtocol.udp, 7, false],
        [IpProtocol.icmpv6, 7, false],
        [IpProtocol.noNextHeader, 0, true],
        [200, 0, true]
      ] as const
    ) {
      assert.strictEqual(isComplete([], upper, size), complete)
      assert.strictEqual(isComplete([destination()], upper, size), complete)
    }
    const { protocol, range } = packet([destination()], IpProtocol.udp)
    assert.isFalse(ExtensionChain.isComplete(protocol, { ...range, end: range.start + 7 }))
  })

  it("agrees with the headers as they were written, over random chains", () => {
    for (let seed = 1; seed <= 2000; seed++) {
      const random = Seeded.make(seed)
      const parts = Array.from({ length: random.below(7) }, (): Part =>
        random.pick([
          () => hopByHop(),
          () => destination(...(random.chance(0.5) ? option(random.below(4)) : [])),
          () => routing(random.below(5), random.pick([0, 0, 1])),
          () => fragment(random.pick([0, 0, 8]), random.chance(0.2)),
          () => destination()
        ])())
      if (random.chance(0.5)) parts.unshift(hopByHop(...(random.chance(0.5) ? routerAlert : option(random.below(4)))))
      const upper = random.pick([IpProtocol.tcp, IpProtocol.udp, IpProtocol.noNextHeader, 200])
      assert.strictEqual(walk(packet(parts, upper))._tag, expected(parts, upper))
    }
  })

  it("never throws and always ends, whatever the octets", () => {
    for (let seed = 1; seed <= 3000; seed++) {
      const random = Seeded.make(seed)
      const bytes = Uint8Array.from(
        { length: random.below(200) },
        () => random.chance(0.4) ? random.pick([0, 43, 44, 60]) : random.below(256)
      )
      const range = { bytes, start: Math.min(40, bytes.length), end: bytes.length }
      const verdict = ExtensionChain.walk(random.pick([0, 43, 44, 60]), 6, range, limit)
      if (verdict._tag === "UpperLayer") assert.isAtMost(verdict.start, range.end)
      if (verdict._tag === "Problem") assert.isBelow(verdict.at, range.end)
      ExtensionChain.isComplete(random.pick([0, 6, 43, 44, 60]), range)
    }
  })
})

/** What the first header that decides anything decides. */
const expected = (parts: ReadonlyArray<Part>, upper: number): ExtensionChain.Verdict["_tag"] => {
  for (const [i, { number, octets }] of parts.entries()) {
    if (number === IpProtocol.hopByHop && i > 0) return "Problem"
    const action = octets[1]! >>> 6
    const isOptions = number === IpProtocol.hopByHop || number === IpProtocol.destinationOptions
    if (isOptions && action > 0) return action === 1 ? "Drop" : "Problem"
    if (number === IpProtocol.routing && octets[2] !== 0) return "Problem"
    if (number === IpProtocol.fragment && (octets[1] !== 0 || octets[2] !== 0)) return "Fragment"
  }
  return upper === IpProtocol.noNextHeader ? "Nothing" : "UpperLayer"
}
