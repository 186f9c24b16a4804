/**
 * A small network service: what it does with a connection, and with a datagram.
 */
import * as Effect from "effect/Effect"
import * as NetAddress from "effect/net/NetAddress"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { Netstack } from "../sockets/Netstack.ts"
import * as Tcp from "../sockets/Tcp.ts"
import type { TcpConnection } from "../sockets/TcpConnection.ts"
import * as Udp from "../sockets/Udp.ts"
import { InputError } from "./ByteReader.ts"

export interface Service {
  readonly name: string
  /** Handles one connection; the connection is closed when it is done. */
  readonly connection: (connection: TcpConnection) => Effect.Effect<void, unknown, Netstack>
  /** The answer to one datagram, if there is one; absent for services over TCP only. */
  readonly datagram?: (bytes: Uint8Array) => Effect.Effect<Uint8Array | undefined>
}

/** Ports of services that answer whatever they get: answering each other they would never end (RFC 862, 864, 867, 865). */
const answeringPorts: ReadonlySet<number> = new Set([7, 13, 17, 19])

/** Connections of one service at once: as many as one client can have to its port. */
export const concurrency = 65_536

const answerDatagrams = (
  socket: Udp.UdpSocket,
  answer: NonNullable<Service["datagram"]>
): Effect.Effect<void, Udp.UdpError> =>
  Stream.runForEach(socket.stream, ({ bytes, destination, source }) =>
    Effect.gen(function*() {
      if (answeringPorts.has(source.port)) return
      const reply = yield* answer(bytes)
      // A client that is gone, or can't be reached, is no reason to end the service.
      if (reply !== undefined) yield* Effect.ignore(socket.send(reply, source, { source: destination }))
    }))

/** A peer that leaves early, or sends too much, is news about the peer: its connection is reset, and no error of the program. */
const handlerOf = (service: Service) => (connection: TcpConnection): Effect.Effect<void, unknown, Netstack> =>
  Effect.catchIf(
    service.connection(connection),
    (error): error is InputError => error instanceof InputError,
    (error) => {
      const peer = NetAddress.formatInet(connection.remote)
      return Effect.andThen(Effect.logDebug(`${service.name}: ${peer}: ${error.message}`), connection.abort)
    }
  )

/**
 * Runs a service on a port, over TCP and over UDP if it has that, until it is interrupted. `announce` runs once, when whoever
 * comes is served.
 */
export const serve = (
  service: Service,
  port: number,
  announce: Effect.Effect<void> = Effect.void
): Effect.Effect<never, Tcp.TcpError | Udp.UdpError, Netstack | Scope.Scope> =>
  Effect.gen(function*() {
    const listener = yield* Tcp.listen({ port })
    const overTcp = listener.serve(handlerOf(service), { concurrency })
    if (service.datagram === undefined) return yield* Effect.andThen(announce, overTcp)
    const socket = yield* Udp.bind({ port })
    yield* announce
    return yield* Effect.raceFirst(overTcp, Effect.andThen(answerDatagrams(socket, service.datagram), Effect.never))
  })
