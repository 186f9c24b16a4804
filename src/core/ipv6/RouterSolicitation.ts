/**
 * Asking the link for its routers (RFC 4861 §6.3.7), ever more rarely until one answers (RFC 7559 §2; rfc: 8504 §5.4 MUST).
 *
 *     Restart ─random, up to 1 s─▶ Solicit ─4 s─▶ Solicit ─8 s─▶ Solicit … up to an hour apart, each give or take a tenth
 *                                     └──────── a router advertises itself ─────────▶ silence until the next Restart
 */
import * as Time from "../Time.ts"

export interface RouterSolicitation {
  /** Solicitations since the last restart. */
  readonly sent: number
  /** The time between the last two, or before the first of them. */
  readonly interval: Time.Span
  /** A router has advertised itself since the last restart. */
  readonly isAnswered: boolean
  /** An advertisement of any kind has come, or its absence has been told, since the last restart. */
  readonly isSettled: boolean
  /** When the next one is sent; `never` if none is. */
  readonly next: Time.Instant
  /** When the absence of routers is a fact; `never` unless that many solicitations went unanswered. */
  readonly concludeAt: Time.Instant
  readonly draws: number
  readonly deadline: Time.Instant
}

export type Input =
  /** The interface came up, or the host became one after having been a router (RFC 4861 §6.3.7), or its last default router is gone. */
  | { readonly _tag: "Restart" }
  /** The interface went down, or became a router's. */
  | { readonly _tag: "Stop" }
  /** A valid router advertisement came; `routerLifetime` is its sender's as a default router. */
  | { readonly _tag: "Advertised"; readonly routerLifetime: number }
  | { readonly _tag: "Alarm" }

export type Action =
  /** Send a router solicitation to all routers; with the source link-layer address if it has a source (RFC 4861 §6.3.7). */
  | { readonly _tag: "Solicit" }
  /** There is no router on the link, for autoconfiguration's purposes (RFC 4861 §6.3.7, RFC 4862 §5.5.2); asking goes on. */
  | { readonly _tag: "NoRouters" }

export type Outcome = readonly [RouterSolicitation, ReadonlyArray<Action>]

export interface Settings {
  /** A number in [0, 1) that nobody can guess, different for every `draw`. */
  readonly fraction: (draw: number) => number
}

/** RFC 4861 §10 */
const maximumDelay = Time.seconds(1)
const maximumSolicitations = 3
/** RFC 7559 §2: IRT is RFC 4861's RTR_SOLICITATION_INTERVAL, MRT an hour. */
const initialInterval = Time.seconds(4)
const maximumInterval = Time.seconds(3600)

const nothing: ReadonlyArray<Action> = Object.freeze([])
const solicit: ReadonlyArray<Action> = Object.freeze([Object.freeze({ _tag: "Solicit" })])

export const idle: RouterSolicitation = Object.freeze({
  sent: 0,
  interval: Time.zero,
  isAnswered: false,
  isSettled: false,
  next: Time.never,
  concludeAt: Time.never,
  draws: 0,
  deadline: Time.never
})

const timed = (self: RouterSolicitation): RouterSolicitation => ({
  ...self,
  deadline: Time.earliest(self.next, self.concludeAt)
})

export const step = (self: RouterSolicitation, input: Input, at: Time.Instant, settings: Settings): Outcome => {
  switch (input._tag) {
    case "Restart": {
      // rfc: 4861 §6.3.7 SHOULD: hosts that start together don't ask together
      const delay = Time.scale(maximumDelay, settings.fraction(self.draws))
      return [timed({ ...idle, draws: self.draws + 1, next: Time.plus(at, delay) }), nothing]
    }
    case "Stop":
      return [{ ...idle, draws: self.draws }, nothing]
    case "Advertised":
      return [onAdvertised(self, input.routerLifetime), nothing]
    case "Alarm":
      return onAlarm(self, at, settings)
  }
}

const onAdvertised = (self: RouterSolicitation, routerLifetime: number): RouterSolicitation => {
  const heard = { ...self, isSettled: true, concludeAt: Time.never }
  if (routerLifetime === 0) return timed(heard)
  // rfc: 4861 §6.3.7 MUST desist; but SHOULD ask once, since the answer may tell more
  return timed({ ...heard, isAnswered: true, next: self.sent > 0 ? Time.never : self.next })
}

const onAlarm = (self: RouterSolicitation, at: Time.Instant, settings: Settings): Outcome => {
  if (self.concludeAt <= at) {
    const [asked, actions] = onNext({ ...self, isSettled: true, concludeAt: Time.never }, at, settings)
    return [asked, [{ _tag: "NoRouters" }, ...actions]]
  }
  return onNext(self, at, settings)
}

const onNext = (self: RouterSolicitation, at: Time.Instant, settings: Settings): Outcome => {
  if (self.next > at) return [timed(self), nothing]
  const sent = self.sent + 1
  const interval = nextInterval(self.interval, settings.fraction(self.draws))
  const asked = { ...self, sent, interval, draws: self.draws + 1 }
  if (self.isAnswered) return [timed({ ...asked, next: Time.never }), solicit]
  const isLast = sent === maximumSolicitations && !self.isSettled
  return [
    timed({
      ...asked,
      next: Time.plus(at, interval),
      concludeAt: isLast ? Time.plus(at, maximumDelay) : self.concludeAt
    }),
    solicit
  ]
}

/** RFC 7559 §2, by the rule of RFC 8415 §15: twice the last one, give or take a tenth of that. */
const nextInterval = (previous: Time.Span, fraction: number): Time.Span => {
  const random = 0.2 * fraction - 0.1
  const grown = previous === 0 ? Time.scale(initialInterval, 1 + random) : Time.scale(previous, 2 + random)
  return grown > maximumInterval ? Time.scale(maximumInterval, 1 + random) : grown
}
