/**
 * Interfaces and their addresses as programs see them: where an address comes from, what may be done with it, and for how long (RFC 4862 §2, §5.5.4).
 */
import type * as Clock from "effect/Clock"
import type * as Duration from "effect/Duration"
import * as IpInterface from "effect/net/IpInterface"
import type * as NetAddress from "effect/net/NetAddress"
import * as Edge from "../workers/Edge.ts"
import type * as Readings from "../workers/Readings.ts"
import type * as Stack from "../workers/Stack.ts"

type CoreInterface = ReturnType<typeof Readings.interfaces>[number]
type CoreAddress = CoreInterface["addresses"][number]
type CoreSegmentation = CoreInterface["segmentation"] extends ReadonlySet<infer Kind> ? Kind : never

export interface InterfaceAddress {
  readonly interface: IpInterface.IpInterface
  /** Only `preferred`, `deprecated` and `optimistic` addresses are in use. */
  readonly state: CoreAddress["state"]
  readonly origin: CoreAddress["origin"]
  /** How long new traffic may start from it; absent for ever. */
  readonly preferredFor: Duration.Duration | undefined
  /** How long it is the interface's; absent for ever. */
  readonly validFor: Duration.Duration | undefined
}

/** What the link does in the stack's place. */
export interface LinkOffload {
  /** It completes and verifies checksums of TCP and UDP. */
  readonly checksum: boolean
  /** The super-segments that it cuts: of TCP and of UDP over either version of IP. Where it cuts none the stack does. */
  readonly segmentation: ReadonlyArray<CoreSegmentation>
  /** Longest super-segment in bytes; the MTU where there are none. */
  readonly maxSegmentBytes: number
}

export interface NetworkInterface {
  /** Names the interface in its stack. */
  readonly link: number
  readonly name: string
  readonly medium: "ethernet" | "ip" | "loopback"
  readonly mac: NetAddress.MacAddress | undefined
  /** Largest IP packet in bytes. */
  readonly mtu: number
  readonly offload: LinkOffload
  readonly up: boolean
  readonly addresses: ReadonlyArray<InterfaceAddress>
  /** Frames lost before the stack saw them or after it sent them, by reason. */
  readonly lost: Readonly<Record<string, number>>
}

const addressOf = (entry: CoreAddress, clock: Clock.Clock): InterfaceAddress => ({
  interface: IpInterface.makeUnsafe(Edge.ipOf(entry.address), entry.prefixLength),
  state: entry.state,
  origin: entry.origin,
  preferredFor: Edge.durationUntil(clock, entry.preferredUntil),
  validFor: Edge.durationUntil(clock, entry.validUntil)
})

export const of = (
  self: CoreInterface,
  status: Stack.LinkStatus | undefined,
  clock: Clock.Clock
): NetworkInterface => ({
  link: self.id,
  name: self.name,
  medium: self.medium,
  mac: Edge.macAddressOf(self.mac),
  mtu: self.mtu,
  offload: {
    checksum: self.checksumOffload,
    segmentation: [...self.segmentation],
    maxSegmentBytes: self.maxSegmentBytes
  },
  up: self.up,
  addresses: self.addresses.map((entry) => addressOf(entry, clock)),
  lost: status === undefined ? {} : { ringFull: status.overflowed, ...status.lost }
})
