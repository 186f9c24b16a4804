/**
 * Interfaces as the core knows them: what a link told about itself when it was attached, and the addresses given to it.
 * The state machines of addresses (RFC 5227, RFC 4862) live in `device/`; every protocol may read this record.
 */
import * as Address from "../wire/Address.ts"
import type { Frame, GsoKind } from "../wire/Frame.ts"
import type { Mac } from "../wire/Mac.ts"
import type { Instant, Span } from "./Time.ts"

/** Numbers an attached link for the life of the stack; never reused. */
export type LinkId = number

/** The link that is always there: packets to the stack's own addresses go out of it and come in again. */
export const loopback: LinkId = 0

/** The state of an address: RFC 4862 §2's words, which fit RFC 5227 as well. Only usable ones are sources of new traffic. */
export type AddressState = "tentative" | "optimistic" | "preferred" | "deprecated" | "duplicated"

/** How an address came to be. */
export type AddressOrigin = "static" | "dhcp" | "slaac" | "temporary" | "linkLocal" | "loopback"

export interface InterfaceAddress {
  /** Names the address in timers; never reused. */
  readonly id: number
  readonly address: Address.Address
  readonly prefixLength: number
  readonly state: AddressState
  readonly origin: AddressOrigin
  readonly preferredUntil: Instant
  readonly validUntil: Instant
}

export interface Interface {
  readonly id: LinkId
  readonly name: string
  readonly medium: "ethernet" | "ip" | "loopback"
  /** 0 on links without link-layer addresses. */
  readonly mac: Mac
  /** Largest IP packet in bytes. */
  readonly mtu: number
  /** Largest IPv6 packet, where routers want a smaller one (RFC 4861 §6.3.4). */
  readonly mtuV6?: number
  /** Hop limit of IPv6 packets that nobody gave another, as routers tell it (RFC 4861 §6.3.4). */
  readonly hopLimitV6?: number
  /** The times of neighbour discovery in IPv6, as routers tell them (RFC 4861 §6.3.4). */
  readonly discovery?: { readonly reachable: Span; readonly retransmit: Span }
  /** The link verifies and completes transport checksums. */
  readonly checksumOffload: boolean
  /** Super-segments the link takes; where it takes none the transmit worker cuts them. */
  readonly segmentation: ReadonlySet<GsoKind>
  readonly maxSegmentBytes: number
  readonly up: boolean
  /**
   * Everybody on the link is known not to have others' addresses, as on a wire in memory: IPv6 addresses that a program gives are used without asking
   * (RFC 4862 §5.1: a DupAddrDetectTransmits of zero).
   */
  readonly isClosed?: boolean
  readonly addresses: ReadonlyArray<InterfaceAddress>
  /** Whether packets for others that come in here are forwarded; absent for what the stack does (`Config.forwarding`). */
  readonly forwarding?: boolean
}

/** Whether the host is a router for who sends to this interface. */
export const forwards = (config: { readonly forwarding: boolean }, self: Interface): boolean =>
  self.medium !== "loopback" && (self.forwarding ?? config.forwarding)

/** What a frame carried, behind its link-layer header. The bytes are borrowed. */
export interface Inbound {
  readonly link: LinkId
  readonly interface: Interface
  /** As the link gave it, for whoever passes it on. */
  readonly frame: Frame
  readonly bytes: Uint8Array
  readonly start: number
  readonly end: number
  /** What the link vouches for. */
  readonly checksum: "none" | "verified"
  /** Payload bytes per original packet when the link merged several; 0 otherwise. */
  readonly segmentSize: number
  /** The frame was sent to a link-layer group or broadcast address. */
  readonly isLinkGroup: boolean
  readonly receivedAt: Instant
}

/** Bytes of the link-layer header that the interface's frames carry. */
export const headerLength = (self: Interface): number => self.medium === "ethernet" ? 14 : 0

/**
 * The anycast address of the routers of one of the interface's subnets: its prefix with nothing behind it (rfc: 4291 §2.6.1 MUST). Prefixes of 127 and 128 bits
 * have none (RFC 6164 §6).
 */
export const isSubnetRouters = (
  config: { readonly forwarding: boolean },
  self: Interface,
  address: Address.Ipv6
): boolean =>
  forwards(config, self) &&
  self.addresses.some((entry) =>
    !Address.isV4(entry.address) && isUsable(entry) && entry.prefixLength < 127 && entry.prefixLength > 0 &&
    !Address.isLinkLocal(address) && Address.equals(Address.network(entry.address, entry.prefixLength), address)
  )

/** The entry of an address, usable or not. */
export const find = (self: Interface, address: Address.Address): InterfaceAddress | undefined => {
  for (const entry of self.addresses) if (Address.equals(entry.address, address)) return entry
  return undefined
}

/**
 * Whether the address means everybody on the link: the limited broadcast, or all ones in the host part of a prefix of the interface
 * (RFC 919 §7, RFC 922 §7). Prefixes of 31 and 32 bits have none (RFC 3021 §2.2).
 */
export const isBroadcast = (self: Interface, address: Address.Address): boolean => {
  if (!Address.isV4(address)) return false
  if (address === Address.broadcastV4) return true
  for (const entry of self.addresses) {
    if (entry.prefixLength >= 31 || !Address.samePrefix(entry.address, address, entry.prefixLength)) continue
    if ((address | Address.mask32(entry.prefixLength)) === Address.broadcastV4) return true
  }
  return false
}

/** Whether traffic may use the address (RFC 4862 §5.4: not while it is tentative or a duplicate). */
export const isUsable = (entry: InterfaceAddress): boolean =>
  entry.state === "preferred" || entry.state === "deprecated" || entry.state === "optimistic"
