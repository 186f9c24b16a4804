/**
 * What programs ask of TCP (RFC 9293 §3.9.1), as data: one request per verb, each with the type of its answer.
 *
 * Blocking is a matter of the ticket: a request that can't be met at once parks it in the connection or the listener, unless
 * `block` is false, which fails with `WouldBlock` instead. Times are spans, lengths are bytes.
 */
import type * as Address from "../../wire/Address.ts"
import type { Piece } from "../../wire/Piece.ts"
import type { Context, Spent } from "../Context.ts"
import type { LinkId } from "../Device.ts"
import * as Reason from "../Reason.ts"
import type { Answers, Ticket } from "../Request.ts"
import * as Calls from "./Calls.ts"
import * as Close from "./Close.ts"
import type { Options } from "./Config.ts"
import type { Connection } from "./Connection.ts"
import * as EarlyData from "./EarlyData.ts"
import * as Info from "./Info.ts"
import * as Open from "./Open.ts"
import * as SetOptions from "./SetOptions.ts"
import type { State } from "./State.ts"
import * as Deadlines from "./Timer.ts"

/** A connection as a program holds it: its id, and both ends. */
export interface Endpoint {
  readonly connection: number
  readonly local: Address.Address
  readonly localPort: number
  readonly remote: Address.Address
  readonly remotePort: number
}

/** Active OPEN. Answers when established; with `block` false at once, in SYN-SENT: `TcpAwait` tells the rest. */
export interface TcpConnect extends Answers<Endpoint> {
  readonly _tag: "TcpConnect"
  readonly remote: Address.Address
  readonly remotePort: number
  readonly local: Address.Address | undefined
  /** 0 for an ephemeral one (RFC 6056). */
  readonly localPort: number
  /** Binds the connection to one interface; needed for link-local destinations. */
  readonly link: LinkId | undefined
  readonly options: Options
  readonly block: boolean
}

/** Passive OPEN. */
export interface TcpListen extends Answers<Listening> {
  readonly _tag: "TcpListen"
  /** Absent for any address of the stack. */
  readonly local: Address.Address | undefined
  /** Absent for both versions; ignored when `local` is given. */
  readonly version: Address.Version | undefined
  /** 0 for an ephemeral one. */
  readonly port: number
  /** Connections that may wait to be accepted; at most the bound `tcpBacklog`. */
  readonly backlog: number
  readonly options: Options
  readonly link: LinkId | undefined
}

export interface Listening {
  readonly listener: number
  readonly local: Address.Address | undefined
  readonly port: number
}

export interface TcpAccept extends Answers<Endpoint> {
  readonly _tag: "TcpAccept"
  readonly listener: number
  readonly block: boolean
}

/** Ends a listener: connections nobody has accepted are reset, waiting accepts fail with `Closed`. */
export interface TcpCloseListener extends Answers<void> {
  readonly _tag: "TcpCloseListener"
  readonly listener: number
}

/** RECEIVE: at least one byte, or the end of the stream. */
export interface TcpRead extends Answers<Received> {
  readonly _tag: "TcpRead"
  readonly connection: number
  readonly max: number
  readonly block: boolean
  /** The reader copies the pieces and keeps none, so that their memory can be used again. Absent for no. */
  readonly copies?: boolean
  /**
   * The read goes on after an answer, until `max` bytes were given in all or the stream has ended, if it may block: whoever wants all that comes need not ask for
   * each piece of it. Absent for no.
   */
  readonly goesOn?: boolean
}

export interface Received {
  /** Views of immutable memory; the reader may keep them, unless it has said that it copies. */
  readonly pieces: ReadonlyArray<Piece>
  /** Memory to give back to the core, once the pieces are copied by a reader that has said so. */
  readonly spent: ReadonlyArray<Spent>
  readonly length: number
  /** The peer has closed its direction and there are no more bytes; `length` is 0 then. */
  readonly end: boolean
}

/** SEND. Blocking: answers the length once the last byte is in the send buffer; otherwise what fits now. */
export interface TcpWrite extends Answers<number> {
  readonly _tag: "TcpWrite"
  readonly connection: number
  readonly bytes: Uint8Array
  readonly start: number
  readonly end: number
  /** The caller hands the bytes over and never touches them again; otherwise they are copied. */
  readonly owned: boolean
  readonly block: boolean
  /** Announces the bytes as urgent, up to the last of them (RFC 9293 §3.8.5); new programs should not (RFC 6093 §5). */
  readonly urgent?: boolean
  /** The last byte ends a record: no segment holds it together with bytes that are written later (POSIX `MSG_EOR`). Absent for no. */
  readonly endOfRecord?: boolean
}

/**
 * Ends one direction or both: `write` sends FIN behind the queued data, `read` discards what is unread and what comes from now on. Once both are shut, further text
 * resets the connection: nobody will ever read it.
 */
export interface TcpShutdown extends Answers<void> {
  readonly _tag: "TcpShutdown"
  readonly connection: number
  readonly read: boolean
  readonly write: boolean
  /** With `read`: what is unread and what comes can be read all the same, without waiting for it, as on Linux. Absent for no. */
  readonly keepsText?: boolean
}

