import { assert, describe, it } from "@effect/vitest"
import * as Advertiser from "../../../src/core/ipv6/Advertiser.ts"
import * as Time from "../../../src/core/Time.ts"
import * as Address from "../../../src/wire/Address.ts"
import * as Seeded from "../Seeded.ts"
import { ip6 } from "./address.ts"

class Router {
  self = Advertiser.silent
  at: Time.Instant = Time.instantOf(0)
  said: Array<readonly [number, string]> = []
  readonly settings: Advertiser.Settings

  constructor(given: Partial<Advertiser.Settings> = {}) {
    this.settings = {
      maximumInterval: Time.seconds(600),
      minimumInterval: Time.seconds(200),
      answersAlone: false,
      limits: { solicitedAdvertisements: 2 },
      fraction: () => 0.5,
      ...given
    }
  }

  give(input: Advertiser.Input): void {
    const [self, actions] = Advertiser.step(this.self, input, this.at, this.settings)
    this.self = self
    for (const { isLast, to } of actions) {
      this.said.push([this.at / 1e6, (isLast ? "last " : "") + (to === "allNodes" ? "all" : Address.format(to))])
    }
  }

  solicit(from: string): void {
    this.give({ _tag: "Solicited", from: ip6(from) })
  }

  until(seconds: number): void {
    const end = Time.instantOf(seconds * 1e6)
    while (this.self.deadline <= end) {
      this.at = Time.latest(this.at, this.self.deadline)
      this.give({ _tag: "Alarm" })
    }
    this.at = end
  }

  take(): ReadonlyArray<readonly [number, string]> {
    return this.said.splice(0)
  }
}

/** A router that has said its first words long ago, and says the next ones at 2432 s. */
const settled = (given: Partial<Advertiser.Settings> = {}): Router => {
  const router = new Router(given)
  router.give({ _tag: "Start" })
  router.until(2100)
  router.take()
  return router
}

