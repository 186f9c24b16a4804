/**
 * What interfaces and addresses mean for other protocols, as functions that `core/Protocols.ts` binds: this folder knows none of them.
 */
import type * as Address from "../../wire/Address.ts"
import type { Context } from "../Context.ts"
import type { Interface, InterfaceAddress, LinkId } from "../Device.ts"

export interface Effects {
  /** Asks the link whether anybody has the address. */
  readonly probe: (ctx: Context, self: Interface, address: Address.Address) => void
  /** Tells the link that this host has it. */
  readonly announce: (ctx: Context, self: Interface, address: Address.Address) => void
  /** Finds out whether anybody has the IPv6 address, which waits for `Addresses.adopt` or `Addresses.refuse`. */
  readonly detect: (ctx: Context, self: Interface, entry: InterfaceAddress, address: Address.Ipv6) => void
  /** A link-local IPv6 address for an interface that has none; absent if it is to have none. */
  readonly linkLocalOf: (ctx: Context, self: Interface) => Address.Ipv6 | undefined
  /** Traffic may use the address from now on. */
  readonly assigned: (ctx: Context, link: LinkId, entry: InterfaceAddress) => void
  /** Traffic may not use it any more. */
  readonly unassigned: (ctx: Context, link: LinkId, entry: InterfaceAddress) => void
  /** The interface has it no more, used or not. */
  readonly removed: (ctx: Context, link: LinkId, entry: InterfaceAddress) => void
  /** The interface has it from now on, usable or not yet. */
  readonly added: (ctx: Context, self: Interface, entry: InterfaceAddress) => void
  /** The interface has begun to forward, or has ceased to. */
  readonly forwarding: (ctx: Context, self: Interface) => void
  readonly attached: (ctx: Context, self: Interface) => void
  /** The link came up or went down. */
  readonly changed: (ctx: Context, self: Interface) => void
  /** The link carries larger packets than before, or smaller ones only. */
  readonly resized: (ctx: Context, self: Interface) => void
  /** The link is about to go; it can still be spoken on. */
  readonly leaving: (ctx: Context, self: Interface) => void
  /** The link is gone, and all its addresses before it. */
  readonly detached: (ctx: Context, link: LinkId) => void
}
