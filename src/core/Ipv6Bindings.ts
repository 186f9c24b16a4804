/**
 * How IPv6's machines reach interfaces, neighbours and reassembly: the part of `core/Protocols.ts` that is IPv6's own.
 */
import * as Address from "../wire/Address.ts"
import type { Context } from "./Context.ts"
import * as Counter from "./Counter.ts"
import type { Interface } from "./Device.ts"
import * as Addresses from "./device/Addresses.ts"
import type { Effects } from "./device/Effects.ts"
import * as Reassembly from "./ip/Reassembly.ts"
import * as Detections from "./ipv6/Detections.ts"
import * as InterfaceId from "./ipv6/InterfaceId.ts"
import type * as Ipv6 from "./ipv6/Ipv6.ts"
import type * as Ndp from "./ipv6/Ndp.ts"
import * as Neighbors from "./neighbor/Neighbors.ts"
import type { State } from "./State.ts"
import { linkLocalPrefix } from "./WellKnown.ts"

/** What becomes of an address that was being detected. */
export const detectionHooks = (state: State, effects: Effects): Detections.Hooks => ({
  assign: (ctx, id) => Addresses.adopt(ctx, state.device, effects, id),
  refuse: (ctx, id) => {
    ctx.count(Counter.index.addressConflicts)
    Addresses.refuse(ctx, state.device, effects, id)
  }
})

export const ipv6Hooks = (state: State): Ipv6.Hooks => ({
  reassemble: (ctx, packet, fragment) => Reassembly.receiveV6(ctx, state.ip, packet, fragment),
  isListened: () => false
})

export const ndpHooks = (state: State, neighborHooks: Neighbors.Hooks, effects: Effects): Ndp.Hooks => ({
  hear: (ctx, self, address, heard, isForUs) =>
    self.medium === "ethernet" && Neighbors.hear(ctx, state.neighbor, neighborHooks, self, address, heard, isForUs),
  detect: (ctx, id, input) => {
    Detections.hear(ctx, state.ipv6, detectionHooks(state, effects), id, input)
  },
  conflict: (ctx, self, address, mac) => {
    ctx.count(Counter.index.addressConflicts)
    ctx.notice({ _tag: "AddressConflict", link: self.id, address, mac })
  },
  advertised: (ctx, self) => ctx.drop("NdpNotForUs", self.id)
})

/**
 * The link-local address that an interface without one gets with its first IPv6 address (rfc: 4291 §2.1 MUST): a stable one that tells nothing of the link-layer
 * address (rfc: 8064 §3 SHOULD).
 */
export const linkLocalOf = (ctx: Context, self: Interface): Address.Ipv6 | undefined => {
  if (self.medium === "loopback") return undefined
  const input: InterfaceId.StableInput = {
    prefix: linkLocalPrefix,
    netInterface: InterfaceId.wordsOf(self.name),
    networkId: [],
    duplicateCounter: 0
  }
  return InterfaceId.find(
    (given) => InterfaceId.stable(ctx.keys.interfaceId, given),
    input,
    (address) => self.addresses.some((entry) => Address.equals(entry.address, address))
  )?.address
}
