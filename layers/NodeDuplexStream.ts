/**
 * The stream that `NodeDuplex` makes: one of Node's duplex streams over a TCP connection of the stack, with the face of a `net.Socket`.
 *
 * ```
 *   read   ◀── the stream's buffer, at most twice its high water mark ◀── connection.read  ◀── window
 *   write  ──▶ one write at a time; its callback when the send buffer has it ─▶ connection.write ──▶ window
 *   end() ──▶ FIN      end of the peer's direction ──▶ "end"      destroy() ──▶ close      resetAndDestroy() ──▶ reset
 * ```
 *
 * Back-pressure holds both ways: a stream that nobody reads fills its buffer, then the connection's, then the peer waits; a
 * `write` to a slow peer is done when the data has its place.
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import { Duplex } from "node:stream"
import type * as Tcp from "../src/sockets/Tcp.ts"
import type * as TcpConnection from "../src/sockets/TcpConnection.ts"
import { instantOf } from "../src/workers/Core.ts"
import { EventLoop } from "../src/workers/EventLoop.ts"
import * as Intake from "./Intake.ts"
import * as Silence from "./Silence.ts"
import * as SystemError from "./SystemError.ts"

export interface Options {
  /** Goes on writing when the peer has ended its direction; otherwise this side ends then too. False if absent, as in `net`. */
  readonly allowHalfOpen?: boolean
  /** Octets that wait in the stream for a reader before it asks for no more, and again for the connection; Node's default if absent. */
  readonly highWaterMark?: number
  /**
   * What `destroy` means to the peer: an orderly close if absent, also when it is given an error, as the kernel does for a `net.Socket`:
   * clients destroy idle connections with an error. `"byExit"` resets when there is an error, or when the scope fails.
   */
  readonly closePolicy?: TcpConnection.ClosePolicy
}

/** What a stream runs with: the services of its maker. */
export interface Environment {
  readonly fork: <A, E>(effect: Effect.Effect<A, E>) => Fiber.Fiber<A, E>
  readonly now: () => number
}

export const environment = (context: Context.Context<never>): Environment => {
  const clock = Context.get(context, Clock.Clock)
  Context.get(context, EventLoop).joined()
  return { fork: Effect.runForkWith(context), now: () => instantOf(clock) / 1000 }
}

type Written = (error?: Error | null) => void

/** A piece of what waits to be written. */
interface Chunk {
  readonly chunk: Buffer | string
  readonly encoding: BufferEncoding
}

/** Exact but for base64, where it is the most. */
const lengthOf = ({ chunk, encoding }: Chunk): number =>
  typeof chunk === "string" ? Buffer.byteLength(chunk, encoding) : chunk.length

const joined = (chunks: ReadonlyArray<Chunk>): Buffer => {
  let length = 0
  for (const chunk of chunks) length += lengthOf(chunk)
  const bytes = Buffer.allocUnsafe(length)
  let at = 0
  for (const { chunk, encoding } of chunks) {
    at += typeof chunk === "string" ? bytes.write(chunk, at, encoding) : chunk.copy(bytes, at)
  }
  return bytes.subarray(0, at)
}

/** A reset is no failure of `end`: there is nothing left to end. */
const isGone = (error: Tcp.TcpError): boolean => error.reason._tag === "NotConnected"

export class NodeDuplex extends Duplex {
  /** True until the handshake is over. */
  connecting: boolean
  bytesRead = 0
  bytesWritten = 0
  remoteAddress: string | undefined
  remotePort: number | undefined
  remoteFamily: string | undefined
  localAddress: string | undefined
  localPort: number | undefined
  localFamily: string | undefined
  private readonly environment: Environment
  private readonly policy: TcpConnection.ClosePolicy
  private readonly opened: Deferred.Deferred<TcpConnection.TcpConnection> = Deferred.makeUnsafe()
  /** What runs for this stream and ends with it. */
  private readonly fibers: Set<Fiber.Fiber<unknown, unknown>> = new Set()
  private connection: TcpConnection.TcpConnection | undefined
  private readonly intake = new Intake.Intake((exit) => this.received(exit))
  /** The callback of the write that waits, and how much it writes. */
  private written: Written | undefined
  private writtenBytes = 0
  private giveUpWriting: (() => void) | undefined
  private isReset = false
  private readonly silence: Silence.Silence

