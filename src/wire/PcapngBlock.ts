/**
 * The vocabulary of capture files: codes of pcapng blocks and options, and what a file says (IETF draft
 * "PCAP Next Generation (pcapng) Capture File Format", draft "PCAP Capture File Format").
 */
import type * as Piece from "./Piece.ts"

/** What a packet begins with. */
export const LinkType = {
  ethernet: 1,
  /** An IPv4 or IPv6 header; its version tells which. */
  raw: 101
} as const

export const BlockType = {
  sectionHeader: 0x0a0d_0d0a,
  interfaceDescription: 1,
  simplePacket: 3,
  interfaceStatistics: 5,
  enhancedPacket: 6
} as const

/** Option codes; each block type has its own numbers from 2 on. */
export const OptionCode = {
  endOfOptions: 0,
  comment: 1,
  sectionHardware: 2,
  sectionSystem: 3,
  sectionApplication: 4,
  interfaceName: 2,
  interfaceTimestampResolution: 9,
  interfaceTimestampOffset: 14,
  packetFlags: 2,
  statisticsReceived: 4,
  statisticsDropped: 5
} as const

/** Tells a section's byte order. */
export const byteOrderMagic = 0x1a2b_3c4d

/** Which way a packet went, seen from the interface. */
export type Direction = "in" | "out"

export interface Interface {
  readonly linkType: number
  readonly name: string | undefined
  /** Most bytes of a packet that the file keeps; 0 for no limit. */
  readonly snapLength: number
}

/** A packet: a range of the file's bytes. */
export interface Packet extends Piece.Piece {
  /** Index into the file's interfaces. */
  readonly interface: number
  /** Microseconds since 1970; `undefined` in simple packet blocks, which have no time. */
  readonly at: number | undefined
  /** Of the packet on the wire, in bytes; more than the range if it was cut. */
  readonly originalLength: number
  readonly direction: Direction | undefined
  readonly comments: ReadonlyArray<string>
}

/** Packet counts of an interface. */
export interface Statistics {
  readonly interface: number
  readonly at: number
  readonly received: number | undefined
  readonly dropped: number | undefined
}

/** All that a file says. */
export interface Contents {
  readonly interfaces: ReadonlyArray<Interface>
  readonly packets: ReadonlyArray<Packet>
  readonly statistics: ReadonlyArray<Statistics>
}
