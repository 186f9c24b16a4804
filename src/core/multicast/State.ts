/**
 * The group memberships of all interfaces, as routers are told of them.
 */
import type * as Address from "../../wire/Address.ts"
import type { LinkId } from "../Device.ts"
import { Table } from "../Journal.ts"
import type { Armed } from "../Timer.ts"
import type { Gmp } from "./Gmp.ts"

export interface Membership {
  readonly machine: Gmp
  readonly timer: Armed
}

export interface State {
  /** By IP version and link. */
  readonly memberships: Readonly<Record<Address.Version, Table<LinkId, Membership>>>
}

export const make = (): State => ({
  memberships: { 4: new Table("multicast.memberships4"), 6: new Table("multicast.memberships6") }
})
