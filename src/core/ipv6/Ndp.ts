/**
 * Messages of neighbour discovery as they come in (RFC 4861 §7.2; RFC 4862 §5.4.3, §5.4.4): each goes to the machine that it concerns.
 */
import * as Address from "../../wire/Address.ts"
import type { Mac } from "../../wire/Mac.ts"
import * as Malformed from "../../wire/Malformed.ts"
import * as Wire from "../../wire/Ndp.ts"
import type { Context } from "../Context.ts"
import { find, type Interface, isSubnetRouters, isUsable } from "../Device.ts"
import type { Packet } from "../Ip.ts"
import type * as DuplicateDetection from "./DuplicateDetection.ts"
import * as NdpSend from "./NdpSend.ts"
import * as NdpValidity from "./NdpValidity.ts"

/** What a neighbour said of itself; the input of its machine. */
export type Heard =
  | { readonly _tag: "Heard"; readonly mac: Mac; readonly isRouter?: boolean }
  | {
    readonly _tag: "Advertised"
    readonly mac: Mac | undefined
    readonly solicited: boolean
    readonly override: boolean
    readonly isRouter: boolean | undefined
  }

/** Who takes what is heard; bound by `core/Protocols.ts`. */
export interface Hooks {
  /** Tells the neighbour's machine; makes an entry if it is about to talk to this host. False if there is none. */
  readonly hear: (
    ctx: Context,
    self: Interface,
    address: Address.Ipv6,
    heard: Heard,
    isForUs: boolean
  ) => boolean
  /** An address of this interface was asked for, or advertised, while it is tentative. */
  readonly detect: (ctx: Context, id: number, input: DuplicateDetection.Input) => void
  /** Whether this host answers for an address that is another's (RFC 4861 §7.2.8). */
  readonly isProxied: (self: Interface, address: Address.Ipv6) => boolean
  /** Somebody else uses an address of this interface. */
  readonly conflict: (ctx: Context, self: Interface, address: Address.Ipv6, mac: Mac) => void
  /** Somebody asks for routers; hosts don't answer (rfc: 4861 §6.2.6 MUST). */
  readonly solicited: (ctx: Context, self: Interface, from: Address.Ipv6) => void
  /** A router has advertised itself. */
  readonly redirected: (ctx: Context, self: Interface, from: Address.Ipv6, message: Wire.Redirect) => void
  readonly advertised: (
    ctx: Context,
    self: Interface,
    router: Address.Ipv6,
    message: Wire.RouterAdvertisement
  ) => void
}

export const receive = (ctx: Context, hooks: Hooks, packet: Packet): void => {
  const { bytes, destination, end, link, source, start } = packet
  const self = ctx.links.get(link)
  if (self === undefined || Address.isV4(source) || Address.isV4(destination)) return ctx.drop("NdpNotForUs", link)
  const message = Wire.parse(bytes, start, end)
  if (Malformed.isMalformed(message)) return ctx.drop("Malformed", link, message.detail)
  const hasFragmentHeader = packet.extensions?.hasFragmentHeader === true
  const fault = NdpValidity.fault({ source, destination, hopLimit: packet.hopLimit, hasFragmentHeader }, message)
  if (fault !== undefined) return ctx.drop("NdpInvalid", link, fault)
  switch (message._tag) {
    case "NeighborSolicitation":
      return onSolicitation(ctx, hooks, self, source, message)
    case "NeighborAdvertisement":
      return onAdvertisement(ctx, hooks, self, message)
    case "RouterAdvertisement": {
      const mac = message.options.sourceLinkLayer
      // rfc: 4861 §6.3.4 MUST
      if (mac !== undefined) hooks.hear(ctx, self, source, { _tag: "Heard", mac, isRouter: true }, true)
      return hooks.advertised(ctx, self, source, message)
    }
    case "RouterSolicitation": {
      const mac = message.options.sourceLinkLayer
      // rfc: 4861 §6.2.6 SHOULD
      if (mac !== undefined) hooks.hear(ctx, self, source, { _tag: "Heard", mac, isRouter: false }, true)
      return hooks.solicited(ctx, self, source)
    }
    case "Redirect":
      return hooks.redirected(ctx, self, source, message)
  }
}

const onSolicitation = (
  ctx: Context,
  hooks: Hooks,
  self: Interface,
  source: Address.Ipv6,
  { options, target }: Wire.NeighborSolicitation
): void => {
  const entry = find(self, target)
  if (entry === undefined) return onForeignSolicitation(ctx, hooks, self, source, target, options)
  const isFromUnspecified = Address.isUnspecified(source)
  // rfc: 4429 §3.3: who probes for an optimistic address has as much right to it
  if (entry.state === "tentative" || (entry.state === "optimistic" && isFromUnspecified)) {
    const nonce = options.nonce === undefined ? undefined : NdpSend.numberOf(options.nonce)
    return hooks.detect(ctx, entry.id, { _tag: "Solicited", isFromUnspecified, nonce })
  }
  // rfc: 4862 §5.4.5 MUST NOT: a duplicate is not spoken for
  if (!isUsable(entry)) return ctx.drop("NdpNotForUs", self.id)
  // rfc: 4861 §7.2.3 SHOULD
  if (!isFromUnspecified && options.sourceLinkLayer !== undefined) {
    hooks.hear(ctx, self, source, { _tag: "Heard", mac: options.sourceLinkLayer }, true)
  }
  // rfc: 4429 §3.3 MUST NOT: an optimistic one takes the place of nobody's
  NdpSend.advertise(ctx, self, target, source, entry.state !== "optimistic")
}

/**
 * For an address that others have as well, or instead: one of the routers' anycast addresses, or one that this host stands in for. Neither takes the place of
 * another's answer (rfc: 4861 §7.2.7 SHOULD, §7.2.8).
 */
const onForeignSolicitation = (
  ctx: Context,
  hooks: Hooks,
  self: Interface,
  source: Address.Ipv6,
  target: Address.Ipv6,
  options: Wire.NeighborSolicitation["options"]
): void => {
  const isFromUnspecified = Address.isUnspecified(source)
  const isAnycast = isSubnetRouters(ctx.config, self, target) && !isFromUnspecified
  if (!isAnycast && !hooks.isProxied(self, target)) return ctx.drop("NdpNotForUs", self.id)
  if (!isFromUnspecified && options.sourceLinkLayer !== undefined) {
    hooks.hear(ctx, self, source, { _tag: "Heard", mac: options.sourceLinkLayer }, true)
  }
  NdpSend.advertise(ctx, self, target, source, false)
}

const onAdvertisement = (
  ctx: Context,
  hooks: Hooks,
  self: Interface,
  message: Wire.NeighborAdvertisement
): void => {
  const { isRouter, options, override, solicited, target } = message
  const entry = find(self, target)
  if (entry !== undefined) {
    if (entry.state === "tentative" || entry.state === "optimistic") {
      return hooks.detect(ctx, entry.id, { _tag: "Advertised" })
    }
    // rfc: 4862 §5.4.4: an address in use, at two places
    return hooks.conflict(ctx, self, target, options.targetLinkLayer ?? 0)
  }
  const heard: Heard = { _tag: "Advertised", mac: options.targetLinkLayer, solicited, override, isRouter }
  // rfc: 4861 §7.2.5: an advertisement makes no entry
  if (!hooks.hear(ctx, self, target, heard, false)) ctx.drop("NdpNotForUs", self.id)
}
