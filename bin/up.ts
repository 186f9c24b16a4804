/**
 * `netstack up`: a host on a TAP device until Ctrl-C.
 */
import * as Command from "effect/cli/Command"
import * as Console from "effect/Console"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as IpInterface from "effect/net/IpInterface"
import * as NetAddress from "effect/net/NetAddress"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { failure, type Netstack } from "../src/Netstack.ts"
import { serve, type Service } from "../src/services/Service.ts"
import * as Network from "../src/sockets/Network.ts"
import * as Arguments from "./arguments.ts"
import * as Exit from "./exit.ts"
import * as Layout from "./layout.ts"
import * as Observation from "./observation.ts"
import type { Placed } from "./services.ts"
import * as Shards from "./shards.ts"
import * as TapHost from "./tapHost.ts"

const untilOf = ({ expiresAt }: Network.Lease): string =>
  expiresAt === undefined ? "" : ` until ${DateTime.formatIso(expiresAt)}, and renewed before`

/** Only the first interface is a device with a kernel behind it that the user may want to set up: bridges and VLANs are up to them. */
const advise = (flags: TapHost.Flags, { interfaces, isBridge }: Layout.Layout) =>
  Effect.gen(function*() {
    for (const { addresses = [], link } of isBridge ? [] : interfaces.filter(({ link }) => flags.tap.includes(link))) {
      const own = addresses as ReadonlyArray<IpInterface.IpInterface>
      if (own.length > 0) yield* Console.log(`If this machine has no address on ${link} yet:`)
      for (const address of own) {
        const isV4 = NetAddress.isIpv4Address(address.address)
        const far = Arguments.farAddress(address, flags.gateway.find((each) => NetAddress.isIpv4Address(each) === isV4))
        yield* Console.log(`  ip addr add ${far} dev ${link} && ip link set ${link} up`)
      }
    }
  })

/** What the user wants to know before anything happens. */
const introduce = (flags: TapHost.Flags, layout: Layout.Layout): Effect.Effect<void, never, Netstack> =>
  Effect.gen(function*() {
    const all = yield* Network.interfaces
    const leases = yield* Network.leases
    for (const { addresses = [], link } of layout.interfaces) {
      const own = all.find(({ name }) => name === link)
      const leased = leases.filter((lease) => lease.link === own?.link).map(({ address }) => address)
      const shown = [...addresses, ...leased].join(", ") || link
      const verb = addresses.length + leased.length > 1 ? "are" : "is"
      yield* Console.log(`${shown} ${verb} up on ${link} (${own?.mac}, MTU ${own?.mtu}). Ctrl-C ends it.`)
    }
    for (const lease of leases) yield* Console.log(`${lease.address} is granted by ${lease.server}${untilOf(lease)}.`)
    yield* advise(flags, layout)
    for (const { name, offload } of all.filter(({ name }) => flags.tap.includes(name))) {
      if (offload.segmentation.length > 0) {
        yield* Console.log(`${name} trades super-segments with the kernel: ${offload.segmentation.join(", ")}.`)
      }
    }
    if (layout.isBridge) yield* Console.log(`${layout.interfaces[0]!.link} joins ${layout.taps.join(", ")}.`)
    if (flags.forward === true) yield* Console.log("Packets between the interfaces are forwarded.")
    if (Option.isSome(flags.capture)) yield* Console.log(`Every frame goes into ${flags.capture.value}.`)
  })

const protocolsOf = (service: Service): string => service.datagram === undefined ? "TCP" : "TCP and UDP"

const run = ({ port, service }: Placed) =>
  serve(service, port, Console.log(`${service.name} on port ${port}, ${protocolsOf(service)}`))

