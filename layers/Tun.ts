/**
 * A link of bare IP packets to the kernel through a TUN device: no Ethernet header, no ARP.
 *
 * @example
 * ```ts
 * const link = yield* Tun.make({ name: "tun0" })
 * ```
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import type { Link, LinkError } from "../src/link/Link.ts"
import * as Links from "../src/link/Links.ts"
import { type Options as DeviceOptions, TunTapDevice } from "./TunTapDevice.ts"
import * as TunTapLink from "./TunTapLink.ts"

export interface Options extends Omit<DeviceOptions, "mode">, TunTapLink.Options {}

/** Opens the device (making it if it may) and gives its link; the device is closed with the scope. */
export const make = (options: Options): Effect.Effect<Link, LinkError, TunTapDevice | Scope.Scope> =>
  Effect.gen(function*() {
    const devices = yield* TunTapDevice
    const device = yield* devices.open({ ...options, mode: "tun" })
    return TunTapLink.make(device, undefined, options)
  })

/**
 * The link of one TUN device as the links of a stack. A device that an object of `tuntap2` holds goes through
 * `Links.layerEffect(Tun.make(…))` and `TunTapDevice.layerTuntap2` instead.
 */
export const layer = (options: Options): Layer.Layer<Links.Links, LinkError> =>
  Layer.provide(Links.layerEffect(make(options)), TunTapDevice.layer)
