import { assert, describe, it } from "@effect/vitest"
import * as Counter from "../../src/core/Counter.ts"
import type { Event } from "../../src/core/Event.ts"
import { Cell, Journal, Table, Tally } from "../../src/core/Journal.ts"
import { noTicket } from "../../src/core/Request.ts"
import type { State } from "../../src/core/State.ts"
import * as Time from "../../src/core/Time.ts"
import type { TimerId } from "../../src/core/Timer.ts"
import * as Frame from "../../src/wire/Frame.ts"
import { Chaos, setup } from "./journal/chaos.ts"
import { assertMeans, Driver, state, told } from "./journal/Driver.ts"
import * as Lan from "./Lan.ts"
import * as Seeded from "./Seeded.ts"

describe("Journal", () => {
  it("does what a copy of everything would do, under any writes, commits and rollbacks", () => {
    for (let seed = 1; seed <= 100; seed++) {
      const random = Seeded.make(seed)
      const journal = new Journal()
      const tables = [new Table<number, number | undefined>("a"), new Table<number, number | undefined>("b")]
      const cell = new Cell("c", 0)
      const tally = new Tally("t", 3)
      const copy = () => ({
        tables: tables.map((table) => Array.from(table.entries()).toSorted(([a], [b]) => a - b)),
        cell: cell.value,
        tally: Array.from(tally.values)
      })
      let committed = copy()
      for (let i = 0; i < 300; i++) {
        const table = random.pick(tables)
        const key = random.below(8)
        switch (random.below(7)) {
          case 0:
          case 1:
            journal.put(table, key, random.chance(0.1) ? undefined : i)
            break
          case 2:
            journal.remove(table, key)
            break
          case 3:
            journal.set(cell, i)
            break
          case 4:
            journal.add(tally, random.below(3), random.below(9) - 4)
            break
          case 5:
            journal.commit()
            committed = copy()
            break
          default:
            journal.rollback()
            assert.deepStrictEqual(copy(), committed)
        }
        if (journal.length === 0) assert.deepStrictEqual(copy(), committed)
      }
    }
  })

  it("does not count the removal of what is not there as a write", () => {
    const journal = new Journal()
    journal.remove(new Table<number, number>("a"), 1)
    assert.strictEqual(journal.length, 0)
  })
})

/** The same records under the same keys, in any order. */
const assertSame = (after: unknown, before: unknown, where: string): void => {
  if (Array.isArray(before)) return assert.strictEqual(String(after), String(before), where)
  if (!(before instanceof Map)) return assert.strictEqual(after, before, where)
  const map = after as ReadonlyMap<unknown, unknown>
  assert.strictEqual(map.size, before.size, where)
  for (const [key, value] of before) assert.strictEqual(map.get(key), value, `${where} ${String(key)}`)
}

/** Two cores that live through the same, of which one is disturbed. */
const twins = (seed: number) => {
  const chaos = new Chaos(seed)
  const [disturbed, reference] = [new Driver(seed), new Driver(seed)]
  setup.forEach((request, i) => {
    disturbed.run({ _tag: "Request", ticket: i + 1, request })
    chaos.hear(reference.run({ _tag: "Request", ticket: i + 1, request }))
  })
  return { chaos, disturbed, reference }
}

