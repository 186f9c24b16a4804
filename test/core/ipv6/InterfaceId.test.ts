import { assert, describe, it } from "@effect/vitest"
import * as Entropy from "../../../src/core/Entropy.ts"
import * as InterfaceId from "../../../src/core/ipv6/InterfaceId.ts"
import * as Address from "../../../src/wire/Address.ts"
import * as Mac from "../../../src/wire/Mac.ts"
import * as Seeded from "../Seeded.ts"
import { ip6 } from "./address.ts"

const keys = Entropy.derive(Uint8Array.from({ length: 16 }, (_, i) => i))

const input = (given: Partial<InterfaceId.StableInput> = {}): InterfaceId.StableInput => ({
  prefix: ip6("2001:db8:1:2::"),
  netInterface: InterfaceId.wordsOf("tap0"),
  networkId: [],
  duplicateCounter: 0,
  ...given
})

const mac = (octets: ReadonlyArray<number>): Mac.Mac => Mac.read(Uint8Array.from(octets), 0)

describe("InterfaceId", () => {
  it("is the same for the same input and another for any other (rfc: 7217 §5 MUST)", () => {
    const others: ReadonlyArray<InterfaceId.StableInput> = [
      input(),
      input({ prefix: ip6("2001:db8:1:3::") }),
      input({ prefix: ip6("fe80::") }),
      input({ netInterface: InterfaceId.wordsOf("tap1") }),
      input({ networkId: [1] }),
      input({ netInterface: [], networkId: InterfaceId.wordsOf("tap0") }),
      input({ duplicateCounter: 1 })
    ]
    const ids = others.map((each) => InterfaceId.stable(keys.interfaceId, each))
    assert.strictEqual(new Set(ids.map(({ high, low }) => `${high} ${low}`)).size, others.length)
    assert.deepStrictEqual(InterfaceId.stable(keys.interfaceId, input()), ids[0])
    const foreign = Entropy.derive(new Uint8Array(16))
    assert.notDeepEqual(InterfaceId.stable(foreign.interfaceId, input()), ids[0])
  })

  it("does not depend on what stands behind the prefix", () => {
    assert.deepStrictEqual(
      InterfaceId.stable(keys.interfaceId, input({ prefix: ip6("2001:db8:1:2:3:4:5:6") })),
      InterfaceId.stable(keys.interfaceId, input())
    )
  })

  it("differs with the time for temporary addresses, by a secret of its own (rfc: 8981 §3.3.2 MUST NOT)", () => {
    assert.notDeepEqual(keys.interfaceId, keys.temporaryId)
    const at = (time: number): InterfaceId.InterfaceId => InterfaceId.temporary(keys.temporaryId, { ...input(), time })
    assert.deepStrictEqual(at(1), at(1))
    const times = [0, 1, 2 ** 32, 2 ** 32 + 1, 1_700_000_000_000_000]
    assert.strictEqual(new Set(times.map((time) => JSON.stringify(at(time)))).size, times.length)
  })

  it("uses all 64 bits evenly (rfc: 7217 §5)", () => {
    const count = 2000
    const ones = new Array<number>(64).fill(0)
    for (let i = 0; i < count; i++) {
      const { high, low } = InterfaceId.stable(keys.interfaceId, input({ duplicateCounter: i }))
      for (let bit = 0; bit < 32; bit++) {
        ones[bit]! += (low >>> bit) & 1
        ones[32 + bit]! += (high >>> bit) & 1
      }
    }
    for (const each of ones) assert.isBelow(Math.abs(each / count - 0.5), 0.06)
  })

  it("makes the RFC's example of a MAC address (rfc: 2464 §4)", () => {
    const id = InterfaceId.eui64(mac([0x34, 0x56, 0x78, 0x9a, 0xbc, 0xde]))
    assert.strictEqual(Address.format(InterfaceId.join(ip6("fe80::"), id)), "fe80::3656:78ff:fe9a:bcde")
    const local = InterfaceId.eui64(mac([0x02, 0, 0, 0, 0, 1]))
    assert.strictEqual(Address.format(InterfaceId.join(ip6("fe80::"), local)), "fe80::ff:fe00:1")
    const high = InterfaceId.eui64(mac([0xff, 0xff, 0xff, 0xff, 0xff, 0xff]))
    assert.strictEqual(Address.format(InterfaceId.join(ip6("fe80::"), high)), "fe80::fdff:ffff:feff:ffff")
  })

  it("joins a prefix and an identifier", () => {
    assert.deepStrictEqual(
      InterfaceId.join(ip6("2001:db8::ffff"), { high: 0x0123_4567, low: 0x89ab_cdef | 0 }),
      ip6("2001:db8::123:4567:89ab:cdef")
    )
  })

  it("knows the reserved identifiers (RFC 5453)", () => {
    const isReserved = (text: string): boolean => {
      const { w2, w3 } = ip6(`2001:db8::${text}`)
      return InterfaceId.isReserved({ high: w2, low: w3 })
    }
    for (const reserved of ["0:0:0:0", "200:5eff:fe00:0", "200:5eff:fe00:5213", "200:5eff:feff:ffff"]) {
      assert.isTrue(isReserved(reserved), reserved)
    }
    for (const reserved of ["fdff:ffff:ffff:ff80", "fdff:ffff:ffff:ffff"]) assert.isTrue(isReserved(reserved), reserved)
    for (const free of ["0:0:0:1", "1:0:0:0", "200:5eff:fd00:0", "200:5eff:ff00:0", "fdff:ffff:ffff:ff7f"]) {
      assert.isFalse(isReserved(free), free)
    }
  })

  it("passes over identifiers that are reserved or taken, by the counter (rfc: 7217 §5 SHOULD, 8981 §3.3.2 MUST)", () => {
    const made = [{ high: 0, low: 0 }, { high: 0, low: 7 }, { high: 0, low: 8 }, { high: 0, low: 9 }]
    const make = ({ duplicateCounter }: InterfaceId.StableInput): InterfaceId.InterfaceId =>
      made[duplicateCounter] ?? made[0]!
    const taken = ip6("2001:db8:1:2::7")
    const find = (duplicateCounter: number): InterfaceId.Found | undefined =>
      InterfaceId.find(make, input({ duplicateCounter }), (address) => Address.equals(address, taken))
    assert.deepStrictEqual(find(0), { address: ip6("2001:db8:1:2::8"), duplicateCounter: 2 })
    assert.deepStrictEqual(find(3), { address: ip6("2001:db8:1:2::9"), duplicateCounter: 3 })
    assert.isUndefined(find(4))
    assert.isUndefined(InterfaceId.find(make, input(), () => true))
  })

  it("keeps any MAC address readable in what EUI-64 makes of it", () => {
    const random = Seeded.make(1)
    for (let i = 0; i < 500; i++) {
      const octets = Array.from({ length: 6 }, () => random.below(256))
      const bytes = new Uint8Array(16)
      Address.writeV6(InterfaceId.join(ip6("fe80::"), InterfaceId.eui64(mac(octets))), bytes, 0)
      assert.deepStrictEqual(Array.from(bytes.subarray(8)), [
        octets[0]! ^ 2,
        octets[1]!,
        octets[2]!,
        0xff,
        0xfe,
        octets[3]!,
        octets[4]!,
        octets[5]!
      ])
    }
  })
})
