/**
 * Packets as they go out: the IP header before the transport's, whole where the path carries that, in fragments where it may be cut
 * (RFC 791 §3.2, RFC 1122 §3.2.1, §3.3.2, identification RFC 6864).
 */
import * as Address from "../../wire/Address.ts"
import type { Gso } from "../../wire/Frame.ts"
import type { Outgoing } from "../../wire/Gather.ts"
import * as Ipv4 from "../../wire/Ipv4.ts"
import type { Piece } from "../../wire/Piece.ts"
import * as Word from "../../wire/Word.ts"
import type { Context } from "../Context.ts"
import * as Counter from "../Counter.ts"
import * as Demux from "../Demux.ts"
import * as Family from "../Family.ts"
import type { Head, Path, Send } from "../Ip.ts"
import * as Reason from "../Reason.ts"
import * as Fragment from "./Fragment.ts"
import * as PathMtu from "./PathMtu.ts"
import { identificationCounters, type State } from "./State.ts"

/** The largest IP packet there is. */
const maximumLength = 65_535

/** Sends a packet. When it answers a reason, nothing was sent and no credit was taken. */
export const send = (ctx: Context, state: State, packet: Send): Reason.Reason | undefined => {
  const { path } = packet
  const self = ctx.links.get(path.link)
  if (self === undefined || !self.up) return Reason.linkDown
  const { headerLength } = path.version === 4 ? Family.v4 : Family.v6
  const messageLength = packet.headEnd - packet.head.at + Fragment.size(packet.pieces)
  const length = headerLength + messageLength
  if (packet.gso !== undefined || length <= path.mtu) return sendWhole(ctx, state, packet, length)
  if (length > maximumLength) return tooBig(ctx, packet, maximumLength - headerLength)
  // rfc: 1191 §3: what may not be cut fails here as it would on the way
  if (packet.dontFragment) return tooBig(ctx, packet, path.mtu - headerLength)
  return sendFragments(ctx, state, packet, messageLength)
}

const tooBig = (ctx: Context, packet: Send, limit: number): Reason.Reason => {
  ctx.drop("IpTooBig", packet.path.link)
  return Reason.messageTooLarge(limit)
}

const sendWhole = (ctx: Context, state: State, packet: Send, length: number): undefined => {
  const { head, path } = packet
  const headStart = writeHeader(packet, head, {
    totalLength: length,
    identification: packet.dontFragment ? 0 : identificationOf(ctx, state, packet),
    moreFragments: false,
    fragmentOffset: 0
  })
  const isPartial = packet.checksumOffset >= 0
  const ipHeaderLength = head.at - headStart
  const outgoing: Outgoing = {
    head: head.bytes,
    headStart,
    headEnd: packet.headEnd,
    pieces: packet.pieces,
    checksum: isPartial ? "partial" : "none",
    checksumStart: isPartial ? ipHeaderLength : 0,
    checksumOffset: isPartial ? packet.checksumOffset : 0,
    gso: packet.gso === undefined ? undefined : withHeader(packet.gso, ipHeaderLength)
  }
  ctx.count(Counter.index.ipSent)
  ctx.links.send(ctx, path.link, path.nextHop, outgoing, packet.credit)
}

/** The transport counts from its own header, a link from the start of the frame. */
const withHeader = (gso: Gso, length: number): Gso => ({ ...gso, headerLength: gso.headerLength + length })

const sendFragments = (ctx: Context, state: State, packet: Send, messageLength: number): undefined => {
  const { head, path } = packet
  const pieces: ReadonlyArray<Piece> = [{ bytes: head.bytes, start: head.at, end: packet.headEnd }, ...packet.pieces]
  if (packet.checksumOffset >= 0) {
    Word.write16(Fragment.checksumOf(pieces), head.bytes, head.at + packet.checksumOffset)
  }
  const identification = identificationOf(ctx, state, packet)
  const step = Fragment.payloadOf(path.mtu, Ipv4.minimumHeaderLength)
  ctx.count(Counter.index.ipSent)
  for (let offset = 0; offset < messageLength; offset += step) {
    const end = Math.min(messageLength, offset + step)
    const room = ctx.reserve(0)
    const headStart = writeHeader(packet, room, {
      totalLength: Ipv4.minimumHeaderLength + end - offset,
      identification,
      moreFragments: end < messageLength,
      fragmentOffset: offset
    })
    ctx.count(Counter.index.fragmentsSent)
    const outgoing: Outgoing = {
      head: room.bytes,
      headStart,
      headEnd: room.at,
      pieces: Fragment.slice(pieces, offset, end),
      checksum: "none",
      checksumStart: 0,
      checksumOffset: 0,
      gso: undefined
    }
    ctx.links.send(ctx, path.link, path.nextHop, outgoing, creditOf(packet, end === messageLength))
  }
}

/** The last fragment pays for all: links send in order, so when it has left, so have they. */
const creditOf = (packet: Send, isLast: boolean): Send["credit"] =>
  packet.credit === undefined || isLast ? packet.credit : { ...packet.credit, bytes: 0 }

type Changing = Pick<Ipv4.Fields, "totalLength" | "identification" | "moreFragments" | "fragmentOffset">

/** Writes the IP header that ends at `room.at`; answers where it begins. */
const writeHeader = (packet: Send, room: Head, changing: Changing): number => {
  const { path } = packet
  const at = room.at - Ipv4.minimumHeaderLength
  if (!Address.isV4(path.source) || !Address.isV4(path.destination)) return at
  Ipv4.emit(
    {
      ...changing,
      source: path.source,
      destination: path.destination,
      hopLimit: packet.hopLimit,
      trafficClass: packet.trafficClass,
      protocol: packet.protocol,
      dontFragment: packet.dontFragment,
      options: undefined
    },
    room.bytes,
    at
  )
  return at
}

/**
 * An identification for a packet that may be cut: unique for as long as possible among those with the same source, destination and
 * protocol (RFC 6864 §4.3), and not to be guessed from others. One that is never cut needs none (§4.1).
 */
const identificationOf = (ctx: Context, state: State, packet: Send): number => {
  const { destination, source } = packet.path
  const hash = Demux.hash(ctx.keys.identification, source, packet.protocol, destination, 0)
  const counter = hash % identificationCounters
  const count = state.identifications.get(counter)
  ctx.add(state.identifications, counter, 1)
  // The low bits chose the counter, the rest says where its numbers begin for these ends.
  return (Math.floor(hash / identificationCounters) + count) & 0xffff
}

/** A router says that packets of this path are too big; the transport has found the message genuine. */
export const learnMtu = (ctx: Context, state: State, path: Path, mtu: number): void =>
  PathMtu.learn(ctx, state, path.destination, path.mtu, mtu)