describe("An event that throws", () => {
  it("leaves the state as it was and delivers nothing, at whichever write; run again, it does what it would have done", () => {
    let throws = 0
    const kinds = new Set<string>()
    for (let seed = 1; seed <= 4; seed++) {
      const { chaos, disturbed, reference } = twins(seed)
      for (let i = 0; i < 200; i++) {
        const event = chaos.next(reference)
        disturbed.now = reference.now
        const before = disturbed.snapshot()
        const meant = state(disturbed)
        for (let write = 0;; write++) {
          const { hasThrown, outputs } = disturbed.attempt(event, write, true)
          if (!hasThrown) {
            const expected = reference.run(event)
            chaos.hear(expected)
            for (const output of expected) kinds.add(output._tag)
            assertMeans(told(outputs), told(expected))
            assertMeans(state(disturbed), state(reference), event._tag)
            break
          }
          throws++
          // The shell tells who asked even then; nothing else comes of it.
          assert.isTrue(outputs.every((output) => output._tag === "Reply" && output.reason?._tag === "Defect"))
          for (const [name, value] of Object.entries(disturbed.snapshot())) assertSame(value, before[name], name)
          if (write % 16 === 0) assertMeans(state(disturbed), meant)
        }
      }
    }
    assert.isAbove(throws, 3000)
    assert.sameMembers(Array.from(kinds), ["Transmit", "Reply", "SetTimer", "Notice", "Drop"])
  })

  it("is answered: who asked is told, a frame is counted, and the stack goes on", () => {
    for (let seed = 1; seed <= 10; seed++) {
      const { chaos, disturbed, reference } = twins(seed)
      const random = Seeded.make(seed)
      let defects = 0
      for (let i = 0; i < 200; i++) {
        const event = chaos.next(reference)
        disturbed.now = reference.now
        const { hasThrown, outputs } = disturbed.attempt(event, random.below(12), false)
        chaos.hear(reference.run(event))
        if (!hasThrown) continue
        defects++
        const tags = outputs.map(({ _tag }) => _tag)
        assert.include(tags, "Notice")
        if (event._tag === "Frame") assert.deepStrictEqual(tags, ["Notice", "Drop"])
        if (event._tag !== "Request" || event.ticket === noTicket) continue
        const reply = outputs.find((output) => output._tag === "Reply")
        assert.strictEqual(reply?.ticket, event.ticket)
        assert.strictEqual(reply?.reason?._tag, "Defect")
      }
      assert.isAbove(defects, 20)
      assert.strictEqual(disturbed.step.state.counters.get(Counter.index.defects), defects)
    }
  })

  const ping = { ...Lan.ping(Lan.there), timeout: Time.seconds(9) }
  const fragment = Lan.ip(Lan.bytes(64), { protocol: 17, moreFragments: true })
  const alarms: ReadonlyArray<readonly [string, Event, TimerId["_tag"], (state: State) => number]> = [
    ["an echo", { _tag: "Request", ticket: 50, request: ping }, "Ping", (state) => state.ping.echoes.size],
    ["a neighbour", { _tag: "Request", ticket: 50, request: ping }, "Neighbor", (state) => state.neighbor.entries.size],
    [
      "an incomplete packet",
      { _tag: "Frame", link: 1, frame: Frame.plain(Lan.ethernet(fragment)), receivedAt: Time.instantOf(0) },
      "Reassembly",
      (state) => state.ip.incomplete.size
    ]
  ]
  for (const [what, event, tag, count] of alarms) {
    it(`as an alarm of ${what} ends what it was for, so that nothing waits for it for ever`, () => {
      const { disturbed } = twins(1)
      const [alarm] = disturbed.run(event).flatMap((output) =>
        output._tag === "SetTimer" && output.timer._tag === tag ? [output] : []
      )
      assert.strictEqual(count(disturbed.step.state), 1)
      disturbed.now = alarm!.at
      const rung: Event = { _tag: "Timer", timer: alarm!.timer, due: alarm!.at }
      assert.isTrue(disturbed.attempt(rung, 0, false).hasThrown)
      assert.strictEqual(count(disturbed.step.state), 0)
    })
  }

  it("as an alarm of an address leaves it as it is, or gives it up if it was not decided yet", () => {
    const { disturbed } = twins(1)
    const addresses = () => disturbed.step.links.get(1)!.addresses.map(({ state }) => state)
    const [claim] = Array.from(disturbed.step.state.device.claims.values())
    disturbed.now = claim!.timer.alarm
    const rung: Event = { _tag: "Timer", timer: { _tag: "Address", key: claim!.id }, due: claim!.timer.alarm }
    assert.isTrue(disturbed.attempt(rung, 0, false).hasThrown)
    assert.deepStrictEqual(addresses(), ["preferred"])
    assert.strictEqual(disturbed.step.state.device.claims.get(claim!.id)!.phase._tag, "Settled")
  })
})
