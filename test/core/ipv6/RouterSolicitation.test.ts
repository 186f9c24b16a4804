import { assert, describe, it } from "@effect/vitest"
import * as RouterSolicitation from "../../../src/core/ipv6/RouterSolicitation.ts"
import * as Time from "../../../src/core/Time.ts"
import * as Seeded from "../Seeded.ts"

class Host {
  self = RouterSolicitation.idle
  at: Time.Instant = Time.instantOf(0)
  said: Array<readonly [number, string]> = []
  readonly settings: RouterSolicitation.Settings

  constructor(fraction: (draw: number) => number = () => 0.5) {
    this.settings = { fraction }
  }

  give(input: RouterSolicitation.Input): void {
    const [self, actions] = RouterSolicitation.step(this.self, input, this.at, this.settings)
    this.self = self
    for (const action of actions) this.said.push([this.at / 1e6, action._tag])
  }

  until(seconds: number): void {
    const end = Time.instantOf(seconds * 1e6)
    while (this.self.deadline <= end) {
      this.at = Time.latest(this.at, this.self.deadline)
      this.give({ _tag: "Alarm" })
    }
    this.at = end
  }

  get times(): ReadonlyArray<number> {
    return this.said.filter(([, tag]) => tag === "Solicit").map(([time]) => time)
  }
}

const advertised = (routerLifetime: number): RouterSolicitation.Input => ({ _tag: "Advertised", routerLifetime })

describe("RouterSolicitation", () => {
  it("asks after a random delay, and ever more rarely (rfc: 4861 §6.3.7 SHOULD, 8504 §5.4 MUST)", () => {
    const host = new Host()
    host.give({ _tag: "Restart" })
    host.until(200)
    assert.deepStrictEqual(host.times, [0.5, 4.5, 12.5, 28.5, 60.5, 124.5])
    host.until(40_000)
    const gaps = host.times.slice(1).map((time, i) => time - host.times[i]!)
    assert.deepStrictEqual(gaps.slice(0, 12), [4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 3600, 3600])
  })

  it("gives or takes a tenth at random, so that hosts drift apart (RFC 7559 §2)", () => {
    for (const [fraction, first, second] of [[0, 3.6, 3.6 * 1.9], [0.999_999, 4.4, 4.4 * 2.1]] as const) {
      const host = new Host(() => fraction)
      host.give({ _tag: "Restart" })
      host.until(30)
      const [a, b, c] = host.times as [number, number, number]
      assert.closeTo(b - a, first, 1e-3)
      assert.closeTo(c - b, second, 1e-3)
    }
  })

  it("concludes that there is no router a second after the third, and goes on (rfc: 4861 §6.3.7)", () => {
    const host = new Host()
    host.give({ _tag: "Restart" })
    host.until(100)
    assert.deepStrictEqual(host.said.filter(([, tag]) => tag === "NoRouters"), [[13.5, "NoRouters"]])
    assert.isAbove(host.times.length, 3)
  })

  it("desists once a router has answered (rfc: 4861 §6.3.7 MUST)", () => {
    const host = new Host()
    host.give({ _tag: "Restart" })
    host.until(5)
    host.give(advertised(1800))
    host.until(10_000)
    assert.deepStrictEqual(host.said, [[0.5, "Solicit"], [4.5, "Solicit"]])
  })

  it("asks once even if a router was heard before (rfc: 4861 §6.3.7 SHOULD)", () => {
    const host = new Host()
    host.give({ _tag: "Restart" })
    host.give(advertised(1800))
    host.until(10_000)
    assert.deepStrictEqual(host.said, [[0.5, "Solicit"]])
  })

  it("goes on when only who is no default router has answered (rfc: 4861 §6.3.7)", () => {
    const host = new Host()
    host.give({ _tag: "Restart" })
    host.until(5)
    host.give(advertised(0))
    host.until(30)
    assert.deepStrictEqual(host.times, [0.5, 4.5, 12.5, 28.5])
    assert.deepStrictEqual(host.said.filter(([, tag]) => tag === "NoRouters"), [])
  })

  it("starts anew, and stops", () => {
    const host = new Host()
    host.give({ _tag: "Restart" })
    host.until(5)
    host.give(advertised(1800))
    host.give({ _tag: "Restart" })
    host.until(10)
    assert.deepStrictEqual(host.times, [0.5, 4.5, 5.5, 9.5])
    host.give({ _tag: "Stop" })
    assert.strictEqual(host.self.deadline, Time.never)
    host.give({ _tag: "Alarm" })
    assert.strictEqual(host.times.length, 4)
  })

  it("never asks twice within 3.6 s, whatever comes, but for restarts", () => {
    for (let seed = 1; seed <= 100; seed++) {
      const random = Seeded.make(seed)
      const host = new Host((draw) => Seeded.make(seed * 997 + draw).below(1000) / 1000)
      let restarted = 0
      host.give({ _tag: "Restart" })
      for (let i = 0; i < 40; i++) {
        const before = host.times.length
        const kind = random.below(6)
        if (kind === 0) {
          host.give({ _tag: "Restart" })
          restarted = host.times.length
        } else if (kind < 3) host.give(advertised(random.pick([0, 1800])))
        else if (kind === 3) host.give({ _tag: "Alarm" })
        host.until(host.at / 1e6 + random.below(20))
        for (let j = Math.max(before, restarted + 1, 1); j < host.times.length; j++) {
          assert.isAtLeast(host.times[j]! - host.times[j - 1]!, 3.6 - 1e-6)
        }
        if (host.self.isAnswered && host.self.sent > 0) assert.strictEqual(host.self.deadline, Time.never)
      }
    }
  })
})