  constructor(environment: Environment, options: Options) {
    super({
      allowHalfOpen: options.allowHalfOpen ?? false,
      // Text becomes bytes here, in the memory that is sent.
      decodeStrings: false,
      // Told by `_destroy`, with an argument that streams leave out.
      emitClose: false,
      ...(options.highWaterMark === undefined ? {} : { highWaterMark: options.highWaterMark })
    })
    this.environment = environment
    this.policy = options.closePolicy ?? "orderly"
    this.silence = new Silence.Silence({
      now: environment.now,
      start: (wait, done) => this.start(wait, (exit) => done(Exit.isSuccess(exit))),
      tell: () => this.emit("timeout")
    })
    this.connecting = true
  }

  /** Takes the connection that the stream is for. */
  adopt(connection: TcpConnection.TcpConnection): void {
    this.connection = connection
    this.connecting = false
    const local = SystemError.infoOf(connection.local)
    const remote = SystemError.infoOf(connection.remote)
    this.localAddress = local.address
    this.localPort = local.port
    this.localFamily = local.family
    this.remoteAddress = remote.address
    this.remotePort = remote.port
    this.remoteFamily = remote.family
    Deferred.doneUnsafe(this.opened, Exit.succeed(connection))
    if (this.destroyed) return
    this.read(0) // So that the peer's end or reset is noticed before anybody reads.
    this.intake.start(connection)
  }

  /** Opens the connection, and tells by "connect" and "ready", or by an error. */
  dial(connect: Effect.Effect<TcpConnection.TcpConnection, Tcp.TcpError>, peer: SystemError.Peer | undefined): void {
    let isCalling = true
    this.start(connect, (exit) => {
      if (Exit.isFailure(exit)) return this.fail(exit.cause, peer)
      this.adopt(exit.value)
      if (!isCalling) return this.tellConnected()
      // Over a wire without delay it is there at once, before anybody could listen for it.
      this.connecting = true
      process.nextTick(() => this.tellConnected())
    })
    isCalling = false
  }

  private tellConnected(): void {
    if (this.destroyed) return
    this.connecting = false
    this.emit("connect")
    this.emit("ready")
  }

  /** Runs an effect for as long as the stream lives. */
  private start<A, E>(effect: Effect.Effect<A, E>, done: (exit: Exit.Exit<A, E>) => void): void {
    if (this.destroyed) return done(Exit.interrupt())
    const fiber = this.environment.fork(effect)
    if (fiber.pollUnsafe() === undefined) this.fibers.add(fiber)
    fiber.addObserver((exit) => {
      this.fibers.delete(fiber)
      done(exit)
    })
  }

  private use<A>(
    f: (connection: TcpConnection.TcpConnection) => Effect.Effect<A, Tcp.TcpError>
  ): Effect.Effect<A, Tcp.TcpError> {
    return this.connection === undefined ? Effect.flatMap(Deferred.await(this.opened), f) : f(this.connection)
  }

  private fail(cause: Cause.Cause<Tcp.TcpError>, peer?: SystemError.Peer): void {
    if (!Cause.hasInterruptsOnly(cause)) this.destroy(SystemError.ofCause(cause, peer))
  }

  override _read(size: number): void {
    this.intake.want(size)
  }

  /** What has been read, or why nothing can be. True if the stream wants more. */
  private received(exit: Exit.Exit<ReadonlyArray<Uint8Array>, Tcp.TcpError>): boolean {
    if (Exit.isFailure(exit)) {
      this.fail(exit.cause)
      return false
    }
    this.silence.broken()
    if (exit.value.length > 0) return this.deliver(exit.value)
    this.guard(() => {
      this.push(null)
      this.read(0) // A stream that nobody reads yet comes to its end all the same.
    })
    return false
  }

  /** What a listener throws is nobody's but the program's, as with Node's own sockets. */
  private guard(tell: () => void): void {
    try {
      tell()
    } catch (error) {
      process.nextTick(() => {
        throw error
      })
    }
  }

  /** False when the stream has enough. */
  private deliver(chunks: ReadonlyArray<Uint8Array>): boolean {
    let hasRoom = true
    for (const chunk of chunks) {
      this.bytesRead += chunk.length
      this.guard(() => {
        hasRoom = this.push(chunk)
      })
    }
    return hasRoom && !this.destroyed
  }

  override _write(chunk: Buffer | string, encoding: BufferEncoding, callback: Written): void {
    if (typeof chunk === "string") this.send(Buffer.from(chunk, encoding), true, callback)
    else this.send(chunk, false, callback)
  }

  /** What was written piece by piece goes as one, so that it shares segments. */
  override _writev(chunks: ReadonlyArray<Chunk>, callback: Written): void {
    this.send(joined(chunks), true, callback)
  }

