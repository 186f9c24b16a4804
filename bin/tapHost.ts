/**
 * A host on a TAP device, from the flags that every command over `--tap` takes.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as IpInterface from "effect/net/IpInterface"
import * as NetAddress from "effect/net/NetAddress"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import * as PcapSink from "../layers/PcapSink.ts"
import * as Tap from "../layers/Tap.ts"
import { TunTapDevice } from "../layers/TunTapDevice.ts"
import * as Capture from "../src/link/Capture.ts"
import type { Link, LinkError } from "../src/link/Link.ts"
import * as Links from "../src/link/Links.ts"
import * as Netstack from "../src/Netstack.ts"
import type { NetworkError } from "../src/sockets/Network.ts"
import * as Mac from "../src/wire/Mac.ts"
import { CommandFailure } from "./exit.ts"

/** What the flags say. */
export interface Flags {
  readonly tap: string
  readonly address: ReadonlyArray<IpInterface.IpInterface>
  readonly dhcp: boolean
  readonly slaac: boolean
  readonly gateway: Option.Option<NetAddress.IpAddress>
  readonly mac: Option.Option<NetAddress.MacAddress>
  readonly mtu: Option.Option<number>
  readonly capture: Option.Option<string>
}

/** The device's link, captured if the user wants it. */
const makeLink = (
  flags: Flags
): Effect.Effect<Link, LinkError | PcapSink.PcapSinkError, TunTapDevice | Scope.Scope> =>
  Effect.gen(function*() {
    const link = yield* Tap.make({
      name: flags.tap,
      ...(Option.isSome(flags.mac) ? { mac: Mac.fromNet(flags.mac.value) } : {}),
      ...(Option.isSome(flags.mtu) ? { mtu: flags.mtu.value } : {})
    })
    if (Option.isNone(flags.capture)) return link
    return Capture.make(link, yield* PcapSink.make({ path: flags.capture.value, application: "netstack" }))
  })

const withoutAddress = new CommandFailure({ message: "a host needs an address: --address, --dhcp or --slaac" })

/** The stack on the device. */
export const layer = (
  flags: Flags
): Layer.Layer<Netstack.Netstack, LinkError | NetworkError | PcapSink.PcapSinkError | CommandFailure> =>
  flags.address.length > 0 || flags.dhcp || flags.slaac
    ? layerOf(flags)
    : Layer.effect(Netstack.Netstack, Effect.fail(withoutAddress))

const layerOf = (flags: Flags) =>
  Netstack.layer({
    addresses: flags.address,
    ...(flags.dhcp ? { ipv4: "dhcp" as const } : {}),
    ...(flags.slaac ? { ipv6: "slaac" as const } : {}),
    ...(Option.isSome(flags.gateway) ? { gateway: flags.gateway.value } : {})
  }).pipe(
    Layer.provide(Links.layerEffect(makeLink(flags))),
    Layer.provide(TunTapDevice.layer)
  )
