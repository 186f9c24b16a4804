/**
 * Putting segments on their way: header, options, window and checksum of what a connection sends, and the resets that answer segments
 * nobody wants (RFC 9293 §3.5.2).
 */
import * as Address from "../../wire/Address.ts"
import * as Checksum from "../../wire/Checksum.ts"
import type { Gso } from "../../wire/Frame.ts"
import * as IpProtocol from "../../wire/IpProtocol.ts"
import type { Piece } from "../../wire/Piece.ts"
import * as Sequence from "../../wire/Sequence.ts"
import * as Tcp from "../../wire/Tcp.ts"
import * as TcpOptions from "../../wire/TcpOptions.ts"
import type { Context } from "../Context.ts"
import * as Counter from "../Counter.ts"
import * as RangeSet from "../data/RangeSet.ts"
import * as Family from "../Family.ts"
import { type Head as Room, noPieces, type Path } from "../Ip.ts"
import type { Credit } from "../Request.ts"
import * as Time from "../Time.ts"
import * as AckPolicy from "./AckPolicy.ts"
import type { Config } from "./Config.ts"
import type { Connection, Tuple } from "./Connection.ts"
import * as Ecn from "./Ecn.ts"
import * as Segment from "./Segment.ts"
import * as Timestamps from "./Timestamps.ts"
import * as UserTimeoutOption from "./UserTimeoutOption.ts"
import * as Window from "./Window.ts"

/** What goes into a header beside the ports. */
export interface Head {
  readonly seq: Sequence.Sequence
  readonly ack: Sequence.Sequence
  readonly flags: number
  readonly window: number
  readonly options: TcpOptions.Options
}

/** What is behind the header, and how it travels. */
interface Load {
  readonly pieces: ReadonlyArray<Piece>
  readonly length: number
  /** Text of each packet but the last, when the segment is longer than one. */
  readonly mss: number
  readonly credit: Credit | undefined
  readonly trafficClass: number
  /** The urgent pointer. */
  readonly urgent: number
  /** Every packet of a longer segment has the CWR bit that the segment has. */
  readonly keepsCwr: boolean
}

/** Writes the header into the step's arena, with the checksum's partial sum; answers where it ends. */
const writeHeader = (tuple: Tuple, head: Head, size: number, load: Load, room: Room): number =>
  Tcp.emit(
    {
      sourcePort: tuple.localPort,
      destinationPort: tuple.remotePort,
      sequence: head.seq,
      acknowledgment: head.ack,
      flags: head.flags,
      window: head.window,
      checksum: Checksum.fold(tuple.pseudo + size + load.length),
      urgentPointer: load.urgent,
      options: head.options
    },
    room.bytes,
    room.at
  )

/** How a segment that is longer than one packet is to be cut. */
const cutting = (path: Path, mss: number, headerLength: number, keepsCwr: boolean): Gso => ({
  kind: path.version === 4 ? "tcp4" : "tcp6",
  size: mss,
  headerLength,
  keepsCwr
})

/** Hands a segment to IP; false if nothing was sent. */
const send = (ctx: Context, tuple: Tuple, path: Path, config: Config, head: Head, load: Load): boolean => {
  const { length, mss } = load
  const size = Tcp.minimumHeaderLength + TcpOptions.size(head.options)
  const room = ctx.reserve(size)
  const headEnd = writeHeader(tuple, head, size, load, room)
  const isSuper = length > mss
  ctx.count(Counter.index.tcpSegmentsSent, isSuper ? Math.ceil(length / mss) : 1)
  if (length > 0) ctx.count(Counter.index.tcpBytesSent, length)
  const refused = ctx.ip.send(ctx, {
    path,
    protocol: IpProtocol.tcp,
    head: room,
    headEnd,
    pieces: load.pieces,
    checksumOffset: Tcp.checksumOffset,
    hopLimit: config.hopLimit || ctx.ip.hopLimit(ctx, path),
    trafficClass: load.trafficClass,
    dontFragment: config.pathMtuDiscovery,
    gso: isSuper ? cutting(path, mss, size, load.keepsCwr) : undefined,
    credit: load.credit
  })
  return refused === undefined
}

