/**
 * `netstack ping`: echo requests from a host on a TAP device.
 */
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Console from "effect/Console"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as NetAddress from "effect/net/NetAddress"
import * as Option from "effect/Option"
import type { Netstack } from "../src/sockets/Netstack.ts"
import * as Ping from "../src/sockets/Ping.ts"
import * as Arguments from "./arguments.ts"
import * as Exit from "./exit.ts"
import * as TapHost from "./tapHost.ts"

/** What has come back so far. */
export interface Tally {
  readonly sent: number
  /** Round trips in milliseconds. */
  readonly times: ReadonlyArray<number>
}

/** Lowest, mean and highest round trip. */
export const summary = ({ sent, times }: Tally): string => {
  const lost = sent - times.length
  const percent = sent === 0 ? 0 : Math.round((100 * lost) / sent)
  const counts = `${sent} sent, ${times.length} answered, ${percent} % lost`
  if (times.length === 0) return counts
  const mean = times.reduce((sum, time) => sum + time, 0) / times.length
  const [low, high] = [Math.min(...times), Math.max(...times)]
  return `${counts}, round trip ${low.toFixed(3)} / ${mean.toFixed(3)} / ${high.toFixed(3)} ms (min / mean / max)`
}

interface Options {
  readonly count: Option.Option<number>
  readonly interval: Duration.Duration
  readonly size: number
  readonly timeout: Duration.Duration
  readonly hopLimit: Option.Option<number>
}

const once = (
  destination: NetAddress.IpAddress,
  options: Options,
  sequence: number
): Effect.Effect<number | undefined, never, Netstack> =>
  Effect.matchEffect(
    Ping.ping(destination, {
      payload: Uint8Array.from({ length: options.size }, (_, i) => i),
      timeout: options.timeout,
      ...(Option.isSome(options.hopLimit) ? { hopLimit: options.hopLimit.value } : {})
    }),
    {
      onSuccess: ({ bytes, from, hopLimit, isIntact, roundTrip }) => {
        const time = Duration.toMillis(roundTrip)
        const damage = isIntact ? "" : " (payload damaged)"
        const line = `${bytes} bytes from ${from}: seq=${sequence} ttl=${hopLimit} time=${time.toFixed(3)} ms${damage}`
        return Effect.as(Console.log(line), time)
      },
      onFailure: (error) => {
        const from = error.reason._tag === "Unreachable" ? error.reason.icmp?.from : undefined
        const sender = from === undefined ? "" : `from ${from}: `
        const what = error.reason._tag === "TimedOut" ? "no answer" : error.message
        return Effect.as(Console.log(`${sender}seq=${sequence} ${what}`), undefined)
      }
    }
  )

const main = (destination: NetAddress.IpAddress, options: Options): Effect.Effect<void, Error, Netstack> =>
  Effect.suspend(() => {
    let tally: Tally = { sent: 0, times: [] }
    const count = Option.getOrElse(options.count, () => Infinity)
    const all = Effect.gen(function*() {
      for (let sequence = 0; sequence < count; sequence++) {
        if (sequence > 0) yield* Effect.sleep(options.interval)
        const time = yield* once(destination, options, sequence)
        tally = { sent: tally.sent + 1, times: time === undefined ? tally.times : [...tally.times, time] }
      }
    })
    return all.pipe(
      Effect.ensuring(Effect.suspend(() => Console.log(summary(tally)))),
      Effect.andThen(
        Effect.suspend(() =>
          tally.times.length > 0 ? Effect.void : new Exit.CommandFailure({ message: `${destination} does not answer` })
        )
      )
    )
  })

const flags = {
  ...Arguments.hostFlags,
  count: Arguments.numberFlag("count", 1, 1_000_000).pipe(
    Flag.withAlias("c"),
    Flag.withMetavar("N"),
    Flag.withDescription("Ends after N requests; at Ctrl-C by default"),
    Flag.optional
  ),
  interval: Arguments.secondsFlag("interval").pipe(
    Flag.withAlias("i"),
    Flag.withMetavar("SECONDS"),
    Flag.withDescription("Waits between requests; 1 second by default"),
    Flag.withDefault(Duration.seconds(1))
  ),
  size: Arguments.numberFlag("size", 0, 65_507).pipe(
    Flag.withAlias("s"),
    Flag.withMetavar("BYTES"),
    Flag.withDescription("Bytes of payload; 56 by default. What exceeds the MTU goes in fragments"),
    Flag.withDefault(56)
  ),
  timeout: Arguments.secondsFlag("timeout").pipe(
    Flag.withAlias("W"),
    Flag.withMetavar("SECONDS"),
    Flag.withDescription("Waits for an answer; 1 second by default"),
    Flag.withDefault(Duration.seconds(1))
  ),
  hopLimit: Arguments.numberFlag("ttl", 1, 255).pipe(
    Flag.withAlias("t"),
    Flag.withMetavar("N"),
    Flag.withDescription("Routers that a request may pass; 64 by default"),
    Flag.optional
  ),
  destination: Argument.String("address").pipe(
    Argument.mapTryCatch(
      Arguments.parseAddress,
      Arguments.because
    ),
    Argument.withDescription("Whom to ping")
  )
}

export const command = Command.make("ping", flags, (input) => {
  if (Option.isNone(input.count)) Exit.endsByInterruption()
  return main(input.destination, input).pipe(Effect.provide(TapHost.layerConfigured("ping", input)))
}).pipe(
  Command.withDescription("Send ICMP echo requests from a host on a TAP device."),
  Command.withExamples([
    {
      command: "netstack ping --tap tap0 --address 10.0.0.2/24 -c 3 10.0.0.1",
      description: "Three pings to the kernel"
    }
  ])
)
