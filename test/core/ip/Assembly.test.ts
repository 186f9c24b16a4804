import { assert, describe, it } from "@effect/vitest"
import * as Assembly from "../../../src/core/ip/Assembly.ts"
import * as Time from "../../../src/core/Time.ts"
import * as Seeded from "../Seeded.ts"

const blank: Assembly.Incomplete = {
  version: 4,
  source: 1,
  destination: 2,
  protocol: 17,
  identification: 3,
  link: 1,
  order: 0,
  deadline: Time.never,
  receivedAt: Time.instantOf(0),
  parts: [],
  receivedBytes: 0,
  total: undefined,
  protocolAt: 9,
  header: new Uint8Array(20),
  marks: 0,
  isGroup: false,
  charged: 0,
  isRefused: false
}

const content = (length: number): Uint8Array => Uint8Array.from({ length }, (_, i) => (i * 31 + (i >>> 8)) & 0xff)

const fragment = (bytes: Uint8Array, start: number, end: number, isLast: boolean): Assembly.Fragment => ({
  offset: start,
  isLast,
  bytes,
  start,
  end
})

/** The obviously right one: an array with one entry per octet, and the list of all fragments taken. */
class Twin {
  private readonly octets: Array<number | undefined> = []
  private readonly taken: Array<Assembly.Fragment> = []
  private total: number | undefined = undefined

  private same(a: Assembly.Fragment, b: Assembly.Fragment): boolean {
    const bytesOf = ({ bytes, end, start }: Assembly.Fragment): string => bytes.slice(start, end).join()
    return a.offset === b.offset && bytesOf(a) === bytesOf(b)
  }

  place(given: Assembly.Fragment): "Duplicate" | "FragmentOverlap" | "FragmentTooLong" | "Taken" {
    const length = given.end - given.start
    const touched = this.octets.slice(given.offset, given.offset + length).filter((octet) => octet !== undefined)
    if (touched.length > 0) {
      return this.taken.some((other) => this.same(other, given)) ? "Duplicate" : "FragmentOverlap"
    }
    const end = given.offset + length
    if (this.total !== undefined && (end > this.total || given.isLast)) return "FragmentTooLong"
    if (given.isLast && this.octets.length > end) return "FragmentTooLong"
    for (let i = 0; i < length; i++) this.octets[given.offset + i] = given.bytes[given.start + i]
    if (given.isLast) this.total = end
    this.taken.push(given)
    return "Taken"
  }

  whole(): Uint8Array | undefined {
    if (this.total === undefined) return undefined
    for (let i = 0; i < this.total; i++) if (this.octets[i] === undefined) return undefined
    return Uint8Array.from(this.octets as ReadonlyArray<number>)
  }
}

describe("Assembly", () => {
  it("agrees with an array of octets, on fragments that fit, repeat, overlap and lie about the end (rfc: 815, rfc: 5722 §4)", () => {
    const seen = new Set<string>()
    for (let seed = 1; seed <= 400; seed++) {
      const random = Seeded.make(seed)
      const bytes = content(8 * (1 + random.below(12)))
      const other = content(8 * 40).map((octet) => octet ^ 0x55)
      let self = blank
      const twin = new Twin()
      for (let i = 0; i < 30; i++) {
        const start = 8 * random.below(bytes.length / 8)
        const end = Math.min(bytes.length, start + 8 * (1 + random.below(4)))
        const isOdd = random.chance(0.08)
        const given = isOdd
          ? fragment(other, start, start + 8 * (1 + random.below(6)), random.chance(0.3))
          : fragment(bytes, start, end, end === bytes.length)
        const placed = Assembly.place(self, given)
        const expected = twin.place(given)
        assert.strictEqual(typeof placed === "number" ? "Taken" : placed, expected)
        seen.add(expected)
        if (typeof placed !== "number") {
          if (placed === "Duplicate") continue
          break
        }
        self = Assembly.add(self, placed, given, 1)
        const whole = twin.whole()
        assert.strictEqual(Assembly.isComplete(self), whole !== undefined)
        if (whole === undefined) continue
        assert.deepStrictEqual(Assembly.join(self).slice(20), whole)
        seen.add("whole")
        break
      }
    }
    assert.deepStrictEqual(Array.from(seen).toSorted(), [
      "Duplicate",
      "FragmentOverlap",
      "FragmentTooLong",
      "Taken",
      "whole"
    ])
  })

  it("is not whole without the first fragment's header, whatever else is there", () => {
    const bytes = content(16)
    const given = fragment(bytes, 0, 16, true)
    const self = Assembly.add({ ...blank, header: undefined }, 0, given, 1)
    assert.isFalse(Assembly.isComplete(self))
  })

  it("keeps copies, since the bytes of a frame are borrowed", () => {
    const bytes = content(16)
    const self = Assembly.add(blank, 0, fragment(bytes, 0, 16, true), 1)
    bytes.fill(0)
    assert.deepStrictEqual(Assembly.join(self).slice(20), content(16))
  })

  it("hands congestion marks on, and nothing that no network produces (rfc: 3168 §5.3)", () => {
    const marks = (...classes: ReadonlyArray<number>): number =>
      classes.reduce((all, trafficClass) => all | Assembly.markOf(trafficClass), 0)
    assert.strictEqual(Assembly.trafficClassOf(0xb8, marks(0xb8, 0xb8)), 0xb8)
    assert.strictEqual(Assembly.trafficClassOf(0xba, marks(0xba, 0xbb)), 0xbb)
    assert.strictEqual(Assembly.trafficClassOf(0xb9, marks(0xb9, 0xbb)), 0xbb)
    assert.strictEqual(Assembly.trafficClassOf(0xb8, marks(0xb8, 0xbb)), undefined)
    assert.strictEqual(Assembly.trafficClassOf(0xb9, marks(0xb9, 0xba)), 0xb9)
  })
})
