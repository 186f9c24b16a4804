import { assert, describe, it } from "@effect/vitest"
import * as Advertisement from "../../../src/core/ipv6/Advertisement.ts"
import * as HostInterface from "../../../src/core/ipv6/HostInterface.ts"
import * as Time from "../../../src/core/Time.ts"
import * as Address from "../../../src/wire/Address.ts"
import * as NdpOptions from "../../../src/wire/NdpOptions.ts"
import * as Seeded from "../Seeded.ts"
import { ip6 } from "./address.ts"
import { settings as slaac } from "./SlaacHost.ts"

const settings: HostInterface.Settings = {
  linkMtu: 1500,
  hopLimit: 64,
  slaac,
  solicitation: { fraction: () => 0.5 },
  limits: { defaultRouters: 4, advertisedRoutes: 4, onLinkPrefixes: 4, nameServers: 4, searchDomains: 4 }
}

const show = (action: HostInterface.Action): string => {
  switch (action._tag) {
    case "Parameters":
      return `mtu ${action.parameters.mtu}`
    case "Resolver":
      return action.action._tag === "ServersChanged"
        ? `dns ${action.action.servers.map(Address.format).join(" ")}`
        : "domains"
    case "Address":
      return action.action._tag === "Add" ? `add ${action.action.origin}` : `${action.action._tag} address`
    case "Route":
      return action.action._tag === "Ignore"
        ? "ignore"
        : `${action.action._tag} via ${Address.format(action.action.route.router)}`
    case "OnLink":
    case "Solicitation":
      return `${action._tag} ${action.action._tag}`
  }
}

class Host {
  self = HostInterface.make(settings)
  at: Time.Instant = Time.instantOf(0)

  give(input: HostInterface.Input): ReadonlyArray<string> {
    const [self, actions] = HostInterface.step(this.self, input, this.at, settings)
    this.self = self
    return actions.map(show)
  }

  until(seconds: number): ReadonlyArray<string> {
    const end = Time.instantOf(seconds * 1e6)
    const said: Array<string> = []
    while (this.self.deadline <= end) {
      this.at = Time.latest(this.at, this.self.deadline)
      said.push(...this.give({ _tag: "Alarm" }))
    }
    this.at = end
    return said
  }

  hear(router: string, given: Partial<Advertisement.Advertisement> = {}): ReadonlyArray<string> {
    const [advertisement] = Advertisement.messages(
      { ...Advertisement.defaults, ...given },
      0x0200_0000_0099,
      1500,
      false
    )
    return this.give({ _tag: "Advertised", router: ip6(router), advertisement: advertisement! })
  }
}

const prefixes = [Advertisement.prefix(ip6("2001:db8:1::"), 64)]

