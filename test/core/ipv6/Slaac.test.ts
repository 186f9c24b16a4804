import { assert, describe, it } from "@effect/vitest"
import * as AddressLifetimes from "../../../src/core/ipv6/AddressLifetimes.ts"
import * as InterfaceId from "../../../src/core/ipv6/InterfaceId.ts"
import * as Temporary from "../../../src/core/ipv6/Temporary.ts"
import * as Time from "../../../src/core/Time.ts"
import * as Address from "../../../src/wire/Address.ts"
import type * as NdpOptions from "../../../src/wire/NdpOptions.ts"
import * as Seeded from "../Seeded.ts"
import { ip6 } from "./address.ts"
import { settings, SlaacHost } from "./SlaacHost.ts"

const day = 86_400
const prefix = (text: string, given: Partial<NdpOptions.Prefix> = {}): NdpOptions.Prefix => ({
  prefix: ip6(text),
  length: 64,
  onLink: true,
  autonomous: true,
  validLifetime: 30 * day,
  preferredLifetime: 7 * day,
  ...given
})
const home = (given: Partial<NdpOptions.Prefix> = {}): NdpOptions.Prefix => prefix("2001:db8:1::", given)

const stableOnly = { hasTemporary: () => false }

describe("Slaac makes addresses", () => {
  it("a link-local one when the interface may speak, which never ends (rfc: 4862 §5.3)", () => {
    const host = new SlaacHost()
    host.give({ _tag: "Enable" })
    host.give({ _tag: "Enable" })
    assert.deepStrictEqual(host.take(), ["add linkLocal"])
    const [address] = host.all("linkLocal") as [string]
    assert.isTrue(Address.samePrefix(ip6(address), ip6("fe80::"), 64))
    assert.notStrictEqual(address, "fe80::ff:fe00:1")
    assert.deepStrictEqual(host.owned.get(address)!.lifetimes, AddressLifetimes.unlimited)
    assert.strictEqual(host.slaac.deadline, Time.never)
  })

  it("one for each autonomous prefix, the same for the same prefix, with its lifetimes (rfc: 4862 §5.5.3 d, 7217 §5)", () => {
    const host = new SlaacHost(stableOnly)
    host.advertise(home(), prefix("fd00:1::", { validLifetime: 100, preferredLifetime: 50 }))
    host.advertise(home({ prefix: ip6("2001:db8:1::beef") }))
    assert.deepStrictEqual(host.take(), ["add slaac", "add slaac"])
    const [first, second] = host.all("slaac") as [string, string]
    assert.isTrue(Address.samePrefix(ip6(first), ip6("2001:db8:1::"), 64))
    assert.isTrue(Address.samePrefix(ip6(second), ip6("fd00:1::"), 64))
    assert.notStrictEqual(ip6(first).w3, ip6(second).w3)
    const other = new SlaacHost(stableOnly)
    other.until(1000)
    other.advertise(prefix("fd00:1::"), home())
    assert.sameMembers([...other.all("slaac")], [first, second])
  })

  it("of its MAC address only if it is asked to (rfc: 2464 §4, RFC 8064 §3)", () => {
    const host = new SlaacHost({ ...stableOnly, identifiers: "eui64" })
    host.give({ _tag: "Enable" })
    host.advertise(home())
    assert.deepStrictEqual(Array.from(host.owned.keys()), ["fe80::ff:fe00:1", "2001:db8:1::ff:fe00:1"])
  })

  for (
    const [why, given] of [
      ["not autonomous (rfc: 4862 §5.5.3 a)", { autonomous: false }],
      ["link-local (rfc: 4862 §5.5.3 b)", { prefix: ip6("fe80::") }],
      ["preferred for longer than valid (rfc: 4862 §5.5.3 c)", { validLifetime: 10, preferredLifetime: 11 }],
      ["without validity (rfc: 4862 §5.5.3 d)", { validLifetime: 0, preferredLifetime: 0 }],
      ["of another length than 64 (rfc: 4862 §5.5.3 d MUST)", { length: 63 }],
      ["of groups", { prefix: ip6("ff02::") }],
      ["of no network", { prefix: ip6("::") }]
    ] as const
  ) {
    it(`none for a prefix that is ${why}`, () => {
      const host = new SlaacHost()
      host.advertise(home(given))
      assert.deepStrictEqual(host.take(), [])
      assert.strictEqual(host.slaac.deadline, Time.never)
    })
  }

  it("for no more prefixes than autonomousPrefixes; those that are known live on", () => {
    const host = new SlaacHost(stableOnly)
    host.give({ _tag: "Enable" })
    host.advertise(...[1, 2, 3, 4, 5, 6].map((n) => prefix(`2001:db8:${n}::`)))
    assert.deepStrictEqual(host.take(), [
      "add linkLocal",
      "add slaac",
      "add slaac",
      "add slaac",
      "add slaac",
      "ignore autonomousPrefixes",
      "ignore autonomousPrefixes"
    ])
    host.until(10)
    host.advertise(prefix("2001:db8:2::"))
    assert.deepStrictEqual(host.take(), ["renew slaac"])
  })

  it("and takes all away when the interface may not speak any more (rfc: 8981 §3.6 MUST)", () => {
    const host = new SlaacHost()
    host.give({ _tag: "Enable" })
    host.advertise(home())
    host.give({ _tag: "Disable" })
    assert.deepStrictEqual(host.take(), ["add linkLocal", "add slaac", "add temporary", "remove", "remove", "remove"])
    assert.strictEqual(host.slaac.deadline, Time.never)
  })
})

