/**
 * What programs ask of raw IP: packets of one protocol, as they come, beside the transports.
 */
import type * as Address from "../../wire/Address.ts"
import type { Context } from "../Context.ts"
import type { LinkId } from "../Device.ts"
import { type Answers, noTicket, type Ticket } from "../Request.ts"
import type { Instant } from "../Time.ts"
import * as Raw from "./Raw.ts"
import type { State } from "./State.ts"

/** Opens a socket that gets a copy of every packet of a protocol. */
export interface RawOpen extends Answers<{ readonly socket: number }> {
  readonly _tag: "RawOpen"
  readonly version: Address.Version
  /** See `wire/IpProtocol.ts`. */
  readonly protocol: number
  readonly link: LinkId | undefined
}

/** Sends one packet; the stack makes the IP header. The bytes are copied before the request is done. */
export interface RawSend extends Answers<void> {
  readonly _tag: "RawSend"
  readonly socket: number
  readonly destination: Address.Address
  readonly source: Address.Address | undefined
  readonly bytes: Uint8Array
  readonly hopLimit: number | undefined
  readonly trafficClass: number
  readonly dontFragment: boolean
  /** Fails with `WouldBlock` instead of waiting for room in the link's queue. */
  readonly block: boolean
}

/** Takes packets: at least one, at most `max`. */
export interface RawReceive extends Answers<ReadonlyArray<RawPacket>> {
  readonly _tag: "RawReceive"
  readonly socket: number
  readonly max: number
  readonly block: boolean
}

/** A received packet, whole. `bytes` is the IP packet with its header and belongs to the reader. */
export interface RawPacket {
  readonly bytes: Uint8Array
  /** Where the protocol's part begins. */
  readonly payloadStart: number
  readonly source: Address.Address
  readonly destination: Address.Address
  readonly link: LinkId
  readonly receivedAt: Instant
}

export interface RawClose extends Answers<void> {
  readonly _tag: "RawClose"
  readonly socket: number
}

export type RawRequest = RawOpen | RawSend | RawReceive | RawClose

export const handle = (ctx: Context, state: State, ticket: Ticket, request: RawRequest): void => {
  switch (request._tag) {
    case "RawOpen":
      return Raw.open(ctx, state, ticket, request)
    case "RawSend":
      return Raw.write(ctx, state, ticket, request)
    case "RawReceive":
      return Raw.read(ctx, state, ticket, request)
    case "RawClose":
      return Raw.close(ctx, state, ticket, request.socket)
  }
}

/** A reply found nobody: of all values only received packets and open sockets are worth keeping in order. */
export const returned = (ctx: Context, state: State, request: RawRequest, value: unknown): void => {
  switch (request._tag) {
    case "RawReceive":
      return Raw.returned(ctx, state, request.socket, value as ReadonlyArray<RawPacket>)
    case "RawOpen":
      return Raw.close(ctx, state, noTicket, (value as { readonly socket: number }).socket)
    case "RawSend":
    case "RawClose":
      return
  }
}
