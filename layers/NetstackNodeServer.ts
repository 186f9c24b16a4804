/**
 * Lets a server of Node listen on the stack: `net`, `http`, `https`, `http2` and `tls` servers alike. The server stays what it is;
 * only where its connections come from changes.
 *
 * ```
 *   listen ──▶ Tcp.listen ──▶ "listening"       each connection ──▶ NodeDuplex ──▶ "connection"
 *   close  ──▶ no more connections ──▶ the open ones end ──▶ "close"
 * ```
 *
 * @example
 * ```ts
 * const server = yield* NetstackNodeServer.attach(http.createServer((request, response) => response.end("hello")))
 * server.listen(80)
 * ```
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import type * as Http from "node:http"
import type * as Net from "node:net"
import type { Netstack } from "../src/sockets/Netstack.ts"
import * as Tcp from "../src/sockets/Tcp.ts"
import type { TcpConnection } from "../src/sockets/TcpConnection.ts"
import type { TcpListener } from "../src/sockets/TcpListener.ts"
import * as EventLoop from "../src/workers/EventLoop.ts"
import * as NodeDuplex from "./NodeDuplex.ts"
import * as SystemError from "./SystemError.ts"

const http = process.getBuiltinModule("node:http")
const https = process.getBuiltinModule("node:https")

/** What `listen` is not told: how the stack listens. Small responses leave at once (`noDelay`) unless it says otherwise. */
export type Options = Omit<Tcp.ListenOptions, "port" | "address" | "backlog" | "closePolicy">

/** What `listen` is told. */
interface Place {
  readonly port: number
  readonly host: string | undefined
  readonly backlog: number | undefined
}

type Fork = <A, E>(effect: Effect.Effect<A, E>) => Fiber.Fiber<A, E>

/** Parts of Node's servers that only some of them have, or that their types leave out. */
interface Particulars {
  readonly allowHalfOpen?: boolean
  readonly closeIdleConnections?: () => void
  readonly closeAllConnections?: () => void
}

/** `listen(port, host, backlog)` and `listen({ port, host, backlog })`, any of them absent. */
const placeOf = (args: ReadonlyArray<unknown>): Place => {
  const [first, ...rest] = args
  if (typeof first === "object" && first !== null) {
    const { backlog, host, port } = first as { port?: number; host?: string; backlog?: number }
    return { port: Number(port ?? 0), host, backlog }
  }
  return {
    port: Number(first ?? 0),
    host: rest.find((value): value is string => typeof value === "string"),
    backlog: rest.find((value): value is number => typeof value === "number")
  }
}

/** The connections below the streams that servers were given. */
const connections = new WeakMap<object, TcpConnection>()

/** The stream below one of node:tls, which wraps a stream that has no handle; undocumented, so it may be missing. */
interface Wrapped {
  readonly _handle?: { readonly _parentWrap?: { readonly stream?: object } } | null
}

/** The stack's connection that a server's socket stands on, by itself or below TLS, as far as it can be told. */
export const connectionOf = (socket: object): TcpConnection | undefined => {
  const { _handle: handle } = socket as Wrapped
  const { _parentWrap: wrap } = handle ?? {}
  const below = wrap?.stream
  return connections.get(socket) ?? (below === undefined ? undefined : connections.get(below))
}

const alreadyListening = (): Error =>
  Object.assign(new Error("Listen method has been called more than once without closing."), {
    code: "ERR_SERVER_ALREADY_LISTEN"
  })

/** In place of a server's handle: its listener, and the connections that came in by it. */
class Desk {
  private readonly server: Net.Server & Particulars
  private readonly options: Options
  private readonly owner: Scope.Scope
  private readonly fork: Fork
  private readonly context: Context.Context<Netstack>
  /** Node's own, for what else it does. */
  private readonly closeServer: Net.Server["close"]
  private readonly connections: Set<NodeDuplex.NodeDuplex> = new Set()
  private listening: Fiber.Fiber<unknown, unknown> | undefined
  private listener: TcpListener | undefined
  private isClosing = false

  constructor(server: Net.Server, options: Options, context: Context.Context<Netstack | Scope.Scope>) {
    this.server = server
    this.options = options
    this.owner = Context.get(context, Scope.Scope)
    this.fork = Effect.runForkWith(context)
    this.context = context
    this.closeServer = server.close.bind(server)
  }

  get isListening(): boolean {
    return this.listening !== undefined
  }

  get address(): NodeDuplex.AddressInfo | null {
    if (this.listener === undefined) return null
    const { host, port } = SystemError.peerOf(this.listener.address)
    return { address: host, port, family: host.includes(":") ? "IPv6" : "IPv4" }
  }

  listen(args: ReadonlyArray<unknown>): void {
    if (this.isListening) throw alreadyListening()
    const callback = args.at(-1)
    if (typeof callback === "function") this.server.once("listening", callback as () => void)
    this.isClosing = false
    const fiber = this.fork(Effect.provideContext(this.serve(placeOf(args)), this.context))
    this.listening = fiber
    fiber.addObserver((exit) => {
      this.listening = undefined
      this.listener = undefined
      if (Exit.isFailure(exit) && !Cause.hasInterruptsOnly(exit.cause)) this.fail(exit.cause)
    })
  }

  private fail(cause: Cause.Cause<Tcp.TcpError>): void {
    const error = Cause.squash(cause)
    const told = error instanceof Tcp.TcpError ? SystemError.of(error) : error
    const isStackGone = error instanceof Tcp.TcpError && error.reason._tag === "StackClosed"
    process.nextTick(() => {
      // A stack that ends before its server ends the server too; it need not end the process, as an error that nobody hears would.
      if (!isStackGone || this.server.listenerCount("error") > 0) this.server.emit("error", told)
      if (!isStackGone) return
      this.isClosing = true
      this.closeIfDrained()
    })
  }

