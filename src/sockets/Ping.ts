/**
 * ICMP echo for programs (RFC 792, RFC 4443 §4): whether a host answers, and how fast.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as NetAddress from "effect/net/NetAddress"
import * as Schema from "effect/Schema"
import type * as CoreReason from "../core/Reason.ts"
import * as Edge from "../workers/Edge.ts"
import * as Destination from "./Destination.ts"
import * as Failure from "./Failure.ts"
import { Netstack } from "./Netstack.ts"

/** No answer came: in time (`TimedOut`), or another message came instead (`Unreachable`, with its sender in `icmp.from`). */
export class PingError extends Schema.TaggedError<PingError>()("PingError", { reason: Failure.Any }) {
  override get message(): string {
    return this.reason.message
  }
}

export interface Options {
  /** What to send and get back; 56 bytes of a pattern if absent. At most 65,507 over IPv4. */
  readonly payload?: Uint8Array
  /** Routers that it may pass, counting the last hop; the stack's if absent. */
  readonly hopLimit?: number
  /** Fails with `MessageTooLarge` instead of going in fragments. */
  readonly dontFragment?: boolean
  /** 1 second if absent. */
  readonly timeout?: Duration.Input
  /** One of the stack's addresses to send from. */
  readonly source?: NetAddress.IpAddressInput
  /** Sends over this interface. */
  readonly link?: number
}

/** An answer. */
export interface Pong {
  /** Who answered. */
  readonly from: NetAddress.IpAddress
  readonly roundTrip: Duration.Duration
  /** As the answer arrived. */
  readonly hopLimit: number
  /** Bytes of ICMP message: header and payload. */
  readonly bytes: number
  /** The payload came back as it was sent. */
  readonly isIntact: boolean
}

/** What is sent unless a program has something else: as many bytes as `ping` sends, each its own index. */
const usualPayload = Uint8Array.from({ length: 56 }, (_, i) => i)

const during = <A, R>(self: Effect.Effect<A, CoreReason.Reason, R>): Effect.Effect<A, PingError, R> =>
  Effect.mapError(self, (reason) => new PingError({ reason: Failure.of(reason) }))

const because = <A, R>(self: Effect.Effect<A, Failure.Any, R>): Effect.Effect<A, PingError, R> =>
  Effect.mapError(self, (reason) => new PingError({ reason }))

/**
 * Sends one echo request and waits for its answer.
 *
 * @example
 * ```ts
 * const { roundTrip } = yield* Ping.ping("10.0.0.1")
 * const router = Ping.ping("192.0.2.1", { hopLimit: 1 }).pipe(
 *   Effect.catchReason("PingError", "Unreachable", ({ icmp }) => Effect.succeed(icmp?.from))
 * )
 * ```
 */
export const ping: (
  destination: NetAddress.IpAddressInput,
  options?: Options
) => Effect.Effect<Pong, PingError, Netstack> = Effect.fn("Ping.ping")(
  function*(destination: NetAddress.IpAddressInput, options: Options = {}) {
    const stack = yield* Netstack
    const { address, link } = yield* because(Destination.ipWithZone(destination, stack))
    const request = {
      _tag: "Ping",
      destination: address,
      source: options.source === undefined ? undefined : yield* because(Destination.ip(options.source)),
      payload: options.payload ?? usualPayload,
      hopLimit: options.hopLimit,
      dontFragment: options.dontFragment ?? false,
      timeout: Edge.spanOf(options.timeout ?? Duration.seconds(1)),
      link: options.link ?? link
    } as const
    const pong = yield* during(stack.ask(request))
    return { ...pong, from: Edge.ipOf(pong.from), roundTrip: Edge.durationOf(pong.roundTrip) }
  }
)
