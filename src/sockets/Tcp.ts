/**
 * TCP for programs (RFC 9293 §3.9.1): connections to far hosts, and listeners for theirs.
 *
 * @example
 * ```ts
 * const echo = Effect.gen(function*() {
 *   const listener = yield* Tcp.listen({ port: 7 })
 *   yield* listener.serve((connection) => Stream.run(connection.stream, connection.sink))
 * })
 * const ask = Effect.scoped(Effect.gen(function*() {
 *   const connection = yield* Tcp.connect("10.0.0.2:7")
 *   yield* connection.write(new TextEncoder().encode("hello"))
 *   yield* connection.end
 *   return yield* connection.readAll
 * }))
 * ```
 */
import * as Effect from "effect/Effect"
import type * as NetAddress from "effect/net/NetAddress"
import type * as Scope from "effect/Scope"
import type { AnswerOf, Request } from "../core/Request.ts"
import * as Edge from "../workers/Edge.ts"
import * as Readings from "../workers/Readings.ts"
import type { Stack } from "../workers/Stack.ts"
import * as Destination from "./Destination.ts"
import * as Endpoint from "./Endpoint.ts"
import * as Failure from "./Failure.ts"
import * as HappyEyeballs from "./HappyEyeballs.ts"
import { Netstack } from "./Netstack.ts"
import * as TcpConnection from "./TcpConnection.ts"
import { at, because, during, TcpError } from "./TcpError.ts"
import * as TcpListener from "./TcpListener.ts"
import * as Traced from "./Traced.ts"

export { TcpError } from "./TcpError.ts"

/** The number of an interface of the stack, as `Network.interfaces` tells it. */
type LinkId = AnswerOf<Extract<Request, { readonly _tag: "AttachLink" }>>

export interface ConnectOptions {
  /** One of the stack's addresses; the best one for the destination if absent (RFC 1122 §4.2.3.7, RFC 6724 §5). */
  readonly localAddress?: NetAddress.IpAddressInput
  /** Absent or 0 for an ephemeral one (RFC 6056). */
  readonly localPort?: number
  /** Binds the connection to one interface. */
  readonly link?: LinkId
  /** How the scope lets the connection go; `"byExit"` if absent. */
  readonly closePolicy?: TcpConnection.ClosePolicy
  /** Knobs that differ from the stack's. */
  readonly options?: Edge.TcpOptions
  /** How the addresses of a name are tried (RFC 8305 §8); nothing of it concerns an address. */
  readonly happyEyeballs?: HappyEyeballs.Options
}

export interface ListenOptions {
  /** Absent or 0 for an ephemeral one. */
  readonly port?: number
  /** One of the stack's addresses; any of them if absent. */
  readonly address?: NetAddress.IpAddressInput
  /** Takes connections over one IP version only; ignored with an `address`. */
  readonly family?: NetAddress.IpFamily
  /** Established connections that may wait to be accepted; 128 if absent. */
  readonly backlog?: number
  /** Takes connections over one interface only. */
  readonly link?: LinkId
  /** How scopes let accepted connections go; `"byExit"` if absent. */
  readonly closePolicy?: TcpConnection.ClosePolicy
  /** Knobs of accepted connections that differ from the stack's. */
  readonly options?: Edge.TcpOptions
}

const defaultBacklog = 128

const connectTo = (
  stack: Stack,
  to: Destination.Destination,
  options: ConnectOptions
): Effect.Effect<TcpConnection.TcpConnection, TcpError, Scope.Scope> =>
  Effect.gen(function*() {
    const { localAddress } = options
    const local = localAddress === undefined ? undefined : yield* because("connect")(Destination.ip(localAddress))
    const localPort = yield* because("connect")(Destination.port(options.localPort))
    const request = {
      _tag: "TcpConnect",
      remote: to.address,
      remotePort: to.port,
      local,
      localPort,
      link: options.link ?? to.link,
      options: Edge.tcpOptionsOf(options.options ?? {}),
      block: true
    } as const
    return yield* Effect.uninterruptibleMask((restore) =>
      Effect.flatMap(
        at({ remote: Endpoint.make(to.address, to.port) })(
          during("connect")(Traced.opening(stack, (ticketed) => stack.askWithin(restore, request, ticketed)))
        ),
        (endpoint) => TcpConnection.make(stack, endpoint, options.closePolicy ?? "byExit")
      )
    )
  })

/** The families of which the stack has an address beyond loopback; rfc: 8305 §3: a look-up for the others would be for nothing. */
const usableFamilies = (all: ReturnType<typeof Readings.interfaces>): ReadonlyArray<HappyEyeballs.Family> => {
  const own = all.flatMap(({ addresses, medium }) =>
    medium === "loopback" ? [] : addresses.map(({ address }) => address)
  )
  const families: ReadonlyArray<HappyEyeballs.Family> = [6, 4]
  const usable = families.filter((family) =>
    own.some((address) => Edge.familyOf(address) === family && !Edge.isLinkLocal(address))
  )
  return usable.length > 0 ? usable : families
}