  private serve(place: Place): Effect.Effect<never, Tcp.TcpError, Netstack> {
    const { backlog, host, port } = place
    return Effect.scoped(Effect.gen({ self: this }, function*() {
      const listener = yield* Tcp.listen({
        ...this.options,
        port,
        ...(host === undefined ? {} : { address: host }),
        ...(backlog === undefined ? {} : { backlog }),
        options: { noDelay: true, ...this.options.options }
      })
      this.listener = listener
      // A server that is closed by then would start what nobody ends any more: node:http looks for silent connections from here on.
      process.nextTick(() => {
        if (this.listener === listener) this.server.emit("listening")
      })
      while (true) yield* this.accept(listener)
    }))
  }

  private accept(listener: TcpListener): Effect.Effect<void, Tcp.TcpError> {
    return Effect.uninterruptibleMask((restore) =>
      Effect.gen({ self: this }, function*() {
        const scope = yield* Scope.fork(this.owner)
        const accepted = restore(Scope.provide(listener.accept, scope))
        const connection = yield* Effect.onError(accepted, (cause) => Scope.close(scope, Exit.failCause(cause)))
        yield* Scope.provide(this.admit(connection, scope), scope)
      })
    )
  }

  /** Hands a connection to the server, on a turn of its own, so that what throws there is the server's affair. */
  private admit(connection: TcpConnection, scope: Scope.Closeable): Effect.Effect<void, never, Scope.Scope> {
    const allowHalfOpen = this.server.allowHalfOpen ?? false
    // As the kernel closes: an answer that was written before an error still arrives.
    return Effect.map(NodeDuplex.make(connection, { allowHalfOpen, closePolicy: "orderly" }), (duplex) => {
      this.connections.add(duplex)
      connections.set(duplex, connection)
      duplex.once("close", () => {
        this.connections.delete(duplex)
        this.fork(Scope.close(scope, Exit.void))
        this.closeIfDrained()
      })
      const { maxConnections } = this.server
      const isTooMany = maxConnections > 0 && this.connections.size > maxConnections
      process.nextTick(() => {
        if (!isTooMany) return void this.server.emit("connection", duplex as unknown as Net.Socket)
        duplex.destroy()
        this.server.emit("drop", { ...duplex.address() })
      })
    })
  }

  close(callback: ((error?: Error) => void) | undefined): void {
    const { listening } = this
    // Node's way to say that it does not run.
    if (listening === undefined) return void this.closeServer(callback)
    if (callback !== undefined) this.server.once("close", callback)
    this.isClosing = true
    listening.interruptUnsafe()
    this.closeIdle()
    this.closeIfDrained()
  }

  /** Node tells which are idle, but by their places in memory: they end in the order in which they came, so that a test's runs are alike. */
  private closeIdle(): void {
    const idle = new Set<NodeDuplex.NodeDuplex>()
    for (const duplex of this.connections) {
      duplex.destroy = () => {
        idle.add(duplex)
        return duplex
      }
    }
    this.server.closeIdleConnections?.()
    for (const duplex of this.connections) {
      delete (duplex as Partial<Pick<NodeDuplex.NodeDuplex, "destroy">>).destroy
    }
    for (const duplex of Array.from(this.connections)) if (idle.has(duplex)) duplex.destroy()
  }

  private closeIfDrained(): void {
    if (!this.isClosing || this.connections.size > 0) return
    this.isClosing = false
    this.closeServer()
  }

  get connectionCount(): number {
    return this.connections.size
  }

  /** What the scope's end does to a server that is still open. */
  readonly end: Effect.Effect<void> = Effect.callback((resume) => {
    if (!this.isListening && !this.isClosing) return resume(Effect.void)
    this.server.once("close", () => resume(Effect.void))
    if (this.isListening) this.close(undefined)
    for (const duplex of this.connections) duplex.destroy()
  })
}

const liveClock = Context.get(Context.empty(), Clock.Clock)

/** Answers are dated by the program's clock, where that is not the machine's: Node would take the wall's. */
const dateAnswers = (server: Net.Server, clock: Clock.Clock): void => {
  if (clock === liveClock || !(server instanceof http.Server || server instanceof https.Server)) return
  server.prependListener("request", (_: Http.IncomingMessage, response: Http.ServerResponse) => {
    if (response.sendDate) response.setHeader("date", new Date(clock.currentTimeMillisUnsafe()).toUTCString())
  })
}

/** Makes a server listen on the stack from now on; the scope closes the server and its connections. */
export const attach = <S extends Net.Server>(
  server: S,
  options: Options = {}
): Effect.Effect<S, never, Netstack | Scope.Scope> =>
  Effect.gen(function*() {
    yield* EventLoop.join
    const desk = new Desk(server, options, yield* Effect.context<Netstack | Scope.Scope>())
    dateAnswers(server, yield* Clock.Clock)
    Object.defineProperties(server, {
      listening: { get: () => desk.isListening, configurable: true },
      address: { value: () => desk.address, configurable: true },
      listen: {
        value: (...args: ReadonlyArray<unknown>) => {
          desk.listen(args)
          return server
        },
        configurable: true
      },
      close: {
        value: (callback?: (error?: Error) => void) => {
          desk.close(callback)
          return server
        },
        configurable: true
      },
      getConnections: {
        value: (callback: (error: Error | null, count: number) => void) => {
          process.nextTick(callback, null, desk.connectionCount)
          return server
        },
        configurable: true
      }
    })
    yield* Effect.addFinalizer(() => desk.end)
    return server
  })