describe("Slaac follows lifetimes", () => {
  it("as the next advertisements tell them, and not below two hours (rfc: 4862 §5.5.3 e)", () => {
    const host = new SlaacHost(stableOnly)
    host.advertise(home())
    const [address] = host.all("slaac") as [string]
    host.until(1000)
    host.advertise(home({ validLifetime: 0, preferredLifetime: 0 }))
    assert.deepStrictEqual(host.owned.get(address)!.lifetimes, {
      preferredUntil: Time.instantOf(1000 * 1e6),
      validUntil: Time.instantOf((1000 + 7200) * 1e6)
    })
    assert.deepStrictEqual(host.all("slaac", "deprecated"), [address])
    host.advertise(home())
    assert.deepStrictEqual(host.all("slaac", "preferred"), [address])
  })

  it("forgets a prefix at the end of its validity, and makes the same address when it comes back", () => {
    const host = new SlaacHost(stableOnly)
    host.advertise(home({ validLifetime: 100, preferredLifetime: 100 }))
    const before = host.all("slaac")
    host.until(100)
    assert.deepStrictEqual(host.all("slaac"), [])
    assert.strictEqual(host.slaac.prefixes.length, 0)
    host.take()
    host.advertise(home())
    assert.deepStrictEqual(host.take(), ["add slaac"])
    assert.deepStrictEqual(host.all("slaac"), before)
  })
})

describe("Slaac and duplicates", () => {
  it("tries another address after a random delay, three times, and gives up (rfc: 7217 §6)", () => {
    const host = new SlaacHost({ ...stableOnly, fraction: () => 0.25 })
    host.advertise(home())
    const tried = new Set<string>()
    for (let i = 0; i < 4; i++) {
      const [address] = host.all("slaac") as [string]
      tried.add(address)
      host.give({ _tag: "Duplicate", address: ip6(address) })
      assert.deepStrictEqual(host.all("slaac"), [])
      host.until(host.now + 0.24)
      assert.deepStrictEqual(host.all("slaac"), [])
      host.until(host.now + 0.01)
    }
    assert.strictEqual(tried.size, 4)
    assert.deepStrictEqual(host.take().at(-1), "give up slaac")
    host.advertise(home())
    host.until(day)
    assert.deepStrictEqual(host.take(), [])
  })

  it("does not look for another identifier of a MAC address (rfc: 4862 §5.4.5)", () => {
    const host = new SlaacHost({ identifiers: "eui64" })
    host.give({ _tag: "Enable" })
    host.give({ _tag: "Duplicate", address: ip6("fe80::ff:fe00:1") })
    host.until(100)
    assert.deepStrictEqual(host.take(), ["add linkLocal", "remove", "give up linkLocal"])
  })

  it("tries another temporary address at once, three times in a row at most (rfc: 8981 §3.4 7 MUST)", () => {
    const host = new SlaacHost()
    host.advertise(home())
    const fail = (): void => host.give({ _tag: "Duplicate", address: ip6(host.all("temporary").at(-1)!) })
    const tried = new Set(host.all("temporary"))
    host.take()
    fail()
    fail()
    for (const address of host.all("temporary")) tried.add(address)
    assert.deepStrictEqual(host.take(), ["remove", "add temporary", "remove", "add temporary"])
    fail()
    assert.deepStrictEqual(host.take(), ["remove", "give up temporary"])
    host.advertise(home())
    host.until(3 * day)
    assert.deepStrictEqual(host.all("temporary"), [])
    assert.strictEqual(tried.size, 2)
  })

  it("counts only duplicates in a row", () => {
    const host = new SlaacHost()
    host.advertise(home())
    for (let i = 0; i < 6; i++) {
      host.give({ _tag: "Duplicate", address: ip6(host.all("temporary").at(-1)!) })
      if (i % 2 === 1) host.give({ _tag: "Unique", address: ip6(host.all("temporary").at(-1)!) })
    }
    assert.strictEqual(host.all("temporary").length, 1)
  })

  it("does not mind what is none of its own", () => {
    const host = new SlaacHost()
    host.advertise(home())
    host.take()
    host.give({ _tag: "Duplicate", address: ip6("2001:db8:1::1") })
    host.give({ _tag: "Unique", address: ip6("2001:db8:1::1") })
    assert.deepStrictEqual(host.take(), [])
  })

  it("passes over addresses that the interface has already (rfc: 7217 §5 SHOULD, 8981 §3.3.2 MUST)", () => {
    const host = new SlaacHost(stableOnly)
    host.advertise(home())
    const [first] = host.all("slaac") as [string]
    const other = new SlaacHost({ ...stableOnly, isTaken: (address) => Address.equals(address, ip6(first)) })
    other.advertise(home())
    assert.notStrictEqual(other.all("slaac")[0], first)
    const full = new SlaacHost({ isTaken: () => true })
    full.advertise(home())
    assert.deepStrictEqual(full.take(), ["give up slaac"])
  })
})

