/**
 * An established TCP connection, as a program holds it (RFC 9293 §3.9.1). Each method is one request to the stack.
 *
 * ```
 *   read ◀── receive buffer ◀── window ── peer          end of the peer's direction: `read` gives no chunks
 *   write ─▶ send buffer ─────▶ window ─▶ peer          end of this direction: `end`
 * ```
 *
 * Interrupting a call takes back what it waits for; the connection goes on. The scope that opened the connection closes it:
 * in good order if it ended well, by a reset if it failed or was interrupted (see `ClosePolicy`).
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as NetAddress from "effect/net/NetAddress"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import * as Sink from "effect/Sink"
import * as Stream from "effect/Stream"
import type * as Reason from "../core/Reason.ts"
import { type AnswerOf, noTicket, type Request, type Ticket } from "../core/Request.ts"
import * as Edge from "../workers/Edge.ts"
import type { Asked } from "../workers/Requests.ts"
import type { Stack } from "../workers/Stack.ts"
import * as Failure from "./Failure.ts"
import * as TcpError from "./TcpError.ts"
import * as TcpInfo from "./TcpInfo.ts"

/**
 * How a scope that ends lets its connection go:
 * - `"byExit"`: like `"orderly"` when the scope succeeds, like `"abort"` when it fails or is interrupted, so that the peer
 *   never takes half of an exchange for all of it;
 * - `"orderly"`: FIN behind what has been written, which the stack goes on delivering in the background;
 * - `"abort"`: RST at once.
 */
export type ClosePolicy = "byExit" | "orderly" | "abort"

export interface TcpConnection {
  /** Names the connection in its stack; never reused. */
  readonly id: number
  readonly local: NetAddress.InetAddress
  readonly remote: NetAddress.InetAddress
  /**
   * Waits for data and gives what is there, at most `max` bytes: one or more chunks with at least one byte, or no chunk at
   * all when the peer has ended its direction. The chunks are views that the reader may keep and must not change.
   */
  readonly read: (max?: number) => Effect.Effect<ReadonlyArray<Uint8Array>, TcpError.TcpError>
  /**
   * Waits for data and copies what is there into `into`; the number of bytes, 0 at the end of the peer's direction. The memory that the data came in is used again,
   * so bulk data costs the garbage collector nothing. Leave `into` alone until it is done.
   */
  readonly readInto: (into: Uint8Array) => Effect.Effect<number, TcpError.TcpError>
  /** {@link read} without waiting; nothing when no data is there. */
  readonly tryRead: (max?: number) => Effect.Effect<Option.Option<ReadonlyArray<Uint8Array>>, TcpError.TcpError>
  /**
   * {@link read} for code that is no fiber, such as a stream of Node, and without asking for each piece: `take` is called with whatever comes, perhaps inside this
   * call, until `max` bytes have come in all, the peer has ended its direction, or an error; `isLast` tells when. It must not throw. Gives what takes the call back,
   * after which `take` is not called any more; nothing if it is over.
   */
  readonly readUnsafe: (
    max: number,
    take: (exit: Exit.Exit<ReadonlyArray<Uint8Array>, TcpError.TcpError>, isLast: boolean) => void
  ) => (() => void) | undefined
  /** All bytes to the end of the peer's direction, as one array. The connection holds no more than its receive buffer, but the array grows with the data. */
  readonly readAll: Effect.Effect<Uint8Array, TcpError.TcpError>
  /**
   * Writes all of `bytes` and is done when the last one is in the send buffer, which waits as long as the peer is slow. The
   * bytes are copied, so the caller may change them afterwards. Interrupting leaves an unknown part written.
   */
  readonly write: (bytes: Uint8Array) => Effect.Effect<void, TcpError.TcpError>
  /** {@link write} without the copy: the bytes become the connection's, and nobody may ever change them again. */
  readonly writeOwned: (bytes: Uint8Array) => Effect.Effect<void, TcpError.TcpError>
  /**
   * {@link write}, or {@link writeOwned}, for code that is no fiber, as {@link readUnsafe} is for reading. One at a time: a later call may overtake one
   * that waits.
   */
  readonly writeUnsafe: (
    bytes: Uint8Array,
    owned: boolean,
    done: (exit: Exit.Exit<void, TcpError.TcpError>) => void
  ) => (() => void) | undefined
  /**
   * Writes, and tells the peer that all up to the last byte is urgent (RFC 9293 §3.8.5). The bytes stay in line. For programs that speak a protocol which has it;
   * new ones should not (RFC 6093 §5).
   */
  readonly writeUrgent: (bytes: Uint8Array) => Effect.Effect<void, TcpError.TcpError>
  /** Writes as much as the send buffer takes now; gives the number of bytes, which may be 0. */
  readonly tryWrite: (bytes: Uint8Array) => Effect.Effect<number, TcpError.TcpError>
  /** Ends this direction (half-close): the peer reads the end behind what has been written; reading goes on. */
  readonly end: Effect.Effect<void, TcpError.TcpError>
  /** Discards what the peer sends from now on. */
  readonly stopReading: Effect.Effect<void, TcpError.TcpError>
  /** Lets the connection go in good order, before its scope does. What is unread makes the close a reset (RFC 2525 §2.17). */
  readonly close: Effect.Effect<void>
  /** Resets the connection: what waits in it is lost, calls that wait fail with `ConnectionAborted`. */
  readonly abort: Effect.Effect<void>
  /** Done when everything written has been acknowledged. */
  readonly drained: Effect.Effect<void, TcpError.TcpError>
  /** Done when both directions have ended. */
  readonly closed: Effect.Effect<void, TcpError.TcpError>
  readonly setOptions: (options: Edge.TcpOptions) => Effect.Effect<void, TcpError.TcpError>
  readonly info: Effect.Effect<TcpInfo.TcpInfo, TcpError.TcpError>
  /** What the peer sends, to the end of its direction. */
  readonly stream: Stream.Stream<Uint8Array, TcpError.TcpError>
  /** Writes what it is given, then ends this direction. */
  readonly sink: Sink.Sink<void, Uint8Array, never, TcpError.TcpError>
}

