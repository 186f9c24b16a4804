/**
 * What programs ask of the neighbour caches: static entries, and a look inside.
 */
import type * as Address from "../../wire/Address.ts"
import type { Mac } from "../../wire/Mac.ts"
import type { LinkId } from "../Device.ts"
import type { Answers } from "../Request.ts"
import type { NeighborState } from "./Neighbor.ts"

/** Fixes a neighbour's link-layer address: it is neither probed nor evicted nor overwritten by what the neighbour says. */
export interface SetNeighbor extends Answers<void> {
  readonly _tag: "SetNeighbor"
  readonly link: LinkId
  readonly address: Address.Address
  readonly mac: Mac
}

export interface RemoveNeighbor extends Answers<void> {
  readonly _tag: "RemoveNeighbor"
  readonly link: LinkId
  readonly address: Address.Address
}

/** Forgets all neighbours of a link but the static ones. Answers how many. Packets parked for them are dropped. */
export interface FlushNeighbors extends Answers<number> {
  readonly _tag: "FlushNeighbors"
  readonly link: LinkId
}

/** The neighbours of a link, or of all, in order of address. */
export interface ListNeighbors extends Answers<ReadonlyArray<NeighborInfo>> {
  readonly _tag: "ListNeighbors"
  readonly link: LinkId | undefined
}

export interface NeighborInfo {
  readonly link: LinkId
  readonly address: Address.Address
  readonly mac: Mac | undefined
  readonly state: NeighborState["_tag"]
  readonly isRouter: boolean
  /** Packets that wait for its address. */
  readonly parked: number
}

export type NeighborRequest = SetNeighbor | RemoveNeighbor | FlushNeighbors | ListNeighbors
