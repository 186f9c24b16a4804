import { assert, describe, it } from "@effect/vitest"
import * as NameServers from "../../../src/core/ipv6/NameServers.ts"
import * as Time from "../../../src/core/Time.ts"
import * as Address from "../../../src/wire/Address.ts"
import * as Seeded from "../Seeded.ts"
import { ip6 } from "./address.ts"

const at = (seconds: number): Time.Instant => Time.instantOf(seconds * 1e6)
const settings: NameServers.Settings = { limits: { nameServers: 3, searchDomains: 2 } }

class Host {
  self = NameServers.empty

  give(input: NameServers.Input, seconds: number): ReadonlyArray<string> {
    const [self, actions] = NameServers.step(this.self, input, at(seconds), settings)
    this.self = self
    return actions.map((action) =>
      action._tag === "ServersChanged"
        ? action.servers.map(Address.format).join(" ")
        : `domains ${action.domains.join(" ")}`
    )
  }

  servers(seconds: number, lifetime: number, ...servers: ReadonlyArray<string>): ReadonlyArray<string> {
    const dnsServers = [{ lifetime, servers: servers.map(ip6) }]
    return this.give({ _tag: "Advertised", dnsServers, dnsSearchLists: [] }, seconds)
  }

  domains(seconds: number, lifetime: number, ...domains: ReadonlyArray<string>): ReadonlyArray<string> {
    return this.give({ _tag: "Advertised", dnsServers: [], dnsSearchLists: [{ lifetime, domains }] }, seconds)
  }
}

describe("NameServers", () => {
  it("are kept in their order, new ones first (rfc: 8106 §6.2)", () => {
    const host = new Host()
    assert.deepStrictEqual(host.servers(0, 100, "2001:db8::1", "2001:db8::2"), ["2001:db8::1 2001:db8::2"])
    assert.deepStrictEqual(host.servers(1, 100, "2001:db8::3"), ["2001:db8::3 2001:db8::1 2001:db8::2"])
    assert.deepStrictEqual(host.servers(2, 100, "2001:db8::2", "2001:db8::1"), [])
  })

  it("end with their lifetime, or at once with one of zero (rfc: 8106 §5.1 MUST, §6.2)", () => {
    const host = new Host()
    host.servers(0, 100, "2001:db8::1")
    host.servers(0, 50, "2001:db8::2")
    assert.strictEqual(host.self.deadline, at(50))
    host.servers(10, 50, "2001:db8::2")
    assert.strictEqual(host.self.deadline, at(60))
    assert.deepStrictEqual(host.give({ _tag: "Alarm" }, 60), ["2001:db8::1"])
    assert.deepStrictEqual(host.servers(61, 0, "2001:db8::1", "2001:db8::9"), [""])
    assert.strictEqual(host.self.deadline, Time.never)
    host.servers(70, 0xffff_ffff, "2001:db8::1")
    assert.strictEqual(host.self.deadline, Time.never)
    assert.deepStrictEqual(host.give({ _tag: "Disable" }, 80), [""])
  })

  it("are single hosts (rfc: 8106 §5.3.1)", () => {
    const host = new Host()
    assert.deepStrictEqual(host.servers(0, 100, "ff02::fb", "::", "::1", "fe80::1"), ["fe80::1"])
  })

  it("are no more than nameServers: who would expire first makes room (rfc: 8106 §6.2)", () => {
    const host = new Host()
    host.servers(0, 100, "2001:db8::1")
    host.servers(0, 50, "2001:db8::2")
    host.servers(0, 0xffff_ffff, "2001:db8::3")
    assert.deepStrictEqual(host.servers(1, 10, "2001:db8::4"), ["2001:db8::4 2001:db8::3 2001:db8::1"])
    assert.deepStrictEqual(host.servers(2, 10, "2001:db8::5", "2001:db8::6", "2001:db8::7", "2001:db8::8"), [
      "2001:db8::5 2001:db8::6 2001:db8::7"
    ])
  })

  it("have search domains beside them, whatever the case of their letters (rfc: 8106 §6.3)", () => {
    const host = new Host()
    assert.deepStrictEqual(host.domains(0, 100, "example.com", "lan"), ["domains example.com lan"])
    assert.deepStrictEqual(host.domains(1, 100, "EXAMPLE.com"), [])
    assert.deepStrictEqual(host.domains(2, 0, "LAN"), ["domains example.com"])
    host.domains(3, 300, "a.example")
    assert.deepStrictEqual(host.domains(4, 100, "b.example"), ["domains b.example a.example"])
  })

  it("agree with a list in which each rule is a line, over random options (rfc: 8106 §6.2)", () => {
    for (let seed = 1; seed <= 80; seed++) {
      const random = Seeded.make(seed)
      const host = new Host()
      let told = ""
      let twin: Array<readonly [string, number]> = []
      let now = 0
      for (let i = 0; i < 80; i++) {
        // No two end at once, so that it is clear who would be the first.
        now += 1 + random.below(30)
        const server = `2001:db8::${1 + random.below(6)}`
        const lifetime = random.chance(0.2) ? 0 : 20 + random.below(300) + i / 1024
        const isAdvertised = random.chance(0.8)
        twin = twin.filter(([, until]) => until > now)
        const isKnown = twin.some(([name]) => name === server)
        if (isAdvertised && lifetime === 0) twin = twin.filter(([name]) => name !== server)
        else if (isAdvertised && isKnown) {
          twin = twin.map((each) => each[0] === server ? [server, now + lifetime] : each)
        } else if (isAdvertised) {
          const first = Math.min(...twin.map(([, until]) => until))
          if (twin.length === 3) twin = twin.filter(([, until]) => until !== first)
          twin = [[server, now + lifetime], ...twin]
        }
        const said = isAdvertised ? host.servers(now, lifetime, server) : host.give({ _tag: "Alarm" }, now)
        if (said.length > 0) told = said[0]!
        assert.strictEqual(told, twin.map(([name]) => name).join(" "))
        assert.strictEqual(host.self.deadline, at(Math.min(Infinity, ...twin.map(([, until]) => until))))
      }
    }
  })
})
