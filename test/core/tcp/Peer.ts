/** A peer made of hand-written segments: what it sends is said field by field, what the host answers is parsed. */
import * as Time from "../../../src/core/Time.ts"
import type { Host } from "../../../src/testing/Host.ts"
import { make } from "../../../src/testing/Host.ts"
import type { Options } from "../../../src/testing/Host.ts"
import * as Address from "../../../src/wire/Address.ts"
import * as Checksum from "../../../src/wire/Checksum.ts"
import * as Ethernet from "../../../src/wire/Ethernet.ts"
import * as Ipv4 from "../../../src/wire/Ipv4.ts"
import * as Malformed from "../../../src/wire/Malformed.ts"
import * as Tcp from "../../../src/wire/Tcp.ts"
import * as TcpOptions from "../../../src/wire/TcpOptions.ts"

export const local = Address.v4(10, 0, 0, 1)
export const remote = Address.v4(10, 0, 0, 9)
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
  readonly destination?: number
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
}

/** A host with one interface that knows the peer's MAC address. */
export const host = (options: Options = {}): Host => {
  const self = make({ interfaces: [{ addresses: [[local, 24]] }], ...options })
  self.call({ _tag: "SetNeighbor", link: 1, address: remote, mac: peerMac })
  return self
}

export class Peer {
  readonly host: Host
  /** This side's port, and the host's. */
  sourcePort: number
  destinationPort: number
  /** This side's address; a host knows the MAC address of {@link remote} and of those that were introduced. */
  address: number = remote

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
    const bytes = new Uint8Array(14 + 20 + size)
    const mac = this.host.state.device.interfaces.get(1)!.mac
    Ethernet.emit({ destination: mac, source: peerMac, type: 0x0800 }, bytes, 0)
    Ipv4.emit(
      {
        totalLength: 20 + size,
        identification: 0,
        moreFragments: false,
        fragmentOffset: 0,
        source: this.address,
        destination: sent.destination ?? local,
        hopLimit: 64,
        trafficClass: sent.trafficClass ?? 0,
        protocol: 6,
        dontFragment: true,
        options: undefined
      },
      bytes,
      14
    )
    const end = Tcp.emit(
      { ...fields, checksum: Checksum.fold(Checksum.pseudo(this.address, sent.destination ?? local, 6, size)) },
      bytes,
      34
    )
    bytes.set(text, end)
    Checksum.complete(bytes, 34, bytes.length, 34 + Tcp.checksumOffset)
    return bytes
  }

  send(sent: Sent): void {
    this.host.deliver(1, this.frame(sent))
  }

  /** What the host has sent since the last call. */
  take(): Array<Got> {
    return this.host.takeFrames(1).map((frame) => {
      const ip = Ipv4.parse(frame, 14, frame.length)
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
        destinationPort: header.destinationPort
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
