/**
 * A host on TAP devices, from the flags that every command over `--tap` takes.
 */
import * as CliError from "effect/cli/CliError"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as NetAddress from "effect/net/NetAddress"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import * as PcapSink from "../layers/PcapSink.ts"
import * as Tap from "../layers/Tap.ts"
import { TunTapDevice } from "../layers/TunTapDevice.ts"
import * as Bridge from "../src/link/Bridge.ts"
import * as Capture from "../src/link/Capture.ts"
import type { Link, LinkError } from "../src/link/Link.ts"
import { Links } from "../src/link/Links.ts"
import * as Vlan from "../src/link/Vlan.ts"
import * as Netstack from "../src/Netstack.ts"
import * as Network from "../src/sockets/Network.ts"
import * as Mac from "../src/wire/Mac.ts"
import { CommandFailure } from "./exit.ts"
import * as Layout from "./layout.ts"

/** What the flags say. */
export interface Flags extends Layout.Flags {
  readonly mac: Option.Option<NetAddress.MacAddress>
  readonly mtu: Option.Option<number>
  readonly capture: Option.Option<string>
  readonly offload: boolean
  /** Microseconds. */
  readonly spin: number
}

/** The links of the devices, captured if the user wants it. */
const makeTaps = (
  flags: Flags
): Effect.Effect<ReadonlyArray<Link>, LinkError | PcapSink.PcapSinkError, TunTapDevice | Scope.Scope> =>
  Effect.gen(function*() {
    const taps = yield* Effect.forEach(flags.tap, (name, index) =>
      Tap.make({
        name,
        vnetHeader: flags.offload,
        spin: Duration.micros(BigInt(flags.spin)),
        // No two links of a host have one address.
        ...(Option.isSome(flags.mac) ? { mac: Mac.fromNet(flags.mac.value) + index } : {}),
        ...(Option.isSome(flags.mtu) ? { mtu: flags.mtu.value } : {})
      }))
    if (Option.isNone(flags.capture)) return taps
    const sink = yield* PcapSink.make({ path: flags.capture.value, application: "netstack" })
    return taps.map(Capture.apply(sink))
  })

/** The links of the interfaces: the devices or the bridge of them, and their VLANs. */
const makeLinks = (flags: Flags, layout: Layout.Layout) =>
  Effect.map(makeTaps(flags), (taps) => {
    const parents = layout.isBridge ? [Bridge.make(taps, { name: Layout.bridgeName }).link] : taps
    const links = parents.flatMap((parent) => {
      const vlans = layout.vlans.filter((vlan) => vlan.parent === parent.name)
      if (vlans.length === 0) return [parent]
      const trunk = Vlan.trunk(parent)
      return [trunk.untagged].concat(vlans.map(({ identifier }) => trunk.tagged(identifier)))
    })
    return { links }
  })

/** Flags that are right each by itself and not together. */
const usage = (command: string, message: string): CliError.CliError =>
  new CliError.ShowHelp({
    commandPath: ["netstack", command],
    errors: [new CliError.ValidationError({ message })]
  })

type Failures = LinkError | Network.NetworkError | PcapSink.PcapSinkError | CliError.CliError

/** The stack on the devices, of which `command` was told. */
export const layer = (command: string, flags: Flags): Layer.Layer<Netstack.Netstack, Failures> => {
  const layout = Layout.plan(flags)
  if (typeof layout === "string") return Layer.effect(Netstack.Netstack, Effect.fail(usage(command, layout)))
  const { interfaces, routes } = layout
  return Netstack.layer({ interfaces, routes, forwarding: flags.forward ?? false }).pipe(
    Layer.provide(Layer.effect(Links, makeLinks(flags, layout))),
    Layer.provide(TunTapDevice.layer)
  )
}

/** Routers solicited advertise within seconds (RFC 4861 §6.3.7), and an address is looked for elsewhere for one (RFC 4862 §5.4). */
const patience = "15 seconds"

const isGlobal = ({ interface: { address }, state }: Network.InterfaceAddress): boolean =>
  state === "preferred" && NetAddress.isIpv6Address(address) && !NetAddress.isLinkLocal(address) &&
  !NetAddress.isLoopback(address)

const hasAddress = Effect.map(Network.interfaces, (all) => all.some(({ addresses }) => addresses.some(isGlobal)))

/** Waits for an address from a router, for who asked for one. */
const configured = (flags: Flags): Effect.Effect<void, CommandFailure, Netstack.Netstack> => {
  if (!flags.slaac) return Effect.void
  return Effect.repeat(hasAddress, { until: (has) => has, schedule: Schedule.spaced("100 millis") }).pipe(
    Effect.timeoutOrElse({
      duration: patience,
      orElse: () => Effect.fail(new CommandFailure({ message: `no router has advertised a prefix within ${patience}` }))
    }),
    Effect.asVoid
  )
}

/** {@link layer} for a command that begins at once: the host has its addresses when it is there. */
export const layerConfigured = (
  command: string,
  flags: Flags
): Layer.Layer<Netstack.Netstack, Failures | CommandFailure> =>
  Layer.effect(Netstack.Netstack, Effect.tap(Netstack.Netstack, () => configured(flags))).pipe(
    Layer.provide(layer(command, flags))
  )
