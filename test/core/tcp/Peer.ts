/** A peer made of hand-written segments: what it sends is said field by field, what the host answers is parsed. */
import * as Time from "../../../src/core/Time.ts"
import type { Host } from "../../../src/testing/Host.ts"
import { make } from "../../../src/testing/Host.ts"
import type { InterfaceOptions, Options } from "../../../src/testing/Host.ts"
import type * as Address from "../../../src/wire/Address.ts"
import * as Checksum from "../../../src/wire/Checksum.ts"
import * as Ipv4 from "../../../src/wire/Ipv4.ts"
import * as Ipv6 from "../../../src/wire/Ipv6.ts"
import * as Malformed from "../../../src/wire/Malformed.ts"
import * as Tcp from "../../../src/wire/Tcp.ts"
import * as TcpOptions from "../../../src/wire/TcpOptions.ts"
import * as Family from "../family.ts"
import * as Packets from "../Packets.ts"

export const local = Family.address(1)
export const remote = Family.address(9)
const peerMac = 0x0200_0000_0909

export interface Sent {
  readonly seq: number
  readonly ack?: number
  readonly flags: number
  readonly window?: number
  readonly options?: Partial<TcpOptions.Options>
  readonly text?: Uint8Array
  readonly sourcePort?: number
  readonly destinationPort?: number
  readonly trafficClass?: number
  readonly destination?: Address.Address
  readonly urgentPointer?: number
}

export interface Got {
  readonly seq: number
  readonly ack: number
  readonly flags: number
  readonly window: number
  readonly options: TcpOptions.Options
  readonly text: Uint8Array
  readonly trafficClass: number
  readonly sourcePort: number
  readonly destinationPort: number
  readonly urgentPointer: number
}

/** A host with one interface that knows the peer's MAC address. */
export const host = (options: Options = {}): Host => {
  const interfaces = options.interfaces ?? [{ addresses: [[local, Family.prefixLength]] }]
  const self = make({ ...options, interfaces: interfaces.map(alike) })
  self.call({ _tag: "SetNeighbor", link: 1, address: remote, mac: peerMac })
  return self
}

/** An interface that carries segments of the same size in both families. */
const alike = (given: InterfaceOptions): InterfaceOptions => ({ ...given, mtu: Family.mtuOf(given.mtu ?? 1500) })

export class Peer {
  readonly host: Host
  /** This side's port, and the host's. */
  sourcePort: number
  destinationPort: number
  /** This side's address; a host knows the MAC address of {@link remote} and of those that were introduced. */
  address: Address.Address = remote

  constructor(host: Host, destinationPort: number, sourcePort = 40000) {
    this.host = host
    this.destinationPort = destinationPort
    this.sourcePort = sourcePort
  }

  frame(sent: Sent): Uint8Array {
    const text = sent.text ?? new Uint8Array(0)
    const fields: Tcp.Fields = {
      sourcePort: sent.sourcePort ?? this.sourcePort,
      destinationPort: sent.destinationPort ?? this.destinationPort,
      sequence: sent.seq | 0,
      acknowledgment: (sent.ack ?? 0) | 0,
      flags: sent.flags,
      window: sent.window ?? 65535,
      checksum: 0,
      urgentPointer: sent.urgentPointer ?? 0,
      options: TcpOptions.make(sent.options ?? {})
    }
    const size = Tcp.size(fields) + text.length
    const destination = sent.destination ?? local
    const segment = new Uint8Array(size)
    const checksum = Checksum.fold(Checksum.pseudo(this.address, destination, 6, size))
    segment.set(text, Tcp.emit({ ...fields, checksum }, segment, 0))
    Checksum.complete(segment, 0, size, Tcp.checksumOffset)
    const header = { protocol: 6, trafficClass: sent.trafficClass ?? 0, dontFragment: true, identification: 0 }
    const packet = Packets.ip(this.address, destination, segment, header)
    return Packets.frame(packet, this.host.state.device.interfaces.get(1)!.mac, peerMac)
  }

  send(sent: Sent): void {
    this.host.deliver(1, this.frame(sent))
  }

  /** What the host has sent since the last call. */
  take(): Array<Got> {
    return this.host.takeFrames(1).map((frame) => {
      const ip = Family.version === 4 ? Ipv4.parse(frame, 14, frame.length) : Ipv6.parse(frame, 14, frame.length)
      if (Malformed.isMalformed(ip)) throw new Error(ip.detail)
      const header = Tcp.parse(frame, ip.payloadStart, ip.payloadEnd)
      if (Malformed.isMalformed(header)) throw new Error(header.detail)
      const sum = Checksum.pseudo(ip.source, ip.destination, 6, ip.payloadEnd - ip.payloadStart)
      if (!Tcp.verify(frame, header, sum)) throw new Error("the host's checksum is wrong")
      return {
        seq: header.sequence,
        ack: header.acknowledgment,
        flags: header.flags,
        window: header.window,
        options: header.options,
        text: frame.slice(header.payloadStart, header.payloadEnd),
        trafficClass: ip.trafficClass,
        sourcePort: header.sourcePort,
        destinationPort: header.destinationPort,
        urgentPointer: header.urgentPointer
      }
    })
  }

