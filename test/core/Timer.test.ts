import { assert, describe, it } from "@effect/vitest"
import * as Config from "../../src/core/Config.ts"
import * as Entropy from "../../src/core/Entropy.ts"
import * as State from "../../src/core/State.ts"
import { Step } from "../../src/core/step.ts"
import * as Time from "../../src/core/Time.ts"
import * as Timer from "../../src/core/Timer.ts"

const id: Timer.TimerId = { _tag: "Tcp", key: 1 }

const workbench = (): Step => new Step(State.make(Config.defaults, Entropy.derive(new Uint8Array(16))))

/** The times for which alarms have been asked for since the last look. */
const asked = (step: Step): ReadonlyArray<number> =>
  step.takeOutputs().map((output) => output._tag === "SetTimer" ? output.at : assert.fail(output._tag))

const after = (seconds: number): Time.Instant => Time.plus(Time.instantOf(0), Time.seconds(seconds))

describe("Timer", () => {
  it("asks for no alarm while one is outstanding that comes early enough", () => {
    const step = workbench()
    let armed = Timer.arm(step, id, Timer.idle, after(2))
    assert.deepStrictEqual(asked(step), [after(2)])
    armed = Timer.arm(step, id, armed, after(5))
    assert.deepStrictEqual(asked(step), [])
    armed = Timer.arm(step, id, armed, after(1))
    assert.deepStrictEqual(asked(step), [after(1)])
    assert.deepStrictEqual(armed, { deadline: after(1), alarm: after(1) })
  })

  it("asks again when an alarm rings before the deadline, and is due when it has come", () => {
    const step = workbench()
    const early = Timer.arm(step, id, Timer.arm(step, id, Timer.idle, after(1)), after(3))
    step.takeOutputs()
    step.at = after(1)
    const { armed, isDue } = Timer.fired(step, id, early, after(1))
    assert.isFalse(isDue)
    assert.deepStrictEqual(asked(step), [after(3)])
    step.at = after(3)
    assert.deepStrictEqual(Timer.fired(step, id, armed, after(3)), { armed: Timer.idle, isDue: true })
  })

  it("is not due once cancelled, and asks for nothing", () => {
    const step = workbench()
    const cancelled = Timer.arm(step, id, Timer.arm(step, id, Timer.idle, after(1)), Time.never)
    step.takeOutputs()
    step.at = after(1)
    assert.deepStrictEqual(Timer.fired(step, id, cancelled, after(1)), { armed: Timer.idle, isDue: false })
    assert.deepStrictEqual(asked(step), [])
  })

  it("reaches a far deadline in steps, so that no alarm outlives its record by more than the horizon", () => {
    const step = workbench()
    const far = after(7200)
    let armed = Timer.arm(step, id, Timer.idle, far)
    let rings = 0
    for (let [at] = asked(step); at !== undefined; [at] = asked(step)) {
      assert.isAtMost(at - step.at, Timer.horizon)
      step.at = Time.instantOf(at)
      rings += 1
      const { armed: next, isDue } = Timer.fired(step, id, armed, step.at)
      assert.strictEqual(isDue, at === far)
      armed = next
    }
    assert.strictEqual(rings, 7200 / 60)
    assert.strictEqual(step.at, far)
  })
})
