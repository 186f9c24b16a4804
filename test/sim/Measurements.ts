/**
 * What TCP makes of losses, long paths and company, in the simulator: measurements that the tables of `docs/tcp-performance.md` and their
 * snapshots are made of. The same arguments give the same numbers on any machine.
 */
import * as Controllers from "../../src/core/tcp/congestion/table.ts"
import * as Time from "../../src/core/Time.ts"
import * as Packet from "../../src/testing/Packet.ts"
import * as Simulator from "../../src/testing/Simulator.ts"
import * as Topology from "../../src/testing/Topology.ts"
import * as Transfer from "../../src/testing/Transfer.ts"

export const controllers = Controllers.names

/** Shares of frames that are lost in both directions. */
export const losses: ReadonlyArray<number> = [0, 0.001, 0.01, 0.02, 0.05, 0.1]
export const roundTrips: ReadonlyArray<number> = [1, 20, 100, 300]

/** The line of all measurements, in bits per second, and a full segment with timestamps. */
export const lineRate = 1e8
export const segmentBytes = 1448

/** A queue that holds what the line carries in a round trip of so many milliseconds, and never less than a few segments. */
const queueBytes = (rate: number, rtt: number): number => Math.max(30_000, rate / 8 * rtt / 1000)

export const range = (from: number, count: number): ReadonlyArray<number> =>
  Array.from({ length: count }, (_, i) => from + i)

/** Losses begin when the neighbour is known and the handshake is over, after four times the delay: one more second for a SYN that is lost would hide all else. */
const runPair = (
  { loss, ...link }: {
    readonly loss: number
    readonly delay: number
    readonly rate?: number
    readonly queueBytes?: number
  },
  seed: number,
  bytes: number,
  congestionControl: string
): Transfer.Report => {
  const simulation = Simulator.make(Topology.pair(link), { seed, trace: "none" })
  simulation.at(Time.millis(4.2 * link.delay), () => simulation.link("wire").set({ ...link, loss }))
  const report = Transfer.run(simulation, { from: "local", to: "remote", bytes, options: { congestionControl } })
  if (!report.isIntact) throw new Error("a transfer has changed its bytes")
  return report
}

/** So many more bytes with each seed, or a transfer that just loses its last segment in a full queue would do so in each. */
const moreBytes = 10_007

/** Bits per second of a transfer, handshake and slow start included: the mean over the seeds from 1. */
export const goodput = (controller: string, loss: number, rtt: number, bytes: number, seeds: number): number => {
  const link = { delay: rtt / 2, loss, rate: lineRate, queueBytes: queueBytes(lineRate, rtt) }
  let [duration, moved] = [0, 0]
  for (const seed of range(1, seeds)) {
    const report = runPair(link, seed, bytes + seed * moreBytes, controller)
    duration += report.duration
    moved += report.bytes
  }
  return moved * 8 / (duration / 1e6)
}

/** Milliseconds of each of so many transfers on a line without a limit to its rate, by seed from 1: sorted. */
export const durations = (
  controller: string,
  loss: number,
  rtt: number,
  bytes: number,
  seeds: number
): ReadonlyArray<number> =>
  range(1, seeds)
    .map((seed) => runPair({ delay: rtt / 2, loss }, seed, bytes, controller).duration / 1000)
    .toSorted((a, b) => a - b)

/** What becomes of a transfer whose data segments of these numbers are lost once, counted from 1 by their first transmission. */
export const transferWithout = (
  numbers: ReadonlyArray<number>,
  bytes: number,
  congestionControl = "cubic"
): Transfer.Report => {
  // A queue that holds all of it, or slow start loses more than it is told to.
  const link = { delay: "10 millis", rate: lineRate, queueBytes: bytes } as const
  const simulation = Simulator.make(Topology.pair(link), { trace: "none" })
  const seen = new Set<number>()
  simulation.link("wire").intercept("forth", (frame) => {
    const { payload, tcp } = Packet.read(frame)
    if (tcp === undefined || payload.length === 0 || seen.has(tcp.sequence)) return frame
    seen.add(tcp.sequence)
    return numbers.includes(seen.size) ? undefined : frame
  })
  return Transfer.run(simulation, { from: "local", to: "remote", bytes, options: { congestionControl } })
}

/** What flows make of a bottleneck that they share. */
export interface Sharing {
  /** Jain's index of what they got. */
  readonly fairness: number
  /** Of the bottleneck's rate. */
  readonly utilization: number
  /** Of the frames that came to the bottleneck. */
  readonly lost: number
}

const bottleneckRate = 2e7
const bottleneckRtt = 20

/** Flows from hosts of their own that begin a tenth of a second apart and share one line for so many seconds. */
export const sharing = (controller: string, flows: number, seconds: number): Sharing => {
  const clients = range(1, flows).map((n) => `client${n}`)
  const simulation = Simulator.make({
    ...Topology.star(["server", ...clients]),
    links: {
      ...Topology.star(clients, { delay: bottleneckRtt / 2, rate: 1e9 }).links,
      server: {
        between: ["switch", "server"],
        rate: bottleneckRate,
        queueBytes: queueBytes(bottleneckRate, bottleneckRtt)
      }
    }
  }, { trace: "none" })
  clients.forEach((from, i) => {
    const options = { from, to: "server", bytes: 1e9, port: 5000 + i, options: { congestionControl: controller } }
    simulation.at(Time.millis(100 * i), () => void Transfer.start(simulation, options))
  })
  simulation.advance(Time.millis(100 * flows))
  const acked = () => clients.map((name) => simulation.host(name).call({ _tag: "TcpList" })[0]?.bytesAcked ?? 0)
  const before = acked()
  simulation.advance(Time.seconds(seconds))
  const got = acked().map((bytes, i) => bytes - before[i]!)
  const { offered, queueFull } = simulation.link("server").statistics("forth")
  return {
    fairness: Transfer.fairness(got),
    utilization: got.reduce((sum, bytes) => sum + bytes, 0) * 8 / seconds / bottleneckRate,
    lost: queueFull / offered
  }
}
