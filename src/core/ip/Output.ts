/**
 * Packets as they go out: the IP header before the transport's, whole where the path carries that, in fragments where it may be cut
 * (RFC 791 §3.2, RFC 1122 §3.2.1, §3.3.2, identification RFC 6864; RFC 8200 §3, §4.5).
 */
import type * as Address from "../../wire/Address.ts"
import type { Gso } from "../../wire/Frame.ts"
import type { Outgoing } from "../../wire/Gather.ts"
import type { Piece } from "../../wire/Piece.ts"
import * as Word from "../../wire/Word.ts"
import type { Context } from "../Context.ts"
import * as Counter from "../Counter.ts"
import * as Demux from "../Demux.ts"
import * as Family from "../Family.ts"
import type { Path, Send } from "../Ip.ts"
import * as Reason from "../Reason.ts"
import * as Fragment from "./Fragment.ts"
import * as Header from "./Header.ts"
import * as PathMtu from "./PathMtu.ts"
import { identificationCounters, type State } from "./State.ts"

/** The length field of IPv4 counts the header, that of IPv6 does not. */
const maximumLength = (version: Address.Version): number => version === 4 ? 65_535 : Family.v6.headerLength + 65_535

/** Sends a packet. When it answers a reason, nothing was sent and no credit was taken. */
export const send = (ctx: Context, state: State, packet: Send): Reason.Reason | undefined => {
  const { path } = packet
  const self = ctx.links.get(path.link)
  if (self === undefined || !self.up) return Reason.linkDown
  const headerLength = Header.lengthOf(packet)
  const messageLength = packet.headEnd - packet.head.at + Fragment.size(packet.pieces)
  const length = headerLength + messageLength
  // rfc: 1191 §3: a super-segment is as long as the longest of the packets that it is cut into.
  const longest = packet.gso === undefined ? length : headerLength + packet.gso.headerLength + packet.gso.size
  if (longest <= path.mtu) return sendWhole(ctx, state, packet, length)
  if (packet.gso !== undefined) return tooBig(ctx, packet, path.mtu - headerLength)
  const limit = maximumLength(path.version)
  if (length > limit) return tooBig(ctx, packet, limit - headerLength)
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
  const headStart = Header.write(ctx, packet, head, {
    totalLength: length,
    identification: packet.dontFragment ? 0 : identificationOf(ctx, state, packet),
    fragment: undefined
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
  const headerLength = Header.lengthOfFragment(packet)
  const step = Fragment.payloadOf(path.mtu, headerLength)
  ctx.count(Counter.index.ipSent)
  for (let offset = 0; offset < messageLength; offset += step) {
    const end = Math.min(messageLength, offset + step)
    const room = ctx.reserve(0)
    const headStart = Header.write(ctx, packet, room, {
      totalLength: headerLength + end - offset,
      identification,
      fragment: { offset, isLast: end === messageLength }
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

/** Packets that a link cuts it into, each with the next identification. */
const packetsOf = ({ gso, head, headEnd, pieces }: Send): number =>
  gso === undefined ? 1 : Math.ceil((headEnd - head.at + Fragment.size(pieces) - gso.headerLength) / gso.size)

/**
 * An identification for a packet that may be cut: unique for as long as possible among those with the same source, destination and
 * protocol (RFC 6864 §4.3), and not to be guessed from others. One that is never cut needs none (§4.1).
 */
const identificationOf = (ctx: Context, state: State, packet: Send): number => {
  const { destination, source } = packet.path
  const hash = Demux.hash(ctx.keys.identification, source, packet.protocol, destination, 0)
  const counter = hash % identificationCounters
  const count = state.identifications.get(counter)
  ctx.add(state.identifications, counter, packetsOf(packet))
  // The low bits chose the counter, the rest says where its numbers begin for these ends.
  return (Math.floor(hash / identificationCounters) + count) & (packet.path.version === 4 ? 0xffff : -1)
}

/** A router says that packets of this path are too big; the transport has found the message genuine. */
export const learnMtu = (ctx: Context, state: State, path: Path, mtu: number): void =>
  PathMtu.learn(ctx, state, path.destination, path.mtu, mtu)
