/**
 * The packets between the host under test and the script: which connection they belong to, and how what the host sends compares
 * with what the script expects.
 */
import * as IpProtocol from "../../wire/IpProtocol.ts"
import * as Tcp from "../../wire/Tcp.ts"
import type { Bench, Sent } from "./Bench.ts"
import { compareIp, compareSegment, type Difference, formatOptions, formatSegment } from "./compareSegment.ts"
import { Cookies } from "./Cookies.ts"
import { Flow } from "./Flow.ts"
import { emitIcmp, nameOfIcmp } from "./icmp.ts"
import { emitSegment, type IpHeader, type IpPacket, readIp, readSegment, type Segment } from "./Segment.ts"
import type { Settings } from "./Settings.ts"
import type { IcmpPacket, IpFields, TcpOption, TcpPacket, UdpPacket } from "./Syntax.ts"
import { emitUdp, formatUdp, readUdp, type UdpDatagram } from "./udpPackets.ts"

/** What came of an expectation. */
export interface Comparison {
  readonly at: number
  readonly differences: ReadonlyArray<Difference>
  /** What the host sent, in the words of the language. */
  readonly text: string
}

/** The first port of the far side; each further connection has the next. */
const firstRemotePort = 53_000

const ecnOf = { noecn: 0, ect1: 1, ect0: 2, ect01: 2, ce: 3 } as const

const isTimestamps = (option: TcpOption): option is Extract<TcpOption, { readonly _tag: "Timestamps" }> =>
  option._tag === "Timestamps"

export class Conversation {
  private readonly bench: Bench
  private readonly settings: Settings
  private readonly flows: Array<Flow> = []
  private readonly cookies: Cookies
  private current: Flow | undefined
  private nextPort = firstRemotePort
  /** The ports of the last datagram of the host: what comes in goes back there. */
  private udp: UdpDatagram | undefined

  constructor(bench: Bench, settings: Settings, fastOpenKeys: ReadonlyArray<string> = []) {
    this.bench = bench
    this.settings = settings
    this.cookies = new Cookies(bench, settings, fastOpenKeys)
  }

  /** Delivers a segment of the script; `listening` is the port on which the host listens, if it does. */
  deliver(packet: TcpPacket, listening: number | undefined): void {
    const flow = this.flowFor(packet, listening)
    const hasAck = (packet.flags & Tcp.ACK) !== 0
    const segment: Segment = {
      sourcePort: flow.remotePort,
      destinationPort: flow.localPort,
      sequence: packet.sequence.start >>> 0,
      length: packet.sequence.length,
      flags: packet.flags,
      acknowledgment: hasAck ? flow.toLive(packet.acknowledgment ?? 0) : 0,
      window: packet.window ?? 0,
      urgent: packet.urgent ?? 0,
      options: packet.options === "any" ? [] : flow.inbound(this.cookies.inbound(packet.options))
    }
    flow.observe(segment, false)
    this.bench.deliver(emitSegment(segment, this.header(packet.ip)))
  }

  /** Whether text of a connection's SYN was acknowledged with it. */
  hasEarlyText(localPort: number, remotePort: number): boolean {
    return this.flows.findLast((flow) => flow.localPort === localPort && flow.remotePort === remotePort)
      ?.hasEarlyText === true
  }

  /** A socket listens from now on: what comes in next is from another end than before. */
  begin(): void {
    this.current = undefined
  }

  /** Whether the host has sent something that the script may expect; what belongs to connections from before is not looked at. */
  hasNext(): boolean {
    for (let next = this.bench.sent[0]; next !== undefined; next = this.bench.sent[0]) {
      if (!this.isOfAnother(next.bytes)) return true
      this.bench.sent.shift()
    }
    return false
  }

  private isOfAnother(bytes: Uint8Array): boolean {
    const packet = readIp(bytes)
    const segment = packet === undefined ? undefined : readSegment(bytes, packet)
    if (segment === undefined || this.current === undefined) return false
    const flow = this.knownFlow(segment)
    return flow !== undefined && flow !== this.current
  }

  private knownFlow({ destinationPort, sourcePort }: Segment): Flow | undefined {
    return this.flows.findLast((flow) => flow.localPort === sourcePort && flow.remotePort === destinationPort)
  }

