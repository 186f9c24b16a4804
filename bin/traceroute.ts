/**
 * `netstack traceroute`: the routers on the way from a host on a TAP device.
 */
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Console from "effect/Console"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as NetAddress from "effect/net/NetAddress"
import * as Stream from "effect/Stream"
import * as Traceroute from "../src/services/Traceroute.ts"
import type { Netstack } from "../src/sockets/Netstack.ts"
import * as Arguments from "./arguments.ts"
import * as Exit from "./exit.ts"
import * as TapHost from "./tapHost.ts"

const timeOf = (answer: Traceroute.Answer): string => {
  switch (answer._tag) {
    case "Silence":
      return "*"
    case "Heard":
      return `${Duration.toMillis(answer.roundTrip).toFixed(3)} ms`
    case "Refused":
      return `!${answer.reason}`
  }
}

/** The number of the hop, and each router with its times; a router is named again only when it changes. */
export const line = ({ answers, hopLimit }: Traceroute.Hop): string => {
  let last = ""
  const parts = answers.map((answer) => {
    const from = answer._tag === "Silence" || answer.from === undefined ? last : NetAddress.formatIp(answer.from)
    const isOther = from !== last
    last = from
    return isOther ? `${from}  ${timeOf(answer)}` : timeOf(answer)
  })
  return `${String(hopLimit).padStart(2)}  ${parts.join("  ")}`
}

const hasArrived = ({ answers }: Traceroute.Hop): boolean =>
  answers.some((answer) => answer._tag === "Heard" && answer.isDestination)

const main = (
  destination: NetAddress.IpAddress,
  options: Traceroute.Options
): Effect.Effect<void, Exit.CommandFailure, Netstack> =>
  Effect.gen(function*() {
    const hops = options.maximumHops ?? Traceroute.defaultMaximumHops
    yield* Console.log(`the way to ${NetAddress.formatIp(destination)}, ${hops} hops at most, by ${options.probe}`)
    let arrived = false
    yield* Stream.runForEach(Traceroute.trace(destination, options), (hop) => {
      arrived = hasArrived(hop)
      return Console.log(line(hop))
    })
    if (!arrived) {
      return yield* new Exit.CommandFailure({ message: `${NetAddress.formatIp(destination)} was not reached` })
    }
  })

const flags = {
  ...Arguments.hostFlags,
  icmp: Flag.Boolean("icmp").pipe(
    Flag.withAlias("I"),
    Flag.withDescription("Sends echo requests; datagrams to unlikely ports by default"),
    Flag.withDefault(false)
  ),
  port: Arguments.numberFlag("port", 1, 65_000).pipe(
    Flag.withAlias("p"),
    Flag.withMetavar("PORT"),
    Flag.withDescription("First port of the datagrams; 33434 by default"),
    Flag.withDefault(Traceroute.defaultPort)
  ),
  maximumHops: Arguments.numberFlag("max-hops", 1, 255).pipe(
    Flag.withAlias("m"),
    Flag.withMetavar("N"),
    Flag.withDescription("Gives up after N routers; 30 by default"),
    Flag.withDefault(Traceroute.defaultMaximumHops)
  ),
  probes: Arguments.numberFlag("queries", 1, 10).pipe(
    Flag.withAlias("q"),
    Flag.withMetavar("N"),
    Flag.withDescription("Probes of each hop; 3 by default"),
    Flag.withDefault(Traceroute.defaultProbes)
  ),
  timeout: Arguments.secondsFlag("timeout").pipe(
    Flag.withAlias("w"),
    Flag.withMetavar("SECONDS"),
    Flag.withDescription("Waits for an answer; 1 second by default"),
    Flag.withDefault(Traceroute.defaultTimeout)
  ),
  destination: Argument.String("address").pipe(
    Argument.mapTryCatch(Arguments.parseAddress, Arguments.because),
    Argument.withDescription("Where to")
  )
}

export const command = Command.make("traceroute", flags, ({ destination, icmp, ...input }) => {
  const { maximumHops, port, probes, timeout } = input
  const options = { probe: icmp ? "icmp" as const : "udp" as const, maximumHops, port, probes, timeout }
  return main(destination, options).pipe(Effect.provide(TapHost.layerConfigured("traceroute", input)))
}).pipe(
  Command.withDescription("Show the routers on the way to an address, from a host on a TAP device."),
  Command.withExamples([
    {
      command: "netstack traceroute --tap tap0 --address 10.0.0.2/24 --gateway 10.0.0.1 192.0.2.1",
      description: "By datagrams, as traceroute does; --icmp for echo requests"
    }
  ])
)
