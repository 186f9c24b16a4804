/**
 * The user timeout option (RFC 5482): each end may tell the other for how long it will keep a connection whose text is not acknowledged, and may go by what it
 * hears.
 *
 *     USER_TIMEOUT = min(U_LIMIT, max(ADV_UTO, REMOTE_UTO, L_LIMIT))        (§3.1)
 *
 *     ADV_UTO   `userTimeoutAdvertised`, else the program's `userTimeout`, else five minutes
 *     limits    `userTimeoutLeast` and `userTimeoutMost`
 *     ENABLED   `userTimeoutOption`              CHANGEABLE   `userTimeoutChangeable`
 *
 * It is advice, sent in the SYN, in the first segment after it, and whenever it changes. Nobody makes sure that it arrives.
 */
import type { Context } from "../Context.ts"
import * as Time from "../Time.ts"
import type { Config } from "./Config.ts"
import type { Connection } from "./Connection.ts"
import * as Rtt from "./Rtt.ts"

export interface UserTimeoutOption {
  /** The next segment tells our timeout. */
  readonly isDue: boolean
  /** USER_TIMEOUT as the peer's advice has made it; 0 while there was none that counted. */
  readonly adopted: Time.Span
}

export const off: UserTimeoutOption = Object.freeze({ isDue: false, adopted: Time.zero })

const due: UserTimeoutOption = Object.freeze({ isDue: true, adopted: Time.zero })

/** Of a new connection (rfc: 5482 §3 SHOULD: the first segment without SYN tells as well). */
export const make = (config: Config): UserTimeoutOption => config.userTimeoutOption ? due : off

/** The default user timeout (RFC 9293 §3.9.1). */
const usual = Time.seconds(300)

/** ADV_UTO, in whole seconds. */
const advertised = (config: Config): number => {
  const { userTimeout, userTimeoutAdvertised } = config
  const span = userTimeoutAdvertised > 0 ? userTimeoutAdvertised : userTimeout > 0 ? userTimeout : usual
  return Math.max(1, Math.ceil(Time.toMillis(span) / 1000))
}

/** What the SYN tells, in seconds; `undefined` for nothing. */
export const ofSyn = (config: Config): number | undefined => config.userTimeoutOption ? advertised(config) : undefined

/** The same of a segment of an open connection. */
export const told = (self: Connection): number | undefined =>
  self.timeoutOption.isDue ? advertised(self.config) : undefined

/** A segment has left. */
export const sent = (self: UserTimeoutOption): UserTimeoutOption =>
  self.isDue ? (self.adopted === 0 ? off : { ...self, isDue: false }) : self

/** rfc: 5482 §3 MUST: a program that has set the timeout keeps it, unless it says otherwise. */
const isChangeable = ({ userTimeout, userTimeoutChangeable }: Config): boolean => {
  switch (userTimeoutChangeable) {
    case "yes":
      return true
    case "no":
      return false
    case "unlessSet":
      return userTimeout === 0
  }
}

/** USER_TIMEOUT of a connection whose peer advises `seconds`; never shorter than the next retransmission waits (rfc: 5482 §3.1 SHOULD MUST). */
const adoptedFrom = (self: Connection, seconds: number): Time.Span => {
  const { config } = self
  const wished = Time.max(Time.seconds(advertised(config)), Time.seconds(seconds))
  const least = Time.max(config.userTimeoutLeast, Rtt.rtoOf(self.rtt, config))
  return Time.min(config.userTimeoutMost, Time.max(wished, least))
}

/** The peer's advice, if a segment has some. What a program has decided itself it is told of instead (rfc: 5482 §3.1 MUST NOT, SHOULD). */
export const heard = (ctx: Context, self: Connection, seconds: number | undefined): Connection => {
  if (seconds === undefined || !self.config.userTimeoutOption) return self
  if (!isChangeable(self.config)) {
    ctx.notice({ _tag: "ConnectionEvent", connection: self.id, event: "userTimeoutAdvised", detail: seconds })
    return self
  }
  const adopted = adoptedFrom(self, seconds)
  return adopted === self.timeoutOption.adopted
    ? self
    : { ...self, timeoutOption: { ...self.timeoutOption, adopted } }
}

/** The knobs have changed from `before`: a new timeout is told at once (rfc: 5482 §3 SHOULD). */
export const changed = (self: Connection, before: Config): Connection => {
  const { config, timeoutOption } = self
  if (!config.userTimeoutOption) return self
  const isDue = timeoutOption.isDue || advertised(config) !== advertised(before)
  const adopted = isChangeable(config) ? timeoutOption.adopted : Time.zero
  return isDue === timeoutOption.isDue && adopted === timeoutOption.adopted
    ? self
    : { ...self, timeoutOption: { isDue, adopted } }
}

/** USER_TIMEOUT; 0 leaves it to the count of retransmissions. */
export const inForce = (self: Connection): Time.Span => self.timeoutOption.adopted || self.config.userTimeout