/** The answer to `TcpConnect` and `TcpAccept`. */
export type Endpoint = AnswerOf<Extract<Request, { readonly _tag: "TcpAccept" }>>

type Received = AnswerOf<Extract<Request, { readonly _tag: "TcpRead" }>>

/** Everything that is there; the receive buffer bounds it. */
const unlimited = 0x7fff_ffff

const chunksOf = ({ pieces }: Received): ReadonlyArray<Uint8Array> =>
  pieces.map(({ bytes, end, start }) => start === 0 && end === bytes.length ? bytes : bytes.subarray(start, end))

const isWouldBlock = (reason: Reason.Reason): boolean => reason._tag === "WouldBlock"

const concat = (chunks: ReadonlyArray<Uint8Array>): Uint8Array => {
  const all = new Uint8Array(chunks.reduce((length, chunk) => length + chunk.length, 0))
  let at = 0
  for (const chunk of chunks) {
    all.set(chunk, at)
    at += chunk.length
  }
  return all
}

/** {@link TcpError.during} for a reason that is there. */
const failedDuring = (
  operation: TcpError.Operation,
  reason: Reason.Reason
): Exit.Exit<never, TcpError.TcpError> => Exit.fail(new TcpError.TcpError({ operation, reason: Failure.of(reason) }))

class Connection implements TcpConnection {
  readonly id: number
  private readonly endpoint: Endpoint
  private readonly stack: Stack
  private readonly scope: Scope.Closeable
  private isGone = false
  /** A {@link readInto} has begun and not ended well. */
  private isCopying = false
  private givesBack = true

  constructor(stack: Stack, endpoint: Endpoint, scope: Scope.Closeable) {
    this.id = endpoint.connection
    this.endpoint = endpoint
    this.stack = stack
    this.scope = scope
  }

  get local(): NetAddress.InetAddress {
    return Edge.inetOf(this.endpoint.local, this.endpoint.localPort)
  }

  get remote(): NetAddress.InetAddress {
    return Edge.inetOf(this.endpoint.remote, this.endpoint.remotePort)
  }

  private receive(max: number, block: boolean): Effect.Effect<ReadonlyArray<Uint8Array>, Reason.Reason> {
    return Effect.map(
      this.stack.ask({ _tag: "TcpRead", connection: this.id, max, block }),
      (received) => this.taken(received)
    )
  }

  /** The chunks are the caller's; the memory that they were copied from is not. */
  private taken(received: Received): ReadonlyArray<Uint8Array> {
    if (received.spent.length > 0) this.stack.giveBack(received.spent)
    return chunksOf(received)
  }

