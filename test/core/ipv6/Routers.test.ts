import { assert, describe, it } from "@effect/vitest"
import * as Routers from "../../../src/core/ipv6/Routers.ts"
import * as Time from "../../../src/core/Time.ts"
import * as Address from "../../../src/wire/Address.ts"
import type * as NdpOptions from "../../../src/wire/NdpOptions.ts"
import * as Seeded from "../Seeded.ts"
import { ip6 } from "./address.ts"

const at = (seconds: number): Time.Instant => Time.instantOf(seconds * 1e6)
const settings: Routers.Settings = { limits: { defaultRouters: 3, advertisedRoutes: 4 } }

const route = (
  prefix: string,
  length: number,
  lifetime: number,
  preference: NdpOptions.Preference = 0
): NdpOptions.Route => ({ prefix: ip6(prefix), length, preference, lifetime })

const advertised = (
  router: string,
  routerLifetime: number,
  preference: NdpOptions.Preference = 0,
  ...routes: ReadonlyArray<NdpOptions.Route>
): Routers.Input => ({ _tag: "Advertised", router: ip6(router), routerLifetime, preference, routes })

const show = (action: Routers.Action): string => {
  if (action._tag === "NoRouters") return "no routers"
  if (action._tag === "Ignore") return `ignore ${action.bound}`
  const { length, preference, prefix, router } = action.route
  return `${action._tag.toLowerCase()} ${Address.format(prefix)}/${length} ${Address.format(router)} ${preference}`
}

class Host {
  self = Routers.empty

  give(input: Routers.Input, seconds: number): ReadonlyArray<string> {
    const [self, actions] = Routers.step(this.self, input, at(seconds), settings)
    this.self = self
    return actions.map(show)
  }
}

