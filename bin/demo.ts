/**
 * `netstack demo`: two hosts on a wire in memory that loses and delays frames by seed, and what they have to say to each
 * other. It needs no rights and no device, and runs anywhere.
 */
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Clock from "effect/Clock"
import * as Console from "effect/Console"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as PcapSink from "../layers/PcapSink.ts"
import * as Capture from "../src/link/Capture.ts"
import * as Faults from "../src/link/Faults.ts"
import type { Link } from "../src/link/Link.ts"
import { Links } from "../src/link/Links.ts"
import * as MemoryLink from "../src/link/MemoryLink.ts"
import * as Netstack from "../src/Netstack.ts"
import { source } from "../src/services/classic.ts"
import * as HttpGet from "../src/services/HttpGet.ts"
import { serve } from "../src/services/Service.ts"
import * as StatusSite from "../src/services/StatusSite.ts"
import * as Network from "../src/sockets/Network.ts"
import * as Ping from "../src/sockets/Ping.ts"
import * as Tcp from "../src/sockets/Tcp.ts"
import type { TcpInfo } from "../src/sockets/TcpInfo.ts"
import * as Arguments from "./arguments.ts"
import * as Pings from "./ping.ts"
import * as Progress from "./progress.ts"

interface Options {
  readonly seed: number
  readonly loss: number
  readonly delay: Duration.Duration
  readonly size: number
  readonly capture: string
}

const leftAddress = "10.0.0.1"
const rightAddress = "10.0.0.2"
const sourcePort = 19_000
/** The transfer is cut off after this time, however bad the wire is. */
const transferLimit = "9 seconds"

type Stack = Netstack.Netstack["Service"]

const host = (link: Link, address: string) =>
  Effect.provideService(Netstack.make({ ipv4: `${address}/24`, closeTimeout: "500 millis" }), Links, { links: [link] })

const on = (stack: Stack) => <A, E, R>(self: Effect.Effect<A, E, R>) =>
  Effect.provideService(self, Netstack.Netstack, stack)

/** The wire with its faults, the capture, and a host at each end. */
const build = (options: Options) =>
  Effect.gen(function*() {
    const [near, far] = MemoryLink.pair({ names: ["left", "right"] })
    const faults = Faults.make(near, {
      seed: options.seed,
      loss: options.loss,
      delay: options.delay,
      duplication: options.loss / 4,
      reordering: options.loss / 4
    })
    const sink = yield* PcapSink.make({ path: options.capture, application: "netstack demo" })
    const left = yield* host(Capture.make(faults.link, sink), leftAddress)
    const right = yield* host(far, rightAddress)
    yield* Effect.forkScoped(on(right)(serve(StatusSite.service, 80)))
    yield* Effect.forkScoped(on(right)(serve(source, sourcePort)))
    return { left, right, faults, sink }
  })

const heading = (text: string): Effect.Effect<void> => Console.log(`\n${text}`)

const ping = (left: Stack): Effect.Effect<Pings.Tally> =>
  Effect.gen(function*() {
    yield* heading(`ping ${rightAddress}`)
    const times: Array<number> = []
    const count = 5
    for (let sequence = 0; sequence < count; sequence++) {
      const pong = yield* Effect.option(on(left)(Ping.ping(rightAddress, { timeout: "500 millis" })))
      if (Option.isNone(pong)) yield* Console.log(`  seq=${sequence} lost`)
      else {
        const time = Duration.toMillis(pong.value.roundTrip)
        times.push(time)
        yield* Console.log(
          `  ${pong.value.bytes} bytes from ${pong.value.from}: seq=${sequence} time=${time.toFixed(3)} ms`
        )
      }
      yield* Effect.sleep("100 millis")
    }
    return { sent: count, times }
  })

const seconds = Effect.map(Clock.monotonicTimeNanos, (nanos) => Number(nanos) / 1e9)

const http = (left: Stack) =>
  Effect.scoped(Effect.gen(function*() {
    yield* heading(`get http://${rightAddress}/status.json`)
    const start = yield* seconds
    const response = yield* on(left)(HttpGet.get(`${rightAddress}:80`, rightAddress, "/status.json"))
    const body = yield* Stream.mkString(Stream.decodeText(response.body))
    const time = ((yield* seconds) - start) * 1000
    const { connections } = JSON.parse(body) as StatusSite.Status
    yield* Console.log(`  ${response.status}, ${body.length} bytes in ${time.toFixed(1)} ms`)
    yield* Console.log(`  the server sees ${connections.length} connection, from ${connections[0]?.["remote"]}`)
  }))

interface Transfer {
  readonly bytes: number
  readonly seconds: number
  readonly info: TcpInfo
}

/** Reads as many bytes as were asked for, or as come in time. */
const bulk = (left: Stack, right: Stack, size: number) =>
  Effect.scoped(Effect.gen(function*() {
    yield* heading(`transfer of ${(size / 1e6).toFixed(1)} MB from ${rightAddress}:${sourcePort}`)
    const connection = yield* on(left)(Tcp.connect(`${rightAddress}:${sourcePort}`, { closePolicy: "abort" }))
    const count = new DataView(new ArrayBuffer(8))
    count.setBigUint64(0, BigInt(size))
    yield* connection.write(new Uint8Array(count.buffer))
    const clock = yield* Clock.clockWith(Effect.succeed)
    const start = clock.monotonicTimeNanosUnsafe()
    const elapsed = () => Number(clock.monotonicTimeNanosUnsafe() - start) / 1e9
    let bytes = 0
    const reading = Stream.runForEach(connection.stream, (chunk) =>
      Effect.sync(() => {
        bytes += chunk.length
      }))
    yield* Effect.timeoutOption(reading, transferLimit).pipe(
      Progress.during({ done: () => bytes, total: size, elapsed })
    )
    const time = elapsed()
    const info = (yield* on(right)(Network.connections)).find(({ local }) => local.port === sourcePort)
    return { bytes, seconds: time, info: info ?? (yield* connection.info) }
  }))

