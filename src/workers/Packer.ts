/**
 * Turns what the core wants sent into frames that a link takes: joined in one reused slab, with the headroom that the link
 * wants before each, checksums completed and super-segments cut where the link does not do it.
 *
 * ```
 *   Transmit, Transmit, Transmit …  ──▶  | room | frame | room | frame | room | segment | room | segment |
 * ```
 *
 * A port that gathers gets a slab of headers alone, and long payload in the memory that it was written to.
 *
 * A bare ACK right before another frame of its connection is left out: that one tells as much, and a program that answers at
 * once would otherwise cost a packet more each time.
 */
import type { Transmit } from "../core/Output.ts"
import type { Link } from "../link/Link.ts"
import * as Frame from "../wire/Frame.ts"
import * as Gather from "../wire/Gather.ts"
import * as Piece from "../wire/Piece.ts"
import * as Tcp from "../wire/Tcp.ts"
import * as VectorMemory from "../wire/VectorMemory.ts"

/** The slab holds at least this many bytes, so that a batch of full frames fits. */
const leastSlabBytes = 128 * 1024
/**
 * Payload of pieces that are as long as this, or longer, on average is not copied to the slab of a port that gathers: a further range of memory costs a call less
 * than the copy.
 */
const leastGathered = 4096
/** More pieces than this are joined. */
const mostGathered = 15
/** The longest link header with its tags. */
const linkHeaderBytes = 64

export interface Packer {
  /** Packs as much of the batch as the slab holds, from Transmit `from` on; call again with the answer after the frames have been sent. Where the port `gathers`, long payload stays where it is (`Frame.rest`). */
  readonly pack: (batch: ReadonlyArray<Transmit>, from: number, gathers: boolean) => Packed
  /** Bare ACKs left out so far. */
  readonly yielded: () => number
}

export interface Packed {
  readonly frames: ReadonlyArray<Frame.Frame>
  /** The Transmits before this one are packed whole. */
  readonly next: number
}

/** Whether the frame behind `at` is of the same connection and makes this one needless. */
const yields = (batch: ReadonlyArray<Transmit>, at: number): boolean => {
  const credit = batch[at]!.credit
  if (credit?.mayYield !== true) return false
  const next = batch[at + 1]?.credit
  return next !== undefined && next.id === credit.id && next.owner === credit.owner
}

/**
 * Whether the checksum is left to the link. Only TCP's is, and that of a super-segment: other messages are short or rare, and those who read
 * them past the sockets of their kernel, as DHCP clients do, find them whole.
 */
const isLeft = ({ checksum, checksumOffset, gso }: Gather.Outgoing): boolean =>
  checksum === "partial" && (checksumOffset === Tcp.checksumOffset || gso !== undefined)

/** Whether the payload stays where it is. */
const isGathered = (outgoing: Gather.Outgoing): boolean => {
  const { headEnd, headStart, pieces } = outgoing
  const payload = Gather.size(outgoing) - (headEnd - headStart)
  return payload > 0 && payload >= leastGathered * pieces.length && pieces.length <= mostGathered
}

/** Frames that lie whole in a slab, as the link gets them. */
const frameOf = (
  outgoing: Gather.Outgoing,
  bytes: Uint8Array,
  start: number,
  end: number,
  complete: boolean,
  gso: Frame.Gso | undefined,
  rest?: ReadonlyArray<Piece.Piece>
): Frame.Frame => {
  if (complete || outgoing.checksum !== "partial") return Frame.plain(bytes, start, end)
  const { checksum, checksumOffset, checksumStart } = outgoing
  return { bytes, start, end, checksum, checksumStart, checksumOffset, gso, slab: undefined, rest }
}

class SlabPacker implements Packer {
  private readonly slab: Uint8Array
  private readonly link: Link
  private readonly complete: boolean
  private readonly linkHeaderLength: number
  /** Packets already packed of a super-segment that did not fit whole. */
  private segment = 0
  private readonly bounds: Array<number> = []
  private left = 0

