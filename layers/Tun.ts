/**
 * A link of bare IP packets to the kernel through a TUN device: no Ethernet header, no ARP.
 *
 * @example
 * ```ts
 * const link = yield* Tun.make({ name: "tun0" })
 * ```
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Link, LinkError } from "../src/link/Link.ts"
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
