/**
 * The detection of duplicates for all addresses that are still tentative (RFC 4862 §5.4, RFC 7527): `DuplicateDetection.ts` decides, here are its timers and
 * what becomes of the addresses.
 */
import type * as Address from "../../wire/Address.ts"
import type { Context } from "../Context.ts"
import type { Interface, InterfaceAddress, LinkId } from "../Device.ts"
import * as Entropy from "../Entropy.ts"
import * as Time from "../Time.ts"
import * as Timer from "../Timer.ts"
import * as DuplicateDetection from "./DuplicateDetection.ts"
import * as Ndp from "./NdpSend.ts"
import type { Detection, State } from "./State.ts"

/** What becomes of an address; bound by `core/Protocols.ts`. */
export interface Hooks {
  /** Nobody else has it: it may be used. */
  readonly assign: (ctx: Context, detection: Detection) => void
  /** Somebody else has it. */
  readonly refuse: (ctx: Context, detection: Detection) => void
}

/** 48 bits, from a key, so that nobody else has them. */
const settingsOf = (ctx: Context, link: LinkId, id: number): DuplicateDetection.Settings => ({
  transmits: DuplicateDetection.defaultTransmits,
  // rfc: 4862 §5.4 MUST: RetransTimer, as routers of the link tell it
  retransmit: ctx.links.get(link)?.discovery?.retransmit ?? Time.seconds(1),
  nonce: (draw) =>
    (Entropy.word(ctx.keys.transaction, [id, draw, 0]) >>> 0) * 0x1_0000 +
    (Entropy.word(ctx.keys.transaction, [id, draw, 1]) & 0xffff)
})

/** Starts the detection of an address that its interface has as a tentative one. */
export const begin = (
  ctx: Context,
  state: State,
  hooks: Hooks,
  self: Interface,
  { id }: InterfaceAddress,
  address: Address.Ipv6
): void => {
  // rfc: 4862 §5.4.2 SHOULD: hosts that start together don't speak at once
  const delay = Time.scale(DuplicateDetection.maximumDelay, Entropy.fraction(ctx.keys.jitter, [id, 0]))
  const outcome = DuplicateDetection.begin(delay, ctx.at, settingsOf(ctx, self.id, id))
  const timer = state.detections.get(id)?.timer ?? Timer.idle
  act(ctx, state, hooks, { id, link: self.id, address, machine: outcome[0], timer }, outcome)
}

/** The address is no more. */
export const end = (ctx: Context, state: State, id: number): void => {
  if (state.detections.has(id)) ctx.remove(state.detections, id)
}

/** Something was heard about an address; false if nobody is detecting it. */
export const hear = (
  ctx: Context,
  state: State,
  hooks: Hooks,
  id: number,
  input: DuplicateDetection.Input
): boolean => {
  const detection = state.detections.get(id)
  if (detection === undefined) return false
  act(
    ctx,
    state,
    hooks,
    detection,
    DuplicateDetection.step(detection.machine, input, ctx.at, settingsOf(ctx, detection.link, id))
  )
  return true
}

export const alarm = (ctx: Context, state: State, hooks: Hooks, id: number, due: Time.Instant): void => {
  const detection = state.detections.get(id)
  if (detection === undefined) return
  const { armed, isDue } = Timer.fired(ctx, { _tag: "Detection", key: id }, detection.timer, due)
  const rung: Detection = { ...detection, timer: armed }
  ctx.put(state.detections, id, rung)
  if (!isDue) return
  const input = { _tag: "Alarm" } as const
  act(ctx, state, hooks, rung, DuplicateDetection.step(rung.machine, input, ctx.at, settingsOf(ctx, rung.link, id)))
}

/** The alarm threw: an address of which nothing was found out is not used. */
export const lost = (ctx: Context, state: State, hooks: Hooks, id: number): void => {
  const detection = state.detections.get(id)
  if (detection === undefined) return
  ctx.remove(state.detections, id)
  hooks.refuse(ctx, detection)
}

const act = (
  ctx: Context,
  state: State,
  hooks: Hooks,
  detection: Detection,
  [machine, actions]: DuplicateDetection.Outcome
): void => {
  const { id, timer } = detection
  const armed = Timer.arm(ctx, { _tag: "Detection", key: id }, timer, machine.deadline)
  ctx.put(state.detections, id, { ...detection, machine, timer: armed })
  for (const action of actions) {
    switch (action._tag) {
      case "Probe": {
        const self = ctx.links.get(detection.link)
        if (self !== undefined && self.up) Ndp.probe(ctx, self, detection.address, action.nonce)
        break
      }
      case "Assign":
        ctx.remove(state.detections, id)
        hooks.assign(ctx, detection)
        break
      case "Refuse":
        ctx.remove(state.detections, id)
        hooks.refuse(ctx, detection)
        break
      case "NoticeLoop":
        // rfc: 7527 §4.2 SHOULD
        ctx.notice({ _tag: "LinkLooped", link: detection.link, address: detection.address })
        break
      case "Join":
        // The group is the address's own: `Classify.ts` lets its packets in from the start.
        break
    }
  }
}
