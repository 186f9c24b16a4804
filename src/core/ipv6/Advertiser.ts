/**
 * When a router advertises itself on a link (RFC 4861 §6.2.2 to §6.2.6): from time to time, when it is asked, and at the end.
 *
 *     Start ─▶ Advertise ─16 s at most─▶ Advertise ─▶ Advertise ─ minimum to maximum interval ─▶ Advertise …
 *     Solicited ─ 0 to 0.5 s, and 3 s after the last one to all nodes ─▶ Advertise
 *     Stop ─▶ Advertise(isLast) ─3 s─▶ Advertise(isLast) ─3 s─▶ Advertise(isLast)
 *
 * A leaf machine; what is said is `Advertisement.ts`'s.
 */
import * as Address from "../../wire/Address.ts"
import * as Time from "../Time.ts"

/** A host that gets an advertisement of its own. */
interface Pending {
  readonly to: Address.Ipv6
  readonly at: Time.Instant
}

export interface Advertiser {
  readonly phase: "silent" | "advertising" | "ceasing"
  /** Advertisements that still follow each other quickly, or the last ones that are still to come. */
  readonly left: number
  /** When the next one goes to all nodes of itself. */
  readonly next: Time.Instant
  /** When one goes to all nodes because somebody asked; `never` if nobody did. */
  readonly solicitedAt: Time.Instant
  /** Those that go to one host, soonest first. */
  readonly pending: ReadonlyArray<Pending>
  /** When the last one went to all nodes; `undefined` if none did. */
  readonly lastAt: Time.Instant | undefined
  readonly draws: number
  readonly deadline: Time.Instant
}

export type Input =
  /** The interface advertises from now on: join the group of all routers (RFC 4861 §6.2.2). */
  | { readonly _tag: "Start" }
  /** It ceases to: leave that group (RFC 4861 §6.2.5). */
  | { readonly _tag: "Stop" }
  /**
   * The interface is about to go, and the host with it, perhaps: there is time for one last word. It does not wait for the interval that
   * RFC 4861 §6.2.6 asks for, since hosts that hear nothing would use a router that is gone for half an hour.
   */
  | { readonly _tag: "Leave" }
  /** The interface went down; nothing can be said. */
  | { readonly _tag: "Disable" }
  /** What is advertised has changed (RFC 4861 §6.2.4). */
  | { readonly _tag: "Changed" }
  /** A valid router solicitation came from this address, or from the unspecified one. */
  | { readonly _tag: "Solicited"; readonly from: Address.Ipv6 }
  | { readonly _tag: "Alarm" }

/** Send the advertisement, to all nodes or to one; `isLast` with a router lifetime of zero. */
export interface Action {
  readonly _tag: "Advertise"
  readonly to: Address.Ipv6 | "allNodes"
  readonly isLast: boolean
}

export type Outcome = readonly [Advertiser, ReadonlyArray<Action>]

export interface Settings {
  readonly maximumInterval: Time.Span
  readonly minimumInterval: Time.Span
  /** Answer a host alone where it told its address (RFC 7772 §5.1, RFC 4861 §6.2.6 MAY); otherwise all nodes get to hear the answer. */
  readonly answersAlone: boolean
  readonly limits: { readonly solicitedAdvertisements: number }
  /** A number in [0, 1) that nobody can guess, different for every `draw`. */
  readonly fraction: (draw: number) => number
}

/** RFC 4861 §10 */
const initialAdvertisements = 3
const initialInterval = Time.seconds(16)
const finalAdvertisements = 3
const minimumDelay = Time.seconds(3)
const maximumAnswerDelay = Time.millis(500)

const nothing: ReadonlyArray<Action> = Object.freeze([])

export const silent: Advertiser = Object.freeze({
  phase: "silent",
  left: 0,
  next: Time.never,
  solicitedAt: Time.never,
  pending: Object.freeze([]),
  lastAt: undefined,
  draws: 0,
  deadline: Time.never
})

const timed = (self: Advertiser): Advertiser => ({
  ...self,
  deadline: Time.earliest(Time.earliest(self.next, self.solicitedAt), self.pending[0]?.at ?? Time.never)
})

/** rfc: 4861 §6.2.6 MUST: the first time at which all nodes may be told again. */
const allowedAt = (self: Advertiser, at: Time.Instant): Time.Instant =>
  self.lastAt === undefined ? at : Time.latest(at, Time.plus(self.lastAt, minimumDelay))

/** Without anything to say, but with the memory of when it last said something. */
const quiet = (self: Advertiser): Advertiser => ({ ...silent, lastAt: self.lastAt, draws: self.draws })

