/**
 * A listening TCP port, as a program holds it. Connections that nobody has accepted wait in its backlog; when the listener is
 * closed they are reset, and whoever waits in `accept` hears `Closed`.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FiberSet from "effect/FiberSet"
import type * as NetAddress from "effect/net/NetAddress"
import * as Option from "effect/Option"
import type * as Pull from "effect/Pull"
import * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import * as Stream from "effect/Stream"
import type { AnswerOf, Request } from "../core/Request.ts"
import * as Edge from "../workers/Edge.ts"
import type { Stack } from "../workers/Stack.ts"
import * as TcpConnection from "./TcpConnection.ts"
import * as TcpError from "./TcpError.ts"
import * as Traced from "./Traced.ts"

export interface ServeOptions {
  /** Connections that are handled at once; further ones wait in the backlog. Unlimited if absent. */
  readonly concurrency?: number
}

export interface TcpListener {
  /** Names the listener in its stack. */
  readonly id: number
  /** What it is bound to; the unspecified address when it takes connections to any. */
  readonly address: NetAddress.InetAddress
  /** Waits for a connection. The scope closes it (see `TcpConnection.ClosePolicy`). */
  readonly accept: Effect.Effect<TcpConnection.TcpConnection, TcpError.TcpError, Scope.Scope>
  /** {@link accept} without waiting; nothing when no connection is there. */
  readonly tryAccept: Effect.Effect<Option.Option<TcpConnection.TcpConnection>, TcpError.TcpError, Scope.Scope>
  /**
   * Connections as they come, to the listener's end. All belong to the scope around the stream, so a long-lived program
   * closes each when it is done with it, or uses {@link serve}.
   */
  readonly connections: Stream.Stream<TcpConnection.TcpConnection, TcpError.TcpError, Scope.Scope>
  /**
   * Runs `handler` for each connection in a fiber and a scope of its own, which closes the connection when the handler ends.
   * A handler that fails resets its connection and is logged; the others go on. Interrupting ends them all.
   */
  readonly serve: <A, E, R>(
    handler: (connection: TcpConnection.TcpConnection) => Effect.Effect<A, E, R>,
    options?: ServeOptions
  ) => Effect.Effect<never, TcpError.TcpError, Exclude<R, Scope.Scope>>
  /** Stops listening before the scope does. */
  readonly close: Effect.Effect<void>
}

type Listening = AnswerOf<Extract<Request, { readonly _tag: "TcpListen" }>>

/** A reset by a peer is news about the peer, anything else about the program. */
const logFailure = (cause: Cause.Cause<unknown>): Effect.Effect<void> => {
  if (Cause.hasInterruptsOnly(cause)) return Effect.void
  const error = Cause.squash(cause)
  return error instanceof TcpError.TcpError
    ? Effect.logDebug(`connection ended: ${error.message}`)
    : Effect.logError("the handler of a connection failed", cause)
}

class Listener implements TcpListener {
  readonly id: number
  readonly address: NetAddress.InetAddress
  private readonly stack: Stack
  private readonly policy: TcpConnection.ClosePolicy
  private readonly scope: Scope.Closeable

  constructor(
    stack: Stack,
    listening: Listening,
    version: 4 | 6,
    policy: TcpConnection.ClosePolicy,
    scope: Scope.Closeable
  ) {
    const { listener, local, port } = listening
    this.id = listener
    this.address = local === undefined ? Edge.anyOf(version, port) : Edge.inetOf(local, port)
    this.stack = stack
    this.policy = policy
    this.scope = scope
  }

  private take(block: boolean) {
    return Effect.uninterruptibleMask((restore) =>
      Effect.flatMap(
        Traced.accepting(this.stack, this.stack.askWithin(restore, { _tag: "TcpAccept", listener: this.id, block })),
        (endpoint) => TcpConnection.make(this.stack, endpoint, this.policy)
      )
    )
  }

  get accept(): TcpListener["accept"] {
    return TcpError.during("accept")(this.take(true))
  }

  get tryAccept(): TcpListener["tryAccept"] {
    const taken = Effect.map(this.take(false), Option.some)
    return TcpError.during("accept")(
      Effect.catchIf(taken, (reason) => reason._tag === "WouldBlock", () => Effect.succeedNone)
    )
  }

  get connections(): TcpListener["connections"] {
    const next = Effect.map(this.accept, (connection) => [connection] as const)
    const pull = Effect.catch(
      next,
      (error): Pull.Pull<never, TcpError.TcpError> => error.reason._tag === "Closed" ? Cause.done() : Effect.fail(error)
    )
    return Stream.fromPull(Effect.succeed(pull))
  }

  serve<A, E, R>(
    handler: (connection: TcpConnection.TcpConnection) => Effect.Effect<A, E, R>,
    options: ServeOptions = {}
  ): Effect.Effect<never, TcpError.TcpError, Exclude<R, Scope.Scope>> {
    const places = Semaphore.makeUnsafe(options.concurrency ?? Number.POSITIVE_INFINITY)
    // All that these few steps hold, each silent connection holds.
    const handle = (endpoint: TcpConnection.Endpoint) => {
      const scope = Scope.makeUnsafe()
      const connection = TcpConnection.lent(this.stack, endpoint, scope)
      const handled = Effect.suspend(() => Traced.within(this.stack, connection.id, handler(connection)))
      const release = (exit: Exit.Exit<unknown, unknown>) =>
        Effect.andThen(
          Effect.andThen(Scope.close(scope, exit), connection.letGoAfter(exit, this.policy)),
          places.release(1)
        )
      return Effect.catchCause(Effect.onExit(Scope.provide(handled, scope), release), logFailure)
    }
    // Made once, not for each connection: what the operations are made from costs as much as they do.
    const serveAll = (fibers: FiberSet.FiberSet) =>
      Effect.uninterruptibleMask((restore) => {
        const asked = this.stack.askWithin(restore, { _tag: "TcpAccept", listener: this.id, block: true })
        const accepted = Traced.accepting(this.stack, asked)
        const placed = Effect.andThen(
          restore(places.take(1)),
          Effect.onError(TcpError.during("accept")(accepted), () => places.release(1))
        )
        // It starts at once, so nothing can come between the connection and its release.
        const served = Effect.flatMap(placed, (endpoint) => FiberSet.run(fibers, handle(endpoint)))
        return Effect.forever(served, { disableYield: true })
      })
    const serving = Effect.flatMap(FiberSet.make(), serveAll)
    return Effect.scoped(serving) as Effect.Effect<never, TcpError.TcpError, Exclude<R, Scope.Scope>>
  }

  get close(): Effect.Effect<void> {
    return Scope.close(this.scope, Exit.void)
  }
}

/** Hands a listener over to a scope, whose end closes it. */
export const make = (
  stack: Stack,
  listening: Listening,
  version: 4 | 6,
  policy: TcpConnection.ClosePolicy
): Effect.Effect<TcpListener, never, Scope.Scope> =>
  Effect.gen(function*() {
    const scope = yield* Scope.fork(yield* Effect.scope)
    yield* Scope.addFinalizer(
      scope,
      Effect.ignore(stack.ask({ _tag: "TcpCloseListener", listener: listening.listener }))
    )
    return new Listener(stack, listening, version, policy, scope)
  })
