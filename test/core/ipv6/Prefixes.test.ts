import { assert, describe, it } from "@effect/vitest"
import * as Prefixes from "../../../src/core/ipv6/Prefixes.ts"
import * as Time from "../../../src/core/Time.ts"
import * as Address from "../../../src/wire/Address.ts"
import type * as NdpOptions from "../../../src/wire/NdpOptions.ts"
import * as Seeded from "../Seeded.ts"
import { ip6 } from "./address.ts"

const at = (seconds: number): Time.Instant => Time.instantOf(seconds * 1e6)
const settings: Prefixes.Settings = { limits: { onLinkPrefixes: 3 } }

const option = (text: string, length: number, validLifetime: number, onLink = true): NdpOptions.Prefix => ({
  prefix: ip6(text),
  length,
  onLink,
  autonomous: true,
  validLifetime,
  preferredLifetime: 0
})

class Host {
  self = Prefixes.empty

  give(input: Prefixes.Input, seconds: number): ReadonlyArray<string> {
    const [self, actions] = Prefixes.step(this.self, input, at(seconds), settings)
    this.self = self
    return actions.map((action) =>
      action._tag === "Ignore"
        ? `ignore ${action.bound}`
        : `${action._tag.toLowerCase()} ${Address.format(action.prefix.prefix)}/${action.prefix.length}`
    )
  }

  advertise(seconds: number, ...prefixes: ReadonlyArray<NdpOptions.Prefix>): ReadonlyArray<string> {
    return this.give({ _tag: "Advertised", prefixes }, seconds)
  }
}

describe("Prefixes", () => {
  it("come, are renewed, and go with their lifetime or without one (rfc: 4861 §6.3.4, §6.3.5)", () => {
    const host = new Host()
    assert.deepStrictEqual(host.advertise(0, option("2001:db8::1", 64, 100), option("2001:db8:1::", 48, 50)), [
      "add 2001:db8::/64",
      "add 2001:db8:1::/48"
    ])
    assert.isTrue(Prefixes.isOnLink(host.self, ip6("2001:db8::ffff")))
    assert.isTrue(Prefixes.isOnLink(host.self, ip6("2001:db8:1:ffff::1")))
    assert.isFalse(Prefixes.isOnLink(host.self, ip6("2001:db8:0:1::1")))
    assert.deepStrictEqual(host.advertise(40, option("2001:db8:1::", 48, 50)), [])
    assert.strictEqual(host.self.deadline, at(90))
    assert.deepStrictEqual(host.advertise(50, option("2001:db8::", 64, 0), option("2001:db8:7::", 64, 0)), [
      "remove 2001:db8::/64"
    ])
    assert.deepStrictEqual(host.give({ _tag: "Alarm" }, 90), ["remove 2001:db8:1::/48"])
    assert.strictEqual(host.self.deadline, Time.never)
  })

  it("are not shortened to two hours first: nothing is lost (rfc: 4861 §6.3.4)", () => {
    const host = new Host()
    host.advertise(0, option("2001:db8::", 64, 0xffff_ffff))
    assert.strictEqual(host.self.deadline, Time.never)
    host.advertise(1, option("2001:db8::", 64, 10))
    assert.strictEqual(host.self.deadline, at(11))
  })

  it("say nothing without the flag, neither for nor against (rfc: 4861 §6.3.4 MUST NOT)", () => {
    const host = new Host()
    host.advertise(0, option("2001:db8::", 64, 100))
    assert.deepStrictEqual(host.advertise(1, option("2001:db8::", 64, 0, false), option("fd00::", 64, 9, false)), [])
    assert.isTrue(Prefixes.isOnLink(host.self, ip6("2001:db8::1")))
  })

  it("are neither link-local nor groups (rfc: 4861 §6.3.4)", () => {
    assert.deepStrictEqual(new Host().advertise(0, option("fe80::", 64, 100), option("ff02::", 64, 100)), [])
  })

  it("are no more than onLinkPrefixes, and all go with the interface", () => {
    const host = new Host()
    const many = [1, 2, 3, 4].map((n) => option(`2001:db8:${n}::`, 64, 100))
    assert.deepStrictEqual(host.advertise(0, ...many).slice(3), ["ignore onLinkPrefixes"])
    assert.deepStrictEqual(host.advertise(1, option("2001:db8:2::", 64, 100)), [])
    assert.strictEqual(host.give({ _tag: "Disable" }, 2).length, 3)
    assert.strictEqual(host.self.prefixes.length, 0)
  })

  it("agree with a table over random advertisements", () => {
    for (let seed = 1; seed <= 80; seed++) {
      const random = Seeded.make(seed)
      const host = new Host()
      const twin = new Map<string, number>()
      const installed = new Set<string>()
      let now = 0
      for (let i = 0; i < 80; i++) {
        now += random.below(20)
        for (const [key, until] of twin) if (until <= now) twin.delete(key)
        const length = random.pick([48, 64])
        const lifetime = random.pick([0, 10, 60])
        const name = `2001:db8:${1 + random.below(3)}::`
        const isAdvertised = random.chance(0.8)
        const key = `${name}/${length}`
        const isIgnored = isAdvertised && lifetime > 0 && twin.size === 3 && !twin.has(key)
        if (isAdvertised && lifetime === 0) twin.delete(key)
        else if (isAdvertised && !isIgnored) twin.set(key, now + lifetime)
        const said = isAdvertised
          ? host.advertise(now, option(name, length, lifetime))
          : host.give({ _tag: "Alarm" }, now)
        assert.strictEqual(said.includes("ignore onLinkPrefixes"), isIgnored)
        for (const each of said) {
          const [verb, prefix] = each.split(" ") as [string, string]
          if (verb === "add") installed.add(prefix)
          else if (verb === "remove") assert.isTrue(installed.delete(prefix))
        }
        assert.deepStrictEqual([...installed].toSorted(), [...twin.keys()].toSorted())
        assert.strictEqual(host.self.deadline, at(Math.min(Infinity, ...twin.values())))
      }
    }
  })
})
