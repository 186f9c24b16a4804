/**
 * A packet of somebody else's as it leaves: one hop less to go, copied out of memory that is only borrowed, and cut where the next link
 * can't carry it whole (RFC 1812 §5.3.1, §4.2.2.7; RFC 791 §3.2).
 *
 *     plain packet                  ─▶ one packet, or fragments with a header of their own
 *     super-segment, link cuts it   ─▶ as it came
 *     super-segment, too long       ─▶ the packets that it was made of
 */
import type * as Address from "../../wire/Address.ts"
import * as Checksum from "../../wire/Checksum.ts"
import type { Gso } from "../../wire/Frame.ts"
import * as Gather from "../../wire/Gather.ts"
import * as IpProtocol from "../../wire/IpProtocol.ts"
import * as Wire from "../../wire/Ipv4.ts"
import * as Ipv4Options from "../../wire/Ipv4Options.ts"
import * as Malformed from "../../wire/Malformed.ts"
import * as Piece from "../../wire/Piece.ts"
import * as TcpWire from "../../wire/Tcp.ts"
import * as UdpWire from "../../wire/Udp.ts"
import * as Word from "../../wire/Word.ts"
import type { Context } from "../Context.ts"
import * as Counter from "../Counter.ts"
import { headerLength, type Interface } from "../Device.ts"
import { noPieces, type Packet } from "../Ip.ts"
import type { Transit } from "./Forward.ts"
import * as Fragment from "./Fragment.ts"

/** Bytes of the largest packet that the frame stands for: its own, or that of each packet that the link has merged. */
export const unitOf = ({ inbound, packet }: Transit): number => {
  const { gso } = inbound.frame
  const length = packet.end - packet.ipStart
  return gso === undefined ? length : Math.min(length, headerLengthOf(gso, inbound.frame.start, packet) + gso.size)
}

/** A link counts from the start of the frame. */
const headerLengthOf = (gso: Gso, frameStart: number, packet: Packet): number =>
  gso.headerLength - (packet.ipStart - frameStart)

export const send = (
  ctx: Context,
  out: Interface,
  nextHop: Address.Address,
  mtu: number,
  transit: Transit
): void => {
  const whole = outgoingOf(ctx, out, transit)
  ctx.count(Counter.index.ipForwarded)
  const transmit = (packet: Gather.Outgoing): void => ctx.links.send(ctx, out.id, nextHop, packet, undefined)
  const { gso } = whole
  if (unitOf(transit) > mtu) {
    for (const packet of gso === undefined ? [whole] : packetsOf(ctx, whole)) cut(ctx, packet, mtu, transmit)
  } else if (gso !== undefined && out.segmentation.has(gso.kind) && Gather.size(whole) > out.maxSegmentBytes) {
    for (const packet of packetsOf(ctx, whole)) transmit(packet)
  } else {
    transmit(whole)
  }
}

/**
 * From here on a packet leaves from where it came in, if its link can spare the memory for that long; or it has a block of its own, which is
 * used again: memory for one after the other is what the garbage collector would be busy with.
 */
const blockFrom = 16 * 1024
/** Before a packet in its block. */
const blockHeadroom = 96

/** Where a packet lies as it leaves. */
type Place = Pick<Gather.Outgoing, "head" | "headStart" | "block" | "slab">

/** Its place in a received frame, if it can stay there: there must be room for the header of the next link. */
const ownPlace = (out: Interface, { inbound, packet }: Transit): Place | undefined => {
  const { slab, start } = inbound.frame
  if (slab?.headroom === undefined || packet.ipStart - start < headerLength(out)) return undefined
  if (slab.mayKeep?.() !== true) return undefined
  return { head: packet.bytes, headStart: packet.ipStart, slab }
}

/** A copy, with room for a link-layer header before it. */
const copy = (ctx: Context, { packet: { bytes, end, ipStart } }: Transit): Place => {
  const block = end - ipStart < blockFrom ? undefined : ctx.block(65_536)
  const room = block === undefined ? ctx.reserve(end - ipStart) : { bytes: block, at: blockHeadroom }
  Piece.copyRange(bytes, ipStart, end, room.bytes, room.at)
  return { head: room.bytes, headStart: room.at, block }
}

