import { assert, describe, it } from "@effect/vitest"
import * as Neighbor from "../../../src/core/neighbor/Neighbor.ts"
import * as Time from "../../../src/core/Time.ts"
import * as Seeded from "../Seeded.ts"

const mac = 0x0200_0000_0001
const other = 0x0200_0000_0002
const timing: Neighbor.Timing = { retransmit: Time.seconds(1), reachable: Time.seconds(30) }

const send: Neighbor.Input = { _tag: "Send" }
const alarm: Neighbor.Input = { _tag: "Alarm" }
const heard = (from: number): Neighbor.Input => ({ _tag: "Heard", mac: from })
const advertised = (
  from: number | undefined,
  solicited: boolean,
  override: boolean,
  isRouter?: boolean
): Neighbor.Input => ({ _tag: "Advertised", mac: from, solicited, override, isRouter })

/** Feeds inputs at their times, in seconds; an alarm comes when it is due. */
const run = (
  steps: ReadonlyArray<readonly [number, Neighbor.Input]>,
  from = Neighbor.unknown
): { readonly self: Neighbor.Neighbor; readonly done: ReadonlyArray<string> } => {
  let self = from
  const done: Array<string> = []
  for (const [at, input] of steps) {
    const [next, actions] = Neighbor.step(self, input, Time.instantOf(at * 1_000_000), timing)
    self = next
    for (const action of actions) {
      done.push(action._tag === "Solicit" ? (action.to === "everybody" ? "ask all" : "ask it") : action._tag)
    }
  }
  return { self, done }
}

/** Lets all alarms ring until a time, in seconds. */
const wait = (self: Neighbor.Neighbor, until: number): { self: Neighbor.Neighbor; done: Array<string> } => {
  let current = self
  const done: Array<string> = []
  while (current.deadline <= until * 1_000_000) {
    const at = current.deadline / 1_000_000
    const step = run([[at, alarm]], current)
    done.push(...step.done.map((what) => `${at}: ${what}`))
    current = step.self
  }
  return { self: current, done }
}

const reachable = run([[0, send], [0.5, advertised(mac, true, true)]]).self
const stale = run([[0, heard(mac)]]).self
const delayed = run([[0, heard(mac)], [0, send]]).self
const probing = run([[0, heard(mac)], [0, send], [5, alarm]]).self
const incomplete = run([[0, send]]).self

