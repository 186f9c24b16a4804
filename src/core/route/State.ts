/**
 * The routing table: routes by id, found by prefix and length.
 */
import type * as Address from "../../wire/Address.ts"
import * as HashIndex from "../data/HashIndex.ts"
import { Cell, Table } from "../Journal.ts"
import type { RouteInfo } from "./Requests.ts"
import * as RouterSelection from "./RouterSelection.ts"

export interface Route extends RouteInfo {
  readonly id: number
}

/** How many routes of a family have each prefix length, so that a lookup asks only for lengths that exist. */
export interface Length {
  readonly length: number
  readonly routes: number
}

export interface State {
  readonly routes: Table<number, Route>
  readonly index: HashIndex.HashIndex
  /** Which of several routers to a destination is taken when some don't answer. */
  readonly selection: Cell<RouterSelection.RouterSelection>
  /** The lengths in use, longest first, for each family. */
  readonly lengths: Readonly<Record<Address.Version, Cell<ReadonlyArray<Length>>>>
}

export const make = (): State => ({
  routes: new Table("route.routes"),
  index: HashIndex.make("route.index"),
  selection: new Cell("route.selection", RouterSelection.make),
  lengths: { 4: new Cell("route.lengths4", []), 6: new Cell("route.lengths6", []) }
})
