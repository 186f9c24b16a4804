/**
 * What programs ask of the interfaces: addresses to add and to take away. Links come and go by the shell's own requests.
 */
import type * as Address from "../../wire/Address.ts"
import type { AddressOrigin, LinkId } from "../Device.ts"
import type { Answers } from "../Request.ts"
import type { Instant } from "../Time.ts"

/** Gives an interface an address, or new lifetimes to one that it has. Answers at once, perhaps while the address is still being probed. */
export interface AddAddress extends Answers<void> {
  readonly _tag: "AddAddress"
  readonly link: LinkId
  readonly address: Address.Address
  readonly prefixLength: number
  readonly origin: AddressOrigin
  /** After this, no new traffic starts from it (RFC 4862 §5.5.4); never if absent. */
  readonly preferredUntil?: Instant
  /** After this, it is gone; never if absent. */
  readonly validUntil?: Instant
}

/** Takes an address away. What was bound to it can't send any more. */
export interface RemoveAddress extends Answers<void> {
  readonly _tag: "RemoveAddress"
  readonly link: LinkId
  readonly address: Address.Address
}

export type DeviceRequest = AddAddress | RemoveAddress
