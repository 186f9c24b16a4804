/**
 * Effect's `Socket` over the stack's own TCP, so that a program written against `effect/socket` moves by swapping a layer.
 *
 * ```
 *   acquire reader ──▶ dial        pull ──▶ what has come       peer's FIN ──▶ pull fails: SocketCloseError 1000
 *   acquire writer     write waits until a reader is open       writer's scope closes ──▶ FIN (half-close)
 *                                                               reader's scope closes ──▶ close; a waiting pull fails: 1006
 * ```
 *
 * The reader pulls the stack's own chunks: no Node stream lies between, and nothing is copied. Only `upgrade` puts one there, for
 * TLS.
 *
 * @example
 * ```ts
 * const Client = RpcClient.layerProtocolSocket().pipe(Layer.provide(NetstackSocket.layer("10.0.0.2:4000")))
 * ```
 */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import * as Socket from "effect/socket/Socket"
import type * as Destination from "../src/sockets/Destination.ts"
import type { Netstack } from "../src/sockets/Netstack.ts"
import * as Tcp from "../src/sockets/Tcp.ts"
import type { TcpConnection } from "../src/sockets/TcpConnection.ts"
import * as Tls from "./NetstackSocketTls.ts"
import * as Transport from "./NetstackSocketTransport.ts"

export interface FromConnectionOptions {
  /** Opening fails with `SocketOpenError` of kind `Timeout` after this time; only TCP's own limits count if absent. */
  readonly openTimeout?: Duration.Input | undefined
  /** Speaks TLS from the first byte; without it, from `upgrade` on. */
  readonly tls?: Socket.TlsUpgradeOptions | undefined
  /** The server's side of TLS. */
  readonly tlsServer?: boolean | undefined
}

/**
 * `closePolicy` is `"orderly"` if absent. A scope that ends with a failure must not reset here: the end of the peer's data is a
 * failure of `pull`, so every program that reads to the end fails, and its last words would be lost.
 */
export interface Options extends Tcp.ConnectOptions, Omit<FromConnectionOptions, "tlsServer"> {}

/** A reader that is open, or about to be. */
interface Session {
  readonly scope: Scope.Closeable
  connection: TcpConnection | undefined
  transport: Transport.Transport
  /** Why this side has closed; what pulls fail with from then on. */
  ended: Socket.SocketError | undefined
  /** Pulls that wait. */
  pulls: number
  isUpgraded: boolean
}

const pullFrom = (session: Session): Socket.Reader["pull"] =>
  Effect.suspend(() => {
    if (session.ended !== undefined) return Effect.fail(session.ended)
    session.pulls++
    return Effect.onExit(
      Effect.mapError(session.transport.pull, (error) => session.ended ?? error),
      () => Effect.sync(() => void session.pulls--)
    )
  })

const refuseUpgrade = (detail: string): Effect.Effect<never, Socket.SocketError> =>
  Effect.fail(Transport.upgradeFailed(new Error(detail)))

/** What a failed, or an interrupted, handshake leaves: a closed socket. */
const abandon = (session: Session, connection: TcpConnection, cause: Cause.Cause<Socket.SocketError>) => {
  const failure = Cause.findErrorOption(cause)
  session.ended ??= Option.getOrElse(failure, () => Transport.closed(Transport.abnormal))
  return connection.close
}

/** Runs the handshake; writes and pulls that come meanwhile wait, and go through it. */
const secure = (session: Session, connection: TcpConnection, prepared: Tls.Prepared) => {
  const made = Deferred.makeUnsafe<Transport.Transport, Socket.SocketError>()
  session.isUpgraded = true
  session.transport = Transport.pending(made)
  return Scope.provide(Tls.upgrade(connection, prepared), session.scope).pipe(
    Effect.onError((cause) => abandon(session, connection, cause)),
    Effect.tap((transport) => Effect.sync(() => void (session.transport = transport))),
    Deferred.into(made),
    Effect.andThen(Deferred.await(made)),
    Effect.asVoid
  )
}

const upgradeOf = (session: Session, isServer: boolean): Socket.Reader["upgrade"] => (options = {}) =>
  Effect.suspend(() => {
    const { connection } = session
    if (session.isUpgraded || session.ended !== undefined || connection === undefined) {
      return refuseUpgrade("socket is already upgraded or closed")
    }
    if (session.pulls > 0) return refuseUpgrade("a pull waits for data; upgrade when it is done")
    return Effect.flatMap(Tls.prepare(options, isServer), (prepared) => secure(session, connection, prepared))
  })

