import { assert, describe, it } from "@effect/vitest"
import * as RouterSelection from "../../../src/core/route/RouterSelection.ts"
import * as Time from "../../../src/core/Time.ts"
import * as Address from "../../../src/wire/Address.ts"
import type { Preference } from "../../../src/wire/NdpOptions.ts"
import { ip6 } from "../ipv6/address.ts"
import * as Seeded from "../Seeded.ts"

const at = (seconds: number): Time.Instant => Time.instantOf(seconds * 1e6)
const routers = { W: ip6("fe80::a"), X: ip6("fe80::b"), Y: ip6("fe80::c"), Z: ip6("fe80::d") }
type Name = keyof typeof routers

const candidate = (
  name: Name,
  length: number,
  preference: Preference,
  reachability: RouterSelection.Reachability = "unknown"
): RouterSelection.Candidate => ({ router: routers[name], length, preference, reachability })

const nameOf = (address: Address.Address): Name =>
  (Object.keys(routers) as Array<Name>).find((name) => Address.equals(routers[name], address))!

/** Whom a choice takes and whom it probes. */
const choose = (
  candidates: ReadonlyArray<RouterSelection.Candidate>,
  self = RouterSelection.make,
  seconds = 0
): readonly [RouterSelection.RouterSelection, string] => {
  const [next, choice] = RouterSelection.choose(self, candidates, at(seconds))
  if (choice === undefined) return [next, "none"]
  const taken = nameOf(candidates[choice.index]!.router)
  return [next, [taken, ...choice.probes.map(nameOf)].join(" ")]
}

/** The routes to 2001:db8::1 of RFC 4191 §3.6, with the routers in `down` unreachable. */
const example = (down: string): ReadonlyArray<RouterSelection.Candidate> => {
  const state = (name: Name): RouterSelection.Reachability => down.includes(name) ? "unreachable" : "unknown"
  return [
    candidate("W", 0, 0, state("W")),
    candidate("Y", 32, 1, state("Y")),
    candidate("Z", 32, -1, state("Z"))
  ]
}

describe("RouterSelection", () => {
  it("chooses as in the RFC's example (rfc: 4191 §3.2, §3.5 SHOULD, §3.6)", () => {
    assert.strictEqual(choose(example(""))[1], "Y")
    assert.strictEqual(choose(example("Y"))[1], "Z Y")
    assert.strictEqual(choose(example("YZ"))[1], "W Y Z")
    assert.strictEqual(choose(example("WYZ"))[1], "Y Z W")
    assert.strictEqual(choose(example("W"))[1], "Y")
    assert.strictEqual(choose([])[1], "none")
  })

  it("prefers who is known to answer to who is only not known not to, among equals (rfc: 4861 §6.3.6 SHOULD)", () => {
    assert.strictEqual(choose([candidate("W", 0, 0), candidate("X", 0, 0, "reachable")])[1], "X")
    assert.strictEqual(choose([candidate("W", 0, 1), candidate("X", 0, 0, "reachable")])[1], "W")
    assert.strictEqual(choose([candidate("W", 0, 0), candidate("X", 0, 0)])[1], "W")
  })

  it("takes turns when no router answers (rfc: 4861 §6.3.6 SHOULD)", () => {
    const down = (["W", "X", "Y"] as const).map((name) => candidate(name, 0, 0, "unreachable"))
    let self = RouterSelection.make
    const taken: Array<string> = []
    for (let i = 0; i < 6; i++) {
      const [next, chosen] = choose(down, self, i)
      self = next
      taken.push(chosen.split(" ")[0]!)
    }
    assert.deepStrictEqual(taken, ["W", "X", "Y", "W", "X", "Y"])
  })

  it("probes a router once a minute at most (rfc: 4191 §3.5 MUST)", () => {
    let self = RouterSelection.make
    const seen: Array<string> = []
    for (const seconds of [0, 1, 59, 60, 61, 120]) {
      const [next, chosen] = choose(example("Y"), self, seconds)
      self = next
      seen.push(chosen)
    }
    assert.deepStrictEqual(seen, ["Z Y", "Z", "Z", "Z Y", "Z", "Z Y"])
  })

  it("probes nobody without traffic that would go there (rfc: 4191 §3.5 MUST NOT)", () => {
    assert.strictEqual(choose([candidate("W", 0, 1), candidate("X", 0, 0, "unreachable")])[1], "W")
  })

  it("agrees with the words of the RFC over random tables", () => {
    for (let seed = 1; seed <= 500; seed++) {
      const random = Seeded.make(seed)
      const candidates = (Object.keys(routers) as Array<Name>).filter(() => random.chance(0.8)).map((name) =>
        candidate(
          name,
          random.pick([0, 32, 64]),
          random.pick([-1, 0, 1]),
          random.pick(["reachable", "unknown", "unreachable"])
        )
      )
      const [, choice] = RouterSelection.choose(RouterSelection.make, candidates, at(0))
      if (choice === undefined) {
        assert.strictEqual(candidates.length, 0)
        continue
      }
      const taken = candidates[choice.index]!
      const better = (other: RouterSelection.Candidate): boolean =>
        other.length > taken.length || (other.length === taken.length && other.preference > taken.preference)
      const usable = candidates.filter(({ reachability }) => reachability !== "unreachable")
      if (usable.length > 0) {
        assert.include(usable, taken)
        assert.isFalse(usable.some(better))
        assert.includeMembers(
          choice.probes.map(nameOf),
          candidates.filter(better).map(({ router }) => nameOf(router))
        )
      } else {
        assert.isFalse(candidates.some(better))
        assert.strictEqual(choice.probes.length, candidates.length - 1)
      }
    }
  })

  it("remembers no router for longer than it has to", () => {
    let self = RouterSelection.make
    for (let i = 0; i < 1000; i++) {
      const router = Address.v6(0xfe800000, 0, 0, i)
      const down: RouterSelection.Candidate = { router, length: 0, preference: 1, reachability: "unreachable" }
      self = RouterSelection.choose(self, [down, candidate("W", 0, 0)], at(i))[0]
      assert.isAtMost(self.probed.size, 61)
    }
  })
})