  /** A stream of Node has one write at a time. */
  private send(bytes: Uint8Array, owned: boolean, callback: Written): void {
    const { connection } = this
    if (connection === undefined) {
      return this.start(
        Deferred.await(this.opened),
        (exit) => Exit.isSuccess(exit) ? this.send(bytes, owned, callback) : callback(SystemError.ofCause(exit.cause))
      )
    }
    this.written = callback
    this.writtenBytes = bytes.length
    const giveUp = connection.writeUnsafe(bytes, owned, this.onWritten)
    if (giveUp !== undefined) this.giveUpWriting = giveUp
  }

  private readonly onWritten = (exit: Exit.Exit<void, Tcp.TcpError>): void => {
    const { written, writtenBytes } = this
    this.written = undefined
    this.giveUpWriting = undefined
    if (Exit.isSuccess(exit)) {
      this.silence.broken()
      this.bytesWritten += writtenBytes
    }
    this.guard(() => written?.(Exit.isSuccess(exit) ? undefined : SystemError.ofCause(exit.cause)))
  }

  /** Takes back what waits for the connection. */
  private giveUp(): void {
    for (const fiber of this.fibers) fiber.interruptUnsafe()
    this.intake.end()
    this.giveUpWriting?.()
    this.giveUpWriting = undefined
    const { written } = this
    this.written = undefined
    written?.(SystemError.closed())
  }

  override _final(callback: (error?: Error | null) => void): void {
    const end = this.use((connection) => Effect.catchIf(connection.end, isGone, () => Effect.void))
    this.start(end, (exit) => callback(Exit.isSuccess(exit) ? undefined : SystemError.ofCause(exit.cause)))
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.connecting = false
    this.giveUp()
    const { connection, policy } = this
    const isOrderly = !this.isReset && (policy === "byExit" ? error === null : policy === "orderly")
    const closing = connection === undefined ? Effect.void : isOrderly ? connection.close : connection.abort
    this.environment.fork(closing).addObserver(() => {
      callback(error)
      // After "error", which goes on the same queue; whether there was one is what `net` tells with it.
      process.nextTick(() => this.emit("close", error !== null))
    })
  }

  /** Closes with the scope that the stream is bound to, as that ends. */
  destroyByExit(exit: Exit.Exit<unknown, unknown>): void {
    if (this.policy === "byExit" && Exit.isFailure(exit)) this.resetAndDestroy()
    else this.destroy()
  }

  /** Ends this direction, and closes when that is done. */
  destroySoon(): void {
    if (this.writable) this.end()
    if (this.writableFinished) this.destroy()
    else this.once("finish", () => this.destroy())
  }

  /** Closes by a reset. */
  resetAndDestroy(): this {
    this.isReset = true
    return this.destroy()
  }

  get pending(): boolean {
    return this.connection === undefined
  }

  get readyState(): "opening" | "open" | "readOnly" | "writeOnly" | "closed" {
    if (this.connecting) return "opening"
    if (this.readable) return this.writable ? "open" : "readOnly"
    return this.writable ? "writeOnly" : "closed"
  }

  /** The local end. */
  address(): SystemError.AddressInfo | Record<string, never> {
    return this.connection === undefined ? {} : SystemError.infoOf(this.connection.local)
  }

  setNoDelay(noDelay = true): this {
    return this.configure({ noDelay })
  }

  setKeepAlive(enable = false, initialDelay = 0): this {
    return this.configure(
      initialDelay > 0 ? { keepAlive: enable, keepAliveIdle: initialDelay } : { keepAlive: enable }
    )
  }

  private configure(options: NonNullable<Tcp.ConnectOptions["options"]>): this {
    this.start(this.use((connection) => Effect.ignore(connection.setOptions(options))), () => {})
    return this
  }

  /** Emits "timeout" after so many milliseconds without traffic; 0 for never. */
  setTimeout(milliseconds: number, listener?: () => void): this {
    if (listener !== undefined) {
      if (milliseconds === 0) this.off("timeout", listener)
      else this.once("timeout", listener)
    }
    this.silence.limit(milliseconds)
    return this
  }

  /** Milliseconds of silence before "timeout"; 0 for none. */
  get timeout(): number {
    return this.silence.milliseconds
  }

  /** A stack keeps its process alive by itself, or not; its streams have no say in it. */
  ref(): this {
    return this
  }

  unref(): this {
    return this
  }
}