/** An interface was removed, or failed: there is nothing left to be on. */
const watch = (names: ReadonlyArray<string>): Effect.Effect<never, Exit.CommandFailure, Netstack> =>
  Network.changesOf("LinkDetached").pipe(
    Stream.filter((change) => names.includes(change.name)),
    Stream.runHead,
    Effect.flatMap((gone) => {
      const name = Option.isSome(gone) ? gone.value.name : names.join(", ")
      return new Exit.CommandFailure({ message: `${name} is gone` })
    })
  )

/** Tells addresses that come to be used after the start, and those that go. */
const tellAddresses: Effect.Effect<void, never, Netstack> = Network.changesOf("AddressChanged").pipe(
  Stream.runForEach(({ address, state }) => Console.log(`${address} is ${state}`))
)

const main = (
  flags: TapHost.Flags & { readonly service: ReadonlyArray<Placed> }
): Effect.Effect<never, Error, Netstack | Scope.Scope> =>
  Effect.gen(function*() {
    const layout = Layout.plan(flags)
    // The host could not have been made.
    if (typeof layout === "string") return yield* new Exit.CommandFailure({ message: layout })
    yield* introduce(flags, layout)
    const addresses = flags.slaac || flags.dhcp ? [tellAddresses] : []
    const gone = watch(layout.interfaces.map(({ link }) => link))
    const ends = [gone, failure, ...addresses, ...flags.service.map(run)]
    return yield* Effect.andThen(Effect.all(ends, { concurrency: "unbounded" }), Effect.never)
  })

export const command = Command.make(
  "up",
  {
    ...Arguments.hostFlags,
    ...Arguments.routerFlags,
    service: Arguments.serviceFlag,
    otlp: Observation.otlpFlag,
    shards: Arguments.shardsFlag
  },
  (flags) => {
    Exit.endsByInterruption()
    if (Option.isSome(flags.shards)) return Effect.scoped(Shards.run(flags, flags.shards.value, flags.service))
    const observed = Layer.provideMerge(TapHost.layer("up", flags), Observation.layer(flags.service, flags.otlp))
    return Effect.provide(Effect.scoped(main(flags)), observed)
  }
).pipe(
  Command.withDescription(
    "Be a host of its own on a TAP device: with its own MAC and IP address, answering ARP and ping, until Ctrl-C. " +
      "Services run over TCP and, where that is their custom, over UDP: echo, discard (reads to the end), chargen, " +
      "daytime, source (reads an 8-byte big-endian count N, sends N bytes), and http, a site that shows the stack from the inside."
  ),
  Command.withShortDescription("Be a host on a TAP device until Ctrl-C"),
  Command.withExamples([
    {
      command: "sudo netstack up --tap tap0 --address 10.0.0.2/24 --service http:80",
      description: "A host with a web site; then: ip addr add 10.0.0.1/24 dev tap0, and open http://10.0.0.2/"
    },
    {
      command: "sudo ip tuntap add dev tap0 mode tap user $USER && netstack up --tap tap0 --address 10.0.0.2/24",
      description: "Without root for the program itself: on a device made beforehand"
    },
    {
      command: "netstack up --tap tap0 --address 10.0.0.2/24 --service echo:7 --service discard:9 --capture all.pcapng",
      description: "Classic services, and a capture for Wireshark"
    },
    {
      command: "netstack up --tap lan --tap wan --forward --address lan=10.0.1.1/24 --address wan=10.0.2.1/24",
      description: "A router between two devices"
    },
    {
      command: "sudo netstack up --tap tap0 --address 10.0.0.2/24 --shards 2 --service http:80",
      description:
        "The same host on two cores; a device made beforehand needs several queues: ip tuntap add … multi_queue"
    },
    {
      command: "netstack up --tap tap0 --slaac",
      description: "A host that configures itself over IPv6; with --router-advertise 2001:db8:1::/64 others do by it"
    },
    {
      command:
        "netstack up --tap tap0 --tap tap1 --bridge --address 10.0.0.2/24 --vlan 10 --address bridge0.10=10.0.10.2/24",
      description: "A bridge of two devices with a host on it, also in VLAN 10"
    }
  ])
)