describe("HostInterface", () => {
  it("configures itself from plug-in to name servers by one advertisement (rfc: 4861 §6.3.4, 4862 §5.5)", () => {
    const host = new Host()
    assert.deepStrictEqual(host.give({ _tag: "Up" }), ["add linkLocal"])
    assert.deepStrictEqual(host.give({ _tag: "Up" }), [])
    assert.deepStrictEqual(host.until(1), ["Solicitation Solicit"])
    const dnsServers = [{ lifetime: 1800, servers: [ip6("2001:db8::53")] }]
    assert.deepStrictEqual(host.hear("fe80::1", { prefixes, dnsServers, mtu: 1400 }), [
      "mtu 1400",
      "Add via fe80::1",
      "OnLink Add",
      "add slaac",
      "add temporary",
      "dns 2001:db8::53"
    ])
    assert.deepStrictEqual(host.until(1000), [])
  })

  it("passes from one router to the other, and asks again when the last is gone (rfc: 4861 §6.3.5, §6.3.7)", () => {
    const host = new Host()
    host.give({ _tag: "Up" })
    host.until(1)
    host.hear("fe80::1")
    host.until(1000)
    host.hear("fe80::2")
    assert.deepStrictEqual(host.until(2000), ["Remove via fe80::1"])
    assert.deepStrictEqual(host.give({ _tag: "Retired", router: ip6("fe80::2") }), ["Remove via fe80::2"])
    assert.deepStrictEqual(host.until(2001), ["Solicitation Solicit"])
    assert.deepStrictEqual(host.hear("fe80::1"), ["Add via fe80::1"])
    assert.deepStrictEqual(host.until(3000), [])
  })

  it("forgets all when the link goes down, and hears nothing until it is up (rfc: 8981 §3.6 MUST)", () => {
    const host = new Host()
    assert.deepStrictEqual(host.hear("fe80::1", { prefixes }), [])
    host.give({ _tag: "Up" })
    host.hear("fe80::1", { prefixes, mtu: 1400 })
    assert.deepStrictEqual(host.give({ _tag: "Down" }), [
      "mtu 1500",
      "Remove via fe80::1",
      "OnLink Remove",
      "Remove address",
      "Remove address",
      "Remove address"
    ])
    assert.strictEqual(host.self.deadline, Time.never)
    assert.deepStrictEqual(host.give({ _tag: "Up" }), ["add linkLocal"])
  })

  it("lets duplicates be replaced (rfc: 7217 §6)", () => {
    const host = new Host()
    host.give({ _tag: "Up" })
    const { stable } = host.self.slaac.prefixes[0]!
    const address = stable._tag === "Configured" ? stable.address : ip6("::")
    assert.deepStrictEqual(host.give({ _tag: "Duplicate", address }), ["Remove address"])
    assert.deepStrictEqual(host.until(1), ["add linkLocal", "Solicitation Solicit"])
  })

  it("does as its machines do by themselves, and its deadline is the first of theirs, over random events", () => {
    for (let seed = 1; seed <= 60; seed++) {
      const random = Seeded.make(seed)
      const host = new Host()
      host.give({ _tag: "Up" })
      for (let i = 0; i < 60; i++) {
        const lifetime = random.pick([0, 100, 10_000])
        const options = NdpOptions.make({
          mtu: random.pick([undefined, 1280, 1400]),
          prefixes: [{
            prefix: Address.v6(0x20010db8, random.below(6), 0, 0),
            length: random.pick([48, 64]),
            onLink: random.chance(0.5),
            autonomous: random.chance(0.5),
            validLifetime: lifetime,
            preferredLifetime: Math.min(lifetime, 500)
          }],
          dnsServers: [{ lifetime, servers: [Address.v6(0x20010db8, 0, 0, 1 + random.below(6))] }],
          routes: [{ prefix: Address.v6(0x20010db8, random.below(6), 0, 0), length: 64, preference: 0, lifetime }]
        })
        const base = Advertisement.messages(Advertisement.defaults, undefined, 1500, false)[0]!
        const advertisement = { ...base, options, routerLifetime: random.pick([0, 200]) }
        const router = Address.v6(0xfe800000, 0, 0, 1 + random.below(6))
        if (random.chance(0.7)) host.give({ _tag: "Advertised", router, advertisement })
        else if (random.chance(0.3)) host.give({ _tag: "Retired", router })
        else if (random.chance(0.2)) {
          host.give({ _tag: "Down" })
          host.give({ _tag: "Up" })
        }
        host.until(host.at / 1e6 + random.below(200))
        const { nameServers, prefixes, routers, slaac, solicitation } = host.self
        const deadlines = [nameServers, prefixes, routers, slaac, solicitation].map(({ deadline }) => deadline)
        assert.strictEqual(host.self.deadline, Math.min(...deadlines))
        assert.isAbove(host.self.deadline, host.at)
        // Either there is a default router or one is being looked for.
        const hasDefault = routers.routes.some(({ length }) => length === 0)
        if (!hasDefault) assert.isBelow(solicitation.next, Time.never)
        assert.isAtMost(prefixes.prefixes.length, 4)
        assert.isAtMost(routers.routes.length, 8)
        assert.isAtMost(slaac.prefixes.length, 5)
        assert.isAtMost(nameServers.servers.length, 4)
      }
    }
  })
})