  read(max = unlimited): Effect.Effect<ReadonlyArray<Uint8Array>, TcpError.TcpError> {
    return TcpError.during("read")(this.receive(max, true))
  }

  readInto(into: Uint8Array): Effect.Effect<number, TcpError.TcpError> {
    return TcpError.during("read")(Effect.suspend(() => {
      // One that was interrupted, or another at the same time, may not have copied what lies in the same memory.
      if (this.isCopying) this.givesBack = false
      this.isCopying = true
      const request = {
        _tag: "TcpRead",
        connection: this.id,
        max: into.length,
        block: true,
        copies: this.givesBack
      } as const
      return Effect.map(this.stack.ask(request), (received) => this.copy(received, into))
    }))
  }

  private copy(received: Received, into: Uint8Array): number {
    let at = 0
    for (const chunk of chunksOf(received)) {
      into.set(chunk, at)
      at += chunk.length
    }
    this.isCopying = false
    this.stack.giveBack(received.spent)
    return at
  }

  tryRead(max = unlimited): Effect.Effect<Option.Option<ReadonlyArray<Uint8Array>>, TcpError.TcpError> {
    const received = Effect.map(this.receive(max, false), Option.some)
    return TcpError.during("read")(Effect.catchIf(received, isWouldBlock, () => Effect.succeedNone))
  }

  /** What takes back a request that has been posted and waits. */
  private retraction(ticket: Ticket): (() => void) | undefined {
    return ticket === noTicket ? undefined : () => this.stack.abandon(ticket)
  }

  readUnsafe(
    max: number,
    take: (exit: Exit.Exit<ReadonlyArray<Uint8Array>, TcpError.TcpError>, isLast: boolean) => void
  ): (() => void) | undefined {
    return this.retraction(this.stack.post(
      { _tag: "TcpRead", connection: this.id, max, block: true, goesOn: true },
      ({ isPart, reason, value }) =>
        take(reason === undefined ? Exit.succeed(this.taken(value)) : failedDuring("read", reason), !isPart)
    ))
  }

  get readAll(): Effect.Effect<Uint8Array, TcpError.TcpError> {
    return Effect.gen({ self: this }, function*() {
      const chunks: Array<Uint8Array> = []
      for (;;) {
        const received = yield* this.read()
        if (received.length === 0) return concat(chunks)
        chunks.push(...received)
      }
    })
  }

  private writing(bytes: Uint8Array, owned: boolean, block: boolean, urgent: boolean): Asked<"TcpWrite"> {
    return { _tag: "TcpWrite", connection: this.id, bytes, start: 0, end: bytes.length, owned, block, urgent }
  }

  private send(
    bytes: Uint8Array,
    owned: boolean,
    block: boolean,
    urgent = false
  ): Effect.Effect<number, Reason.Reason> {
    return this.stack.ask(this.writing(bytes, owned, block, urgent))
  }

  write(bytes: Uint8Array): Effect.Effect<void, TcpError.TcpError> {
    return TcpError.during("write")(Effect.asVoid(this.send(bytes, false, true)))
  }

  writeOwned(bytes: Uint8Array): Effect.Effect<void, TcpError.TcpError> {
    return TcpError.during("write")(Effect.asVoid(this.send(bytes, true, true)))
  }

  writeUnsafe(
    bytes: Uint8Array,
    owned: boolean,
    done: (exit: Exit.Exit<void, TcpError.TcpError>) => void
  ): (() => void) | undefined {
    return this.retraction(this.stack.post(
      this.writing(bytes, owned, true, false),
      ({ reason }) => done(reason === undefined ? Exit.void : failedDuring("write", reason))
    ))
  }

  writeUrgent(bytes: Uint8Array): Effect.Effect<void, TcpError.TcpError> {
    return TcpError.during("write")(Effect.asVoid(this.send(bytes, false, true, true)))
  }

  tryWrite(bytes: Uint8Array): Effect.Effect<number, TcpError.TcpError> {
    const taken = this.send(bytes, false, false)
    return TcpError.during("write")(Effect.catchIf(taken, isWouldBlock, () => Effect.succeed(0)))
  }