/** A FIN has a number of its own (RFC 9293 §3.4): one that came ahead belongs to the range that it ends, or its segment would count as incomplete. */
const withFin = (ctx: Context, { rcv }: Connection, end: Sequence.Sequence): Sequence.Sequence =>
  rcv.hasFinAhead && rcv.finAhead === end && ctx.config.tcp.reportsFins ? Sequence.add(end, 1) : end

/** A FIN that came ahead without any text before it. */
const isFinAlone = (ctx: Context, { buffer, rcv }: Connection): boolean =>
  rcv.hasFinAhead && ctx.config.tcp.reportsFins &&
  RangeSet.containing(buffer.ahead, Sequence.add(rcv.finAhead, -1)) === undefined

/** The ranges to report (RFC 2018 §4, RFC 2883 §4): a duplicate first, then the ranges that changed last. */
const sackBlocks = (ctx: Context, self: Connection): ReadonlyArray<TcpOptions.SackBlock> => {
  const most = self.agreed.timestamps ? 3 : 4
  const blocks: Array<TcpOptions.SackBlock> = []
  const duplicate = self.ack.duplicate
  if (duplicate !== undefined) blocks.push(duplicate)
  if (isFinAlone(ctx, self)) blocks.push({ left: self.rcv.finAhead, right: withFin(ctx, self, self.rcv.finAhead) })
  for (const start of self.ack.recent) {
    if (blocks.length >= most) break
    const range = RangeSet.containing(self.buffer.ahead, start)
    if (range !== undefined && !isListed(blocks, range.start, duplicate)) {
      blocks.push({ left: range.start, right: withFin(ctx, self, range.end) })
    }
  }
  return blocks
}

/** Two remembered starts may have grown into one range; a duplicate inside a range is listed beside the range. */
const isListed = (
  blocks: ReadonlyArray<TcpOptions.SackBlock>,
  left: Sequence.Sequence,
  duplicate: TcpOptions.SackBlock | undefined
): boolean => {
  for (const block of blocks) {
    if (block.left === left && block !== duplicate) return true
  }
  return false
}

const hasSackToTell = (self: Connection): boolean =>
  self.agreed.sack && (self.ack.duplicate !== undefined || !RangeSet.isEmpty(self.buffer.ahead) || self.rcv.hasFinAhead)

/** The usual options of a segment of an open connection. */
const usualOptions = (ctx: Context, self: Connection): TcpOptions.Options => {
  if (!self.agreed.timestamps) {
    return hasSackToTell(self) ? { ...TcpOptions.none, sackBlocks: sackBlocks(ctx, self) } : TcpOptions.none
  }
  const stamps = TcpOptions.timestamps(Timestamps.value(self.stamps.offset, ctx.at), self.stamps.recent)
  return hasSackToTell(self) ? { ...stamps, sackBlocks: sackBlocks(ctx, self) } : stamps
}

/** The options of a segment of an open connection. */
const optionsOf = (ctx: Context, self: Connection): TcpOptions.Options => {
  const usual = usualOptions(ctx, self)
  const all = self.timeoutOption.isDue ? { ...usual, userTimeout: UserTimeoutOption.told(self) } : usual
  return Ecn.withOption(ctx, self, all)
}

/** Text bytes that a full segment carries now: less than `snd.mss` while there is more to tell than the time. */
export const segmentSize = (ctx: Context, self: Connection): number => {
  const { agreed, snd } = self
  if (self.timeoutOption.isDue || Ecn.hasOption(ctx, self)) {
    const length = TcpOptions.size(optionsOf(ctx, self)) - (agreed.timestamps ? TcpOptions.timestampsLength : 0)
    return Math.max(1, snd.mss - length)
  }
  if (!hasSackToTell(self)) return snd.mss
  const blocks = sackBlocks(ctx, self)
  return blocks.length === 0 ? snd.mss : Math.max(1, snd.mss - 4 - 8 * blocks.length)
}

