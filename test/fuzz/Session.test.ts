/**
 * The fuzzer itself: a round goes the same way each time, and what is wrong does not escape it.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Counter from "../../src/core/Counter.ts"
import * as checks from "./checks.ts"
import { Session } from "./Session.ts"

const frames = 2000

describe("a round of the fuzzer", () => {
  it("goes the same way for the same seed and number, and another way for others", () => {
    const run = (seed: number, round: number) => {
      const seen: Array<string> = []
      const witness = (frame: Uint8Array, at: number) => void seen.push(`${at} ${Buffer.from(frame).toString("hex")}`)
      return { report: new Session(seed, round, witness).run(frames), seen }
    }
    const first = run(1, 0)
    assert.deepStrictEqual(run(1, 0), first)
    assert.notDeepEqual(run(1, 1).seen, first.seen)
    assert.notDeepEqual(run(2, 0).seen, first.seen)
  })

  it("gets far beyond the door: connections are made, segments taken, errors heard, packets put together", () => {
    const session = new Session(1, 0)
    const { accepted, drops } = session.run(4 * frames)
    const count = (name: Counter.Name) => session.subject.state.counters.get(Counter.index[name])
    assert.isAbove(accepted, 50)
    assert.isAbove(drops.length, 25)
    for (
      const name of [
        "tcpPassiveOpens",
        "tcpBytesReceived",
        "tcpResetsReceived",
        "tcpOutOfOrder",
        "reassembled"
      ] as const
    ) {
      assert.isAbove(count(name), 4, name)
    }
  })

  it("gets to the bounds of neighbour discovery, makes addresses, and refuses long chains of headers", () => {
    const session = new Session(1, 0)
    let most = 0
    const { drops } = session.run(4 * frames, () => {
      const [, self] = session.subject.state.device.interfaces.map.values()
      most = Math.max(most, self!.addresses.length)
      return true
    })
    const dropped = new Map(drops)
    for (const reason of ["NdpLimit", "NdpInvalid", "IpExtensionRefused", "FragmentOverlap", "GroupInvalid"]) {
      assert.isAbove(dropped.get(reason) ?? 0, 2, reason)
    }
    assert.isAbove(most, 4)
  })

  it("ends with the cause when an event throws", () => {
    const session = new Session(1, 0)
    let writes = 0
    session.subject.step.journal.trap = () => {
      writes += 1
      if (writes === 5000) throw new Error("a planted fault")
    }
    assert.throws(() => session.run(frames), checks.Fault, /a planted fault/)
  })

  it("ends when memory stays charged after everything has been closed", () => {
    const session = new Session(1, 0)
    session.subject.step.charge("fragments", 1)
    assert.throws(() => session.run(frames), checks.Fault, /1 bytes of fragments are still charged/)
  })

  it("ends when a bad frame is sent", () => {
    const session = new Session(1, 0)
    const take = session.subject.takeFrames.bind(session.subject)
    session.subject.takeFrames = () =>
      take().map((frame, i) => {
        if (i === 0) frame[frame.length - 1] = frame.at(-1)! ^ 1
        return frame
      })
    assert.throws(() => session.run(frames), checks.Fault, /the stack sent a bad frame, bad (TCP|ICMP|UDP) checksum/)
  })

  it("ends when the stack does not answer", () => {
    const session = new Session(1, 0)
    const take = session.subject.takeFrames.bind(session.subject)
    session.subject.takeFrames = () => (take(), [])
    assert.throws(() => session.run(100), checks.Fault, /the stack does not answer/)
  })
})
