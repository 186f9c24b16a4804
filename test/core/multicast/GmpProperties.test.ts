import { assert, describe, it } from "@effect/vitest"
import * as Filter from "../../../src/core/data/SourceFilter.ts"
import * as Sources from "../../../src/core/data/Sources.ts"
import * as Gmp from "../../../src/core/multicast/Gmp.ts"
import * as Listeners from "../../../src/core/multicast/Listeners.ts"
import * as Time from "../../../src/core/Time.ts"
import * as Address from "../../../src/wire/Address.ts"
import { RecordType } from "../../../src/wire/Membership.ts"
import { ip } from "../ipv6/address.ts"
import * as Seeded from "../Seeded.ts"
import { Host, type Sent } from "./Host.ts"

const second = 1_000_000
const groups = {
  4: ["239.0.0.1", "239.0.0.2", "239.0.0.3", "224.0.0.1"].map(ip),
  6: ["ff15::1", "ff02::fb", "ff02::1:ff00:1", "ff02::1", "ff01::2"].map(ip)
}
const groupsOf = (version: Address.Version): ReadonlyArray<Address.Address> => groups[version]
const allNodes = { 4: ip("224.0.0.1"), 6: ip("ff02::1") }
const sources = {
  4: [1, 2, 3, 4, 5].map((n) => ip(`10.0.0.${n}`)),
  6: [1, 2, 3, 4, 5].map((n) => ip(`2001:db8::${n}`))
}
const sourcesOf = (version: Address.Version): ReadonlyArray<Address.Address> => sources[version]

const randomFilter = (random: Seeded.Seeded, version: Address.Version): Filter.Filter | undefined =>
  random.chance(0.25)
    ? undefined
    : Filter.make(random.pick(["include", "exclude"]), sourcesOf(version).filter(() => random.chance(0.4)))

const randomQuery = (random: Seeded.Seeded, version: Address.Version): Gmp.Input => {
  const isNewest = random.chance(0.7)
  const asked = random.chance(0.5) ? (version === 4 ? 0 : ip("::")) : random.pick(groupsOf(version))
  return {
    _tag: "Query",
    query: {
      _tag: "Query",
      version: isNewest ? (version === 4 ? 3 : 2) : version === 4 ? 1 + random.below(2) : 1,
      maximumResponseMillis: random.pick([0, 10, 1000, 10_000, 60_000]),
      group: asked,
      suppress: random.chance(0.5),
      robustness: isNewest ? random.below(8) : 0,
      queryIntervalSeconds: isNewest ? random.pick([0, 5, 125]) : 0,
      sources: isNewest && !Address.isUnspecified(asked) ? sourcesOf(version).filter(() => random.chance(0.3)) : []
    }
  }
}

/** What a router of the newest version believes, which has this host alone on its link and never forgets (RFC 3376 §6.4). */
class Router {
  readonly filters = new Map<number | string, Filter.Filter>()

  hear(message: Gmp.Message): void {
    if (message._tag !== "Records") return
    for (const { group, sources, type } of message.records) {
      const key = Address.key(group)
      const known = this.filters.get(key) ?? Filter.nothing
      this.filters.set(key, this.after(known, type, Sources.of(sources)))
    }
  }

  private after(known: Filter.Filter, type: number, sources: Sources.Sources): Filter.Filter {
    const isIncluding = known.mode === "include"
    switch (type) {
      case RecordType.changeToInclude:
        return { mode: "include", sources }
      case RecordType.changeToExclude:
      case RecordType.modeIsExclude:
        return { mode: "exclude", sources }
      case RecordType.allowNewSources:
      case RecordType.modeIsInclude:
        return {
          ...known,
          sources: isIncluding ? Sources.union(known.sources, sources) : Sources.difference(known.sources, sources)
        }
      default:
        return {
          ...known,
          sources: isIncluding ? Sources.difference(known.sources, sources) : Sources.union(known.sources, sources)
        }
    }
  }
}

/** What the sockets want of a group by the definition, through the merge that has a test of its own. */
const wanted = (host: Host, group: Address.Address): Filter.Filter =>
  Listeners.filterOf(host.filtersOf(group).reduce(Listeners.add, Listeners.none))

const make = (random: Seeded.Seeded, version: Address.Version, seed: number): Host =>
  new Host(version, {
    fraction: (draw) => Seeded.make(seed * 7919 + draw).below(1000) / 1000,
    mtu: random.pick([1280, 1500])
  })

const listenAtRandom = (random: Seeded.Seeded, host: Host, version: Address.Version): void => {
  host.listen(random.below(4), random.pick(groupsOf(version)), randomFilter(random, version))
}

