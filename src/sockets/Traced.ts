/**
 * How calls show in traces: attributes by OpenTelemetry's semantic conventions for networks, and what ties a call's span to the span
 * of the connection that it makes. Without a probe in the stack (`workers/Probe.ts`) a call is what it would be without this file.
 */
import * as Effect from "effect/Effect"
import * as NetAddress from "effect/net/NetAddress"
import * as Option from "effect/Option"
import type { Stack } from "../workers/Stack.ts"

type Ticketed = NonNullable<Parameters<Stack["askWithin"]>[2]>
type Attributes = Readonly<Record<string, unknown>>

const ofEnd = (side: "local" | "peer", { address, port }: NetAddress.InetAddress): Attributes => ({
  [`network.${side}.address`]: NetAddress.formatIp(address),
  [`network.${side}.port`]: port
})

const ofType = ({ address }: NetAddress.InetAddress): Attributes => ({
  "network.transport": "tcp",
  "network.type": NetAddress.isIpv4Address(address) ? "ipv4" : "ipv6"
})

/** Of a listener. */
export const listening = (local: NetAddress.InetAddress): Attributes => ({
  ...ofType(local),
  ...ofEnd("local", local)
})

/** Of a connection, as the one who opened it sees it, or the one who was called. */
export const ends = (
  local: NetAddress.InetAddress,
  peer: NetAddress.InetAddress,
  role: "client" | "server"
): Attributes => {
  const far = role === "client" ? "server" : "client"
  const farEnd = { [`${far}.address`]: NetAddress.formatIp(peer.address), [`${far}.port`]: peer.port }
  return { ...ofType(peer), ...ofEnd("local", local), ...ofEnd("peer", peer), ...farEnd }
}

/** The attributes of a call, where somebody looks. */
export const annotated = (stack: Stack, attributes: () => Attributes): Effect.Effect<void> =>
  stack.probe === undefined ? Effect.void : Effect.suspend(() => Effect.annotateCurrentSpan(attributes()))

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
