/**
 * What a {@link Host} is made of.
 */
import type * as Bounds from "../core/Bounds.ts"
import type * as Config from "../core/Config.ts"
import type { Interface, LinkId } from "../core/Device.ts"
import type { Output } from "../core/Output.ts"
import type * as Time from "../core/Time.ts"
import type * as Address from "../wire/Address.ts"
import type * as Mac from "../wire/Mac.ts"

/** An interface to begin with. Absent parts have the values of an ordinary Ethernet card. */
export interface InterfaceOptions {
  readonly name?: string
  readonly medium?: "ethernet" | "ip"
  /** `02:00:00:00:SS:NN` if absent, with the seed's low octet and the link's number. */
  readonly mac?: Mac.Mac
  /** 1500 if absent. */
  readonly mtu?: number
  /** Addresses with their prefix lengths: `[Address.v4(10, 0, 0, 1), 24]`. */
  readonly addresses?: ReadonlyArray<readonly [Address.Address, number]>
  /** The router of the default route. */
  readonly gateway?: Address.Address
  readonly checksumOffload?: boolean
  readonly segmentation?: Interface["segmentation"]
  readonly maxSegmentBytes?: number
  /** Nobody on the link has others' addresses, so IPv6 ones are used at once; true if absent. */
  readonly isClosed?: boolean
}

/** What a host is made of. */
export interface Options {
  /** Decides everything that is random: a number, or the 16 bytes of a recording. 1 if absent. */
  readonly seed?: number | Uint8Array
  readonly config?: Partial<Omit<Config.Config, "limits">>
  readonly limits?: Partial<Bounds.Limits>
  /** Attached in order, with link ids from 1 on; 0 is the loopback link, which every host has. */
  readonly interfaces?: ReadonlyArray<InterfaceOptions>
  /** Where the clock starts. 0 if absent. */
  readonly startAt?: Time.Instant
  /** Sees what every batch emits, in order, before anything comes of it. */
  readonly observer?: (at: Time.Instant, outputs: ReadonlyArray<Output>) => void
  /** Gets the recording of everything that happens, line by line (`workers/Recording.ts`). It holds keys and data. */
  readonly record?: ((line: string) => void) | undefined
}

/** What the keys of a host are derived from. */
export const seedBytes = (seed: number | Uint8Array): Uint8Array => {
  if (typeof seed !== "number") return seed
  const bytes = new Uint8Array(16)
  for (let i = 0; i < 8; i++) bytes[i] = Math.floor(seed / 2 ** (8 * i))
  return bytes
}

/** The MAC address that an interface gets when it is given none. */
export const macOf = (seed: number, link: LinkId): Mac.Mac => 0x0200_0000_0000 + (seed & 0xff) * 0x100 + (link & 0xff)

/** What the core is told of an interface. */
export const interfaceOf = (seed: number, id: LinkId, given: InterfaceOptions): Interface => {
  const medium = given.medium ?? "ethernet"
  const mtu = given.mtu ?? 1500
  return {
    id,
    name: given.name ?? `eth${id - 1}`,
    medium,
    mac: medium === "ethernet" ? given.mac ?? macOf(seed, id) : 0,
    mtu,
    checksumOffload: given.checksumOffload ?? false,
    segmentation: given.segmentation ?? new Set(),
    maxSegmentBytes: given.maxSegmentBytes ?? mtu,
    up: true,
    isClosed: given.isClosed ?? true,
    addresses: []
  }
}