describe("Neighbor", () => {
  it("asks everybody three times, a second apart, and then gives up (rfc: 4861 §7.2.2, §7.3.3; rfc: 1122 §2.3.2.1: at most once a second)", () => {
    const first = run([[0, send]])
    assert.deepStrictEqual(first.done, ["ask all"])
    assert.strictEqual(first.self.state._tag, "Incomplete")
    const later = wait(first.self, 100)
    assert.deepStrictEqual(later.done, ["1: ask all", "2: ask all", "3: GiveUp"])
    assert.strictEqual(later.self.state._tag, "Failed")
  })

  it("asks again for a neighbour that had not answered, no sooner than a second after (rfc: 1122 §2.3.2.1)", () => {
    const failed = wait(incomplete, 100).self
    assert.deepStrictEqual(run([[3, send]], failed).done, ["ask all"])
  })

  it("does not ask anew for each packet that waits", () => {
    assert.deepStrictEqual(run([[0.1, send], [0.2, send]], incomplete).done, [])
  })

  // rfc: 4861 appendix C, row by row: state, input, what becomes, what is done.
  const table: ReadonlyArray<readonly [string, Neighbor.Neighbor, Neighbor.Input, string, number | undefined, string]> =
    [
      ["solicited answer", incomplete, advertised(mac, true, false), "Reachable", mac, "Release"],
      ["unsolicited advertisement", incomplete, advertised(mac, false, false), "Stale", mac, "Release"],
      ["advertisement without address", incomplete, advertised(undefined, true, true), "Incomplete", undefined, ""],
      ["solicitation from it", incomplete, heard(mac), "Stale", mac, "Release"],
      ["progress above, of which nothing follows", incomplete, { _tag: "Confirmed" }, "Incomplete", undefined, ""],
      ["answer with another address, no override", reachable, advertised(other, true, false), "Stale", mac, ""],
      ["the same, stale already", stale, advertised(other, true, false), "Stale", mac, ""],
      ["the same, while probing", probing, advertised(other, true, false), "Probe", mac, ""],
      ["the same, in delay", delayed, advertised(other, true, false), "Delay", mac, ""],
      ["answer with the same address", stale, advertised(mac, true, false), "Reachable", mac, ""],
      ["answer without address", probing, advertised(undefined, true, false), "Reachable", mac, ""],
      ["overriding answer", probing, advertised(other, true, true), "Reachable", other, ""],
      ["overriding advertisement", reachable, advertised(other, false, true), "Stale", other, ""],
      ["unsolicited, the same address", reachable, advertised(mac, false, true), "Reachable", mac, ""],
      ["unsolicited, the same address, probing", probing, advertised(mac, false, false), "Probe", mac, ""],
      ["solicitation with the same address", reachable, heard(mac), "Reachable", mac, ""],
      ["solicitation with another address", reachable, heard(other), "Stale", other, ""],
      ["solicitation with another address, probing", probing, heard(other), "Stale", other, ""],
      ["progress above, stale", stale, { _tag: "Confirmed" }, "Reachable", mac, ""],
      ["progress above, in delay", delayed, { _tag: "Confirmed" }, "Reachable", mac, ""],
      ["doubt above, reachable (rfc: 1122 §3.3.1.4)", reachable, { _tag: "Doubted" }, "Delay", mac, ""],
      ["doubt above, stale", stale, { _tag: "Doubted" }, "Delay", mac, ""],
      ["doubt above, probing already", probing, { _tag: "Doubted" }, "Probe", mac, ""],
      ["doubt above, of what is not known", incomplete, { _tag: "Doubted" }, "Incomplete", undefined, ""],
      ["progress above, probing", probing, { _tag: "Confirmed" }, "Reachable", mac, ""],
      ["a packet, stale", stale, send, "Delay", mac, ""],
      ["a packet, reachable", reachable, send, "Reachable", mac, ""],
      ["a packet, probing", probing, send, "Probe", mac, ""],
      [
        "advertised, of which nothing was known",
        Neighbor.unknown,
        advertised(mac, true, true),
        "Failed",
        undefined,
        ""
      ],
      ["heard of for the first time", Neighbor.unknown, heard(mac), "Stale", mac, "Release"]
    ]
  for (const [what, from, input, tag, known, done] of table) {
    it(`${from.state._tag}, ${what}: ${tag} (rfc: 4861 appendix C)`, () => {
      const after = run([[6, input]], from)
      assert.strictEqual(after.self.state._tag, tag)
      assert.strictEqual(Neighbor.macOf(after.self), known)
      assert.strictEqual(after.done.join(), done)
    })
  }

  it("believes an answer for the reachable time, and doubts it only when it is used again (rfc: 4861 §7.3.3)", () => {
    const old = wait(reachable, 1000)
    assert.strictEqual(old.self.state._tag, "Stale")
    assert.deepStrictEqual(old.done, [])
    const used = run([[1000, send]], old.self).self
    const probed = wait(used, 1006.5)
    assert.deepStrictEqual(probed.done, ["1005: ask it", "1006: ask it"])
  })

  it("goes on using a neighbour that stopped answering, asks everybody ever more rarely, and only while it is used (rfc: 7048 §3)", () => {
    let current = wait(delayed, 7.5)
    assert.deepStrictEqual(current.done, ["5: ask it", "6: ask it", "7: ask it"])
    const seen: Array<string> = []
    for (let at = 8; at < 400; at += 0.5) {
      current = wait(current.self, at)
      seen.push(...current.done)
      current = { ...current, self: run([[at, send]], current.self).self }
    }
    assert.deepStrictEqual(seen.slice(0, 5), [
      "8: ask all",
      "11: ask all",
      "20: ask all",
      "47: ask all",
      "107: ask all"
    ])
    assert.strictEqual(current.self.state._tag, "Unreachable")
    assert.strictEqual(Neighbor.macOf(current.self), mac)
    const unused = wait(current.self, 10_000)
    assert.isAtMost(unused.done.length, 1)
    assert.strictEqual(unused.self.deadline, Time.never)
    assert.deepStrictEqual(run([[20_000, send]], unused.self).done, ["ask all"])
    assert.strictEqual(run([[20_000, advertised(other, true, true)]], unused.self).self.state._tag, "Reachable")
  })

  it("asks a second after a doubt above, and no sooner however often it is doubted (rfc: 1122 §3.3.1.4)", () => {
    const doubt = { _tag: "Doubted" } as const
    const doubted = run([[1, doubt], [1.5, doubt]], reachable).self
    assert.deepStrictEqual(wait(doubted, 4).done, ["2: ask it", "3: ask it", "4: ask it"])
  })

  it("takes over what an advertisement says of being a router (rfc: 4861 §7.2.5)", () => {
    assert.isTrue(run([[1, advertised(mac, true, true, true)]], reachable).self.isRouter)
    const router = run([[1, advertised(mac, true, true, true)]], reachable).self
    assert.isFalse(run([[2, advertised(mac, false, false, false)]], router).self.isRouter)
    assert.isTrue(run([[2, advertised(mac, true, true)]], router).self.isRouter)
  })

  it("keeps what a program has fixed, whatever the neighbour says", () => {
    const fixed = run([[0, send], [0, { _tag: "Fixed", mac }]])
    assert.deepStrictEqual(fixed.done, ["ask all", "Release"])
    for (const input of [send, alarm, heard(other), advertised(other, true, true), { _tag: "Confirmed" }] as const) {
      assert.strictEqual(run([[100, input]], fixed.self).self, fixed.self)
    }
    assert.strictEqual(Neighbor.macOf(run([[1, { _tag: "Fixed", mac: other }]], fixed.self).self), other)
  })

  it("ignores an alarm before its time", () => {
    assert.strictEqual(run([[0.999, alarm]], incomplete).self, incomplete)
  })

  it("asks at most once a second, knows an address in every state that sends, and always has a way on, under any actions", () => {
    for (let seed = 1; seed <= 200; seed++) {
      const random = Seeded.make(seed)
      let self = Neighbor.unknown
      let asked = -Infinity
      let at = 0
      const feed = (input: Neighbor.Input, now: number): void => {
        const [next, actions] = Neighbor.step(self, input, Time.instantOf(now), timing)
        for (const action of actions) {
          if (action._tag !== "Solicit") continue
          assert.isAtLeast(now - asked, 1_000_000)
          asked = now
        }
        const tag = next.state._tag
        const isKnown = Neighbor.macOf(next) !== undefined
        assert.strictEqual(isKnown, tag !== "Incomplete" && tag !== "Failed")
        if (["Incomplete", "Reachable", "Delay", "Probe"].includes(tag)) {
          assert.isAbove(next.deadline, now)
          assert.notStrictEqual(next.deadline, Time.never)
        }
        if (actions.some(({ _tag }) => _tag === "Release")) assert.isTrue(isKnown)
        self = next
      }
      for (let i = 0; i < 200; i++) {
        at += random.below(3_000_000)
        while (self.deadline <= at) feed(alarm, self.deadline)
        feed(
          random.pick([
            send,
            send,
            alarm,
            heard(random.pick([mac, other])),
            advertised(random.pick([mac, other, undefined]), random.chance(0.5), random.chance(0.5)),
            { _tag: "Confirmed" },
            { _tag: "Doubted" }
          ]),
          at
        )
      }
    }
  })
})
