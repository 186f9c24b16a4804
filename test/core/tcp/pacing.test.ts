import { assert, describe, it } from "@effect/vitest"
import type { Span } from "../../../src/core/Time.ts"
import { micros, millis, seconds } from "../../../src/core/Time.ts"
import * as Time from "../../../src/core/Time.ts"
import type { Host } from "../../../src/testing/Host.ts"
import { runBatch } from "../../../src/workers/runBatch.ts"
import { ACK, established, FIN, host, show, text, write } from "./Peer.ts"
import type { Established, Got } from "./Peer.ts"

interface Timed {
  readonly at: number
  readonly got: Got
}

/** What the host sends in a time, with when, in microseconds. */
const sentIn = (self: Host, open: Established, time: Span, step = micros(250)): Array<Timed> => {
  const all: Array<Timed> = []
  for (let at = 0; at < time; at += step) {
    self.advance(step)
    for (const got of open.peer.take()) all.push({ at: at + step, got })
  }
  return all
}

const paced = (delay: Span, options: object = {}, window = 65_535): readonly [Host, Established] => {
  const self = host()
  const open = established(self, {
    options: { maximumSegmentSize: 1000, sackPermitted: true, windowScale: 7 },
    listenOptions: { pacing: true, noDelay: true, congestionControl: "newReno", ...options },
    window,
    delay
  })
  return [self, open]
}

/** For a path of a minute. */
const patient = {
  initialWindow: 3,
  tailLossProbe: false,
  slowStartAfterIdle: false,
  initialRto: seconds(200),
  minRto: seconds(200),
  maxRto: seconds(600)
}

describe("Pacing", () => {
  it("spreads a window over the round trip, two segments at a time and never fewer", () => {
    const [self, open] = paced(millis(100))
    // The first round trip that is measured of text gives the controller its pace.
    write(self, open.connection, text(1000))
    open.peer.take()
    self.advance(millis(100))
    open.peer.send({ seq: open.seq, ack: open.ack + 1000, flags: ACK })
    open.peer.take()
    write(self, open.connection, text(8000))
    const first = open.peer.take()
    assert.deepStrictEqual(first.map((got) => got.text.length), [1000, 1000])
    const later = sentIn(self, open, millis(100))
    assert.deepStrictEqual(
      later.map(({ got }) => got.text.length),
      [1000, 1000, 1000, 1000, 1000, 1000],
      later.map(({ got }) => show(got)).join()
    )
    // Ten segments in a round trip of 100 ms, twice as fast in slow start: two in ten milliseconds.
    const gaps = [0, 2, 4].map((i) => later[i]!.at - (i === 0 ? 0 : later[i - 2]!.at))
    for (const gap of gaps) assert.approximately(gap, 10_000, 300)
  })
  it("holds a FIN with the text before it, and lets both go within a second however slow the rate", () => {
    // A round trip of a minute and a window of three segments: 50 bytes a second would be the pace.
    const [self, open] = paced(seconds(60), patient)
    write(self, open.connection, text(1000))
    open.peer.take()
    self.advance(seconds(60))
    open.peer.take()
    open.peer.send({ seq: open.seq, ack: open.ack + 1000, flags: ACK })
    open.peer.take()
    write(self, open.connection, text(2000))
    const first = open.peer.take()
    write(self, open.connection, text(10))
    self.call({ _tag: "TcpShutdown", connection: open.connection, read: false, write: true })
    assert.isAbove(first.length, 0)
    assert.isTrue(open.peer.silent())
    const later = sentIn(self, open, seconds(4), millis(10))
    const last = later.find(({ got }) => (got.flags & FIN) !== 0)
    assert.isDefined(last, later.map(({ got }) => show(got)).join())
    assert.isAtMost(last!.at, 2_000_000)
  })
  it("a FIN alone waits for no pace: it takes no room on the path", () => {
    const [self, open] = paced(seconds(60), patient)
    write(self, open.connection, text(1000))
    open.peer.take()
    self.advance(seconds(60))
    open.peer.take()
    open.peer.send({ seq: open.seq, ack: open.ack + 1000, flags: ACK })
    write(self, open.connection, text(1000))
    assert.strictEqual(open.peer.take().at(-1)!.text.length, 1000)
    self.call({ _tag: "TcpShutdown", connection: open.connection, read: false, write: true })
    assert.strictEqual(open.peer.one().flags & FIN, FIN)
  })
  it("makes up for a timer that rings late", () => {
    const [self, open] = paced(millis(20))
    write(self, open.connection, text(1000))
    open.peer.take()
    self.advance(millis(20))
    open.peer.send({ seq: open.seq, ack: open.ack + 1000, flags: ACK })
    open.peer.take()
    write(self, open.connection, text(8000))
    assert.strictEqual(open.peer.take().length, 2)
    // Two segments in two milliseconds, and it rings three too late: two pairs are due.
    const due = self.nextTimer()!
    const timer = { _tag: "Tcp", key: open.connection } as const
    const outputs = runBatch(self.step, Time.plus(due, millis(3)), [{ _tag: "Timer", timer, due }])
    assert.strictEqual(outputs.filter(({ _tag }) => _tag === "Transmit").length, 2)
  })
  it("an unpaced connection sends its window at once", () => {
    const [self, open] = paced(millis(100), { pacing: false })
    write(self, open.connection, text(8000))
    assert.strictEqual(open.peer.take().length, 8)
  })
})