  /** The only segment that the host has sent since the last call. */
  one(): Got {
    const all = this.take()
    if (all.length !== 1) throw new Error(`the host sent ${all.length} segments: ${all.map(show).join(", ")}`)
    return all[0]!
  }

  /** Nothing was sent since the last call. */
  silent(): boolean {
    const all = this.take()
    if (all.length > 0) throw new Error(`the host sent ${all.map(show).join(", ")}`)
    return true
  }
}

const flagNames = ["F", "S", "R", "P", ".", "U", "E", "W", "A"]

/** A segment in packdrill's manner, for messages. */
export const show = (got: Got): string => {
  const flags = flagNames.filter((_, i) => (got.flags & (1 << i)) !== 0).join("")
  return `${flags} ${got.seq >>> 0}(${got.text.length}) ack ${got.ack >>> 0} win ${got.window}`
}

export const { ACK, FIN, PSH, RST, SYN } = Tcp

/** An established passive connection: the peer has opened it. */
export interface Established {
  readonly peer: Peer
  readonly listener: number
  readonly connection: number
  /** The next number of the peer, and of the host. */
  readonly seq: number
  readonly ack: number
}

export const listen = (self: Host, port = 80, backlog = 16, options = {}): number =>
  self.call({
    _tag: "TcpListen",
    local: undefined,
    version: undefined,
    port,
    backlog,
    options,
    link: undefined
  }).listener

/** The three-way handshake from the peer's side; SYN number 1000. */
export const established = (
  self: Host,
  setting: {
    readonly options?: Partial<TcpOptions.Options>
    readonly window?: number
    readonly listenOptions?: object
    readonly port?: number
    /** The round trip of the handshake. */
    readonly delay?: Time.Span
  } = {}
): Established => {
  const port = setting.port ?? 80
  const listener = listen(self, port, 16, setting.listenOptions ?? {})
  const peer = new Peer(self, port)
  peer.send({
    seq: 1000,
    flags: SYN,
    options: setting.options ?? { maximumSegmentSize: 1000 },
    window: setting.window ?? 65535
  })
  const answer = peer.one()
  self.advance(setting.delay ?? Time.zero)
  peer.take()
  const stamps = answer.options.timestampValue === undefined
    ? {}
    : { timestampValue: (setting.options?.timestampValue ?? 0) + 1, timestampEcho: answer.options.timestampValue }
  peer.send({ seq: 1001, ack: answer.seq + 1, flags: ACK, window: setting.window ?? 65535, options: stamps })
  const { connection } = self.call({ _tag: "TcpAccept", listener, block: false })
  peer.silent()
  return { peer, listener, connection, seq: 1001, ack: (answer.seq + 1) | 0 }
}

export const stateOf = (self: Host, connection: number): string => self.call({ _tag: "TcpGetInfo", connection }).state

export const text = (length: number, from = 0): Uint8Array => Uint8Array.from({ length }, (_, i) => (from + i) & 0xff)

export const write = (self: Host, connection: number, bytes: Uint8Array, block = false) =>
  self.request({ _tag: "TcpWrite", connection, bytes, start: 0, end: bytes.length, owned: false, block })

export const read = (self: Host, connection: number, max = 1 << 20, block = false) =>
  self.request({ _tag: "TcpRead", connection, max, block })

export const wait = (self: Host, span: Time.Span): void => self.advance(span)

/** What ICMPv6 says with which type and code where ICMP has others (RFC 792, RFC 4443 §3). */
const icmpv6: { readonly [typeAndCode: string]: readonly [number, number] } = {
  "3 0": [1, 0],
  "3 1": [1, 3],
  "3 2": [4, 1],
  "3 3": [1, 4],
  "3 4": [2, 0],
  "3 5": [1, 5],
  "3 10": [1, 1],
  "11 0": [3, 0],
  "11 1": [3, 1],
  "12 0": [4, 0]
}

/** The type and code of an ICMP error in the family of the tests. */
export const icmpOf = (type: number, code: number): readonly [number, number] =>
  Family.version === 4 ? [type, code] : icmpv6[`${type} ${code}`] ?? [1, 0]

/** An ICMP error from a router about a frame that the host has sent; an MTU is one of IPv4. */
export const report = (self: Host, type: number, code: number, about: Uint8Array, mtu = 0): void => {
  const [kind, detail] = icmpOf(type, code)
  const quoted = about.slice(14, 14 + Family.headerLength + 8)
  const rest = mtu === 0 ? 0 : Family.mtuOf(mtu)
  const packet = Packets.icmp(Family.address(99), local, { type: kind, code: detail, rest }, quoted)
  self.deliver(1, Packets.frame(packet, self.state.device.interfaces.get(1)!.mac, 0x0200_0000_6363))
}
