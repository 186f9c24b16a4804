/**
 * Connections that begin with text in the SYN (RFC 7413 §4.2.2): the server's that takes it, and the client's first SYN.
 */
import type { Piece } from "../../wire/Piece.ts"
import * as Sequence from "../../wire/Sequence.ts"
import * as Tcp from "../../wire/Tcp.ts"
import * as TcpOptions from "../../wire/TcpOptions.ts"
import type { Context } from "../Context.ts"
import * as Counter from "../Counter.ts"
import type { Path } from "../Ip.ts"
import type { Connection, Tuple } from "./Connection.ts"
import * as Connections from "./Connection.ts"
import * as Create from "./Create.ts"
import * as EcnHandshake from "./EcnHandshake.ts"
import * as Emit from "./Emit.ts"
import * as FastOpen from "./FastOpen.ts"
import * as Finish from "./Finish.ts"
import * as Handshake from "./Handshake.ts"
import * as InitialSequence from "./InitialSequence.ts"
import * as Listener from "./Listener.ts"
import * as Lookup from "./Lookup.ts"
import * as Options from "./Options.ts"
import * as Receive from "./Receive.ts"
import * as Segment from "./Segment.ts"
import * as SendQueue from "./SendQueue.ts"
import type { Listener as ListenerRecord, State } from "./State.ts"
import * as Timestamps from "./Timestamps.ts"

/** The window of a SYN is not scaled. Our own is out of the account: what is sent before its acknowledgement is text as later. */
const trusting = (ctx: Context, { snd }: Connection, { seq, window }: Segment.Segment): Connection["snd"] => ({
  ...snd,
  una: snd.nxt,
  wnd: window,
  maxWnd: window,
  wl1: seq,
  lastAt: ctx.at
})

/** The record of a passive opener that trusts its peer already. */
const opened = (
  ctx: Context,
  state: State,
  listener: ListenerRecord,
  segment: Segment.Segment,
  tuple: Tuple,
  path: Path
): Connection => {
  const { config } = listener
  const agreed = Options.agree(config, segment)
  const peerMss = Options.peerMss(path, segment.options)
  const made = Create.connection(ctx, {
    id: ctx.nextId(),
    next: Lookup.firstOf(state, tuple.hash),
    tuple,
    path,
    link: listener.link,
    config,
    state: "SYN-RECEIVED",
    holder: "queued",
    listener: listener.id,
    agreed,
    iss: InitialSequence.generate(ctx.keys.sequence, ctx.at, tuple),
    irs: segment.seq,
    offered: Options.firstWindow(ctx, path, config, agreed.timestamps),
    mss: Options.sendMss(path, peerMss, agreed.timestamps, config),
    peerMss,
    offset: InitialSequence.timestampOffset(ctx.keys.sequence, tuple)
  })
  return {
    ...made,
    fastOpen: "accepted",
    snd: trusting(ctx, made, segment),
    stamps: { ...made.stamps, recent: segment.options.timestampValue ?? 0, recentAt: ctx.at, lastAck: made.rcv.nxt }
  }
}

/** A SYN with a valid cookie: its text is the program's at once (rfc: 7413 §4.2.2). */
export const accept = (
  ctx: Context,
  state: State,
  listener: ListenerRecord,
  segment: Segment.Segment,
  tuple: Tuple,
  path: Path
): void => {
  const self = opened(ctx, state, listener, segment, tuple, path)
  ctx.set(state.connections, state.connections.value + 1)
  ctx.set(state.fastOpens, state.fastOpens.value + 1)
  ctx.count(Counter.index.tcpPassiveOpens)
  ctx.notice({
    _tag: "ConnectionIncoming",
    listener: listener.id,
    connection: self.id,
    remote: tuple.remote,
    remotePort: tuple.remotePort
  })
  Lookup.add(ctx, state, self)
  const text = Segment.trimBack(Segment.trimFront(segment, self.rcv.nxt), self.rcv.edge)
  const taken = Receive.text(ctx, self, text)
  // The window of the SYN/ACK counts from behind the text, so far as the buffer has room for both.
  const free = Math.max(0, taken.rcv.size - Segment.textLength(text))
  const room = Math.min(free, Options.firstWindow(ctx, path, taken.config, taken.agreed.timestamps))
  const edge = Sequence.later(taken.rcv.edge, Sequence.add(taken.rcv.nxt, room))
  const told: Connection = {
    ...taken,
    rcv: { ...taken.rcv, edge },
    ack: self.ack,
    stamps: { ...taken.stamps, lastAck: taken.rcv.nxt }
  }
  Handshake.synAck(ctx, told)
  Finish.event(ctx, state, Listener.enqueue(ctx, state, Handshake.retryAt(ctx, told, 0)))
}

/** Room for all options that a header takes, since boxes on the way may add some to a SYN. */
const optionSpace = 40

/** The first SYN of a client that has a cookie, with as much of the written text as one packet takes (rfc: 7413 §4.2.2). */
export const launch = (ctx: Context, state: State, self: Connection): Connection => {
  if (self.fastOpen !== "waits") return self
  const memory = FastOpen.memoryOf(state, self.tuple)
  const options: TcpOptions.Options = {
    ...Options.offer(ctx, self.path, self.config, Timestamps.value(self.stamps.offset, ctx.at)),
    ...(memory === undefined ? {} : FastOpen.brought(memory))
  }
  const room = Options.sendMss(self.path, memory?.mss ?? 0, false, self.config) - optionSpace
  const length = Math.max(0, Math.min(room, SendQueue.length(self.queue)))
  const pieces: Array<Piece> = []
  const queue = SendQueue.read(self.queue, self.queue.start, length, pieces, false)
  const head = {
    seq: self.snd.iss,
    ack: 0,
    flags: Tcp.SYN | EcnHandshake.ofSyn(self.config, 0),
    window: Math.min(0xffff, Connections.receiveWindow(self)),
    options
  }
  Emit.early(ctx, self.tuple, self.path, self.config, head, pieces, length)
  const nxt = Sequence.add(self.snd.iss, 1 + length)
  const sent: Connection = { ...self, fastOpen: "sent", queue, snd: { ...self.snd, nxt, lastAt: ctx.at } }
  return Handshake.begun(ctx, sent)
}