describe("Routers", () => {
  it("come with a lifetime, are renewed, and go with it (rfc: 4861 §6.3.4, §6.3.5)", () => {
    const host = new Host()
    assert.deepStrictEqual(host.give(advertised("fe80::1", 100), 0), ["add ::/0 fe80::1 0"])
    assert.deepStrictEqual(host.give(advertised("fe80::1", 100), 50), [])
    assert.strictEqual(host.self.deadline, at(150))
    assert.deepStrictEqual(host.give({ _tag: "Alarm" }, 149), [])
    assert.isTrue(Routers.isRouter(host.self, ip6("fe80::1")))
    assert.deepStrictEqual(host.give({ _tag: "Alarm" }, 150), ["remove ::/0 fe80::1 0", "no routers"])
    assert.strictEqual(host.self.deadline, Time.never)
    assert.isFalse(Routers.isRouter(host.self, ip6("fe80::1")))
  })

  it("go at once with a lifetime of zero, which adds nobody (rfc: 4861 §6.3.4)", () => {
    const host = new Host()
    assert.deepStrictEqual(host.give(advertised("fe80::1", 0), 0), [])
    host.give(advertised("fe80::1", 100), 1)
    host.give(advertised("fe80::2", 100), 1)
    assert.deepStrictEqual(host.give(advertised("fe80::1", 0), 2), ["remove ::/0 fe80::1 0"])
    assert.deepStrictEqual(host.give(advertised("fe80::2", 0), 2), ["remove ::/0 fe80::2 0", "no routers"])
  })

  it("go when they say that they are none any more (rfc: 4861 §7.2.5 MUST)", () => {
    const host = new Host()
    host.give(advertised("fe80::1", 100, 0, route("2001:db8::", 32, 100)), 0)
    host.give(advertised("fe80::2", 100), 0)
    assert.deepStrictEqual(host.give({ _tag: "Retired", router: ip6("fe80::1") }, 1), [
      "remove ::/0 fe80::1 0",
      "remove 2001:db8::/32 fe80::1 0"
    ])
  })

  it("all go with the interface", () => {
    const host = new Host()
    host.give(advertised("fe80::1", 100), 0)
    assert.deepStrictEqual(host.give({ _tag: "Disable" }, 1), ["remove ::/0 fe80::1 0", "no routers"])
  })

  it("bring more specific routes, by prefix and router (rfc: 4191 §3.1)", () => {
    const host = new Host()
    assert.deepStrictEqual(
      host.give(advertised("fe80::1", 0, 0, route("2001:db8:1::99", 48, 60, 1), route("2001:db8:2::", 48, 0)), 0),
      ["add 2001:db8:1::/48 fe80::1 1"]
    )
    assert.deepStrictEqual(host.give(advertised("fe80::2", 0, 0, route("2001:db8:1::", 48, 60)), 1), [
      "add 2001:db8:1::/48 fe80::2 0"
    ])
    assert.deepStrictEqual(host.give(advertised("fe80::1", 0, 0, route("2001:db8:1::", 48, 60, -1)), 2), [
      "change 2001:db8:1::/48 fe80::1 -1"
    ])
    assert.deepStrictEqual(host.give(advertised("fe80::1", 0, 0, route("2001:db8:1::", 48, 0)), 3), [
      "remove 2001:db8:1::/48 fe80::1 -1"
    ])
    // Who is no default router was never missed as one.
    assert.isFalse(Routers.hasDefault(host.self))
  })

  it("have the preference and lifetime of an option for ::/0 rather than the header's (rfc: 4191 §3.1)", () => {
    const host = new Host()
    assert.deepStrictEqual(host.give(advertised("fe80::1", 100, 0, route("::", 0, 200, -1)), 0), [
      "add ::/0 fe80::1 -1"
    ])
    assert.strictEqual(host.self.deadline, at(200))
    assert.deepStrictEqual(host.give(advertised("fe80::1", 100, 1), 1), ["change ::/0 fe80::1 1"])
  })

  it("have no preference without lifetime (rfc: 4191 §2.2 MUST)", () => {
    const host = new Host()
    assert.deepStrictEqual(host.give(advertised("fe80::1", 0, 1), 0), [])
  })

  it("never end with a lifetime of all ones", () => {
    const host = new Host()
    host.give(advertised("fe80::1", 0, 0, route("2001:db8::", 32, 0xffff_ffff)), 0)
    assert.strictEqual(host.self.deadline, Time.never)
    assert.deepStrictEqual(host.give({ _tag: "Alarm" }, 1e9), [])
  })

  it("route neither link-local addresses nor groups", () => {
    const host = new Host()
    const routes = [route("fe80::", 64, 60), route("fe80::", 10, 60), route("ff00::", 8, 60), route("ff02::1", 128, 60)]
    assert.deepStrictEqual(host.give(advertised("fe80::1", 0, 0, ...routes), 0), [])
  })

  it("are no more than defaultRouters and advertisedRoutes; those that are known stay", () => {
    const host = new Host()
    for (const n of [1, 2, 3]) host.give(advertised(`fe80::${n}`, 100), 0)
    assert.deepStrictEqual(host.give(advertised("fe80::4", 100), 1), ["ignore defaultRouters"])
    assert.deepStrictEqual(host.give(advertised("fe80::2", 100), 1), [])
    const many = [1, 2, 3, 4, 5].map((n) => route(`2001:db8:${n}::`, 48, 60))
    assert.deepStrictEqual(host.give(advertised("fe80::1", 100, 0, ...many), 1).at(-1), "ignore advertisedRoutes")
    assert.strictEqual(host.self.routes.length, 7)
  })

  it("agree with a table by prefix and router, over random advertisements", () => {
    for (let seed = 1; seed <= 80; seed++) {
      const random = Seeded.make(seed)
      const host = new Host()
      const twin = new Map<string, number>()
      const installed = new Set<string>()
      let now = 0
      for (let i = 0; i < 80; i++) {
        now += random.below(30)
        for (const [key, until] of twin) if (until <= now) twin.delete(key)
        const router = `fe80::${1 + random.below(3)}`
        const lifetime = random.pick([0, 10, 60])
        const routeLifetime = random.pick([0, 20, 100])
        const input = random.chance(0.1)
          ? { _tag: "Retired", router: ip6(router) } as const
          : random.chance(0.2)
          ? { _tag: "Alarm" } as const
          : advertised(router, lifetime, random.pick([-1, 0, 1]), route("2001:db8::", 32, routeLifetime))
        for (const said of host.give(input, now)) {
          const [verb, prefix, from] = said.split(" ") as [string, string, string]
          if (verb === "add") installed.add(`${prefix} ${from}`)
          if (verb === "remove") assert.isTrue(installed.delete(`${prefix} ${from}`))
        }
        const set = (key: string, seconds: number): void => {
          if (seconds === 0) twin.delete(key)
          else twin.set(key, now + seconds)
        }
        if (input._tag === "Retired") {
          for (const prefix of ["::/0", "2001:db8::/32"]) twin.delete(`${prefix} ${router}`)
        }
        if (input._tag === "Advertised") {
          set(`::/0 ${router}`, lifetime)
          set(`2001:db8::/32 ${router}`, routeLifetime)
        }
        assert.deepStrictEqual([...installed].toSorted(), [...twin.keys()].toSorted())
        assert.strictEqual(host.self.deadline, at(Math.min(Infinity, ...twin.values())))
      }
    }
  })
})
