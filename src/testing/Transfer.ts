/**
 * A bulk transfer between two hosts of a simulation, and what is to be told of it: how fast, and what was lost and repaired.
 *
 * The bytes are {@link Pattern}'s and every one is checked on arrival.
 */
import { loopback } from "../core/Device.ts"
import type * as Tcp from "../core/tcp/Config.ts"
import type { Info } from "../core/tcp/Info.ts"
import * as Time from "../core/Time.ts"
import type { Address } from "../wire/Address.ts"
import type { Host } from "./Host.ts"
import * as Pattern from "./Pattern.ts"
import type { Body, Process } from "./Program.ts"
import type { Simulation } from "./Simulator.ts"

export interface Options {
  /** The host that connects and sends, and the one that listens and receives. */
  readonly from: string
  readonly to: string
  readonly bytes: number
  /** 5001 if absent. */
  readonly port?: number
  /** Knobs of both ends. */
  readonly options?: Tcp.Options
  /** The receiver does not read for so long when it has read so many bytes. */
  readonly pause?: { readonly after: number; readonly length: Time.Span }
  /** Which of the receiver's addresses; its first one if absent. */
  readonly address?: Address
}

export interface Report {
  readonly bytes: number
  /** From the first SYN until the receiver has read the end. */
  readonly duration: Time.Span
  /** Payload bits per second over that time. */
  readonly bitsPerSecond: number
  /** Every byte arrived as it was sent, in its place. */
  readonly isIntact: boolean
  readonly segmentsSent: number
  readonly segmentsRetransmitted: number
  readonly bytesRetransmitted: number
  /** Retransmission timeouts, fast retransmits, tail loss probes and undone recoveries of the sending host, of all its connections. */
  readonly timeouts: number
  readonly fastRetransmits: number
  readonly tailLossProbes: number
  readonly spuriousRecoveries: number
  /** The sender's view when all was acknowledged. */
  readonly sender: Info
}

export interface Transfer {
  readonly processes: ReadonlyArray<Process<unknown>>
  /** What became of it. Throws if it is not done. */
  readonly report: () => Report
}

const defaultPort = 5001

/** Largest piece that one read takes. */
const readBytes = 1 << 20

export interface Sent {
  readonly startedAt: Time.Span
  readonly info: Info
}

/** Connects, sends, waits until all is acknowledged and closes. */
export const send = (
  simulation: Simulation,
  { bytes, options = {}, port = defaultPort }: Options,
  remote: Address
): Body<Sent> =>
  function*({ ask }) {
    const startedAt = simulation.elapsed
    const { connection } = yield* ask({
      _tag: "TcpConnect",
      remote,
      remotePort: port,
      local: undefined,
      localPort: 0,
      link: undefined,
      options,
      block: true
    })
    for (let at = 0; at < bytes;) {
      const piece = Pattern.range(at, bytes - at)
      at += yield* ask({ _tag: "TcpWrite", connection, ...piece, owned: true, block: true })
    }
    yield* ask({ _tag: "TcpShutdown", connection, read: false, write: true })
    yield* ask({ _tag: "TcpAwait", connection, until: "drained" })
    const info = yield* ask({ _tag: "TcpGetInfo", connection })
    yield* ask({ _tag: "TcpClose", connection })
    return { startedAt, info }
  }

export interface Received {
  readonly endedAt: Time.Span
  readonly length: number
  readonly isIntact: boolean
}

/** Accepts one connection, reads it to its end and closes. */
export const receive = (
  simulation: Simulation,
  { options = {}, pause, port = defaultPort }: Omit<Options, "bytes">
): Body<Received> =>
  function*({ ask, sleep }) {
    const { listener } = yield* ask({
      _tag: "TcpListen",
      local: undefined,
      version: undefined,
      port,
      backlog: 1,
      options,
      link: undefined
    })
    const { connection } = yield* ask({ _tag: "TcpAccept", listener, block: true })
    let length = 0
    let isIntact = true
    let hasPaused = pause === undefined
    for (;;) {
      if (!hasPaused && length >= pause!.after) {
        hasPaused = true
        yield* sleep(pause!.length)
      }
      const { end, pieces } = yield* ask({ _tag: "TcpRead", connection, max: readBytes, block: true })
      if (end) break
      for (const piece of pieces) {
        isIntact = isIntact && Pattern.mismatch(piece, length) < 0
        length += piece.end - piece.start
      }
    }
    const endedAt = simulation.elapsed
    yield* ask({ _tag: "TcpClose", connection })
    yield* ask({ _tag: "TcpCloseListener", listener })
    return { endedAt, length, isIntact }
  }

/** The first address of a host beside that of loopback. */
export const firstAddress = (host: Host): Address => {
  for (const { addresses, id } of host.state.device.interfaces.values()) {
    if (id !== loopback && addresses.length > 0) return addresses[0]!.address
  }
  throw new Error("the receiving host has no address")
}

/** Starts a transfer, which runs as the simulation does. */
export const start = (simulation: Simulation, options: Options): Transfer => {
  const { bytes, from, to } = options
  const name = `${from} to ${to}`
  const address = options.address ?? firstAddress(simulation.host(to))
  const receiver = simulation.program(`receive ${name}`, to, receive(simulation, options))
  const sender = simulation.program(`send ${name}`, from, send(simulation, options, address))
  const host = simulation.host(from)
  return {
    processes: [sender, receiver],
    report: () => {
      const { info, startedAt } = sender.value
      const { endedAt, isIntact, length } = receiver.value
      const duration = Time.micros(endedAt - startedAt)
      return {
        bytes,
        duration,
        bitsPerSecond: bytes * 8 / (duration / 1e6),
        isIntact: isIntact && length === bytes,
        segmentsSent: info.segmentsSent,
        segmentsRetransmitted: info.segmentsRetransmitted,
        bytesRetransmitted: info.bytesRetransmitted,
        timeouts: host.counter("tcpTimeouts"),
        fastRetransmits: host.counter("tcpFastRetransmits"),
        tailLossProbes: host.counter("tcpTailLossProbes"),
        spuriousRecoveries: host.counter("tcpSpuriousRecoveries"),
        sender: info
      }
    }
  }
}

/** Runs one transfer to its end. */
export const run = (simulation: Simulation, options: Options, limit?: Time.Span): Report => {
  const transfer = start(simulation, options)
  simulation.finish(transfer.processes, limit)
  return transfer.report()
}

/** Jain's fairness index of shares: 1 when all are equal, 1/n when one has everything (RFC 5166 §2.3 names it). */
export const fairness = (shares: ReadonlyArray<number>): number => {
  const sum = shares.reduce((a, b) => a + b, 0)
  const squares = shares.reduce((a, b) => a + b * b, 0)
  return squares === 0 ? 1 : sum * sum / (shares.length * squares)
}
