/**
 * One queue of a device that several stacks share, each in a thread of its own: which frame is whose, told by the frame alone.
 *
 * ```
 *   queue 0 ─▶ ┌──────────┐ mine ─▶ stack 0        to a port of another shard's range   handed over to it
 *              │ Steering │                         ARP, ICMP (but requests), IGMP       to everyone
 *   queue 1 ─▶ └──────────┘ ◀─ handed over ─▶       all else, listeners' ports           whoever's queue it came on
 * ```
 *
 * The kernel hashes a flow to a queue, always the same one while the number of queues is the same, and so a connection to a listener, which
 * every shard has, lives where its SYN came in. A connection that a shard opens leaves from its own part of the ephemeral ports: what
 * comes back on another queue, as it does when the kernel has forgotten which queue the flow last left by, is known by its port. Nobody
 * asks anybody, and nothing is shared but what is handed over.
 *
 * All shards are one host with one link-layer address. What tells of neighbours and routers, and of packets that could not be delivered,
 * goes to all of them; ARP requests and neighbour solicitations are answered by the first shard alone.
 */
import * as Effect from "effect/Effect"
import * as Ethernet from "../wire/Ethernet.ts"
import type { Frame } from "../wire/Frame.ts"
import * as IpProtocol from "../wire/IpProtocol.ts"
import * as Ipv6 from "../wire/Ipv6.ts"
import { gathering, type Link, type Port, type Sink } from "./Link.ts"

/** One of several. */
export interface Part {
  /** From 0 on. */
  readonly shard: number
  readonly shards: number
}

/** Ephemeral ports, both ends included. */
export interface Ports {
  readonly first: number
  readonly last: number
}

/** How frames get to the other shards and from them. */
export interface Exchange {
  /** Gives a shard a copy of the frame; false if too many are on their way to it already. */
  readonly hand: (shard: number, frame: Frame) => boolean
  /** Delivers what others hand over, until the function that it answers is called. */
  readonly receive: (listener: (frame: Frame) => void) => () => void
}

/** The dynamic ports (RFC 6335 §6), of which each shard has a part. */
const dynamic: Ports = { first: 49_152, last: 65_535 }

/** A shard's part of the ephemeral ports; all parts are of one size. */
export const portsOf = ({ shard, shards }: Part): Ports => {
  const size = Math.floor((dynamic.last - dynamic.first + 1) / shards)
  return { first: dynamic.first + shard * size, last: dynamic.first + (shard + 1) * size - 1 }
}

export type Owner = number | "whoever" | "everyone"

const ownerOfPort = (port: number, shards: number): Owner => {
  const size = Math.floor((dynamic.last - dynamic.first + 1) / shards)
  const shard = Math.floor((port - dynamic.first) / size)
  return shard >= 0 && shard < shards ? shard : "whoever"
}

const u16 = (bytes: Uint8Array, at: number): number => (bytes[at]! << 8) | bytes[at + 1]!

const etherTypeAt = 12

/** Of ICMP: requests are for whoever got them; replies and errors may be for a socket of any shard. */
const echoRequestV4 = 8
const timestampRequestV4 = 13
const echoRequestV6 = 128

const ofTransport = (bytes: Uint8Array, end: number, at: number, protocol: number, shards: number): Owner => {
  if (at + 4 > end) return "whoever"
  const type = bytes[at]!
  switch (protocol) {
    case IpProtocol.tcp:
    case IpProtocol.udp:
      return ownerOfPort(u16(bytes, at + 2), shards)
    case IpProtocol.icmp:
      return type === echoRequestV4 || type === timestampRequestV4 ? "whoever" : "everyone"
    case IpProtocol.icmpv6:
      return type === echoRequestV6 ? "whoever" : "everyone"
    case IpProtocol.igmp:
      return "everyone"
    default:
      return "whoever"
  }
}

/** The bits of an IPv4 header's fragment field that make a fragment of a packet: no port stands in it. */
const fragmentBits = 0x3fff

const ofIpv4 = (bytes: Uint8Array, at: number, end: number, shards: number): Owner => {
  if (at + 20 > end || (u16(bytes, at + 6) & fragmentBits) !== 0) return "whoever"
  return ofTransport(bytes, end, at + (bytes[at]! & 0x0f) * 4, bytes[at + 9]!, shards)
}

const ofIpv6 = (bytes: Uint8Array, at: number, end: number, shards: number): Owner => {
  if (at + Ipv6.headerLength > end) return "whoever"
  const next = bytes[at + 6]!
  const behind = at + Ipv6.headerLength
  // Reports of listeners have a router alert before them (RFC 3810 §5).
  if (next === IpProtocol.hopByHop) return bytes[behind] === IpProtocol.icmpv6 ? "everyone" : "whoever"
  return ofTransport(bytes, end, behind, next, shards)
}

