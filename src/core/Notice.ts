/**
 * What changed, for whoever watches: `Network.changes`, spans, the flight recorder. A notice asks for nothing.
 */
import type * as Address from "../wire/Address.ts"
import type { Mac } from "../wire/Mac.ts"
import type { AddressState, LinkId } from "./Device.ts"

export type Change =
  | { readonly _tag: "LinkAttached"; readonly link: LinkId; readonly name: string }
  | { readonly _tag: "LinkDetached"; readonly link: LinkId; readonly name: string }
  | { readonly _tag: "LinkState"; readonly link: LinkId; readonly up: boolean }
  | {
    readonly _tag: "AddressChanged"
    readonly link: LinkId
    readonly address: Address.Address
    readonly state: AddressState | "removed"
  }
  /** Another host uses an address of ours (RFC 5227 §2.4, RFC 4862 §5.4). */
  | { readonly _tag: "AddressConflict"; readonly link: LinkId; readonly address: Address.Address; readonly mac: Mac }
  | {
    readonly _tag: "NeighborChanged"
    readonly link: LinkId
    readonly address: Address.Address
    readonly state: string
    readonly mac: Mac | undefined
  }
  | { readonly _tag: "RouteAdded" | "RouteRemoved"; readonly prefix: Address.Address; readonly length: number }
  /** A SYN for a listener made a half-open connection. */
  | {
    readonly _tag: "ConnectionIncoming"
    readonly listener: number
    readonly connection: number
    readonly remote: Address.Address
    readonly remotePort: number
  }
  | { readonly _tag: "ConnectionState"; readonly connection: number; readonly from: string; readonly to: string }
  /** Something worth an event on a connection's span: a retransmission, a timeout, recovery, a closed window. */
  | { readonly _tag: "ConnectionEvent"; readonly connection: number; readonly event: string; readonly detail: number }
  | {
    readonly _tag: "RouterChanged"
    readonly link: LinkId
    readonly router: Address.Address
    readonly lifetime: number
  }
  | { readonly _tag: "NameServers"; readonly link: LinkId; readonly servers: ReadonlyArray<Address.Address> }
  /** An event threw and was rolled back: a bug of the stack. */
  | { readonly _tag: "Defect"; readonly event: string; readonly cause: unknown }

export interface Notice {
  readonly _tag: "Notice"
  readonly change: Change
}
