/**
 * How calls show in traces: attributes by OpenTelemetry's semantic conventions for networks, and what ties a call's span to the span
 * of the connection that it makes. Without a probe in the stack (`workers/Probe.ts`) a call is what it would be without this file.
 */
import * as Effect from "effect/Effect"
import * as NetAddress from "effect/net/NetAddress"
import * as Option from "effect/Option"
import type { Stack } from "../workers/Stack.ts"
import type { Endpoint } from "./Endpoint.ts"
import type { TcpError } from "./TcpError.ts"

type Ticketed = NonNullable<Parameters<Stack["askWithin"]>[2]>
type Attributes = Readonly<Record<string, unknown>>

const endpointOf = ({ address, port }: NetAddress.InetAddress): Endpoint => ({
  host: NetAddress.formatIp(address),
  port
})

const ofEnd = (side: "local" | "peer", { host, port }: Endpoint): Attributes => ({
  [`network.${side}.address`]: host,
  [`network.${side}.port`]: port
})

const ofFar = (far: "server" | "client", { host, port }: Endpoint): Attributes => ({
  [`${far}.address`]: host,
  [`${far}.port`]: port
})

const ofType = ({ host }: Endpoint): Attributes => ({
  "network.transport": "tcp",
  "network.type": host.includes(":") ? "ipv6" : "ipv4"
})

/** Of a listener. */
export const listening = (address: NetAddress.InetAddress): Attributes => {
  const local = endpointOf(address)
  return { ...ofType(local), ...ofEnd("local", local) }
}

/** Of a connection, as the one who opened it sees it, or the one who was called. */
export const ends = (
  local: NetAddress.InetAddress,
  peer: NetAddress.InetAddress,
  role: "client" | "server"
): Attributes => {
  const far = endpointOf(peer)
  const farEnd = ofFar(role === "client" ? "server" : "client", far)
  return { ...ofType(far), ...ofEnd("local", endpointOf(local)), ...ofEnd("peer", far), ...farEnd }
}

/** Of a call that came to nothing: where it was to lead, as far as that was found out, and why it did not. */
const failed = ({ local, reason, remote }: TcpError): Attributes => ({
  "network.transport": "tcp",
  "error.type": reason._tag,
  ...(local === undefined ? {} : { ...ofType(local), ...ofEnd("local", local) }),
  ...(remote === undefined ? {} : { ...ofType(remote), ...ofEnd("peer", remote), ...ofFar("server", remote) }),
  ...(reason._tag === "NameNotResolved" ? { "server.address": reason.host } : {})
})

/** The attributes of a call, where somebody looks. */
export const annotated = (stack: Stack, attributes: () => Attributes): Effect.Effect<void> =>
  stack.probe === undefined ? Effect.void : Effect.suspend(() => Effect.annotateCurrentSpan(attributes()))

/** A call whose failure is among the attributes of its span, where somebody looks. */
export const explained = <A, R>(stack: Stack, self: Effect.Effect<A, TcpError, R>): Effect.Effect<A, TcpError, R> =>
  stack.probe === undefined ? self : Effect.tapError(self, (error) => Effect.annotateCurrentSpan(failed(error)))

/** Runs a request that makes a connection, whose span is to be below the one that this runs in. */
export const opening = <A, E, R>(
  { probe }: Stack,
  ask: (ticketed?: Ticketed) => Effect.Effect<A, E, R>
): Effect.Effect<A, E, R> => {
  if (probe === undefined) return ask()
  return Effect.flatMap(Effect.option(Effect.currentParentSpan), (span) => {
    if (Option.isNone(span)) return ask()
    let claimed: Parameters<Ticketed>[0] | undefined
    const asked = ask((ticket) => {
      claimed = ticket
      probe.claim(ticket, span.value)
    })
    return Effect.ensuring(asked, Effect.sync(() => claimed === undefined ? undefined : probe.disclaim(claimed)))
  })
}

/** An accept as a span of its own, linked both ways with that of the connection, whose trace begins with the peer's SYN. */
export const accepting = <A extends { readonly connection: number }, E, R>(
  { probe }: Stack,
  accept: Effect.Effect<A, E, R>
): Effect.Effect<A, E, R> => {
  if (probe === undefined) return accept
  return Effect.useSpan(
    "Tcp.accept",
    { attributes: { "network.transport": "tcp" } },
    (span) =>
      Effect.tap(accept, ({ connection }) =>
        Effect.sync(() => {
          const accepted = probe.spanOf(connection)
          if (accepted === undefined) return
          span.addLinks([{ span: accepted, attributes: {} }])
          accepted.addLinks([{ span, attributes: {} }])
        }))
  )
}

/** What a program does with a connection that it serves is part of the connection's trace. */
export const within = <A, E, R>(
  { probe }: Stack,
  connection: number,
  self: Effect.Effect<A, E, R>
): Effect.Effect<A, E, R> => {
  const span = probe?.spanOf(connection)
  return span === undefined ? self : Effect.withParentSpan(self, span, { captureStackTrace: false }) as typeof self
}
