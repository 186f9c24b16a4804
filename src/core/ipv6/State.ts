/**
 * What IPv6 remembers beside addresses, neighbours and routes: detections that go on, and what routers have told.
 */
import type * as Address from "../../wire/Address.ts"
import type { LinkId } from "../Device.ts"
import { Table } from "../Journal.ts"
import type { Armed } from "../Timer.ts"
import type { Advertisement } from "./Advertisement.ts"
import type { Advertiser } from "./Advertiser.ts"
import type { DuplicateDetection } from "./DuplicateDetection.ts"
import type { HostInterface } from "./HostInterface.ts"
import type { Redirects } from "./Redirects.ts"

/** The detection of one address of an interface. */
export interface Detection {
  /** The id of the interface's address. */
  readonly id: number
  readonly link: LinkId
  readonly address: Address.Ipv6
  readonly machine: DuplicateDetection
  readonly timer: Armed
}

/** A link whose interface configures itself. */
export interface Host {
  readonly machine: HostInterface
  readonly timer: Armed
}

/** A link on which this host advertises itself as a router. */
export interface Router {
  readonly advertisement: Advertisement
  readonly machine: Advertiser
  readonly timer: Armed
}

export interface State {
  readonly hosts: Table<LinkId, Host>
  /** By the id of the address. */
  readonly detections: Table<number, Detection>
  /** Links on which this host is a router and listens to the group of all routers (RFC 4291 §2.8). */
  readonly routers: Table<LinkId, true>
  readonly advertisers: Table<LinkId, Router>
  /** Addresses of others for which this host answers. */
  readonly proxies: Table<LinkId, ReadonlyArray<Address.Ipv6>>
  /** What routers of a link have told of single destinations. */
  readonly redirects: Table<LinkId, Redirects>
}

export const make = (): State => ({
  hosts: new Table("ipv6.hosts"),
  detections: new Table("ipv6.detections"),
  routers: new Table("ipv6.routers"),
  advertisers: new Table("ipv6.advertisers"),
  proxies: new Table("ipv6.proxies"),
  redirects: new Table("ipv6.redirects")
})
