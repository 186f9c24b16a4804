/**
 * The interfaces of a stack and where its addresses are.
 */
import * as Address from "../../wire/Address.ts"
import { type Interface, type LinkId, loopback } from "../Device.ts"
import { Table } from "../Journal.ts"
import * as Time from "../Time.ts"
import type { Armed } from "../Timer.ts"

/** What an address is doing beside being used: probing, announcing, defending itself (RFC 5227). */
export interface Claim {
  /** The id of the interface's address. */
  readonly id: number
  readonly link: LinkId
  readonly address: Address.Address
  readonly phase: Phase
  /** When the phase has its next step; `never` once settled. */
  readonly next: Time.Instant
  /** When the address was last defended (RFC 5227 §2.4); `undefined` if it never was. */
  readonly defended: Time.Instant | undefined
  /** The earliest of: the next step, the end of preference, the end of validity. */
  readonly timer: Armed
}

export type Phase =
  | { readonly _tag: "Probing"; readonly sent: number }
  | { readonly _tag: "Announcing"; readonly sent: number }
  | { readonly _tag: "Settled" }

export interface State {
  readonly interfaces: Table<LinkId, Interface>
  /** The links on which an address is assigned, usable or not, by `Address.key`. More than one only for link-local addresses. */
  readonly owners: Table<number | string, ReadonlyArray<LinkId>>
  /** By the id of the address. */
  readonly claims: Table<number, Claim>
}

/** The largest IPv4 packet there is, since nothing limits what goes through memory. */
const loopbackMtu = 65_535

/** The link that is always there (RFC 1122 §3.2.1.3): who sends to an address of this stack does it over this one. */
const loopbackInterface: Interface = Object.freeze({
  id: loopback,
  name: "lo",
  medium: "loopback",
  mac: 0,
  mtu: loopbackMtu,
  checksumOffload: true,
  segmentation: new Set<never>(),
  maxSegmentBytes: loopbackMtu,
  up: true,
  addresses: Object.freeze([
    Object.freeze({
      id: 0,
      address: 0x7f000001,
      prefixLength: 8,
      state: "preferred",
      origin: "loopback",
      preferredUntil: Time.never,
      validUntil: Time.never
    }),
    Object.freeze({
      id: -1,
      address: Address.loopbackV6,
      prefixLength: 128,
      state: "preferred",
      origin: "loopback",
      preferredUntil: Time.never,
      validUntil: Time.never
    })
  ])
})

export const make = (): State => {
  const interfaces = new Table<LinkId, Interface>("device.interfaces")
  interfaces.map.set(loopback, loopbackInterface)
  const owners = new Table<number | string, ReadonlyArray<LinkId>>("device.owners")
  owners.map.set(0x7f000001, [loopback])
  owners.map.set(Address.key(Address.loopbackV6), [loopback])
  return { interfaces, owners, claims: new Table("device.claims") }
}
