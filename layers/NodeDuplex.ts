/**
 * A TCP connection of the stack as one of Node's duplex streams, with the face of a `net.Socket`: for node:http, node:tls, and
 * the many clients that take a stream to speak over.
 *
 * ```
 *   connect(to) ──▶ the stream of an established connection        dialer ──▶ (to) => a stream that connects, as net.connect does
 *   make(connection) ──▶ the stream of one that is there           scope closes ──▶ its streams are closed
 * ```
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import type * as Destination from "../src/sockets/Destination.ts"
import type { Netstack } from "../src/sockets/Netstack.ts"
import * as Tcp from "../src/sockets/Tcp.ts"
import type * as TcpConnection from "../src/sockets/TcpConnection.ts"
import { type Environment, environment, NodeDuplex, type Options } from "./NodeDuplexStream.ts"
import * as SystemError from "./SystemError.ts"

export { NodeDuplex, type Options } from "./NodeDuplexStream.ts"
export type { AddressInfo } from "./SystemError.ts"

export interface DialOptions extends Omit<Tcp.ConnectOptions, "closePolicy">, Options {}

/** Ends a stream with a scope, and waits until it is closed. */
const end = (duplex: NodeDuplex, exit: Exit.Exit<unknown, unknown>): Effect.Effect<void> =>
  Effect.callback((resume) => {
    if (duplex.closed) return resume(Effect.void)
    duplex.once("close", () => resume(Effect.void))
    duplex.destroyByExit(exit)
  })

/** Binds a stream to a scope, in which it leaves nothing once it is closed. */
const hold = (owner: Scope.Scope, fork: Environment["fork"], duplex: NodeDuplex): NodeDuplex => {
  const scope = Scope.forkUnsafe(owner)
  fork(Scope.addFinalizerExit(scope, (exit) => end(duplex, exit)))
  duplex.once("close", () => fork(Scope.close(scope, Exit.void)))
  return duplex
}

/** The stream of a connection that is there. The stream closes the connection; the scope closes the stream. */
export const make = (
  connection: TcpConnection.TcpConnection,
  options: Options = {}
): Effect.Effect<NodeDuplex, never, Scope.Scope> =>
  Effect.contextWith((context: Context.Context<Scope.Scope>) => {
    const surroundings = environment(context)
    const duplex = new NodeDuplex(surroundings, options)
    hold(Context.get(context, Scope.Scope), surroundings.fork, duplex)
    duplex.adopt(connection)
    return Effect.succeed(duplex)
  })

/** Opens a connection and gives its stream at once, as `net.connect` does; errors come as events, such as ECONNREFUSED. */
export type Dial = (to: Destination.Input, options?: DialOptions) => NodeDuplex

const peerOf = (to: Destination.Input): SystemError.Peer | undefined => {
  if (typeof to === "string") return undefined
  return "host" in to ? { host: String(to.host), port: to.port } : SystemError.peerOf(to)
}

/** A connection that its stream has to close; one that comes when the stream is gone already is reset. */
const opening = (to: Destination.Input, options: DialOptions) => {
  const scope = Scope.makeUnsafe()
  return Effect.onError(
    Scope.provide(Tcp.connect(to, { ...options, closePolicy: "byExit" }), scope),
    (cause) => Scope.close(scope, Exit.failCause(cause))
  )
}

/** A function for code that knows nothing of effects. The scope closes what it has opened. */
export const dialer: Effect.Effect<Dial, never, Netstack | Scope.Scope> = Effect.contextWith(
  (context: Context.Context<Netstack | Scope.Scope>) => {
    const surroundings = environment(context)
    const owner = Context.get(context, Scope.Scope)
    return Effect.succeed<Dial>((to, options = {}) => {
      const duplex = new NodeDuplex(surroundings, options)
      const peer = peerOf(to)
      // Who dials when all is over hears of it; otherwise he would wait for a stream that does nothing.
      if (owner.state._tag === "Closed") return duplex.destroy(SystemError.make("ECANCELED", "connect", peer))
      hold(owner, surroundings.fork, duplex)
      duplex.dial(Effect.provideContext(opening(to, options), context), peer)
      return duplex
    })
  }
)

/** Opens a connection and gives its stream when it is established. */
export const connect = (
  to: Destination.Input,
  options: DialOptions = {}
): Effect.Effect<NodeDuplex, Tcp.TcpError, Netstack | Scope.Scope> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.flatMap(
      restore(Tcp.connect(to, { ...options, closePolicy: "byExit" })),
      (connection) => make(connection, options)
    )
  )