/** The packet with its hop counted. */
const outgoingOf = (ctx: Context, out: Interface, transit: Transit): Gather.Outgoing => {
  const { inbound: { frame }, packet } = transit
  const { end, ipStart } = packet
  const place = (end - ipStart >= blockFrom ? ownPlace(out, transit) : undefined) ?? copy(ctx, transit)
  const { block, head, headStart, slab } = place
  const headEnd = headStart + end - ipStart
  countHop(head, headStart)
  const common = { head, headStart, headEnd, pieces: noPieces, block, slab }
  const { gso } = frame
  if (gso !== undefined) {
    const checksumStart = packet.start - ipStart
    const checksumOffset = writePseudo(packet, gso, head, headStart + checksumStart, headEnd)
    const headerLength = headerLengthOf(gso, frame.start, packet)
    return { ...common, checksum: "partial", checksumStart, checksumOffset, gso: { ...gso, headerLength } }
  }
  if (frame.checksum !== "partial") {
    return { ...common, checksum: "none", checksumStart: 0, checksumOffset: 0, gso: undefined }
  }
  const checksumStart = frame.start + frame.checksumStart - ipStart
  return { ...common, checksum: "partial", checksumStart, checksumOffset: frame.checksumOffset, gso: undefined }
}

/** Whoever cuts a super-segment computes the checksums anew, from the pseudo-header's sum. Answers where its field is in the transport's header. */
const writePseudo = (packet: Packet, gso: Gso, bytes: Uint8Array, transport: number, end: number): number => {
  const isUdp = gso.kind === "udp"
  const field = isUdp ? UdpWire.checksumOffset : TcpWire.checksumOffset
  const protocol = isUdp ? IpProtocol.udp : IpProtocol.tcp
  const pseudo = Checksum.pseudo(packet.source, packet.destination, protocol, end - transport)
  Word.write16(Checksum.fold(pseudo), bytes, transport + field)
  return field
}

/** rfc: 1812 §5.3.1 MUST, 8200 §3: by one, and IPv4's checksum with it */
const countHop = (bytes: Uint8Array, ip: number): void => {
  if (bytes[ip]! >>> 4 === 6) {
    bytes[ip + 7] = bytes[ip + 7]! - 1
    return
  }
  // RFC 1624 §3: the sum changes by as much as the word that the hops are in.
  const before = Word.read16(bytes, ip + 8)
  bytes[ip + 8] = bytes[ip + 8]! - 1
  const sum = (~Word.read16(bytes, ip + 10) & 0xffff) + (~before & 0xffff) + Word.read16(bytes, ip + 8)
  Word.write16(Checksum.finish(sum), bytes, ip + 10)
}

/** Room for the link-layer header before each packet of a super-segment. */
const gap = 32

/** The packets that a super-segment was made of, with their checksums. */
const packetsOf = (ctx: Context, whole: Gather.Outgoing): ReadonlyArray<Gather.Outgoing> => {
  const size = Gather.segmentsSize(whole, gap)
  const room = ctx.reserve(size)
  const bounds: Array<number> = []
  Gather.segments(whole, 0, 0, { bytes: room.bytes, at: room.at, end: room.at + size, gap }, true, bounds)
  const packets: Array<Gather.Outgoing> = []
  for (let i = 0; i < bounds.length; i += 2) packets.push(plain(room.bytes, bounds[i]!, bounds[i + 1]!))
  return packets
}

const plain = (head: Uint8Array, headStart: number, headEnd: number): Gather.Outgoing => ({
  head,
  headStart,
  headEnd,
  pieces: noPieces,
  checksum: "none",
  checksumStart: 0,
  checksumOffset: 0,
  gso: undefined
})

/** rfc: 1812 §4.2.2.7 MUST: an IPv4 packet, perhaps a fragment itself, as fragments that the link carries, in order */
const cut = (
  ctx: Context,
  packet: Gather.Outgoing,
  mtu: number,
  transmit: (packet: Gather.Outgoing) => void
): void => {
  const { head, headEnd, headStart } = packet
  if (headEnd - headStart <= mtu) return transmit(packet)
  // Nobody can complete a checksum once the message is cut.
  if (packet.checksum === "partial") {
    const start = headStart + packet.checksumStart
    Checksum.complete(head, start, headEnd, start + packet.checksumOffset)
  }
  const header = Wire.parse(head, headStart, headEnd)
  if (Malformed.isMalformed(header)) return
  const { fragmentOffset, moreFragments, options, payloadEnd, payloadStart } = header
  const later = options === undefined ? undefined : Piece.make(Ipv4Options.copied(options))
  let from = payloadStart
  while (from < payloadEnd) {
    const kept = from === payloadStart ? options : later
    const headerLength = Wire.size({ ...header, options: kept })
    const to = Math.min(payloadEnd, from + Fragment.payloadOf(mtu, headerLength))
    const room = ctx.reserve(headerLength + to - from)
    const at = Wire.emit(
      {
        ...header,
        options: kept,
        totalLength: headerLength + to - from,
        fragmentOffset: fragmentOffset + from - payloadStart,
        moreFragments: moreFragments || to < payloadEnd
      },
      room.bytes,
      room.at
    )
    ctx.count(Counter.index.fragmentsSent)
    transmit(plain(room.bytes, room.at, Piece.copyRange(head, from, to, room.bytes, at)))
    from = to
  }
}
