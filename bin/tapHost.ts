/**
 * A host on TAP devices, from the flags that every command over `--tap` takes.
 */
import * as CliError from "effect/cli/CliError"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as NetAddress from "effect/net/NetAddress"
import * as Option from "effect/Option"
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
import type { NetworkError } from "../src/sockets/Network.ts"
import * as Mac from "../src/wire/Mac.ts"
import * as Layout from "./layout.ts"

/** What the flags say. */
export interface Flags extends Layout.Flags {
  readonly mac: Option.Option<NetAddress.MacAddress>
  readonly mtu: Option.Option<number>
  readonly capture: Option.Option<string>
  readonly offload: boolean
}

/** The links of the devices, captured if the user wants it. */
const makeTaps = (
  flags: Flags
): Effect.Effect<ReadonlyArray<Link>, LinkError | PcapSink.PcapSinkError, TunTapDevice | Scope.Scope> =>
  Effect.gen(function*() {
    const taps = yield* Effect.forEach(flags.tap, (name, index) =>
      Tap.make({
        name,
        // A bridge hands frames on to links that may have no offloads.
        vnetHeader: flags.offload && flags.bridge !== true,
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

/** The stack on the devices, of which `command` was told. */
export const layer = (
  command: string,
  flags: Flags
): Layer.Layer<Netstack.Netstack, LinkError | NetworkError | PcapSink.PcapSinkError | CliError.CliError> => {
  const layout = Layout.plan(flags)
  if (typeof layout === "string") return Layer.effect(Netstack.Netstack, Effect.fail(usage(command, layout)))
  return Netstack.layer({ interfaces: layout.interfaces, forwarding: flags.forward ?? false }).pipe(
    Layer.provide(Layer.effect(Links, makeLinks(flags, layout))),
    Layer.provide(TunTapDevice.layer)
  )
}
