/**
 * The group memberships of all interfaces, as routers are told of them.
 */
import type { LinkId } from "../Device.ts"
import { Table } from "../Journal.ts"
import type { Armed } from "../Timer.ts"
import type { Gmp } from "./Gmp.ts"

export interface Membership {
  readonly machine: Gmp
  readonly timer: Armed
}

export interface State {
  /** IPv6's, by link. */
  readonly memberships: Table<LinkId, Membership>
}

export const make = (): State => ({ memberships: new Table("multicast.memberships") })