  private shutdown(read: boolean, write: boolean): Effect.Effect<void, TcpError.TcpError> {
    return TcpError.during("shutdown")(this.stack.ask({ _tag: "TcpShutdown", connection: this.id, read, write }))
  }

  get end(): Effect.Effect<void, TcpError.TcpError> {
    return this.shutdown(false, true)
  }

  get stopReading(): Effect.Effect<void, TcpError.TcpError> {
    return this.shutdown(true, false)
  }

  /** Sends the last request of this connection, once. */
  letGo(how: "TcpClose" | "TcpAbort"): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (this.isGone) return Effect.void
      this.isGone = true
      return Effect.ignore(this.stack.ask({ _tag: how, connection: this.id }))
    })
  }

  /** Lets it go as `policy` has it for the end of what it belongs to. */
  letGoAfter(exit: Exit.Exit<unknown, unknown>, policy: ClosePolicy): Effect.Effect<void> {
    const isOrderly = policy === "byExit" ? Exit.isSuccess(exit) : policy === "orderly"
    return this.letGo(isOrderly ? "TcpClose" : "TcpAbort")
  }

  get close(): Effect.Effect<void> {
    return Effect.uninterruptible(Effect.andThen(this.letGo("TcpClose"), Scope.close(this.scope, Exit.void)))
  }

  get abort(): Effect.Effect<void> {
    return Effect.uninterruptible(Effect.andThen(this.letGo("TcpAbort"), Scope.close(this.scope, Exit.void)))
  }

  private wait(until: "drained" | "closed"): Effect.Effect<void, TcpError.TcpError> {
    return TcpError.during("wait")(this.stack.ask({ _tag: "TcpAwait", connection: this.id, until }))
  }

  get drained(): Effect.Effect<void, TcpError.TcpError> {
    return this.wait("drained")
  }

  get closed(): Effect.Effect<void, TcpError.TcpError> {
    return this.wait("closed")
  }

  setOptions(options: Edge.TcpOptions): Effect.Effect<void, TcpError.TcpError> {
    const request = { _tag: "TcpSetOptions", connection: this.id, options: Edge.tcpOptionsOf(options) } as const
    return TcpError.during("options")(this.stack.ask(request))
  }

  get info(): Effect.Effect<TcpInfo.TcpInfo, TcpError.TcpError> {
    const answer = this.stack.ask({ _tag: "TcpGetInfo", connection: this.id })
    return TcpError.during("options")(Effect.map(answer, TcpInfo.of))
  }

  get stream(): Stream.Stream<Uint8Array, TcpError.TcpError> {
    const pull = Effect.flatMap(this.read(), (chunks) => {
      const [first, ...rest] = chunks
      return first === undefined ? Cause.done() : Effect.succeed([first, ...rest] as const)
    })
    return Stream.fromPull(Effect.succeed(pull))
  }

  get sink(): Sink.Sink<void, Uint8Array, never, TcpError.TcpError> {
    const writeAll = (chunks: ReadonlyArray<Uint8Array>) =>
      Effect.forEach(chunks, (chunk) => this.write(chunk), { discard: true })
    return Sink.mapEffect(Sink.forEachArray(writeAll), () => this.end)
  }
}

/**
 * Hands an endpoint over to a scope: its end closes the connection by `policy`. To be called where nothing can interrupt
 * between the answer and this.
 */
export const make = (
  stack: Stack,
  endpoint: Endpoint,
  policy: ClosePolicy
): Effect.Effect<TcpConnection, never, Scope.Scope> =>
  // A scope of its own, so that who closes the connection early leaves nothing in the scope around it.
  Effect.flatMap(
    Effect.flatMap(Effect.scope, Scope.fork),
    (scope) => {
      const connection = lent(stack, endpoint, scope)
      return Effect.as(Scope.addFinalizerExit(scope, (exit) => connection.letGoAfter(exit, policy)), connection)
    }
  )

/** A connection that somebody else has to let go, behind the end of its scope. */
export interface Lent extends TcpConnection {
  readonly letGoAfter: (exit: Exit.Exit<unknown, unknown>, policy: ClosePolicy) => Effect.Effect<void>
}

/** The same for who runs the connection's own scope and saves its finalizer: thousands of silent connections would hold one each. */
export const lent = (stack: Stack, endpoint: Endpoint, scope: Scope.Closeable): Lent =>
  new Connection(stack, endpoint, scope)
