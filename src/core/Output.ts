/**
 * What an event has for a consequence: frames, replies and timers, and two that only tell, notices and drops.
 */
import type { Outgoing } from "../wire/Gather.ts"
import type { LinkId } from "./Device.ts"
import type { Drop } from "./Drop.ts"
import type { Notice } from "./Notice.ts"
import type { Reason } from "./Reason.ts"
import type { Credit, Ticket } from "./Request.ts"
import type { Instant } from "./Time.ts"
import type { TimerId } from "./Timer.ts"

/** A frame to send: a finished header and views of immutable chunks; the link's transmit worker joins, checksums and cuts it. */
export interface Transmit {
  readonly _tag: "Transmit"
  readonly link: LinkId
  readonly packet: Outgoing
  /** Bytes of the frame, for accounts. */
  readonly size: number
  /** Who hears when it has left; `undefined` for packets that nobody waits for. */
  readonly credit: Credit | undefined
}

/** The answer to a request. `reason` is `undefined` when it was met. */
export interface Reply {
  readonly _tag: "Reply"
  readonly ticket: Ticket
  readonly reason: Reason | undefined
  readonly value: unknown
  /** The request goes on, and more answers follow. */
  readonly isPart: boolean
}

/** Asks for an alarm. Alarms can't be taken back: the record that owns the timer knows whether one is stale. */
export interface SetTimer {
  readonly _tag: "SetTimer"
  readonly timer: TimerId
  readonly at: Instant
}

export type Output = Transmit | Reply | SetTimer | Notice | Drop
