/** What TCP's leaf machines cost, in nanoseconds an operation: `node bench/tcpLeaf.ts`. The best of five runs each. */
import * as SipHash from "../src/core/data/SipHash.ts"
import type * as Controller from "../src/core/tcp/congestion/Controller.ts"
import * as Cubic from "../src/core/tcp/congestion/Cubic.ts"
import * as DeliveryRate from "../src/core/tcp/DeliveryRate.ts"
import * as Loss from "../src/core/tcp/Loss.ts"
import * as Scoreboard from "../src/core/tcp/Scoreboard.ts"
import * as Time from "../src/core/Time.ts"
import * as Sequence from "../src/wire/Sequence.ts"

/** Keeps results alive, so that nothing measured is optimised away. */
let sink = 0

const measure = (name: string, count: number, run: (count: number) => void): void => {
  let best = Infinity
  for (let i = 0; i < 5; i++) {
    const before = process.hrtime.bigint()
    run(count)
    best = Math.min(best, Number(process.hrtime.bigint() - before) / count)
  }
  console.log(`${name.padEnd(64)} ${best.toFixed(0).padStart(7)} ns`)
}

const mss = 1460
const key = SipHash.keyFrom(Uint8Array.from({ length: 16 }, (_, i) => i))

measure("SipHash of 5 words", 500_000, (count) => {
  for (let i = 0; i < count; i++) sink ^= SipHash.hashWords(key, [i, sink, 3, 4, 5]).low
})

/** A board with `window` runs of `size` bytes in flight. */
const filled = (window: number, size: number): { board: Scoreboard.Scoreboard; rate: DeliveryRate.DeliveryRate } => {
  let board = Scoreboard.make(0)
  let rate = DeliveryRate.initial
  for (let i = 0; i < window; i++) {
    const [next, stamp] = DeliveryRate.send(rate, Time.instantOf(i), Scoreboard.pipe(board), size)
    rate = next
    board = Scoreboard.sent(board, Sequence.add(board.nxt, size), mss, stamp)
  }
  return { board, rate }
}

for (const [window, segments] of [[10, 1], [5000, 1], [100, 45]] as const) {
  const size = segments * mss
  const name = `${window} runs of ${segments} segment${segments > 1 ? "s" : ""}`
  measure(`Scoreboard, in order: one sent, one acknowledged; ${name}`, 500_000, (count) => {
    let { board, rate } = filled(window, size)
    for (let i = 0; i < count; i++) {
      const now = Time.instantOf(1000 + i)
      const [sending, stamp] = DeliveryRate.send(rate, now, Scoreboard.pipe(board), size)
      board = Scoreboard.sent(board, Sequence.add(board.nxt, size), mss, stamp)
      const told = Scoreboard.update(board, Sequence.add(board.una, size))
      const [delivering, sample] = DeliveryRate.deliver(sending, told.delivered, told.newest?.stamp, now, undefined)
      board = told.board
      rate = delivering
      sink += sample.delivered
    }
  })
}

/** One segment in `every` is lost; each ACK reports the newest stretches, and the repair comes a window later. */
const lossy = (window: number, every: number) => (count: number): void => {
  let { board, rate } = filled(window, mss)
  const isLost = (segment: number): boolean => segment % every === 0
  let high = 0
  for (let i = 0; i < count; i++) {
    const now = Time.instantOf(10_000 + i)
    const [sending, stamp] = DeliveryRate.send(rate, now, Scoreboard.pipe(board), mss)
    rate = sending
    board = Scoreboard.sent(board, Sequence.add(board.nxt, mss), mss, stamp)
    high += 1
    const segment = high - 1
    // The receiver's cumulative point trails by a window where something was lost.
    const una = Math.max(0, (Math.floor((high - window / 2) / every)) * every)
    const start = Math.floor(segment / every) * every + 1
    const blocks = isLost(segment) ? [] : [{ left: Sequence.add(0, start * mss), right: Sequence.add(0, high * mss) }]
    const told = Scoreboard.update(board, Sequence.add(0, una * mss), blocks)
    const losses = Loss.byCount(told.board, 3, mss)
    board = losses.board
    const next = Loss.nextLost(board, mss)
    if (next !== undefined) board = Scoreboard.retransmitted(board, next.start, next.end, mss, stamp)
    sink += told.delivered
  }
}

measure("Scoreboard, SACKs: 1 in 1000 lost, 5000 segments in flight", 200_000, lossy(5000, 1000))
measure("Scoreboard, SACKs: 1 in 10 lost, 5000 segments in flight", 200_000, lossy(5000, 10))
measure("Scoreboard, SACKs: 1 in 2 lost, 5000 segments in flight", 200_000, lossy(5000, 2))

const ack: Controller.AckSample = {
  now: Time.instantOf(0),
  bytesAcked: 2 * mss,
  bytesDelivered: 2 * mss,
  bytesLost: 0,
  bytesInFlight: 1e9,
  bytesInFlightAfter: 1e9,
  mostInFlight: Infinity,
  rtt: Time.millis(50),
  srtt: Time.millis(50),
  minRtt: Time.millis(50),
  isAppLimited: false,
  isMarked: false,
  recovery: "none",
  rate: {
    rate: undefined,
    isAppLimited: false,
    isRoundStart: false,
    rounds: 0,
    delivered: 0,
    lost: 0,
    inFlightAtSend: 0
  }
}

measure("Cubic.onAck in congestion avoidance", 500_000, (count) => {
  const { controller } = Cubic
  let state = controller.start({ now: Time.instantOf(0), mss, initialWindow: 10 * mss })
  state = controller.onLoss({ ...state, window: 1000 * mss }, { now: Time.instantOf(0), flightSize: 1000 * mss })
  for (let i = 0; i < count; i++) {
    state = controller.onAck(state, { ...ack, now: Time.instantOf(i * 10) })
    if (i % 10_000 === 0) state = controller.onLoss(state, { now: Time.instantOf(i), flightSize: 1000 * mss })
  }
  sink += state.window
})

if (sink === 0.5) console.log(sink)