const end = (session: Session, error: Socket.SocketError): Effect.Effect<void> => {
  session.ended ??= error
  return session.transport.close
}

const writeTo = (
  session: Session,
  chunk: Transport.Chunk | Socket.CloseEvent
): Effect.Effect<void, Socket.SocketError> => {
  if (!Socket.isCloseEvent(chunk)) return session.transport.write(chunk)
  const { code } = chunk
  return end(
    session,
    code > Transport.normal
      ? Transport.readFailed(new Error(`closed with code ${code}`))
      : Transport.closed(Transport.normal)
  )
}

const openTimeout = (options: FromConnectionOptions) => <A, R>(self: Effect.Effect<A, Socket.SocketError, R>) =>
  options.openTimeout === undefined ? self : Effect.timeoutOrElse(self, {
    duration: options.openTimeout,
    orElse: () => Effect.fail(Transport.openFailed(new Error("Connection timed out"), "Timeout"))
  })

/** The reader that is open now, if there is one, and who waits for it. */
class Desk {
  private readonly latch = Latch.makeUnsafe(false)
  private session: Session | undefined

  open(session: Session): void {
    this.session = session
    this.latch.openUnsafe()
  }

  close(session: Session): void {
    session.ended ??= Transport.closed(Transport.abnormal)
    if (this.session !== session) return
    this.session = undefined
    this.latch.closeUnsafe()
  }

  /** Waits for a reader. */
  use(f: (session: Session) => Effect.Effect<void, Socket.SocketError>): Effect.Effect<void, Socket.SocketError> {
    return Effect.suspend(() => this.session === undefined ? this.latch.whenOpen(this.use(f)) : f(this.session))
  }

  get halfClose(): Effect.Effect<void> {
    return Effect.suspend(() => this.session?.transport.end ?? Effect.void)
  }
}

/** Opens a session, which the scope closes: who waits in it hears of that first. */
const openReader = <R>(
  desk: Desk,
  open: Effect.Effect<TcpConnection, Socket.SocketError, R>,
  options: FromConnectionOptions
): Effect.Effect<Socket.Reader, Socket.SocketError, Exclude<R, Scope.Scope> | Scope.Scope> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      const session: Session = {
        scope,
        connection: undefined,
        transport: Transport.none,
        ended: undefined,
        pulls: 0,
        isUpgraded: false
      }
      yield* Effect.addFinalizer((exit) => {
        desk.close(session)
        return Scope.close(scope, exit)
      })
      const connection = yield* restore(openTimeout(options)(Scope.provide(open, scope)))
      session.connection = connection
      session.transport = Transport.plain(connection)
      const upgrade = upgradeOf(session, options.tlsServer === true)
      if (options.tls !== undefined) yield* restore(upgrade(options.tls))
      desk.open(session)
      return { pull: pullFrom(session), upgrade }
    })
  )

/**
 * A socket over connections that `open` gives: acquiring the reader runs it, in the reader's scope, which closes the connection.
 */
export const fromConnection = <R>(
  open: Effect.Effect<TcpConnection, Socket.SocketError, R>,
  options: FromConnectionOptions = {}
): Effect.Effect<Socket.Socket, never, Exclude<R, Scope.Scope>> =>
  Effect.contextWith((services: Context.Context<Exclude<R, Scope.Scope>>) => {
    const desk = new Desk()
    const reader = Effect.updateContext(
      openReader(desk, open, options),
      (own: Context.Context<Scope.Scope>) => Context.merge(services, own)
    )
    const writer: Socket.Writer = {
      write: (chunk) => desk.use((session) => writeTo(session, chunk)),
      writeAll: (chunks) => desk.use((session) => session.transport.writeAll(chunks))
    }
    return Effect.succeed(Socket.make({
      reader: reader as Socket.Socket["reader"],
      writer: Effect.acquireRelease(Effect.succeed(writer), () => desk.halfClose)
    }))
  })

const openError = (error: Tcp.TcpError): Socket.SocketError =>
  Transport.openFailed(error, error.reason._tag === "TimedOut" ? "Timeout" : "Unknown")

/** A socket that dials through the stack each time its reader is acquired. */
export const make = (to: Destination.Input, options: Options = {}): Effect.Effect<Socket.Socket, never, Netstack> =>
  fromConnection(
    Effect.mapError(Tcp.connect(to, { ...options, closePolicy: options.closePolicy ?? "orderly" }), openError),
    options
  )

export const layer = (to: Destination.Input, options?: Options): Layer.Layer<Socket.Socket, never, Netstack> =>
  Layer.effect(Socket.Socket, make(to, options))
