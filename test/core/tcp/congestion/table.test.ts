import { assert, describe, it } from "@effect/vitest"
import type * as Controller from "../../../../src/core/tcp/congestion/Controller.ts"
import * as Table from "../../../../src/core/tcp/congestion/table.ts"
import * as Time from "../../../../src/core/Time.ts"
import * as Seeded from "../../Seeded.ts"
import { ack, mss, start } from "./Acks.ts"
import * as Running from "./Running.ts"
import * as Toy from "./Toy.ts"

/** The table as it would be with one more line. */
const table: { readonly [name: string]: Controller.Controller<any> } = {
  ...Table.table,
  toy: Toy.controller
}

/** Refuses to be changed, all the way down. */
const freeze = <A>(value: A): A => {
  if (typeof value === "object" && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value)
    Object.values(value).forEach(freeze)
  }
  return value
}

/** One random thing that happens to a connection, told to its controller. */
const happen = (random: Seeded.Seeded, self: Running.Running, now: Time.Instant): Running.Running => {
  const flightSize = random.below(Running.window(self) + 4 * mss)
  const recovery = random.pick(["none", "none", "none", "fast", "timeout"] as const)
  switch (random.below(26)) {
    case 0:
      return Running.onLoss(self, { now, flightSize })
    case 1:
      return Running.onTimeout(self, { now, flightSize, isRepeated: random.chance(0.5) })
    case 2:
      return Running.onEcn(self, { now, flightSize })
    case 3:
      return Running.onRecoveryExit(self, now)
    case 4:
      return Running.undo(self, now)
    case 5:
      return Running.onIdle(self, { now, idleFor: Time.millis(random.below(2000)), rto: Time.millis(300) })
    case 6:
      return Running.onLost(self, {
        now,
        bytes: mss,
        stamp: {
          sentAt: now,
          delivered: 0,
          deliveredAt: now,
          firstSentAt: now,
          inFlight: flightSize,
          lost: 0,
          isAppLimited: random.chance(0.1)
        },
        totalLost: random.below(4 * mss)
      })
    case 7:
      return random.chance(0.1) ? Running.onMss(self, 500 + random.below(1000)) : self
    default:
      return Running.onAck(
        self,
        ack({
          now,
          recovery,
          bytesAcked: random.pick([0, 1, mss, 2 * mss, random.below(64 * mss)]),
          bytesInFlight: flightSize,
          isAppLimited: random.chance(0.2),
          isRoundStart: random.chance(0.1),
          rate: random.chance(0.8) ? random.below(1e8) : undefined,
          delivered: random.below(flightSize + 1),
          inFlightAtSend: flightSize,
          lost: random.chance(0.2) ? random.below(10 * mss) : 0,
          bytesLost: random.chance(0.2) ? mss : 0,
          bytesInFlightAfter: random.below(flightSize + 1),
          mostInFlight: Infinity,
          rtt: random.chance(0.9) ? Time.millis(1 + random.below(200)) : undefined,
          srtt: random.chance(0.9) ? Time.millis(1 + random.below(200)) : undefined
        })
      )
  }
}

describe("the table of controllers", () => {
  it("finds each by its own name, and none by another", () => {
    assert.deepStrictEqual(Table.names, (Object.keys(Table.table) as Array<Table.Name>).toSorted())
    Table.names.forEach((name) => assert.strictEqual(Table.find(name)?.name, name))
    assert.isUndefined(Table.find("toString"))
    assert.isUndefined(Table.find("toy"))
  })

  for (const [name, controller] of Object.entries(table)) {
    it(`${name} has a window of at least a segment and keeps its old states, whatever happens`, () => {
      for (let seed = 1; seed <= 60; seed++) {
        const random = Seeded.make(seed)
        let now = Time.instantOf(0)
        let self = Running.start(controller, start({ now }))
        for (let i = 0; i < 300; i++) {
          now = Time.plus(now, Time.micros(random.below(50_000)))
          freeze(self.state)
          self = happen(random, self, now)
          const window = Running.window(self)
          assert.isTrue(Number.isSafeInteger(window) && window >= 500, `window ${window}, seed ${seed}, action ${i}`)
          assert.isAtLeast(Running.ssthresh(self), 1000)
          assert.isTrue((Running.pacingRate(self) ?? 1) > 0)
        }
      }
    })

    it(`${name} opens with ACKs, closes at a timeout and lives on`, () => {
      let now = Time.instantOf(0)
      let self = Running.start(controller, start({ now }))
      const transfer = (acks: number): void => {
        for (let i = 0; i < acks; i++) {
          now = Time.plus(now, Time.millis(2))
          self = Running.onAck(
            self,
            ack({
              now,
              isRoundStart: i % 40 === 0,
              rtt: Time.millis(80),
              bytesInFlight: Running.window(self),
              rate: 500 * mss,
              delivered: 40 * mss
            })
          )
        }
      }
      transfer(200)
      const opened = Running.window(self)
      assert.isAbove(opened, 10 * mss)
      self = Running.onTimeout(self, { now, flightSize: opened, isRepeated: false })
      const reduced = Running.window(self)
      assert.isBelow(reduced, opened)
      transfer(4000)
      assert.isAbove(Running.window(self), reduced)
    })
  }

  it("answers the same value when nothing changed", () => {
    const self = Running.start(Toy.controller, start())
    assert.strictEqual(Running.undo(self, Time.instantOf(0)), self)
  })
})
