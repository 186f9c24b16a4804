/**
 * `netstack up`: a host on a TAP device until Ctrl-C.
 */
import * as Command from "effect/cli/Command"
import * as Console from "effect/Console"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as NetAddress from "effect/net/NetAddress"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { failure, type Netstack } from "../src/Netstack.ts"
import { serve, type Service } from "../src/services/Service.ts"
import * as Network from "../src/sockets/Network.ts"
import * as Arguments from "./arguments.ts"
import * as Exit from "./exit.ts"
import * as Observation from "./observation.ts"
import type { Placed } from "./services.ts"
import * as TapHost from "./tapHost.ts"

const untilOf = ({ expiresAt }: Network.Lease): string =>
  expiresAt === undefined ? "" : ` until ${DateTime.formatIso(expiresAt)}, and renewed before`

/** What the user wants to know before anything happens. */
const introduce = (flags: TapHost.Flags): Effect.Effect<void, never, Netstack> =>
  Effect.gen(function*() {
    const own = (yield* Network.interfaces).find(({ name }) => name === flags.tap)
    const gateway = Option.getOrUndefined(flags.gateway)
    const leases = yield* Network.leases
    const addresses = [...flags.address, ...leases.map(({ address }) => address)].join(", ") || flags.tap
    const verb = flags.address.length + leases.length > 1 ? "are" : "is"
    yield* Console.log(`${addresses} ${verb} up on ${flags.tap} (${own?.mac}, MTU ${own?.mtu}). Ctrl-C ends it.`)
    for (const lease of leases) yield* Console.log(`${lease.address} is granted by ${lease.server}${untilOf(lease)}.`)
    if (flags.address.length > 0) yield* Console.log(`If this machine has no address on ${flags.tap} yet:`)
    for (const address of flags.address) {
      const isGateways = gateway !== undefined &&
        NetAddress.isIpv4Address(gateway) === NetAddress.isIpv4Address(address.address)
      const far = Arguments.farAddress(address, isGateways ? gateway : undefined)
      yield* Console.log(`  ip addr add ${far} dev ${flags.tap} && ip link set ${flags.tap} up`)
    }
    if (Option.isSome(flags.capture)) yield* Console.log(`Every frame goes into ${flags.capture.value}.`)
  })

const protocolsOf = (service: Service): string => service.datagram === undefined ? "TCP" : "TCP and UDP"

const run = ({ port, service }: Placed) =>
  serve(service, port, Console.log(`${service.name} on port ${port}, ${protocolsOf(service)}`))

/** The device was removed, or failed: there is nothing left to be on. */
const watch = (name: string): Effect.Effect<never, Exit.CommandFailure, Netstack> =>
  Network.changesOf("LinkDetached").pipe(
    Stream.filter((change) => change.name === name),
    Stream.runHead,
    Effect.andThen(new Exit.CommandFailure({ message: `${name} is gone` }))
  )

/** Tells addresses that come to be used after the start, and those that go. */
const tellAddresses: Effect.Effect<void, never, Netstack> = Network.changesOf("AddressChanged").pipe(
  Stream.runForEach(({ address, state }) => Console.log(`${address} is ${state}`))
)

const main = (
  flags: TapHost.Flags & { readonly service: ReadonlyArray<Placed> }
): Effect.Effect<never, Error, Netstack | Scope.Scope> =>
  Effect.gen(function*() {
    yield* introduce(flags)
    const addresses = flags.slaac || flags.dhcp ? [tellAddresses] : []
    const ends = [watch(flags.tap), failure, ...addresses, ...flags.service.map(run)]
    return yield* Effect.andThen(Effect.all(ends, { concurrency: "unbounded" }), Effect.never)
  })

export const command = Command.make(
  "up",
  { ...Arguments.hostFlags, service: Arguments.serviceFlag, otlp: Observation.otlpFlag },
  (flags) => {
    Exit.endsByInterruption()
    return Effect.scoped(main(flags)).pipe(
      Effect.provide(TapHost.layer(flags)),
      Effect.provide(Observation.layer(flags.service, flags.otlp))
    )
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
    }
  ])
)
