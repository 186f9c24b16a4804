/**
 * What programs ask of IPv6 itself: whether an interface configures itself.
 */
import type { Context } from "../Context.ts"
import { type LinkId, loopback } from "../Device.ts"
import * as Reason from "../Reason.ts"
import type { Answers, Ticket } from "../Request.ts"
import * as Autoconfiguration from "./Autoconfiguration.ts"
import type { State } from "./State.ts"

/** Lets an interface have addresses, routes and name servers from what routers advertise (RFC 4862), or takes them away again. */
export interface SetAutoconfiguration extends Answers<void> {
  readonly _tag: "SetAutoconfiguration"
  readonly link: LinkId
  readonly isOn: boolean
}

export type Ipv6Request = SetAutoconfiguration

/** RFC 8200 §5 */
const minimumMtu = 1280

export const handle = (
  ctx: Context,
  state: State,
  hooks: Autoconfiguration.Hooks,
  ticket: Ticket,
  { isOn, link }: Ipv6Request
): void => {
  const self = ctx.links.get(link)
  if (self === undefined || link === loopback) return ctx.fail(ticket, Reason.notFound("interface"))
  if (self.mtu < minimumMtu) return ctx.fail(ticket, Reason.invalidArgument(`an MTU of ${self.mtu}`))
  if (isOn) Autoconfiguration.start(ctx, state, hooks, self)
  else Autoconfiguration.stop(ctx, state, hooks, link)
  ctx.reply(ticket, undefined)
}
