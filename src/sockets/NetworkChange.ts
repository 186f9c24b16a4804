/**
 * What changed in a stack, with addresses as programs have them. `core/Notice.ts` tells what each change means.
 */
import type * as NetAddress from "effect/net/NetAddress"
import * as Edge from "../workers/Edge.ts"
import type { News } from "../workers/Stack.ts"

type CoreChange = Extract<News, { readonly _tag: "Notice" }>["change"]
type CoreAddress = Parameters<typeof Edge.ipOf>[0]

type AddressField = "address" | "prefix" | "local" | "remote" | "router"

/** One change of the core on this side of the edge. */
type AtEdge<C> = C extends CoreChange ? {
    readonly [K in keyof C]: K extends AddressField ? NetAddress.IpAddress
      : K extends "mac" ? NetAddress.MacAddress | undefined
      : K extends "servers" ? ReadonlyArray<NetAddress.IpAddress>
      : C[K]
  }
  : never

/**
 * Links, addresses, neighbours and routes that come, go and change state; connections that do; a defect. Match on `_tag`.
 */
export type NetworkChange = AtEdge<CoreChange>

const addressFields: ReadonlySet<string> = new Set<AddressField>(["address", "prefix", "local", "remote", "router"])

const fieldOf = ([name, value]: readonly [string, unknown]): readonly [string, unknown] => {
  if (addressFields.has(name)) return [name, Edge.ipOf(value as CoreAddress)]
  if (name === "mac" && value !== undefined) return [name, Edge.macAddressOf(value as number)]
  return name === "servers" ? [name, (value as ReadonlyArray<CoreAddress>).map(Edge.ipOf)] : [name, value]
}

export const of = (change: CoreChange): NetworkChange =>
  Object.fromEntries(Object.entries(change).map(fieldOf)) as unknown as NetworkChange