export const step = (self: Advertiser, input: Input, at: Time.Instant, settings: Settings): Outcome => {
  switch (input._tag) {
    case "Start":
      return self.phase === "advertising" ? [self, nothing] : onAlarm(begin(self, at), at, settings)
    case "Changed":
      // rfc: 4861 §6.2.4 MAY: what has changed is told as quickly as what is new
      return self.phase === "advertising" ? onAlarm(begin(self, at), at, settings) : [self, nothing]
    case "Stop": {
      if (self.phase !== "advertising") return [self, nothing]
      const next = allowedAt(self, at)
      return onAlarm({ ...quiet(self), phase: "ceasing", left: finalAdvertisements, next }, at, settings)
    }
    case "Leave":
      return self.phase === "silent"
        ? [self, nothing]
        : [quiet(self), [{ _tag: "Advertise", to: "allNodes", isLast: true }]]
    case "Disable":
      return [quiet(self), nothing]
    case "Solicited":
      return self.phase === "advertising"
        ? [timed(onSolicited(self, input.from, at, settings)), nothing]
        : [self, nothing]
    case "Alarm":
      return onAlarm(self, at, settings)
  }
}

const begin = (self: Advertiser, at: Time.Instant): Advertiser => ({
  ...self,
  phase: "advertising",
  left: initialAdvertisements,
  next: allowedAt(self, at),
  // Whoever waits for an answer hears this.
  solicitedAt: Time.never
})

const onSolicited = (self: Advertiser, from: Address.Ipv6, at: Time.Instant, settings: Settings): Advertiser => {
  const delay = Time.scale(maximumAnswerDelay, settings.fraction(self.draws))
  const drawn = { ...self, draws: self.draws + 1 }
  if (!settings.answersAlone || Address.isUnspecified(from)) return answerAll(drawn, delay, at)
  if (self.pending.some(({ to }) => Address.equals(to, from))) return self
  if (self.pending.length >= settings.limits.solicitedAdvertisements) {
    return answerAll({ ...drawn, pending: [] }, delay, at)
  }
  const pending = [...self.pending, { to: from, at: Time.plus(at, delay) }].toSorted((a, b) => a.at - b.at)
  return { ...drawn, pending }
}

/** rfc: 4861 §6.2.6 */
const answerAll = (self: Advertiser, delay: Time.Span, at: Time.Instant): Advertiser => {
  // One answer for all who ask, a random time after the first of them, or what comes before that anyway.
  if (self.solicitedAt !== Time.never || Time.plus(at, delay) >= self.next) return self
  const isSoonAfter = self.lastAt !== undefined && Time.between(self.lastAt, at) < minimumDelay
  const from = isSoonAfter ? allowedAt(self, at) : at
  return { ...self, solicitedAt: Time.plus(from, delay) }
}

const onAlarm = (self: Advertiser, at: Time.Instant, settings: Settings): Outcome => {
  const due = self.pending.filter((answer) => answer.at <= at)
  const actions: Array<Action> = due.map(({ to }) => ({ _tag: "Advertise", to, isLast: false }))
  const answered = { ...self, pending: self.pending.filter((answer) => answer.at > at) }
  if (Time.earliest(self.next, self.solicitedAt) > at) return [timed(answered), actions]
  actions.push({ _tag: "Advertise", to: "allNodes", isLast: self.phase === "ceasing" })
  const said = { ...answered, lastAt: at, solicitedAt: Time.never }
  return [timed(self.phase === "ceasing" ? afterLast(said, at) : afterAll(said, at, settings)), actions]
}

/** rfc: 4861 §6.2.5 SHOULD */
const afterLast = (self: Advertiser, at: Time.Instant): Advertiser =>
  self.left <= 1 ? quiet(self) : { ...self, left: self.left - 1, next: Time.plus(at, minimumDelay) }

/** rfc: 4861 §6.2.4: whatever made it be sent, the next one of itself is a random interval away; the first few are soon. */
const afterAll = (self: Advertiser, at: Time.Instant, settings: Settings): Advertiser => {
  const { fraction, maximumInterval, minimumInterval } = settings
  const spread = Time.scale(Time.add(maximumInterval, Time.scale(minimumInterval, -1)), fraction(self.draws))
  const interval = Time.add(minimumInterval, spread)
  const isInitial = self.left > 1
  return {
    ...self,
    left: Math.max(0, self.left - 1),
    next: Time.plus(at, isInitial ? Time.min(interval, initialInterval) : interval),
    draws: self.draws + 1
  }
}