const nonZero = (counts: Readonly<Record<string, number>>): string =>
  Object.entries(counts).filter(([, count]) => count > 0).map(([name, count]) => `${name} ${count}`).join(", ") ||
  "none"

type Hosts = Effect.Success<ReturnType<typeof build>>

const summarize = ({ faults, left, right, sink }: Hosts, pings: Pings.Tally, transfer: Transfer, capture: string) =>
  Effect.gen(function*() {
    const { info } = transfer
    const rate = (transfer.bytes / 1e6 / transfer.seconds).toFixed(1)
    const rtt = [info.minimumRtt, info.smoothedRtt].map((time) => Duration.toMillis(time).toFixed(2)).join(" / ")
    const { send, receive } = faults.statistics()
    const sum = (name: keyof typeof send) => send[name] + receive[name]
    const counters = yield* on(right)(Network.counters)
    const rows = [
      ["pings", Pings.summary(pings)],
      ["transfer", `${transfer.bytes} bytes in ${transfer.seconds.toFixed(2)} s, ${rate} MB/s`],
      ["round trip", `${rtt} ms (minimum / smoothed), as TCP measured it`],
      ["congestion", `${info.congestionControl}, window ${info.congestionWindow} bytes, ${info.caState}`],
      [
        "retransmissions",
        `${counters.tcpSegmentsRetransmitted} segments (${counters.tcpFastRetransmits} fast recoveries, ${counters.tcpTimeouts} timeouts)`
      ],
      [
        "the wire",
        `lost ${sum("lost")} of ${sum("offered")} frames, doubled ${sum("duplicated")}, reordered ${sum("reordered")}`
      ],
      ["drops, left", nonZero(yield* on(left)(Network.drops))],
      ["drops, right", nonZero(yield* on(right)(Network.drops))],
      ["capture", `${capture}, ${sink.counters().written} frames: open it with Wireshark`]
    ] as const
    yield* heading("summary")
    for (const [name, value] of rows) yield* Console.log(`  ${name.padEnd(16)}${value}`)
  })

const main = (options: Options): Effect.Effect<void, Error, Scope.Scope> =>
  Effect.gen(function*() {
    const hosts = yield* build(options)
    const delay = Duration.toMillis(options.delay)
    yield* Console.log(`two hosts on a wire in memory: ${leftAddress} and ${rightAddress}`)
    yield* Console.log(
      `  a frame is held for ${delay} ms each way, ${
        (options.loss * 100).toFixed(2)
      } % are lost, seed ${options.seed};\n` +
        "  both hosts run in this process, so that a busy machine adds to round trips"
    )
    const pings = yield* ping(hosts.left)
    yield* http(hosts.left)
    const transfer = yield* bulk(hosts.left, hosts.right, options.size)
    yield* summarize(hosts, pings, transfer, options.capture)
  })

const share = (name: string) =>
  Flag.mapTryCatch(Flag.String(name), (text) => {
    const percent = Number(text)
    if (text.trim() === "" || !(percent >= 0 && percent <= 50)) throw new Error("a percentage from 0 to 50")
    return percent / 100
  }, Arguments.because)

export const command = Command.make("demo", {
  seed: Arguments.numberFlag("seed", 0, 0x7fff_ffff).pipe(
    Flag.withMetavar("N"),
    Flag.withDescription("The faults of the wire follow from it; 1 by default"),
    Flag.withDefault(1)
  ),
  loss: share("loss").pipe(
    Flag.withMetavar("PERCENT"),
    Flag.withDescription("Share of the frames that the wire loses; 0.2 by default"),
    Flag.withDefault(0.002)
  ),
  delay: Arguments.secondsFlag("delay").pipe(
    Flag.withMetavar("SECONDS"),
    Flag.withDescription("Time that the wire holds a frame, each way; 0.002 by default"),
    Flag.withDefault(Duration.millis(2))
  ),
  size: Arguments.numberFlag("size", 1, 1000).pipe(
    Flag.map((megabytes) => megabytes * 1_000_000),
    Flag.withMetavar("MEGABYTES"),
    Flag.withDescription("Length of the bulk transfer; 8 by default"),
    Flag.withDefault(8_000_000)
  ),
  capture: Flag.String("capture").pipe(
    Flag.withMetavar("FILE"),
    Flag.withDescription("The pcapng file with every frame of the left host; demo.pcapng by default"),
    Flag.withDefault("demo.pcapng")
  )
}, (options) => Effect.scoped(main(options))).pipe(
  Command.withDescription(
    "Show two hosts on an in-memory wire that loses and delays frames by seed: pings, an HTTP exchange and a bulk " +
      "transfer, then what they measured, and a capture of it all. Needs no rights and no device."
  ),
  Command.withExamples([
    { command: "netstack demo", description: "As 'npm start' does in a checkout" },
    { command: "netstack demo --loss 2 --delay 0.02 --seed 7", description: "A worse wire" }
  ])
)