  /** Delivers a datagram to a bound port, from the far side that the host has sent to, or else is connected to. */
  deliverUdp({ ip, length }: UdpPacket, port: number | undefined, remotePort: number): void {
    const sourcePort = this.udp?.destinationPort ?? (remotePort === 0 ? firstRemotePort : remotePort)
    const destinationPort = this.udp?.sourcePort ?? port ?? this.settings.bindPort
    this.bench.deliver(emitUdp({ sourcePort, destinationPort, length }, this.header(ip)))
  }

  /** Delivers an ICMP error about a segment or a datagram that the host has sent. */
  deliverIcmp(packet: IcmpPacket): void {
    const flow = this.current ?? new Flow(this.settings.bindPort, firstRemotePort)
    this.bench.deliver(emitIcmp(packet, flow, this.udp, this.header(packet.ip)))
  }

  private header(ip: IpFields): IpHeader {
    const { local, remote } = this.settings
    const ecn = ip.ecn === undefined ? 0 : ecnOf[ip.ecn]
    return {
      source: remote,
      destination: local,
      trafficClass: ip.trafficClass ?? ecn,
      hopLimit: ip.hopLimit ?? 255
    }
  }

  /** What the script says next is of the connection between these ports, if it names any. */
  turnTo({ direction, ports }: TcpPacket): Flow | undefined {
    if (ports === undefined) return undefined
    const [local, remote] = direction === "in"
      ? [ports.destination, ports.source] as const
      : [ports.source, ports.destination] as const
    return this.current = this.flows.findLast((flow) => flow.localPort === local && flow.remotePort === remote) ??
      this.beginFlow(local, remote)
  }

  private beginFlow(localPort: number, remotePort: number): Flow {
    const flow = new Flow(localPort, remotePort)
    this.flows.push(flow)
    return this.current = flow
  }

  /** A SYN is for a new connection when the host knows nothing any more of the one before. */
  private flowFor(packet: TcpPacket, listening: number | undefined): Flow {
    const named = this.turnTo(packet)
    if (named !== undefined) return named
    const isSyn = (packet.flags & (Tcp.SYN | Tcp.ACK | Tcp.RST)) === Tcp.SYN
    if (this.current !== undefined && (!isSyn || listening === undefined || this.isKnown(this.current))) {
      return this.current
    }
    return this.beginFlow(listening ?? this.settings.bindPort, this.nextPort++)
  }

  private isKnown(flow: Flow): boolean {
    for (const { tuple } of this.bench.host.state.tcp.entries.values()) {
      if (tuple.localPort === flow.localPort && tuple.remotePort === flow.remotePort) return true
    }
    return false
  }

  private flowOf(segment: Segment): Flow {
    return this.knownFlow(segment) ?? this.beginFlow(segment.sourcePort, segment.destinationPort)
  }

  /**
   * Takes the next packets of the host as what the script expects. The caller has seen to it that there is one. Whether PSH stands in several joined segments,
   * or in what is sent again, is up to each stack (RFC 9293 §3.9.1.2, §3.8.1).
   */
  expect(expected: TcpPacket): Comparison {
    const sent = this.bench.sent.shift()!
    const packet = readIp(sent.bytes)
    const segment = packet === undefined ? undefined : readSegment(sent.bytes, packet)
    if (packet === undefined || segment === undefined) return this.unexpected(sent, packet)
    const whole = this.join(segment, packet, sent.at, expected.sequence.length)
    const flow = this.flowOf(whole)
    this.learn(flow, whole, expected)
    const { strictness } = this.settings
    const push = strictness.push && whole.length === segment.length && !flow.isSentAgain(whole)
    flow.observe(whole, true)
    const got = this.inScript(flow, whole, expected)
    return {
      at: sent.at,
      differences: [...compareIp(expected.ip, packet.ip), ...compareSegment(expected, got, { ...strictness, push })],
      text: formatSegment(">", got)
    }
  }

  /** Takes the next packet of the host as the datagram that the script expects. */
  expectUdp(expected: UdpPacket): Comparison {
    const sent = this.bench.sent.shift()!
    const packet = readIp(sent.bytes)
    const datagram = packet === undefined ? undefined : readUdp(sent.bytes, packet)
    if (packet === undefined || datagram === undefined) return this.unexpected(sent, packet)
    this.udp = datagram
    const [wanted, found] = [String(expected.length), String(datagram.length)]
    return {
      at: sent.at,
      differences: [
        ...compareIp(expected.ip, packet.ip),
        ...(wanted === found ? [] : [{ what: "length", expected: wanted, got: found }])
      ],
      text: formatUdp(">", datagram)
    }
  }