describe("Slaac makes temporary addresses", () => {
  it("one for each prefix, with lifetimes within its own limits (rfc: 8981 §3.4)", () => {
    const host = new SlaacHost()
    host.advertise(home(), prefix("fd00::", { validLifetime: 10_000, preferredLifetime: 5000 }))
    const lifetimes = host.all("temporary").map((address) => host.owned.get(address)!.lifetimes)
    assert.deepStrictEqual(lifetimes, [
      // A day less half of the greatest part that the desynchronization may take, and two days.
      { preferredUntil: Time.instantOf(0.8 * day * 1e6), validUntil: Time.instantOf(2 * day * 1e6) },
      { preferredUntil: Time.instantOf(5000e6), validUntil: Time.instantOf(10_000e6) }
    ])
    const again = new SlaacHost({ wallOffset: settings.wallOffset + 60_000_000 })
    again.advertise(home())
    assert.notStrictEqual(again.all("temporary")[0], host.all("temporary")[0])
  })

  it("none where they are not wanted (rfc: 8981 §3.7 MUST)", () => {
    const host = new SlaacHost({ hasTemporary: (prefix) => !Address.samePrefix(prefix, ip6("fc00::"), 7) })
    host.give({ _tag: "Enable" })
    host.advertise(home(), prefix("fd00::"))
    assert.strictEqual(host.all("temporary").length, 1)
  })

  it("none that would be preferred for less than it takes to make one (rfc: 8981 §3.4 5 MUST NOT)", () => {
    for (const [preferredLifetime, count] of [[0, 0], [5, 0], [6, 1]] as const) {
      const host = new SlaacHost()
      host.advertise(home({ preferredLifetime }))
      assert.strictEqual(host.all("temporary").length, count, `${preferredLifetime}`)
    }
  })

  it("the next one shortly before the last is deprecated (rfc: 8981 §3.5 MUST, SHOULD)", () => {
    const host = new SlaacHost()
    host.advertise(home())
    const [first] = host.all("temporary") as [string]
    // REGEN_ADVANCE is 2 s and three times one second of detection.
    host.until(0.8 * day - 5.1)
    assert.deepStrictEqual(host.all("temporary"), [first])
    host.until(0.8 * day - 4.9)
    assert.strictEqual(host.all("temporary", "preferred").length, 2)
    host.until(0.8 * day)
    assert.deepStrictEqual(host.all("temporary", "deprecated"), [first])
    host.until(2 * day)
    assert.isFalse(host.owned.has(first))
  })

  it("none in place of one that an advertisement has deprecated (rfc: 8981 §3.5 MUST NOT)", () => {
    const host = new SlaacHost()
    host.advertise(home())
    host.until(100)
    host.advertise(home({ preferredLifetime: 0 }))
    assert.deepStrictEqual(host.all("temporary", "preferred"), [])
    host.until(200)
    assert.strictEqual(host.all("temporary").length, 1)
    host.advertise(home())
    assert.strictEqual(host.all("temporary", "preferred").length, 1)
  })

  it("lets no advertisement stretch one beyond its limits (rfc: 8981 §3.4 1)", () => {
    const host = new SlaacHost()
    host.advertise(home())
    const [first] = host.all("temporary") as [string]
    const before = host.owned.get(first)!.lifetimes
    host.until(1000)
    host.advertise(home({ preferredLifetime: 0xffff_ffff, validLifetime: 0xffff_ffff }))
    assert.deepStrictEqual(host.owned.get(first)!.lifetimes, before)
  })

  it("with a desynchronization that leaves time for the successor (rfc: 8981 §3.8 MUST)", () => {
    const short: Temporary.Settings = { ...settings.temporary, preferredLifetime: Time.seconds(7) }
    assert.strictEqual(Temporary.regenAdvance(short), Time.seconds(5))
    const limit = Temporary.limitOf(Time.instantOf(0), 0.999_999, short)
    assert.isAbove(limit.preferredUntil, Temporary.regenAdvance(short))
  })
})