  constructor(link: Link) {
    this.link = link
    this.complete = !link.capabilities.checksumOffload
    this.linkHeaderLength = link.medium === "ethernet" ? 14 : 0
    const longest = Math.max(link.mtu, link.capabilities.maxSegmentBytes) + linkHeaderBytes + link.headroom
    const slabBytes = Math.max(leastSlabBytes, longest)
    // Checksums are completed here.
    this.slab = this.complete ? VectorMemory.make(slabBytes) : new Uint8Array(slabBytes)
  }

  pack(batch: ReadonlyArray<Transmit>, from: number, gathers: boolean): Packed {
    const frames: Array<Frame.Frame> = []
    let at = 0
    let next = from
    while (next < batch.length) {
      if (yields(batch, next)) {
        this.left += 1
        next += 1
        continue
      }
      const outgoing = batch[next]!.packet
      const end = this.isCut(outgoing) ? this.cut(outgoing, at, frames) : this.join(outgoing, at, frames, gathers)
      if (end < 0) break
      at = end
      next += 1
    }
    return { frames, next }
  }

  yielded(): number {
    return this.left
  }

  private isCut(outgoing: Gather.Outgoing): boolean {
    const { gso } = outgoing
    // Links clear CWR on all packets but the first, so what has to keep it is cut here.
    return gso !== undefined && (gso.keepsCwr === true || !this.link.capabilities.segmentation.has(gso.kind))
  }

  /** Packs one frame; the offset behind it, or -1 if it does not fit. */
  private join(outgoing: Gather.Outgoing, at: number, frames: Array<Frame.Frame>, gathers: boolean): number {
    const complete = this.complete || !isLeft(outgoing)
    if (this.isWhole(outgoing, complete)) {
      frames.push(frameOf(outgoing, outgoing.head, outgoing.headStart, outgoing.headEnd, complete, outgoing.gso))
      return at
    }
    const start = at + this.link.headroom
    if (gathers && !complete && isGathered(outgoing)) {
      const end = start + outgoing.headEnd - outgoing.headStart
      if (end > this.slab.length) return -1
      Piece.copyRange(outgoing.head, outgoing.headStart, outgoing.headEnd, this.slab, start)
      frames.push(frameOf(outgoing, this.slab, start, end, false, outgoing.gso, outgoing.pieces))
      return end
    }
    if (start + Gather.size(outgoing) > this.slab.length) return -1
    const end = Gather.into(outgoing, this.slab, start, complete)
    frames.push(frameOf(outgoing, this.slab, start, end, complete, outgoing.gso))
    return end
  }

  /** Whether the frame lies in memory of its own, with room before it, as it has to leave: what is forwarded in large units is not copied again. */
  private isWhole({ block, checksum, headStart, pieces, slab }: Gather.Outgoing, complete: boolean): boolean {
    const room = block === undefined ? slab?.headroom ?? -1 : headStart
    return room >= this.link.headroom && pieces.length === 0 && !(complete && checksum === "partial")
  }

  /** Packs as many packets of a super-segment as fit; the offset behind the last, or -1 if more are to come. */
  private cut(outgoing: Gather.Outgoing, at: number, frames: Array<Frame.Frame>): number {
    const { bounds, complete, slab } = this
    bounds.length = 0
    const room: Gather.Room = { bytes: slab, at, end: slab.length, gap: this.link.headroom }
    const packed = Gather.segments(outgoing, this.linkHeaderLength, this.segment, room, complete, bounds)
    for (let i = 0; i < bounds.length; i += 2) {
      frames.push(frameOf(outgoing, slab, bounds[i]!, bounds[i + 1]!, complete, undefined))
    }
    const isWhole = packed === Gather.segmentCount(outgoing)
    this.segment = isWhole ? 0 : packed
    return isWhole ? bounds.at(-1)! : -1
  }
}

export const make = (link: Link): Packer => new SlabPacker(link)
