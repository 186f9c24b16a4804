/**
 * A link of Ethernet frames to the kernel through a TAP device: a host of its own on the wire that the kernel sees as an
 * interface.
 *
 * @example
 * ```ts
 * const link = yield* Tap.make({ name: "tap0" })
 * ```
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import { randomBytes } from "node:crypto"
import { type Link, type LinkError, ownMac } from "../src/link/Link.ts"
import * as Links from "../src/link/Links.ts"
import * as Mac from "../src/wire/Mac.ts"
import { type Options as DeviceOptions, TunTapDevice } from "./TunTapDevice.ts"
import * as TunTapLink from "./TunTapLink.ts"

export interface Options extends Omit<DeviceOptions, "mode">, TunTapLink.Options {
  /** The stack's own address, such as `02:00:00:00:00:01`; a random one if absent. It must differ from that of the kernel's end. */
  readonly mac?: Mac.Input
}

/** The bits of the first octet: locally administered, not a group (IEEE 802-2014 §8.2.2). */
const localBit = 0x02
const groupBit = 0x01

/** A locally administered address from the system's generator, so that hosts that are started at once do not collide. */
export const randomMac = (): Mac.Mac => {
  const octets = randomBytes(6)
  octets[0] = (octets[0]! & ~groupBit) | localBit
  return Mac.read(octets, 0)
}

/** Opens the device (making it if it may) and gives its link; the device is closed with the scope. */
export const make = (options: Options): Effect.Effect<Link, LinkError, TunTapDevice | Scope.Scope> =>
  Effect.gen(function*() {
    const mac = yield* Effect.fromResult(ownMac(options.name, options.mac))
    const devices = yield* TunTapDevice
    const device = yield* devices.open({ ...options, mode: "tap" })
    return TunTapLink.make(device, mac ?? randomMac(), options)
  })

/**
 * The link of one TAP device as the links of a stack. A device that an object of `tuntap2` holds goes through
 * `Links.layerEffect(Tap.make(…))` and `TunTapDevice.layerTuntap2` instead.
 */
export const layer = (options: Options): Layer.Layer<Links.Links, LinkError> =>
  Layer.provide(Links.layerEffect(make(options)), TunTapDevice.layer)
