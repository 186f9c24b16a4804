/**
 * Raw IP for programs: packets of one protocol as they come, beside the stack's own transports.
 */
import * as Effect from "effect/Effect"
import type * as NetAddress from "effect/net/NetAddress"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type * as CoreReason from "../core/Reason.ts"
import type { AnswerOf, Request } from "../core/Request.ts"
import * as Edge from "../workers/Edge.ts"
import type { Stack } from "../workers/Stack.ts"
import * as Destination from "./Destination.ts"
import * as Failure from "./Failure.ts"
import { Netstack } from "./Netstack.ts"

export class RawError extends Schema.TaggedError<RawError>()("RawError", {
  operation: Schema.Literals(["open", "send", "receive"]),
  reason: Failure.Any
}) {
  override get message(): string {
    return `${this.operation}: ${this.reason.message}`
  }
}

export interface OpenOptions {
  /** The number of the protocol among IP's: 1 is ICMP, 89 is OSPF. */
  readonly protocol: number
  /** `IPv4` if absent. */
  readonly family?: NetAddress.IpFamily
  /** Takes and sends packets over one interface only. */
  readonly link?: number
}

export interface SendOptions {
  readonly source?: NetAddress.IpAddressInput
  readonly hopLimit?: number
  /** DSCP and ECN. */
  readonly trafficClass?: number
  readonly dontFragment?: boolean
}

/** A received packet, whole. */
export interface RawPacket {
  /** The IP packet with its header; it belongs to the reader. */
  readonly bytes: Uint8Array
  /** Where the protocol's part begins. */
  readonly payloadStart: number
  readonly source: NetAddress.IpAddress
  readonly destination: NetAddress.IpAddress
  readonly link: number
}

export interface RawSocket {
  /** Sends one packet; the stack makes the IP header. The bytes are copied. */
  readonly send: (
    bytes: Uint8Array,
    to: NetAddress.IpAddressInput,
    options?: SendOptions
  ) => Effect.Effect<void, RawError>
  /** Waits for packets: at least one, at most `max` (1 if absent). */
  readonly receive: (max?: number) => Effect.Effect<ReadonlyArray<RawPacket>, RawError>
  /** Packets as they come. */
  readonly stream: Stream.Stream<RawPacket, RawError>
}

type Operation = RawError["operation"]
type CorePacket = AnswerOf<Extract<Request, { readonly _tag: "RawReceive" }>>[number]

/** Packets that a stream takes at once. */
const streamBatch = 64

const during =
  (operation: Operation) => <A, R>(self: Effect.Effect<A, CoreReason.Reason, R>): Effect.Effect<A, RawError, R> =>
    Effect.mapError(self, (reason) => new RawError({ operation, reason: Failure.of(reason) }))

const because =
  (operation: Operation) => <A, R>(self: Effect.Effect<A, Failure.Any, R>): Effect.Effect<A, RawError, R> =>
    Effect.mapError(self, (reason) => new RawError({ operation, reason }))

const packetOf = ({ bytes, destination, link, payloadStart, source }: CorePacket): RawPacket => ({
  bytes,
  payloadStart,
  source: Edge.ipOf(source),
  destination: Edge.ipOf(destination),
  link
})

const send = (stack: Stack, socket: number): RawSocket["send"] => (bytes, to, options = {}) =>
  Effect.gen(function*() {
    const source = options.source === undefined ? undefined : yield* because("send")(Destination.ip(options.source))
    const request = {
      _tag: "RawSend",
      socket,
      destination: yield* because("send")(Destination.ip(to)),
      source,
      bytes,
      hopLimit: options.hopLimit,
      trafficClass: options.trafficClass ?? 0,
      dontFragment: options.dontFragment ?? false,
      block: true
    } as const
    yield* during("send")(stack.ask(request))
  })

const makeSocket = (stack: Stack, socket: number): RawSocket => {
  const receive = (max = 1): Effect.Effect<ReadonlyArray<RawPacket>, RawError> =>
    during("receive")(
      Effect.map(stack.ask({ _tag: "RawReceive", socket, max, block: true }), (packets) => packets.map(packetOf))
    )
  const pull = Effect.map(receive(streamBatch), (packets) => {
    const [first, ...rest] = packets
    return [first!, ...rest] as const
  })
  return { send: send(stack, socket), receive, stream: Stream.fromPull(Effect.succeed(pull)) }
}

/**
 * Opens a socket that gets a copy of every packet of a protocol, until the scope closes. Packets that nobody has received wait
 * in a bounded queue; what finds it full is dropped and counted.
 */
export const open: (options: OpenOptions) => Effect.Effect<RawSocket, RawError, Netstack | Scope.Scope> = Effect.fn(
  "Raw.open"
)(function*(options: OpenOptions) {
  const stack = yield* Netstack
  const { family, link, protocol } = options
  const request = { _tag: "RawOpen", version: Edge.versionOf(family ?? "IPv4"), protocol, link } as const
  const { socket } = yield* Effect.acquireRelease(
    during("open")(stack.ask(request)),
    ({ socket }) => Effect.ignore(stack.ask({ _tag: "RawClose", socket }))
  )
  return makeSocket(stack, socket)
})
