/**
 * What differs from run to run, all of it decided by the seed: the network's faults, both stacks' knobs and limits, and what each side's
 * sockets ask for.
 */
import type * as Bounds from "../../../../src/core/Bounds.ts"
import * as TcpConfig from "../../../../src/core/tcp/Config.ts"
import * as Controllers from "../../../../src/core/tcp/congestion/table.ts"
import * as Time from "../../../../src/core/Time.ts"
import type * as Host from "../../../../src/testing/Host.ts"
import type { Version } from "../../../../src/wire/Address.ts"
import type { Seeded } from "../../Seeded.ts"
import type { Faults } from "../Network.ts"

export interface Setting {
  readonly version: Version
  /** Of the frames from the client, and of those from the server. */
  readonly faults: readonly [Faults, Faults]
  readonly hosts: readonly [Host.Options, Host.Options]
  /** Knobs of the client's sockets, and of the server's. */
  readonly options: readonly [TcpConfig.Options, TcpConfig.Options]
  /** Bytes of the client's largest write, and of the server's. */
  readonly largestWrites: readonly [number, number]
  readonly backlog: number
  /** Connections that the programs may have opened in the end. */
  readonly connections: number
  readonly actions: number
  /** Frames that are longer vanish on the way, without a word. */
  readonly largestFrame: number
}

const noFaults: Faults = { loss: 0, duplication: 0, reordering: 0, corruption: 0, delay: Time.millis(1) }

export const faultless: Setting["faults"] = [noFaults, noFaults]

/** The highest chance of each fault. */
export const worst = 0.3

const faultsOf = (random: Seeded, most: number, delay: Time.Span): Faults => {
  const chance = (): number => random.chance(0.3) ? 0 : random.below(1000) / 1000 * most
  return { loss: chance(), duplication: chance(), reordering: chance(), corruption: chance(), delay }
}

const pairOf = <A>(make: () => A): readonly [A, A] => [make(), make()]

/** Makes something only now and then, so that most of a run is as usual. */
const rarely = <A extends object>(random: Seeded, probability: number, make: () => A): A | Record<never, never> =>
  random.chance(probability) ? make() : {}

/** Buffers from a few bytes up, or the usual ones, which grow by themselves. */
const buffers = (random: Seeded): TcpConfig.Options => {
  const size = (): number => random.pick([1, 100, 1000, 1460, 4000, 20_000])
  return {
    ...rarely(random, 0.3, () => {
      const receiveBuffer = size()
      return { receiveBuffer, receiveBufferLimit: receiveBuffer * random.pick([1, 1, 8]) }
    }),
    ...rarely(random, 0.3, () => {
      const sendBuffer = size()
      return { sendBuffer, sendBufferLimit: sendBuffer * random.pick([1, 1, 8]) }
    }),
    ...rarely(random, 0.1, () => ({ notSentLowWater: random.pick([1, 500, 5000]) }))
  }
}

/** What is offered to the peer. */
const offers = (random: Seeded): TcpConfig.Options => ({
  timestamps: random.chance(0.7),
  windowScaling: random.chance(0.8),
  sack: random.chance(0.7),
  dsack: random.chance(0.7),
  ecn: random.pick(["off", "passive", "active", "accurate", "accurate", "accuratePassive", "accurateActive"]),
  ecnOption: random.pick(["never", "changes", "always"]),
  ecnOptionBeacons: random.pick([0, 1, 3]),
  ecnPackets: random.pick(["text", "all"]),
  fastOpen: random.pick(["off", "off", "both", "client", "server"]),
  maxSegment: random.pick([0, 0, 0, 64, 536, 1000])
})

const pace = (random: Seeded): TcpConfig.Options => ({
  congestionControl: random.pick(Controllers.names),
  initialWindow: random.pick([1, 2, 10, 10, 10]),
  slowStartAfterIdle: random.chance(0.7),
  pacing: random.chance(0.2),
  delayedAck: Time.millis(random.pick([0, 40, 40, 400])),
  quickAcks: random.pick([0, 1, 16, 16]),
  noDelay: random.chance(0.3),
  cork: random.chance(0.1)
})

