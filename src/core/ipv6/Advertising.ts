/**
 * Routers that advertise themselves, one machine for each link that is told to (RFC 4861 §6.2): `Advertiser.ts` decides when, `Advertisement.ts` what;
 * here are the timer and the packets.
 *
 *     advertises ⇔ asked to, link up, a link-local address to speak from (rfc: 4861 §6.1.2 MUST)
 *     default router ⇔ the interface forwards as well (rfc: 4861 §6.2.5 MUST: otherwise with a router lifetime of zero)
 */
import * as Address from "../../wire/Address.ts"
import type { RouterAdvertisement } from "../../wire/Ndp.ts"
import type { Context } from "../Context.ts"
import * as Counter from "../Counter.ts"
import { forwards, type Interface, type LinkId } from "../Device.ts"
import * as Entropy from "../Entropy.ts"
import * as Time from "../Time.ts"
import * as Timer from "../Timer.ts"
import * as WellKnown from "../WellKnown.ts"
import * as Advertisement from "./Advertisement.ts"
import * as Advertiser from "./Advertiser.ts"
import * as NdpSend from "./NdpSend.ts"
import type { Router, State } from "./State.ts"

/** Sets the random numbers of this file apart from others of the link. */
const purpose = 0x52_4144

const settingsOf = (ctx: Context, link: LinkId, { advertisement }: Router): Advertiser.Settings => ({
  maximumInterval: advertisement.maximumInterval,
  minimumInterval: advertisement.minimumInterval,
  answersAlone: true,
  limits: ctx.config.limits,
  fraction: (draw) => Entropy.fraction(ctx.keys.jitter, [purpose, link, draw])
})

/** Advertises from now on, or says something else than before. What is said has been checked by `Advertisement.fault`. */
export const start = (
  ctx: Context,
  state: State,
  self: Interface,
  advertisement: Advertisement.Advertisement
): void => {
  const before = state.advertisers.get(self.id)
  const router: Router = { machine: Advertiser.silent, timer: Timer.idle, ...before, advertisement }
  ctx.put(state.advertisers, self.id, router)
  if (before === undefined || router.machine.phase !== "advertising") return changed(ctx, state, self)
  tell(ctx, state, self.id, { _tag: "Changed" })
}

/** Ceases to advertise, with last words. */
export const stop = (ctx: Context, state: State, link: LinkId): void => {
  tell(ctx, state, link, { _tag: "Stop" })
}

/** The link goes away: one last word, and nothing more is remembered. */
export const end = (ctx: Context, state: State, link: LinkId): void => {
  tell(ctx, state, link, { _tag: "Leave" })
  if (state.advertisers.has(link)) ctx.remove(state.advertisers, link)
}

/** The link came up or went down, or its addresses are others: begins to speak, or is silent. */
export const changed = (ctx: Context, state: State, self: Interface): void => {
  const router = state.advertisers.get(self.id)
  if (router === undefined || router.machine.phase === "ceasing") return
  const canSpeak = self.up && NdpSend.linkLocalOf(self) !== undefined
  if (canSpeak !== (router.machine.phase === "advertising")) {
    tell(ctx, state, self.id, { _tag: canSpeak ? "Start" : "Disable" })
  }
}

/** It forwards from now on, or does not any more. */
export const forwardingChanged = (ctx: Context, state: State, self: Interface): void => {
  tell(ctx, state, self.id, { _tag: "Changed" })
}

/** A valid router solicitation came; false if the interface does not advertise. */
export const solicited = (ctx: Context, state: State, self: Interface, from: Address.Ipv6): boolean => {
  if (state.advertisers.get(self.id)?.machine.phase !== "advertising") return false
  tell(ctx, state, self.id, { _tag: "Solicited", from })
  return true
}

/** Another router of the link has advertised itself: what contradicts this one is told to whoever watches (rfc: 4861 §6.2.7 SHOULD). */
export const heard = (
  ctx: Context,
  state: State,
  self: Interface,
  router: Address.Ipv6,
  message: RouterAdvertisement
): boolean => {
  const own = state.advertisers.get(self.id)
  if (own === undefined || own.machine.phase !== "advertising") return false
  const about = Advertisement.contradictions(own.advertisement, message)
  if (about.length > 0) ctx.notice({ _tag: "RoutersDisagree", link: self.id, router, about })
  return true
}

export const alarm = (ctx: Context, state: State, link: LinkId, due: Time.Instant): void => {
  const router = state.advertisers.get(link)
  if (router === undefined) return
  const { armed, isDue } = Timer.fired(ctx, { _tag: "Advertising", key: link }, router.timer, due)
  ctx.put(state.advertisers, link, { ...router, timer: armed })
  if (isDue) tell(ctx, state, link, { _tag: "Alarm" })
}

/** The alarm threw: the interface advertises no more, rather than for ever the same that fails. */
export const lost = (ctx: Context, state: State, link: LinkId): void => {
  if (state.advertisers.has(link)) ctx.remove(state.advertisers, link)
}

const tell = (ctx: Context, state: State, link: LinkId, input: Advertiser.Input): void => {
  const router = state.advertisers.get(link)
  const self = ctx.links.get(link)
  if (router === undefined || self === undefined) return
  const [machine, actions] = Advertiser.step(router.machine, input, ctx.at, settingsOf(ctx, link, router))
  const timer = Timer.arm(ctx, { _tag: "Advertising", key: link }, router.timer, machine.deadline)
  ctx.put(state.advertisers, link, { ...router, machine, timer })
  for (const action of actions) advertise(ctx, self, router, action)
  // After the last words nothing is left to remember.
  if (machine.phase === "silent" && router.machine.phase === "ceasing") ctx.remove(state.advertisers, link)
}

/** rfc: 4861 §6.2.3 */
const advertise = (ctx: Context, self: Interface, { advertisement }: Router, action: Advertiser.Action): void => {
  const source = NdpSend.linkLocalOf(self)
  if (source === undefined || !self.up) return
  const isRouter = forwards(ctx.config, self)
  const said = isRouter ? advertisement : { ...advertisement, routerLifetime: Time.zero }
  const mac = self.medium === "ethernet" ? self.mac : undefined
  const to = action.to === "allNodes" ? WellKnown.allNodes : action.to
  for (const message of Advertisement.messages(said, mac, self.mtu, action.isLast)) {
    ctx.count(Counter.index.routerAdvertisementsSent)
    NdpSend.send(ctx, self, source, to, message)
  }
}
