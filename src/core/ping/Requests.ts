/**
 * What programs ask of ping: one echo, and what came of it (RFC 792, RFC 4443 §4).
 */
import type * as Address from "../../wire/Address.ts"
import type { Context } from "../Context.ts"
import type { LinkId } from "../Device.ts"
import type { Answers, Ticket } from "../Request.ts"
import type { Span } from "../Time.ts"
import * as Echo from "./Ping.ts"
import type { State } from "./State.ts"

/**
 * Sends one echo request and waits for its answer. Fails with `TimedOut`, or `Unreachable` with the ICMP message that came
 * instead: with a small hop limit that names the router on the way.
 */
export interface Ping extends Answers<Pong> {
  readonly _tag: "Ping"
  readonly destination: Address.Address
  readonly source: Address.Address | undefined
  /** Up to 65,507 bytes over IPv4. */
  readonly payload: Uint8Array
  readonly hopLimit: number | undefined
  readonly dontFragment: boolean
  readonly timeout: Span
  readonly link: LinkId | undefined
}

export interface Pong {
  /** Who answered; another than the destination when that was a group. */
  readonly from: Address.Address
  readonly roundTrip: Span
  /** As the answer arrived: tells how many routers it has passed. */
  readonly hopLimit: number
  /** Bytes of ICMP message: header and payload. */
  readonly bytes: number
  /** The payload came back as it was sent. */
  readonly isIntact: boolean
}

export type PingRequest = Ping

export const handle = (ctx: Context, state: State, ticket: Ticket, request: PingRequest): void => {
  switch (request._tag) {
    case "Ping":
      return Echo.start(ctx, state, ticket, request)
  }
}
