/**
 * UDP for programs (RFC 768).
 *
 * @example
 * ```ts
 * const socket = yield* Udp.bind({ port: 7 })
 * yield* Stream.runForEach(socket.stream, ({ bytes, source }) => socket.send(bytes, source))
 * ```
 */
import * as Effect from "effect/Effect"
import type * as NetAddress from "effect/net/NetAddress"
import type * as Scope from "effect/Scope"
import * as Edge from "../workers/Edge.ts"
import * as Destination from "./Destination.ts"
import * as Endpoint from "./Endpoint.ts"
import { Netstack } from "./Netstack.ts"
import { because, during, type UdpError } from "./UdpError.ts"
import * as UdpSocket from "./UdpSocket.ts"

export { UdpError } from "./UdpError.ts"
export type {
  Datagram,
  JoinOptions,
  Membership,
  Outgoing,
  SendOptions,
  UdpInfo,
  UdpOptions,
  UdpSocket
} from "./UdpSocket.ts"

export interface BindOptions {
  /** Absent or 0 for an ephemeral one (RFC 6056). */
  readonly port?: number
  /** One of the stack's addresses; any of them if absent. */
  readonly address?: NetAddress.IpAddressInput
  /** Takes datagrams over one IP version only; ignored with an `address`. */
  readonly family?: NetAddress.IpFamily
  /** Takes and sends datagrams over one interface only. */
  readonly link?: number
  /** Sharing the port, sending to broadcast addresses, hop limit, traffic class, no fragments. */
  readonly options?: UdpSocket.UdpOptions
}

/**
 * Binds a socket to a port until the scope closes. Fails with `UdpError`, whose reason is `AddressInUse`, `AddressNotAvailable`,
 * `PortsExhausted`, `LimitReached` or `InvalidArgument`.
 */
export const bind: (options?: BindOptions) => Effect.Effect<UdpSocket.UdpSocket, UdpError, Netstack | Scope.Scope> =
  Effect.fn("Udp.bind")(function*(options: BindOptions = {}) {
    const stack = yield* Netstack
    const { address, family } = options
    const version = family === undefined ? undefined : Edge.versionOf(family)
    const request = {
      _tag: "UdpBind",
      local: address === undefined ? undefined : yield* because("bind")(Destination.ip(address)),
      version,
      port: yield* because("bind")(Destination.port(options.port)),
      link: options.link,
      options: options.options ?? {}
    } as const
    return yield* Effect.uninterruptibleMask((restore) =>
      Effect.flatMap(
        during("bind", () => ({ local: Endpoint.asked(request.local, version, request.port) }))(
          stack.askWithin(restore, request)
        ),
        (bound) => UdpSocket.make(stack, bound, version ?? 4)
      )
    )
  })

/** Binds a socket to an ephemeral port and fixes its far side. */
export const connect: (
  to: Destination.Input,
  options?: BindOptions
) => Effect.Effect<UdpSocket.UdpSocket, UdpError, Netstack | Scope.Scope> = Effect.fn("Udp.connect")(
  function*(to: Destination.Input, options: BindOptions = {}) {
    const socket = yield* bind(options)
    yield* socket.connect(to)
    return socket
  }
)
