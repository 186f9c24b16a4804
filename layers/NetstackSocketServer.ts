/**
 * Effect's `SocketServer` over a listener of the stack: one fiber for each connection, which gets it as a `Socket`.
 *
 * Connections that come while nobody runs the server wait in the listener's backlog, as many as it holds. A connection lives as
 * long as the reader of its socket; one whose handler ends without having acquired it is closed then.
 *
 * @example
 * ```ts
 * const Server = RpcServer.layerProtocolSocketServer.pipe(Layer.provide(NetstackSocketServer.layer({ port: 4000 })))
 * ```
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FiberSet from "effect/FiberSet"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import type * as Socket from "effect/socket/Socket"
import * as SocketServer from "effect/socket/SocketServer"
import type { Netstack } from "../src/sockets/Netstack.ts"
import * as Tcp from "../src/sockets/Tcp.ts"
import type { TcpConnection } from "../src/sockets/TcpConnection.ts"
import type { TcpListener } from "../src/sockets/TcpListener.ts"
import * as NetstackSocket from "./NetstackSocket.ts"
import * as Transport from "./NetstackSocketTransport.ts"
import { withCause } from "./withCause.ts"

/** The connection of the socket that a handler runs for, in the handler's context: who the peer is, say. */
export class Connection extends Context.Service<Connection, TcpConnection>()(
  "effect-netstack/layers/NetstackSocketServer/Connection"
) {}

/** `closePolicy` is `"orderly"` if absent, for the reason that `NetstackSocket.Options` gives. */
export interface Options extends Tcp.ListenOptions {
  /** Speaks TLS from the first byte of each connection; needs a key and a certificate. */
  readonly tls?: Socket.TlsUpgradeOptions
}

type Service = SocketServer.SocketServer["Service"]

const openError = (cause: unknown): SocketServer.SocketServerError =>
  new SocketServer.SocketServerError({ reason: withCause(new SocketServer.SocketServerOpenError({ cause })) })

const runError = (cause: unknown): SocketServer.SocketServerError =>
  new SocketServer.SocketServerError({ reason: withCause(new SocketServer.SocketServerUnknownError({ cause })) })

/** Who closes an accepted connection: the reader that takes it, once, or the server if none does. */
class Visit {
  private readonly connection: TcpConnection
  private readonly scope: Scope.Closeable
  private isTaken = false

  constructor(connection: TcpConnection, scope: Scope.Closeable) {
    this.connection = connection
    this.scope = scope
  }

  /** Hands the connection over to the scope of a reader. */
  get take(): Effect.Effect<TcpConnection, Socket.SocketError, Scope.Scope> {
    return Effect.suspend(() => {
      if (this.isTaken) return Effect.fail(Transport.closed(Transport.normal))
      this.isTaken = true
      return Effect.as(Effect.addFinalizer((exit) => Scope.close(this.scope, exit)), this.connection)
    })
  }

  get leave(): Effect.Effect<void> {
    return Effect.suspend(() => this.isTaken ? Effect.void : Scope.close(this.scope, Exit.void))
  }

  /** Runs the handler with the connection as a socket. */
  handle<A, E, R>(
    handler: (socket: Socket.Socket) => Effect.Effect<A, E, R>,
    tls: Socket.TlsUpgradeOptions | undefined
  ): Effect.Effect<void, never, R> {
    return NetstackSocket.fromConnection(this.take, { tls, tlsServer: true }).pipe(
      Effect.flatMap(handler),
      Effect.ignoreCause({ log: "Unhandled", message: "Unhandled error in SocketServer" }),
      Effect.provideService(Connection, this.connection),
      Effect.ensuring(this.leave)
    ) as Effect.Effect<void, never, R>
  }
}

/** Accepts one connection and starts its handler, with nothing between that could lose it. */
const serveNext = <A, E, R>(
  listener: TcpListener,
  fibers: FiberSet.FiberSet,
  handle: (visit: Visit) => Effect.Effect<A, E, R>
): Effect.Effect<void, Tcp.TcpError, R> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      const accepted = restore(Scope.provide(listener.accept, scope))
      const connection = yield* Effect.onError(accepted, (cause) => Scope.close(scope, Exit.failCause(cause)))
      // It starts at once and is interrupted only where it waits, so the visit's end is sure.
      yield* FiberSet.run(fibers, handle(new Visit(connection, scope)))
    })
  )

const run = (listener: TcpListener, options: Options): Service["run"] => (handler) =>
  Effect.scoped(Effect.gen(function*() {
    const fibers = yield* FiberSet.make()
    while (true) yield* serveNext(listener, fibers, (visit) => visit.handle(handler, options.tls))
  })).pipe(Effect.mapError(runError)) as Effect.Effect<never, SocketServer.SocketServerError, any>

/** Listens until the scope closes. */
export const make = (
  options: Options = {}
): Effect.Effect<Service, SocketServer.SocketServerError, Netstack | Scope.Scope> =>
  Effect.map(
    Effect.mapError(Tcp.listen({ ...options, closePolicy: options.closePolicy ?? "orderly" }), openError),
    (listener) => SocketServer.SocketServer.of({ address: listener.address, run: run(listener, options) })
  )

export const layer = (
  options?: Options
): Layer.Layer<SocketServer.SocketServer, SocketServer.SocketServerError, Netstack> =>
  Layer.effect(SocketServer.SocketServer, make(options))