/** CLOSE: the program lets go. Queued data is still delivered; unread data turns the close into a reset (RFC 2525 §2.17). */
export interface TcpClose extends Answers<void> {
  readonly _tag: "TcpClose"
  readonly connection: number
}

/** ABORT: RST, and everything waiting fails with `ConnectionAborted`. */
export interface TcpAbort extends Answers<void> {
  readonly _tag: "TcpAbort"
  readonly connection: number
}

/** Waits for a condition: the handshake's end, the acknowledgement of all that was written, or the connection's end. */
export interface TcpAwait extends Answers<void> {
  readonly _tag: "TcpAwait"
  readonly connection: number
  readonly until: "established" | "drained" | "closed"
}

export interface TcpSetOptions extends Answers<void> {
  readonly _tag: "TcpSetOptions"
  readonly connection: number
  readonly options: Options
}

/** STATUS. */
export interface TcpGetInfo extends Answers<Info.Info> {
  readonly _tag: "TcpGetInfo"
  readonly connection: number
}

/** All connections, for display. */
export interface TcpList extends Answers<ReadonlyArray<Info.Info>> {
  readonly _tag: "TcpList"
}

export type TcpRequest =
  | TcpConnect
  | TcpListen
  | TcpAccept
  | TcpCloseListener
  | TcpRead
  | TcpWrite
  | TcpShutdown
  | TcpClose
  | TcpAbort
  | TcpAwait
  | TcpSetOptions
  | TcpGetInfo
  | TcpList

/** The requests that still reach a connection which its program has let go: a stack that is closed waits for it, or resets it. */
const reachesOrphans = (request: TcpRequest): boolean => request._tag === "TcpAwait" || request._tag === "TcpAbort"

/** The connection that a program names; requests about any other fail with `NotConnected`. */
const held = (
  ctx: Context,
  state: State,
  ticket: Ticket,
  request: TcpRequest & { readonly connection: number }
): Connection | undefined => {
  const entry = state.entries.get(request.connection)
  if (entry?._tag === "Connection" && (entry.holder === "program" || reachesOrphans(request))) return entry
  ctx.fail(ticket, Reason.notConnected)
  return undefined
}

/** Requests that do not make a connection send the SYN that it has kept for its first text. */
const isPatient = (request: TcpRequest): boolean =>
  request._tag === "TcpSetOptions" || request._tag === "TcpGetInfo" || request._tag === "TcpClose" ||
  request._tag === "TcpAbort"

/** Sends the SYN that has waited for something to take along (RFC 7413 §4.2.2). */
const launch = (ctx: Context, state: State, id: number): void => {
  const self = state.entries.get(id)
  if (self?._tag !== "Connection" || self.fastOpen !== "waits") return
  ctx.put(state.entries, id, Deadlines.arm(ctx, EarlyData.launch(ctx, state, self)))
}

/** The requests about one connection that a program holds. */
const onConnection = (
  ctx: Context,
  state: State,
  ticket: Ticket,
  self: Connection,
  request: Exclude<TcpRequest, TcpConnect | TcpListen | TcpAccept | TcpCloseListener | TcpList>
): void => {
  switch (request._tag) {
    case "TcpRead":
      return Calls.read(ctx, state, ticket, self, request)
    case "TcpWrite":
      return Calls.write(ctx, state, ticket, self, request)
    case "TcpShutdown":
      return Close.shutdown(ctx, state, ticket, self, request)
    case "TcpClose":
      return Close.close(ctx, state, ticket, self)
    case "TcpAbort":
      return Close.abort(ctx, state, ticket, self)
    case "TcpAwait":
      return Calls.wait(ctx, state, ticket, self, request)
    case "TcpSetOptions":
      return SetOptions.setOptions(ctx, state, ticket, self, request)
    case "TcpGetInfo":
      return ctx.reply(ticket, Info.of(ctx, self))
  }
}

const list = (ctx: Context, state: State): ReadonlyArray<Info.Info> => {
  const all: Array<Info.Info> = []
  for (const entry of state.entries.values()) if (entry._tag === "Connection") all.push(Info.of(ctx, entry))
  return all.toSorted((a, b) => a.connection - b.connection)
}

export const handle = (ctx: Context, state: State, ticket: Ticket, request: TcpRequest): void => {
  switch (request._tag) {
    case "TcpConnect":
      return Open.connect(ctx, state, ticket, request)
    case "TcpListen":
      return Open.listen(ctx, state, ticket, request)
    case "TcpAccept":
      return Open.accept(ctx, state, ticket, request)
    case "TcpCloseListener":
      return Open.closeListener(ctx, state, ticket, request)
    case "TcpList":
      return ctx.reply(ticket, list(ctx, state))
    case "TcpRead":
    case "TcpWrite":
    case "TcpShutdown":
    case "TcpClose":
    case "TcpAbort":
    case "TcpAwait":
    case "TcpSetOptions":
    case "TcpGetInfo": {
      const self = held(ctx, state, ticket, request)
      if (self === undefined) return undefined
      onConnection(ctx, state, ticket, self, request)
      return isPatient(request) ? undefined : launch(ctx, state, request.connection)
    }
  }
}