/** Text of the largest segment: as many whole pieces of `mss` as one packet of the path's largest size holds. */
export const largestText = (self: Connection, mss: number): number => {
  const { path } = self
  const headers = (path.version === 4 ? Family.v4 : Family.v6).headerLength + Tcp.maximumHeaderLength
  const room = path.maxSegmentBytes - headers
  // The pointer counts from each packet's own number, so what is cut later can't have one.
  return room < 2 * mss || self.snd.hasUrgent ? mss : room - room % mss
}

/** A connection that has used less than half of what it may queue does not wait for any of it. */
const creditOf = (self: Connection, flags: number, bytes: number): Credit => {
  if (bytes === 0) {
    return {
      owner: "Tcp",
      id: self.id,
      bytes,
      isAwaited: false,
      mayYield: (flags & ~Tcp.ACK) === 0 && isOnlyProgress(self)
    }
  }
  const isAwaited = 2 * (self.snd.credit + bytes) > self.config.transmitCreditBytes
  return { owner: "Tcp", id: self.id, bytes, isAwaited }
}

/** Whether an ACK now may be left out when another segment follows at once. */
export const mayYield = (self: Connection): boolean => Ecn.flags(self, 0) === 0 && isOnlyProgress(self)

/** Whether an ACK now tells nothing but that text has arrived: no duplicate (RFC 5681 §2), no range ahead, no mark. */
const isOnlyProgress = (self: Connection): boolean => self.stamps.lastAck !== self.rcv.nxt && !hasSackToTell(self)

/** Where urgent data ends, from a number on; 0 when there is none behind it. What is further away than the field can say, later segments say. */
const urgentPointer = (self: Connection, seq: Sequence.Sequence): number =>
  self.snd.hasUrgent ? Math.max(0, Math.min(0xffff, Sequence.distance(seq, self.snd.up))) : 0

/**
 * Sends a segment of a synchronized connection, with the ACK and the window that are due; text is `pieces`, `length` bytes cut by `mss`; `isFresh` says that it was never sent before.
 * Answers the connection for which nothing is left to acknowledge.
 */
export const segment = (
  ctx: Context,
  self: Connection,
  seq: Sequence.Sequence,
  flags: number,
  pieces: ReadonlyArray<Piece>,
  length: number,
  mss: number,
  isFresh: boolean
): Connection => {
  const window = Window.field(self)
  const urgent = urgentPointer(self, seq)
  const all = flags | Tcp.ACK | Ecn.flags(self, length) | (urgent > 0 ? Tcp.URG : 0)
  const options = optionsOf(ctx, self)
  const head = { seq, ack: self.rcv.nxt, flags: all, window, options }
  const credit = creditOf(self, all, length)
  const trafficClass = Ecn.trafficClass(self, isFresh)
  const keepsCwr = Ecn.isCount(self) && (all & Tcp.CWR) !== 0
  const load = { pieces, length, mss, credit, trafficClass, urgent, keepsCwr }
  const isSent = send(ctx, self.tuple, self.path, self.config, head, load)
  return afterSend(ctx, self, window, length, mss, isSent, options)
}

/** Text leaves so soon after text that its ACK could have waited for it. */
const isAnswer = (ctx: Context, { config, rcv }: Connection, length: number): boolean =>
  length > 0 && rcv.bytes > 0 && Time.between(rcv.textAt, ctx.at) < config.delayedAck