describe("Gmp and a router", () => {
  it("agree after every change and every answer, when nothing is lost (rfc: 3376 §5.1, 3810 §6.1)", () => {
    for (let seed = 1; seed <= 150; seed++) {
      const random = Seeded.make(seed)
      const version = random.pick([4, 6] as const)
      const host = make(random, version, seed)
      const router = new Router()
      for (let i = 0; i < 60; i++) {
        if (random.chance(0.5)) listenAtRandom(random, host, version)
        if (random.chance(0.3)) host.advance(random.below(3 * second))
        const asked = randomQuery(random, version)
        const isNewest = asked._tag === "Query" && asked.query.version === (version === 4 ? 3 : 2)
        if (isNewest && random.chance(0.3)) host.give(asked)
        for (const { message } of host.sent) router.hear(message)
        host.sent = []
        for (const group of groupsOf(version)) {
          const believed = router.filters.get(Address.key(group)) ?? Filter.nothing
          assert.isTrue(Filter.equals(believed, Gmp.isReported(group) ? wanted(host, group) : Filter.nothing))
        }
      }
    }
  })

  it("agree in the end, whichever single message is lost (rfc: 3376 §8.1, 3810 §9.1)", () => {
    for (let seed = 1; seed <= 60; seed++) {
      const random = Seeded.make(seed)
      const version = random.pick([4, 6] as const)
      const host = make(random, version, seed)
      const sent: Array<Sent> = []
      for (let i = 0; i < 15; i++) {
        listenAtRandom(random, host, version)
        if (random.chance(0.6)) host.advance(random.below(1.5 * second))
      }
      host.advance(30 * second)
      sent.push(...host.sent)
      for (let lost = 0; lost < sent.length; lost++) {
        const router = new Router()
        sent.forEach(({ message }, i) => i === lost ? undefined : router.hear(message))
        for (const group of groupsOf(version)) {
          if (!Gmp.isReported(group)) continue
          const believed = router.filters.get(Address.key(group)) ?? Filter.nothing
          assert.isTrue(Filter.equals(believed, wanted(host, group)), `seed ${seed}, message ${lost}`)
        }
      }
    }
  })
})

const versionOf = (message: Gmp.Message, newest: number, mode: number): number =>
  message._tag === "Records" ? newest : message._tag === "Report" ? message.version : mode

describe("Gmp over random inputs of all kinds", () => {
  it("keeps its promises", () => {
    for (let seed = 1; seed <= 50; seed++) {
      const random = Seeded.make(seed)
      const version = random.pick([4, 6] as const)
      const newest = version === 4 ? 3 : 2
      const host = make(random, version, seed)
      for (let i = 0; i < 120; i++) {
        const kind = random.below(10)
        const before = host.gmp
        if (kind < 3) listenAtRandom(random, host, version)
        else if (kind < 6) host.give(randomQuery(random, version))
        else if (kind === 6) host.give({ _tag: "Report", group: random.pick(groupsOf(version)) })
        else if (kind === 7) host.give({ _tag: "Announce" })
        else host.give({ _tag: "Alarm" })
        if (kind >= 3 && kind < 6) {
          // rfc: 3376 §5.2, 3810 §6.3 MUST NOT: no query is answered in the same breath
          assert.deepStrictEqual(host.sent, [])
        }
        const mode = Gmp.modeOf(host.gmp)
        for (const { destination, message } of host.sent) {
          assert.strictEqual(versionOf(message, newest, mode), mode)
          assert.isTrue(Address.isMulticast(destination))
          const told = message._tag === "Records" ? message.records.map(({ group }) => group) : []
          for (const group of told) assert.isTrue(Gmp.isReported(group))
          if (message._tag === "Leave") assert.notStrictEqual(mode, version === 4 ? 1 : 0)
        }
        host.sent = []
        assert.isAtLeast(host.gmp.draws, before.draws)
        assert.isAtMost(host.gmp.groups.size, 16)
        for (const group of groupsOf(version)) {
          const filter = wanted(host, group)
          for (const source of sourcesOf(version)) {
            const isHeard = Address.equals(group, allNodes[version]) || Filter.accepts(filter, source)
            if (Gmp.accepts(host.gmp, group, source) !== isHeard) assert.fail(`${Address.format(group)}, seed ${seed}`)
          }
        }
        if (random.chance(0.6)) continue
        host.advance(random.below(20 * second))
        assert.isAbove(host.gmp.deadline, host.at)
        host.sent = []
      }
      // Everything is said at last, after which nothing is left to do but for the timers of older queriers, which end too.
      const alarms = host.alarms
      host.advance(7 * 125 * second + 60 * second)
      assert.strictEqual(host.gmp.deadline, Time.never)
      assert.isBelow(host.alarms - alarms, 100)
      for (const group of host.gmp.groups.values()) assert.isFalse(Filter.isNothing(group.filter))
    }
  })
})
