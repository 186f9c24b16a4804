/**
 * Which routers a packet passes on its way: probes with growing hop limits, and the errors of those that let them die
 * (RFC 792 "time exceeded", RFC 4443 §3.3).
 *
 * ```
 *   hop limit 1 ─▶ router A ─▶ "hop limit exceeded" from A
 *   hop limit 2 ─────────────▶ router B ─▶ the same from B
 *   hop limit 3 ──────────────────────────▶ destination ─▶ "port unreachable", or an echo reply
 * ```
 *
 * @example
 * ```ts
 * yield* Stream.runForEach(Traceroute.trace("192.0.2.1"), (hop) => Console.log(hop))
 * ```
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as NetAddress from "effect/net/NetAddress"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import type * as Failure from "../sockets/Failure.ts"
import type { Netstack } from "../sockets/Netstack.ts"
import * as Ping from "../sockets/Ping.ts"
import * as Udp from "../sockets/Udp.ts"

export interface Options {
  /** What is sent: datagrams to ports where nobody is (the default), or echo requests. */
  readonly probe?: "udp" | "icmp"
  /** The first port of datagrams, counted up with each probe; 33434 if absent. */
  readonly port?: number
  /** Hops after which to give up; 30 if absent. */
  readonly maximumHops?: number
  /** Probes of each hop; 3 if absent. */
  readonly probes?: number
  /** How long an answer may take; 1 second if absent. */
  readonly timeout?: Duration.Input
  /** Bytes of payload; 32 if absent. */
  readonly size?: number
}

/** What came of one probe. */
export type Answer =
  | { readonly _tag: "Silence" }
  /** A router on the way, or the destination. */
  | {
    readonly _tag: "Heard"
    readonly from: NetAddress.IpAddress
    readonly roundTrip: Duration.Duration
    readonly isDestination: boolean
  }
  /** A router, or this host itself, says why it goes no further. */
  | { readonly _tag: "Refused"; readonly from: NetAddress.IpAddress | undefined; readonly reason: string }

export interface Hop {
  readonly hopLimit: number
  readonly answers: ReadonlyArray<Answer>
}

export const defaultPort = 33_434
export const defaultMaximumHops = 30
export const defaultProbes = 3
export const defaultTimeout = Duration.seconds(1)
export const defaultSize = 32

const silence: Answer = { _tag: "Silence" }

/** What a reason that is no answer of a router's says of the probe. */
const answerOf = (reason: Failure.Any, roundTrip: Duration.Duration): Answer => {
  if (reason._tag === "TimedOut") return silence
  if (reason._tag !== "Unreachable") return { _tag: "Refused", from: undefined, reason: reason.message }
  const { icmp, what } = reason
  if (icmp === undefined) return { _tag: "Refused", from: undefined, reason: reason.message }
  if (what === "hopLimit") return { _tag: "Heard", from: icmp.from, roundTrip, isDestination: false }
  return { _tag: "Refused", from: icmp.from, reason: reason.message }
}

/** Runs a probe, and tells how long it took. Its value is who answered as the destination; none if nobody did in time. */
const timed = <E extends { readonly reason: Failure.Any }, R>(
  probe: Effect.Effect<Option.Option<NetAddress.IpAddress>, E, R>,
  destination: NetAddress.IpAddress
): Effect.Effect<Answer, never, R> =>
  Effect.gen(function*() {
    const clock = yield* Clock.clockWith(Effect.succeed)
    const begin = clock.monotonicTimeNanosUnsafe()
    const since = () => Duration.nanos(clock.monotonicTimeNanosUnsafe() - begin)
    const arrived = (from: NetAddress.IpAddress): Answer => ({
      _tag: "Heard",
      from,
      roundTrip: since(),
      isDestination: true
    })
    return yield* Effect.match(probe, {
      onSuccess: Option.match({ onNone: () => silence, onSome: arrived }),
      // rfc: 1122 §3.2.2.1: the port is unreachable because the packet has reached its host
      onFailure: ({ reason }) => reason._tag === "ConnectionRefused" ? arrived(destination) : answerOf(reason, since())
    })
  })

const byPing = (destination: NetAddress.IpAddress, hopLimit: number, options: Options) => {
  const payload = new Uint8Array(options.size ?? defaultSize)
  const ping = Ping.ping(destination, { hopLimit, payload, timeout: options.timeout ?? defaultTimeout })
  return timed(Effect.map(ping, ({ from }) => Option.some(from)), destination)
}

/** A datagram of a socket of its own, so that what comes back is about this probe. Nobody answers but by an error. */
const byDatagram = (destination: NetAddress.IpAddress, hopLimit: number, port: number, options: Options) => {
  const ask = Effect.gen(function*() {
    const socket = yield* Udp.bind({ family: NetAddress.isIpv4Address(destination) ? "IPv4" : "IPv6" })
    yield* socket.setOptions({ hopLimit })
    yield* socket.connect(NetAddress.inetAddressUnsafe(destination, port))
    yield* socket.send(new Uint8Array(options.size ?? defaultSize))
    const answer = yield* Effect.timeoutOption(socket.receive, options.timeout ?? defaultTimeout)
    return Option.map(answer, ({ source }) => source.address)
  })
  return timed(Effect.scoped(ask), destination)
}

const isEnd = ({ answers }: Hop): boolean =>
  answers.some((answer) => answer._tag === "Refused" || (answer._tag === "Heard" && answer.isDestination))

/** The hops in order, ending with the destination, with a refusal, or after the longest way. */
export const trace = (
  destination: NetAddress.IpAddress,
  options: Options = {}
): Stream.Stream<Hop, never, Netstack> => {
  const probes = options.probes ?? defaultProbes
  const hop = (hopLimit: number): Effect.Effect<Hop, never, Netstack> =>
    Effect.map(
      Effect.forEach(Array.from({ length: probes }, (_, index) => index), (index) => {
        if (options.probe === "icmp") return byPing(destination, hopLimit, options)
        const port = (options.port ?? defaultPort) + (hopLimit - 1) * probes + index
        return byDatagram(destination, hopLimit, port, options)
      }),
      (answers) => ({ hopLimit, answers })
    )
  return Stream.range(1, options.maximumHops ?? defaultMaximumHops).pipe(
    Stream.mapEffect(hop),
    Stream.takeUntil(isEnd)
  )
}
