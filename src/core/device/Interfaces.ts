/**
 * Interfaces come and go: what the shell tells when a link is attached, changes, or is lost.
 */
import type { Context } from "../Context.ts"
import { type Interface, type LinkId, loopback } from "../Device.ts"
import * as Reason from "../Reason.ts"
import type { AttachLink, ShellRequest, Ticket } from "../Request.ts"
import * as Addresses from "./Addresses.ts"
import type { Effects } from "./Effects.ts"
import type { State } from "./State.ts"

export const attach = (ctx: Context, state: State, effects: Effects, ticket: Ticket, request: AttachLink): void => {
  const self: Interface = { ...request.interface, addresses: [] }
  if (state.interfaces.has(self.id)) return ctx.fail(ticket, Reason.invalidArgument(`interface ${self.id} exists`))
  if (self.mtu < smallestMtu) return ctx.fail(ticket, Reason.invalidArgument(`MTU ${self.mtu} is below ${smallestMtu}`))
  if (state.interfaces.size >= ctx.config.limits.interfaces) return ctx.fail(ticket, Reason.limitReached("interfaces"))
  ctx.put(state.interfaces, self.id, self)
  ctx.notice({ _tag: "LinkAttached", link: self.id, name: self.name })
  effects.attached(ctx, self)
  ctx.reply(ticket, self.id)
}

/** Every link carries an IPv4 packet of 68 bytes without cutting it (RFC 791 §3.2). */
const smallestMtu = 68

/** Detaching the loopback link is ignored: it is always there. */
export const detach = (ctx: Context, state: State, effects: Effects, link: LinkId): void => {
  const self = state.interfaces.get(link)
  if (self === undefined || link === loopback) return
  effects.leaving(ctx, self)
  for (const entry of self.addresses) Addresses.unassign(ctx, state, effects, link, entry)
  effects.detached(ctx, link)
  ctx.remove(state.interfaces, link)
  ctx.notice({ _tag: "LinkDetached", link, name: self.name })
}

export const change = (
  ctx: Context,
  state: State,
  effects: Effects,
  request: Extract<ShellRequest, { readonly _tag: "LinkChanged" }>
): void => {
  const before = state.interfaces.get(request.link)
  if (before === undefined) return
  const up = request.up ?? before.up
  const mtu = Math.max(smallestMtu, request.mtu ?? before.mtu)
  // A link without segmentation carries nothing larger than its MTU.
  const maxSegmentBytes = before.segmentation.size === 0 ? mtu : Math.max(mtu, before.maxSegmentBytes)
  const self: Interface = { ...before, up, mtu, maxSegmentBytes }
  ctx.put(state.interfaces, self.id, self)
  if (mtu !== before.mtu) effects.resized(ctx, self)
  if (up === before.up) return
  ctx.notice({ _tag: "LinkState", link: self.id, up })
  if (up) Addresses.onLinkUp(ctx, state, effects, self)
  effects.changed(ctx, self)
}
