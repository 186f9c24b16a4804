/**
 * Timers as data. A deadline is a field of the record that owns it; the shell's heap only holds alarms that may be stale.
 *
 * The one guard against stale alarms is here, shared by every protocol: {@link arm} asks for an alarm only if none that is
 * outstanding comes early enough, and {@link fired} asks for another when one rings before the deadline. So re-arming for a later time, which
 * TCP does with every ACK, writes a field and nothing else. To cancel, set the deadline to `never`.
 */
import type { Context } from "./Context.ts"
import * as Time from "./Time.ts"

/** Which protocol's handler an alarm belongs to, and whose: the key is the record's id in that protocol's table. */
export interface TimerId {
  readonly _tag: Owner
  readonly key: number
}

/** The handlers of `core/Protocols.ts` that take alarms. */
export type Owner =
  | "Tcp"
  | "Neighbor"
  | "Address"
  | "Detection"
  | "Autoconfiguration"
  | "Advertising"
  | "ListenerDiscovery"
  | "GroupMembership"
  | "Reassembly"
  | "Ping"

export interface Armed {
  readonly deadline: Time.Instant
  /** The earliest alarm that the shell holds for this timer; `never` if none. */
  readonly alarm: Time.Instant
}

export const idle: Armed = Object.freeze({ deadline: Time.never, alarm: Time.never })

/**
 * No alarm is set further ahead: a later deadline is looked at again on the way. So the alarm of a record that is gone waits no
 * longer than this in the shell's heap, and whoever opens and closes connections with far deadlines (keep-alive: 2 h) can't fill it.
 */
export const horizon = Time.seconds(60)

/** Moves the deadline. Emits `SetTimer` only when no outstanding alarm is due by then. */
export const arm = (ctx: Context, id: TimerId, self: Armed, deadline: Time.Instant): Armed => {
  if (deadline === self.deadline) return self
  const alarm = Time.earliest(deadline, Time.plus(ctx.at, horizon))
  if (alarm >= self.alarm || deadline === Time.never) return { deadline, alarm: self.alarm }
  ctx.setTimer(id, alarm)
  return { deadline, alarm }
}

/**
 * An alarm rang: tells whether the deadline has come. If it has, the deadline is cleared; if not, another alarm is asked for.
 * `due` is the time for which the ringing alarm was set.
 */
export const fired = (
  ctx: Context,
  id: TimerId,
  self: Armed,
  due: Time.Instant
): { readonly armed: Armed; readonly isDue: boolean } => {
  const alarm = due >= self.alarm ? Time.never : self.alarm
  const quiet = alarm === Time.never ? idle : { deadline: Time.never, alarm }
  if (self.deadline <= ctx.at) return { armed: quiet, isDue: true }
  return { armed: arm(ctx, id, quiet, self.deadline), isDue: false }
}