/** Whose an Ethernet frame is. Total: what is too short to tell is for whoever has it, to be counted there. */
export const ownerOf = (bytes: Uint8Array, start: number, end: number, shards: number): Owner => {
  const at = start + Ethernet.headerLength
  if (at > end) return "whoever"
  switch (u16(bytes, start + etherTypeAt)) {
    case Ethernet.EtherType.arp:
      return "everyone"
    case Ethernet.EtherType.ipv4:
      return ofIpv4(bytes, at, end, shards)
    case Ethernet.EtherType.ipv6:
      return ofIpv6(bytes, at, end, shards)
    default:
      return "whoever"
  }
}

const arpReply = 2
const neighborAdvertisement = 136

/** An answer to who asks for the link-layer address that all shards have. */
const isAnswer = (bytes: Uint8Array, start: number, end: number): boolean => {
  const at = start + Ethernet.headerLength
  const type = u16(bytes, start + etherTypeAt)
  if (type === Ethernet.EtherType.arp) return at + 8 <= end && u16(bytes, at + 6) === arpReply
  return type === Ethernet.EtherType.ipv6 && bytes[at + 6] === IpProtocol.icmpv6 &&
    bytes[at + Ipv6.headerLength] === neighborAdvertisement
}

/** One opening of the link. */
class Crossing {
  private readonly part: Part
  private readonly exchange: Exchange
  private readonly sink: Sink
  private readonly counts = { handedOver: 0, taken: 0, leftToFirst: 0, exchangeFull: 0 }

  constructor(part: Part, exchange: Exchange, sink: Sink) {
    this.part = part
    this.exchange = exchange
    this.sink = sink
  }

  private hand(shard: number, frame: Frame): void {
    if (this.exchange.hand(shard, frame)) this.counts.handedOver += 1
    else this.counts.exchangeFull += 1
  }

  /** Whether the frame stays; if not it has been handed over and given back. */
  private keep(frame: Frame): boolean {
    const { shard, shards } = this.part
    const owner = ownerOf(frame.bytes, frame.start, frame.end, shards)
    if (owner === "whoever" || owner === shard) return true
    if (owner !== "everyone") {
      this.hand(owner, frame)
      frame.slab?.release()
      return false
    }
    for (let other = 0; other < shards; other++) if (other !== shard) this.hand(other, frame)
    return true
  }

  readonly frames = (batch: ReadonlyArray<Frame>): void => {
    const kept = batch.filter((frame) => this.keep(frame))
    if (kept.length > 0) this.sink.frames(kept)
  }

  readonly take = (frame: Frame): void => {
    this.counts.taken += 1
    this.sink.frames([frame])
  }

  /** The sending side: all but the first shard keep quiet where one answer is enough. Of frames in pieces only the beginning is looked at, which no answer outgrows. */
  port(port: Port): Port {
    return port.gathers === port ? gathering(this.sending(port)) : this.sending(port)
  }

  private sending(port: Port): Port {
    const counters = () => ({ ...port.counters(), ...this.counts })
    if (this.part.shard === 0) return { ...port, counters }
    return {
      ...port,
      counters,
      send: (frames, from) => {
        let at = from
        while (at < frames.length) {
          const next = this.answerFrom(frames, at)
          const taken = next === at ? 0 : port.send(next === frames.length ? frames : frames.slice(0, next), at)
          at += taken
          if (at < next || at === frames.length) return at - from
          this.counts.leftToFirst += 1
          at += 1
        }
        return at - from
      }
    }
  }

  /** The index of the first answer from `from` on, or the end. */
  private answerFrom(frames: ReadonlyArray<Frame>, from: number): number {
    for (let i = from; i < frames.length; i++) {
      const { bytes, end, start } = frames[i]!
      if (isAnswer(bytes, start, end)) return i
    }
    return frames.length
  }
}

/** The link of one queue as the link of one shard's stack. Only for Ethernet. */
export const make = (link: Link, part: Part, exchange: Exchange): Link => ({
  ...link,
  open: (sink) =>
    Effect.gen(function*() {
      const crossing = new Crossing(part, exchange, sink)
      const port = yield* link.open({ frames: crossing.frames, changed: sink.changed })
      yield* Effect.acquireRelease(
        Effect.sync(() => exchange.receive(crossing.take)),
        (stop) => Effect.sync(stop)
      )
      return crossing.port(port)
    })
})