/** A program that gives an address to come from has said by which family to go. */
const familiesOf = (
  all: ReturnType<typeof Readings.interfaces>,
  local: Destination.Destination["address"] | undefined
): ReadonlyArray<HappyEyeballs.Family> => local === undefined ? usableFamilies(all) : [Edge.familyOf(local)]

const connectByName = (
  stack: Stack,
  { name, port }: Destination.Named,
  options: ConnectOptions
): Effect.Effect<TcpConnection.TcpConnection, TcpError, Scope.Scope> =>
  Effect.gen(function*() {
    const { link, localAddress } = options
    const local = localAddress === undefined ? undefined : yield* because("connect")(Destination.ip(localAddress))
    const reason = new Failure.NameNotResolved({ host: name, detail: "it has no addresses" })
    return yield* HappyEyeballs.connect({
      families: familiesOf(yield* stack.read(Readings.interfaces), local),
      lookUp: (family) => because("connect")(Destination.lookUp(name, family === 6 ? "IPv6" : "IPv4")),
      rank: (destinations) => Effect.orDie(stack.ask({ _tag: "RankDestinations", destinations, link })),
      attempt: (address) => connectTo(stack, { address, port, link: undefined }, options),
      noAddress: new TcpError({ operation: "connect", reason })
    }, options.happyEyeballs)
  })

/**
 * Opens a connection and is done when it is established; the scope closes it.
 *
 * A name is looked up for both families at once, its addresses are sorted (RFC 6724) and tried with the families in turn, each beside
 * those before it after 250 ms; the first that connects is taken and the others are aborted (RFC 8305). When all fail, the last
 * failure counts.
 *
 * Fails with `TcpError`, whose reason is `ConnectionRefused`, `TimedOut`, `Unreachable`, `AddressNotAvailable`, `AddressInUse`,
 * `PortsExhausted`, `NameNotResolved`, `InvalidArgument` or one of `Failure.Any` that tells of the stack itself.
 *
 * @example
 * ```ts
 * const connection = yield* Tcp.connect({ host: "10.0.0.2", port: 80 }, { options: { noDelay: true } })
 * ```
 */
export const connect: (
  to: Destination.Input,
  options?: ConnectOptions
) => Effect.Effect<TcpConnection.TcpConnection, TcpError, Netstack | Scope.Scope> = Effect.fn("Tcp.connect")(
  function*(to: Destination.Input, options: ConnectOptions = {}) {
    const stack = yield* Netstack
    const opened = Effect.flatMap(
      because("connect")(Destination.parse(to, stack)),
      (target) => "name" in target ? connectByName(stack, target, options) : connectTo(stack, target, options)
    )
    const connection = yield* Traced.explained(stack, opened)
    yield* Traced.annotated(stack, () => Traced.ends(connection.local, connection.remote, "client"))
    return connection
  }
)

const listenAt = (
  stack: Stack,
  options: ListenOptions
): Effect.Effect<TcpListener.TcpListener, TcpError, Scope.Scope> =>
  Effect.gen(function*() {
    const { address, family } = options
    const local = address === undefined ? undefined : yield* because("listen")(Destination.ip(address))
    const version = family === undefined ? undefined : Edge.versionOf(family)
    const request = {
      _tag: "TcpListen",
      local,
      version,
      port: yield* because("listen")(Destination.port(options.port)),
      backlog: options.backlog ?? defaultBacklog,
      options: Edge.tcpOptionsOf(options.options ?? {}),
      link: options.link
    } as const
    return yield* Effect.uninterruptibleMask((restore) =>
      Effect.flatMap(
        at({ local: Endpoint.asked(local, version, request.port) })(
          during("listen")(stack.askWithin(restore, request))
        ),
        (listening) => TcpListener.make(stack, listening, version ?? 4, options.closePolicy ?? "byExit")
      )
    )
  })

/**
 * Listens on a port until the scope closes. Fails with `TcpError`, whose reason is `AddressInUse`, `AddressNotAvailable`,
 * `LimitReached` or `InvalidArgument`.
 *
 * @example
 * ```ts
 * const listener = yield* Tcp.listen({ port: 80, backlog: 1024 })
 * const connection = yield* listener.accept
 * ```
 */
export const listen: (
  options?: ListenOptions
) => Effect.Effect<TcpListener.TcpListener, TcpError, Netstack | Scope.Scope> = Effect.fn("Tcp.listen")(
  function*(options: ListenOptions = {}) {
    const stack = yield* Netstack
    const listener = yield* Traced.explained(stack, listenAt(stack, options))
    yield* Traced.annotated(stack, () => Traced.listening(listener.address))
    return listener
  }
)