describe("Slaac over a long time of random advertisements", () => {
  it("always has a preferred temporary address while its prefix is preferred, few in all, and forgets what ends", () => {
    for (let seed = 1; seed <= 15; seed++) {
      const random = Seeded.make(seed)
      const host = new SlaacHost({ fraction: (draw) => Seeded.make(seed * 31 + draw).below(1000) / 1000 })
      host.give({ _tag: "Enable" })
      for (let i = 0; i < 150; i++) {
        const validLifetime = random.pick([0, 600, 7200, 3 * day, 30 * day, 0xffff_ffff])
        const preferredLifetime = Math.min(validLifetime, random.pick([0, 4, 600, day, 0xffff_ffff]))
        const length = random.chance(0.9) ? 64 : 48
        if (random.chance(0.8)) {
          host.advertise(prefix(`2001:db8:${random.below(6)}::`, { validLifetime, preferredLifetime, length }))
        } else {
          host.give({ _tag: "Alarm" })
        }
        if (random.chance(0.1) && host.owned.size > 0) {
          host.give({ _tag: "Duplicate", address: ip6(random.pick(Array.from(host.owned.keys()))) })
        }
        host.until(host.now + random.below(random.pick([10, 1000, day])))
        check(host)
      }
      assert.isFalse(host.said.some((each) => each.endsWith("nothing")))
      host.until(host.now + 31 * day)
      const endless = host.slaac.prefixes.filter(({ lifetimes }) => lifetimes.validUntil === Time.never)
      assert.strictEqual(endless.length, host.slaac.prefixes.length)
    }
  })
})

/** What holds at any time, by looking at the interface. */
const check = (host: SlaacHost): void => {
  const { at } = host
  assert.isAbove(host.slaac.deadline, at)
  assert.isAtMost(host.slaac.prefixes.length, 5)
  for (const known of host.slaac.prefixes) {
    const inPrefix = (address: string): boolean =>
      Address.samePrefix(ip6(address), known.prefix, InterfaceId.prefixLength)
    assert.isAtMost(host.all("slaac").filter(inPrefix).length + host.all("linkLocal").filter(inPrefix).length, 1)
    const temporaries = host.all("temporary").filter(inPrefix)
    assert.isAtMost(temporaries.length, 5)
    assert.isAtMost(host.all("temporary", "preferred").filter(inPrefix).length, 2)
    for (const address of temporaries) {
      const { lifetimes } = host.owned.get(address)!
      assert.isAtMost(lifetimes.validUntil, known.lifetimes.validUntil)
      assert.isAtMost(lifetimes.preferredUntil, Time.plus(at, Time.seconds(day)))
      assert.isAtMost(lifetimes.validUntil, Time.plus(at, Time.seconds(2 * day)))
    }
    const isLong = known.lifetimes.preferredUntil > Time.plus(at, Time.seconds(5))
    if (isLong && !Address.isLinkLocal(known.prefix) && known.temporaryFailures < 3) {
      assert.isAtLeast(host.all("temporary", "preferred").filter(inPrefix).length, 1)
    }
  }
  const configured = host.slaac.prefixes.flatMap(({ stable }) => stable._tag === "Configured" ? [stable.address] : [])
  for (const address of configured) assert.isTrue(host.owned.has(Address.format(address)))
}