/** Counts what was sent; an ACK, a window and a timestamp have been told with it. */
const afterSend = (
  ctx: Context,
  self: Connection,
  window: number,
  length: number,
  mss: number,
  isSent: boolean,
  options: TcpOptions.Options
): Connection => {
  const { ack, rcv, snd, stamps } = self
  const edge = Window.edgeAfter(self, window)
  const segments = length === 0 ? 1 : Math.ceil(length / mss)
  return {
    ...self,
    snd: {
      ...snd,
      segments: snd.segments + segments,
      textSegments: length === 0 ? snd.textSegments : snd.textSegments + segments,
      credit: isSent ? snd.credit + length : snd.credit
    },
    rcv: edge === rcv.edge ? rcv : { ...rcv, edge },
    stamps: stamps.lastAck === rcv.nxt ? stamps : { ...stamps, lastAck: rcv.nxt },
    ack: AckPolicy.sent(isAnswer(ctx, self, length) ? AckPolicy.answered(ack) : ack),
    ecn: Ecn.toldBy(ctx, self, options),
    timeoutOption: UserTimeoutOption.sent(self.timeoutOption)
  }
}

/** <SEQ=SND.NXT><ACK=RCV.NXT><CTL=ACK> */
export const ack = (ctx: Context, self: Connection): Connection =>
  segment(ctx, self, self.snd.nxt, Tcp.ACK, noPieces, 0, self.snd.mss, false)

/** A segment of a handshake or of a compact record: everything about it is given. */
export const bare = (ctx: Context, tuple: Tuple, path: Path, config: Config, head: Head): void => {
  const trafficClass = config.trafficClass & 0xfc
  send(ctx, tuple, path, config, head, {
    pieces: noPieces,
    length: 0,
    mss: 1,
    credit: undefined,
    trafficClass,
    urgent: 0,
    keepsCwr: false
  })
}

/** A SYN with text (RFC 7413 §4.2.2). */
export const early = (
  ctx: Context,
  tuple: Tuple,
  path: Path,
  config: Config,
  head: Head,
  pieces: ReadonlyArray<Piece>,
  length: number
): void => {
  const trafficClass = config.trafficClass & 0xfc
  send(ctx, tuple, path, config, head, {
    pieces,
    length,
    mss: length,
    credit: undefined,
    trafficClass,
    urgent: 0,
    keepsCwr: false
  })
}

/** RST for a connection that this side gives up (RFC 9293 §3.10.5); with an ACK, as deployed stacks have it. */
export const abort = (ctx: Context, self: Connection): void => {
  ctx.count(Counter.index.tcpResetsSent)
  bare(ctx, self.tuple, self.path, self.config, {
    seq: self.snd.nxt,
    ack: self.rcv.nxt,
    flags: Tcp.RST | Tcp.ACK,
    window: Window.field(self),
    options: self.agreed.timestamps
      ? TcpOptions.timestamps(Timestamps.value(self.stamps.offset, ctx.at), self.stamps.recent)
      : TcpOptions.none
  })
}

/**
 * RST in reply to a segment (RFC 9293 §3.5.2): numbered by the segment itself, so that its sender finds it acceptable. Never for
 * a RST, nor for what came to a group.
 */
export const reset = (ctx: Context, segment: Segment.Segment): void => {
  const { packet } = segment
  if (Segment.has(segment, Tcp.RST) || packet.isGroup) return
  const link = Address.isLinkLocal(packet.source) ? packet.link : undefined
  const path = ctx.ip.path(ctx, packet.source, packet.destination, link)
  if ("_tag" in path) return
  ctx.count(Counter.index.tcpResetsSent)
  const tuple: Tuple = {
    local: packet.destination,
    localPort: segment.destinationPort,
    remote: packet.source,
    remotePort: segment.sourcePort,
    hash: 0,
    pseudo: Checksum.pseudo(packet.destination, packet.source, IpProtocol.tcp, 0)
  }
  const isAck = Segment.has(segment, Tcp.ACK)
  bare(ctx, tuple, path, ctx.config.tcp, {
    seq: isAck ? segment.ack : 0,
    ack: isAck ? 0 : Sequence.add(segment.seq, Segment.length(segment)),
    flags: isAck ? Tcp.RST : Tcp.RST | Tcp.ACK,
    window: 0,
    options: TcpOptions.none
  })
}
