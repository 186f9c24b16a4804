/**
 * What a connection of a simulation did, as series over time: what it sent, lost and heard, its windows and its round trips.
 *
 * Times are seconds from the start; sequence numbers count bytes from the start of the stream.
 */
import * as Info from "../../core/tcp/Info.ts"
import * as Ethernet from "../../wire/Ethernet.ts"
import * as IpProtocol from "../../wire/IpProtocol.ts"
import * as Ipv4 from "../../wire/Ipv4.ts"
import * as Ipv6 from "../../wire/Ipv6.ts"
import * as Malformed from "../../wire/Malformed.ts"
import * as Sequence from "../../wire/Sequence.ts"
import * as Tcp from "../../wire/Tcp.ts"
import type { Host } from "../Host.ts"
import type { Simulation } from "../Simulator.ts"
import type { Happening, Way } from "../Trace.ts"

/** Text that was sent, or lost on the way. */
export interface Segment {
  readonly at: number
  readonly start: number
  readonly end: number
  /** Sent before. */
  readonly again: boolean
}

/** What an ACK told: all up to here, and ranges beyond. */
export interface Acknowledgment {
  readonly at: number
  readonly upTo: number
  readonly sacked: ReadonlyArray<readonly [number, number]>
  /** The end of the window that it offered. */
  readonly edge: number
}

/** Bytes; the sender's view. */
export interface Windows {
  readonly at: number
  readonly congestion: number
  /** Absent while nothing has set it. */
  readonly threshold: number | undefined
  readonly inFlight: number
  readonly offered: number
}

/** Milliseconds. */
export interface RoundTrips {
  readonly at: number
  readonly smoothed: number
  readonly timeout: number
}

/** The series of one connection, by the port of its server. */
export interface Series {
  readonly sent: Array<Segment>
  readonly lost: Array<Segment>
  /** At the receiver, whatever came before. */
  readonly arrived: Array<Segment>
  readonly acknowledgments: Array<Acknowledgment>
  readonly windows: Array<Windows>
  readonly roundTrips: Array<RoundTrips>
}

/** Where a TCP header is in an Ethernet frame; `undefined` if there is none. */
const headerIn = (bytes: Uint8Array, start: number, end: number): Tcp.Header | undefined => {
  const link = Ethernet.parse(bytes, start, end)
  if (Malformed.isMalformed(link)) return undefined
  const isV4 = link.type === Ethernet.EtherType.ipv4
  if (!isV4 && link.type !== Ethernet.EtherType.ipv6) return undefined
  const parse = isV4 ? Ipv4.parse : Ipv6.parse
  const ip = parse(bytes, link.payloadStart, end)
  if (Malformed.isMalformed(ip)) return undefined
  const isTcp = ip.protocol === IpProtocol.tcp && !("fragmentOffset" in ip && ip.fragmentOffset > 0)
  if (!isTcp) return undefined
  const tcp = Tcp.parse(bytes, ip.payloadStart, ip.payloadEnd)
  return Malformed.isMalformed(tcp) ? undefined : tcp
}

/** A change that is smaller than this share of the run's length does not show in a picture. */
const leastStep = 1 / 2000

/** Collects the series of one connection. */
export class Collector {
  readonly series: Series = { sent: [], lost: [], arrived: [], acknowledgments: [], windows: [], roundTrips: [] }
  /** The connection's view of itself when it was last looked at. */
  info: Info.Info | undefined
  private readonly from: string
  private readonly to: string
  private readonly port: number
  private readonly step: number
  private origin: Sequence.Sequence | undefined
  private highest = 0
  private scale = 0
  private last: unknown
  private lastAt = -Infinity

  /** `from` is the host that connects and sends, to `to`; `duration` of the run, in seconds. */
  constructor(from: string, to: string, port: number, duration: number) {
    this.from = from
    this.to = to
    this.port = port
    this.step = duration * leastStep
  }

  readonly onFrame = (
    happening: Happening,
    way: Way,
    nanos: number,
    bytes: Uint8Array,
    start: number,
    end: number
  ): void => {
    if (happening === "altered") return
    const isSending = happening === "sent" && way.from === this.from
    const isHearing = happening === "arrived" && way.to === this.from
    const isArriving = happening === "arrived" && way.to === this.to
    if (!isSending && !isHearing && !isArriving && happening !== "lost") return
    const tcp = headerIn(bytes, start, end)
    if (tcp === undefined) return
    const at = nanos / 1e9
    if (tcp.destinationPort === this.port && !isHearing) this.onText(happening, tcp, at)
    if (tcp.sourcePort === this.port && isHearing) this.onAcknowledgment(tcp, at)
  }

  private onText(happening: Exclude<Happening, "altered">, tcp: Tcp.Header, at: number): void {
    if ((tcp.flags & Tcp.SYN) !== 0 && this.origin === undefined) this.origin = Sequence.add(tcp.sequence, 1)
    const length = Tcp.payloadLength(tcp)
    if (this.origin === undefined || length === 0) return
    const start = Sequence.distance(this.origin, tcp.sequence)
    const end = start + length
    this.series[happening].push({ at, start, end, again: happening === "sent" && start < this.highest })
    if (happening === "sent") this.highest = Math.max(this.highest, end)
  }

  private onAcknowledgment(tcp: Tcp.Header, at: number): void {
    if ((tcp.flags & Tcp.SYN) !== 0) this.scale = tcp.options.windowScale ?? 0
    if (this.origin === undefined || (tcp.flags & Tcp.ACK) === 0) return
    const { origin } = this
    const upTo = Sequence.distance(origin, tcp.acknowledgment)
    const window = (tcp.flags & Tcp.SYN) === 0 ? tcp.window << this.scale : tcp.window
    const sacked = tcp.options.sackBlocks.map(({ left, right }) =>
      [Sequence.distance(origin, left), Sequence.distance(origin, right)] as const
    )
    this.series.acknowledgments.push({ at, upTo, sacked, edge: upTo + window })
  }

  readonly onRest = (name: string, host: Host, elapsed: number): void => {
    if (name !== this.from) return
    const connection = this.find(host)
    // Records are immutable, so the same one has nothing new to tell.
    if (connection === undefined || connection === this.last) return
    this.last = connection
    const at = elapsed / 1e6
    const info = Info.of(host.step, connection)
    const isSmall = at - this.lastAt < this.step && info.caState === this.info?.caState
    this.info = info
    if (isSmall) return
    this.lastAt = at
    const { congestionWindow: congestion, inFlight, rto, sendWindow: offered, slowStartThreshold, smoothedRtt } = info
    const threshold = slowStartThreshold < 2 ** 30 ? slowStartThreshold : undefined
    this.series.windows.push({ at, congestion, threshold, inFlight, offered })
    if (smoothedRtt > 0) this.series.roundTrips.push({ at, smoothed: smoothedRtt / 1000, timeout: rto / 1000 })
  }

  private find(host: Host) {
    for (const entry of host.state.tcp.entries.values()) {
      if (entry._tag === "Connection" && entry.tuple.remotePort === this.port) return entry
    }
    return undefined
  }
}

/** Begins to collect. */
export const collect = (simulation: Simulation, ...about: ConstructorParameters<typeof Collector>): Collector => {
  const collector = new Collector(...about)
  simulation.trace.watch(collector.onFrame)
  simulation.watch(collector.onRest)
  return collector
}