describe("Advertiser", () => {
  it("says nothing unless it is told to (rfc: 4861 §6.2.1 MUST, §6.2.2 MUST NOT)", () => {
    const router = new Router()
    router.solicit("fe80::9")
    router.give({ _tag: "Changed" })
    router.give({ _tag: "Stop" })
    router.until(10_000)
    assert.deepStrictEqual(router.take(), [])
  })

  it("says its first words quickly and then from time to time (rfc: 4861 §6.2.4 SHOULD)", () => {
    const router = new Router()
    router.give({ _tag: "Start" })
    router.until(1300)
    assert.deepStrictEqual(router.take(), [[0, "all"], [16, "all"], [32, "all"], [432, "all"], [832, "all"], [
      1232,
      "all"
    ]])
  })

  it("draws each interval between its limits (rfc: 4861 §6.2.4)", () => {
    const router = settled({ fraction: (draw) => Seeded.make(draw + 1).below(1000) / 1000 })
    router.until(200_000)
    const gaps = router.said.slice(1).map(([time], i) => time - router.said[i]![0])
    assert.isAbove(new Set(gaps).size, gaps.length / 2)
    for (const gap of gaps) {
      assert.isAtLeast(gap, 200)
      assert.isAtMost(gap, 600)
    }
  })

  it("answers all together after a random delay from the first who asks, and counts anew (rfc: 4861 §6.2.6 MUST)", () => {
    const router = settled()
    router.solicit("fe80::9")
    router.until(2100.2)
    router.solicit("fe80::8")
    router.until(2500)
    assert.deepStrictEqual(router.take(), [[2100.25, "all"]])
    router.until(2501)
    assert.deepStrictEqual(router.take(), [[2500.25, "all"]])
  })

  it("tells all nodes at most every three seconds (rfc: 4861 §6.2.6 MUST)", () => {
    const router = settled()
    router.solicit("fe80::9")
    router.until(2101)
    router.solicit("fe80::8")
    router.until(2110)
    // Three seconds after the last, and the random delay.
    assert.deepStrictEqual(router.take(), [[2100.25, "all"], [2103.5, "all"]])
  })

  it("lets what comes anyway be the answer (rfc: 4861 §6.2.6)", () => {
    const router = settled()
    router.until(2431.9)
    router.solicit("fe80::9")
    router.until(2500)
    assert.deepStrictEqual(router.take(), [[2432, "all"]])
  })

  it("answers who told its address alone, if it is so configured (rfc: 4861 §6.2.6 MAY, RFC 7772 §5.1)", () => {
    const router = settled({ answersAlone: true })
    router.solicit("fe80::9")
    router.solicit("fe80::9")
    router.solicit("::")
    router.until(2200)
    assert.deepStrictEqual(router.take(), [[2100.25, "fe80::9"], [2100.25, "all"]])
  })

  it("answers all when too many ask: solicitedAdvertisements", () => {
    const router = settled({ answersAlone: true })
    for (const n of [1, 2, 3, 4]) router.solicit(`fe80::${n}`)
    assert.isAtMost(router.self.pending.length, 2)
    router.until(2200)
    assert.deepStrictEqual(router.take(), [[2100.25, "fe80::4"], [2100.25, "all"]])
  })

  it("tells quickly what has changed (rfc: 4861 §6.2.4 MAY)", () => {
    const router = settled()
    router.give({ _tag: "Changed" })
    router.give({ _tag: "Changed" })
    router.until(2200)
    assert.deepStrictEqual(router.take(), [[2100, "all"], [2103, "all"], [2119, "all"], [2135, "all"]])
  })

  it("says farewell three times (rfc: 4861 §6.2.5 SHOULD)", () => {
    const router = settled()
    router.solicit("fe80::9")
    router.give({ _tag: "Stop" })
    router.solicit("fe80::9")
    router.until(5000)
    assert.deepStrictEqual(router.take(), [[2100, "last all"], [2103, "last all"], [2106, "last all"]])
    assert.strictEqual(router.self.phase, "silent")
    router.give({ _tag: "Start" })
    assert.deepStrictEqual(router.take(), [[5000, "all"]])
  })

  it("says nothing any more when the interface is down, and begins anew", () => {
    const router = settled()
    router.give({ _tag: "Disable" })
    assert.strictEqual(router.self.deadline, Time.never)
    router.until(5000)
    router.give({ _tag: "Start" })
    router.give({ _tag: "Start" })
    assert.deepStrictEqual(router.take(), [[5000, "all"]])
  })

  it("keeps its intervals whatever comes", () => {
    for (let seed = 1; seed <= 150; seed++) {
      const random = Seeded.make(seed)
      const router = new Router({
        answersAlone: random.chance(0.5),
        fraction: (draw) => Seeded.make(seed * 613 + draw).below(1000) / 1000
      })
      let asked: number | undefined = undefined
      for (let i = 0; i < 80; i++) {
        const input = random.pick<Advertiser.Input>([
          { _tag: "Start" },
          { _tag: "Changed" },
          { _tag: "Stop" },
          { _tag: "Disable" },
          { _tag: "Alarm" }
        ])
        if (random.chance(0.5)) {
          router.solicit(random.pick(["::", "fe80::1", "fe80::2", "fe80::3"]))
          if (router.self.phase === "advertising") asked ??= router.at / 1e6
        } else if (random.chance(0.4)) router.give(input)
        if (router.self.phase !== "advertising") asked = undefined
        const before = router.said.length
        router.until(router.at / 1e6 + random.below(10))
        // Whoever asked gets an answer within three and a half seconds.
        if (asked !== undefined && router.at / 1e6 >= asked + 3.5) {
          assert.isAbove(router.said.filter(([time]) => time >= asked!).length, 0)
          asked = undefined
        } else if (router.said.length > before) asked = undefined
        assert.isAtMost(router.self.pending.length, 2)
        assert.isAtLeast(router.self.deadline, router.at)
      }
      const all = router.said.filter(([, who]) => who.endsWith("all"))
      all.slice(1).forEach(([time], i) => assert.isAtLeast(time - all[i]![0], 3 - 1e-9))
    }
  })
})