/** Patience, and the end of it. */
const patience = (random: Seeded): TcpConfig.Options => ({
  mtuProbing: random.pick(["off", "blackHole", "always"]),
  pathMtuDiscovery: random.chance(0.8),
  ...rarely(random, 0.2, () => ({ retries: random.pick([0, 1, 3, 6]) })),
  ...rarely(random, 0.1, () => ({ userTimeout: Time.seconds(random.pick([1, 10, 60])) })),
  ...rarely(random, 0.2, () => ({
    userTimeoutOption: true,
    userTimeoutAdvertised: Time.seconds(random.pick([0, 1, 600]))
  })),
  ...rarely(random, 0.1, () => ({ linger: Time.seconds(random.pick([0, 1, 30])) })),
  ...rarely(random, 0.2, () => ({ timeWait: Time.seconds(random.pick([0, 1, 5])) })),
  ...rarely(random, 0.1, () => ({ finWait2Timeout: Time.seconds(random.pick([0, 5])) })),
  ...rarely(random, 0.1, () => ({ connectTimeout: Time.seconds(random.pick([0, 1, 5])) })),
  ...rarely(random, 0.1, () => ({ abortOnOverflow: true })),
  ...rarely(random, 0.1, () => ({ deferAccept: Time.seconds(random.pick([1, 5])) })),
  ...rarely(random, 0.1, () => ({
    keepAlive: true,
    keepAliveIdle: Time.seconds(random.pick([1, 10])),
    keepAliveInterval: Time.seconds(1),
    keepAliveCount: random.pick([1, 5])
  }))
})

const optionsOf = (random: Seeded): TcpConfig.Options => ({
  ...offers(random),
  ...buffers(random),
  ...pace(random),
  ...patience(random)
})

/** What a whole stack has and a socket can't choose. */
const configOf = (random: Seeded): TcpConfig.Config => ({
  ...TcpConfig.defaults,
  rack: random.chance(0.7),
  tailLossProbe: random.chance(0.7),
  frto: random.chance(0.7),
  undo: random.chance(0.7),
  reordering: random.pick([1, 3, 3, 10]),
  granularity: Time.millis(random.pick([1, 200])),
  synCookies: random.pick(["whenFull", "whenFull", "always", "never"]),
  transmitCreditBytes: random.pick([2000, 64 * 1024, 256 * 1024])
})

const limitsOf = (random: Seeded): Partial<Bounds.Limits> => ({
  ...rarely(random, 0.1, () => ({ tcpOutOfOrderRanges: random.pick([1, 4, 16]) })),
  ...rarely(random, 0.1, () => ({ memoryBytes: random.pick([20_000, 60_000, 200_000]) })),
  ...rarely(random, 0.1, () => ({ tcpHalfOpen: 1 })),
  ...rarely(random, 0.1, () => ({ tcpConnections: 2 })),
  ...rarely(random, 0.1, () => ({ tcpTimeWait: 1 })),
  ...rarely(random, 0.1, () => ({ parkedRequests: 4 })),
  ...rarely(random, 0.1, () => ({ tcpFastOpens: 1, tcpFastOpenCookies: 1 }))
})

/** A link that cuts segments itself, or one that has the stack do everything. */
const interfaceOf = (random: Seeded, mtu: number): Host.InterfaceOptions => ({
  mtu,
  checksumOffload: random.chance(0.3),
  ...rarely(random, 0.5, () => ({ segmentation: new Set(["tcp4", "tcp6"] as const), maxSegmentBytes: 65_000 }))
})

/** A stream that goes a few bytes at a time is a short one: a run has no more to show when it takes a thousand round trips. */
const largestWrite = (sender: TcpConfig.Options, receiver: TcpConfig.Options): number => {
  const sizes = [
    sender.sendBufferLimit,
    sender.notSentLowWater,
    sender.maxSegment,
    receiver.receiveBufferLimit,
    receiver.maxSegment
  ]
  const atOnce = Math.min(...sizes.filter((size) => size !== undefined && size > 0) as ReadonlyArray<number>)
  return Math.min(40_000, 20 * atOnce)
}

export const make = (random: Seeded): Setting => {
  const most = random.pick([0, 0.05, worst, worst])
  const delay = Time.micros(1000 + random.below(100_000))
  const mtu = random.pick([1280, 1500, 1500, 9000])
  const hostOf = (): Host.Options => ({
    seed: random.below(1_000_000),
    config: { tcp: configOf(random) },
    limits: limitsOf(random),
    interfaces: [interfaceOf(random, mtu)]
  })
  const options = pairOf(() => optionsOf(random))
  return {
    version: random.chance(0.5) ? 4 : 6,
    faults: pairOf(() => faultsOf(random, most, delay)),
    hosts: pairOf(hostOf),
    options,
    largestWrites: [largestWrite(options[0], options[1]), largestWrite(options[1], options[0])],
    backlog: random.pick([1, 2, 16]),
    connections: random.pick([1, 1, 1, 2, 4]),
    actions: 10 + random.below(50),
    largestFrame: random.chance(0.05) ? 14 + 1280 : Infinity
  }
}