  /** Takes the next packet of the host as the ICMP message that the script expects. */
  expectIcmp(expected: IcmpPacket): Comparison {
    const sent = this.bench.sent.shift()!
    const packet = readIp(sent.bytes)
    const name = packet === undefined ? undefined : nameOfIcmp(sent.bytes, packet)
    if (packet === undefined || name === undefined) return this.unexpected(sent, packet)
    const wanted = [expected.type, expected.code].filter((word) => word !== undefined).join(" ")
    const isSame = wanted === name || (expected.code === undefined && name.startsWith(`${wanted} `))
    return {
      at: sent.at,
      differences: [
        ...compareIp(expected.ip, packet.ip),
        ...(isSame ? [] : [{ what: "message", expected: wanted, got: name }])
      ],
      text: `> icmp ${name}`
    }
  }

  private unexpected({ at, bytes }: Sent, packet: IpPacket | undefined): Comparison {
    const text = this.describe(bytes, packet)
    return { at, text, differences: [{ what: "packet", expected: "another kind", got: text }] }
  }

  /** A packet of the host in the words of the language, as far as it is known. */
  describe(bytes: Uint8Array, packet: IpPacket | undefined = readIp(bytes)): string {
    if (packet === undefined) return "> a packet that can't be read"
    const segment = readSegment(bytes, packet)
    if (segment === undefined) {
      const datagram = readUdp(bytes, packet)
      if (datagram !== undefined) return formatUdp(">", datagram)
      const name = nameOfIcmp(bytes, packet)
      return name === undefined ? `> a packet of protocol ${packet.protocol}` : `> icmp ${name}`
    }
    return formatSegment(">", this.knownFlow(segment)?.outbound(segment) ?? segment)
  }

  /**
   * Linux's scripts see segments before they are cut to the path's size. So what the host sent at once and in one piece is joined, up to the length
   * that is expected.
   */
  private join(first: Segment, around: IpPacket, at: number, length: number): Segment {
    let total = first.length
    let flags = first.flags
    while (total > 0 && total < length) {
      const next = this.bench.sent[0]
      if (next === undefined || next.at !== at) break
      const packet = readIp(next.bytes)
      const segment = packet?.protocol === IpProtocol.tcp ? readSegment(next.bytes, packet) : undefined
      const isNext = segment !== undefined && isContinued(first, total, flags, segment)
      if (!isNext || packet!.ip.trafficClass !== around.ip.trafficClass) break
      this.bench.sent.shift()
      total += segment.length
      flags |= segment.flags
    }
    return { ...first, length: total, flags }
  }

  /** From its SYN the host's numbers are known; a new one begins anew. */
  private learn(flow: Flow, segment: Segment, expected: TcpPacket): void {
    if ((segment.flags & Tcp.SYN) !== 0) {
      flow.learn(segment.sequence, expected.sequence.start)
      this.current = flow
    }
    if (expected.options === "any") return
    const [live, written] = [segment.options.find(isTimestamps), expected.options.find(isTimestamps)]
    if (live !== undefined && written !== undefined) flow.learnTimestamp(live.value, written.value)
  }

  /** The segment in the script's numbers; its own timestamp is whatever the script has for it. */
  private inScript(flow: Flow, segment: Segment, expected: TcpPacket): Segment {
    const written = expected.options === "any" ? undefined : expected.options.find(isTimestamps)
    const options = segment.options.map((option) =>
      isTimestamps(option) && written !== undefined
        ? { ...option, value: written.value, echo: written.isAnyEcho ? written.echo : option.echo }
        : option
    )
    return this.cookies.outbound({ ...flow.outbound(segment), options }, expected.options)
  }
}

/** Whether a segment goes on where a longer one, of which `first` is the beginning, ends. */
const isContinued = (first: Segment, length: number, flags: number, next: Segment): boolean =>
  first.sourcePort === next.sourcePort && first.destinationPort === next.destinationPort && next.length > 0 &&
  ((first.sequence + length) >>> 0) === next.sequence && first.acknowledgment === next.acknowledgment &&
  ((flags ^ next.flags) & ~(Tcp.PSH | Tcp.FIN)) === 0 && (flags & Tcp.FIN) === 0 &&
  formatOptions(first.options) === formatOptions(next.options)
