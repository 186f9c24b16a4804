/**
 * What differs between IPv4 and IPv6 as far as a transport or a socket can see it. What holds for both is written once
 * against this record; nothing above IP names a version.
 */
import type * as Address from "../wire/Address.ts"

export interface Family {
  readonly version: Address.Version
  /** Bytes of the IP header without options or extensions. */
  readonly headerLength: number
  /** Every link carries a packet of this size whole or in fragments (RFC 791 §3.2: 68, RFC 8200 §5: 1280). */
  readonly minimumMtu: number
  /** The send MSS when the peer gave none (RFC 9293 §3.7.1 MUST-15: 536 and 1220). */
  readonly defaultMss: number
  readonly unspecified: Address.Address
  readonly addressBits: number
  /** The number of the family's ICMP among IP protocols. */
  readonly icmpProtocol: number
  /** Whether a zero UDP checksum may be accepted (RFC 768; not in RFC 8200 §8.1). */
  readonly udpChecksumOptional: boolean
}

export const v4: Family = Object.freeze({
  version: 4,
  headerLength: 20,
  minimumMtu: 68,
  defaultMss: 536,
  unspecified: 0,
  addressBits: 32,
  icmpProtocol: 1,
  udpChecksumOptional: true
})

export const v6: Family = Object.freeze({
  version: 6,
  headerLength: 40,
  minimumMtu: 1280,
  defaultMss: 1220,
  unspecified: { w0: 0, w1: 0, w2: 0, w3: 0 },
  addressBits: 128,
  icmpProtocol: 58,
  udpChecksumOptional: false
})

export const of = (address: Address.Address): Family => typeof address === "number" ? v4 : v6
