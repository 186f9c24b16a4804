/**
 * `netstack nc`: connects standard input and output to a far host, or to whoever connects, over TCP or UDP.
 */
import * as Argument from "effect/cli/Argument"
import * as CliError from "effect/cli/CliError"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import type { PlatformError } from "effect/PlatformError"
import type * as Scope from "effect/Scope"
import * as Stdio from "effect/Stdio"
import * as Stream from "effect/Stream"
import type { Netstack } from "../src/sockets/Netstack.ts"
import * as Tcp from "../src/sockets/Tcp.ts"
import type { TcpConnection } from "../src/sockets/TcpConnection.ts"
import * as Udp from "../src/sockets/Udp.ts"
import * as Arguments from "./arguments.ts"
import * as Exit from "./exit.ts"
import * as TapHost from "./tapHost.ts"

type Failure = Tcp.TcpError | Udp.UdpError | PlatformError
type Program = Effect.Effect<void, Failure, Netstack | Scope.Scope | Stdio.Stdio>

/** The ends of each direction are independent: the input's end is sent on, and what still comes is written. */
const copy = (connection: TcpConnection): Effect.Effect<void, Failure, Stdio.Stdio> =>
  Effect.gen(function*() {
    const stdio = yield* Stdio.Stdio
    const outward = Stream.run(stdio.stdin, connection.sink)
    const inward = Stream.run(connection.stream, stdio.stdout())
    yield* Effect.raceFirst(Effect.andThen(outward, Effect.never), inward)
    // Everything has been said: what was written last is delivered before the host vanishes.
    yield* Effect.ignore(connection.end)
    yield* Effect.ignore(connection.drained)
  })

const dial = (to: Host): Program =>
  Effect.gen(function*() {
    yield* copy(yield* Tcp.connect(to, { closePolicy: "orderly" }))
  })

const answer = (port: number): Program =>
  Effect.gen(function*() {
    const listener = yield* Tcp.listen({ port, closePolicy: "orderly" })
    yield* Console.error(`listening on port ${port}`)
    const connection = yield* listener.accept
    yield* Console.error(`connection from ${connection.remote}`)
    yield* copy(connection)
  })

/** Each read of standard input is a datagram; what comes is written as it is. Ends with the input after a moment for answers. */
const talk = (socket: Udp.UdpSocket): Effect.Effect<void, Failure, Stdio.Stdio> =>
  Effect.gen(function*() {
    const stdio = yield* Stdio.Stdio
    const outward = Stream.runForEach(stdio.stdin, (bytes) => socket.send(bytes))
    const inward = Stream.run(Stream.map(socket.stream, ({ bytes }) => bytes), stdio.stdout())
    yield* Effect.raceFirst(Effect.andThen(outward, Effect.sleep("1 second")), inward)
  })

/** The first sender is the far side from then on. */
const hear = (port: number): Program =>
  Effect.gen(function*() {
    const socket = yield* Udp.bind({ port })
    yield* Console.error(`listening on port ${port}`)
    const first = yield* socket.receive
    yield* Console.error(`datagrams from ${first.source}`)
    yield* socket.connect(first.source)
    const stdio = yield* Stdio.Stdio
    const outward = Stream.runForEach(stdio.stdin, (bytes) => socket.send(bytes))
    const rest = Stream.map(socket.stream, ({ bytes }) => bytes)
    const inward = Stream.run(Stream.concat(Stream.succeed(first.bytes), rest), stdio.stdout())
    yield* Effect.all([outward, inward], { concurrency: 2, discard: true })
  })

interface Host {
  readonly host: string
  readonly port: number
}

const program = (listen: boolean, udp: boolean, to: Host): Program => {
  if (listen) return udp ? hear(to.port) : answer(to.port)
  return udp ? Effect.flatMap(Udp.connect(to), talk) : dial(to)
}

/** `HOST PORT`, or `PORT` alone for a listener. */
const parseWhere = (words: ReadonlyArray<string>): Host => {
  const [host, port] = words.length === 1 ? ["", words[0]!] : [words[0]!, words[1]!]
  return { host, port: Arguments.parsePort(port) }
}

const usage = (message: string): CliError.CliError =>
  new CliError.ShowHelp({
    commandPath: ["netstack", "nc"],
    errors: [new CliError.ValidationError({ message })]
  })

export const command = Command.make("nc", {
  ...Arguments.hostFlags,
  listen: Flag.Boolean("listen").pipe(
    Flag.withAlias("l"),
    Flag.withDescription("Waits on the port instead of connecting to it"),
    Flag.withDefault(false)
  ),
  udp: Flag.Boolean("udp").pipe(
    Flag.withAlias("u"),
    Flag.withDescription("Speaks UDP instead of TCP"),
    Flag.withDefault(false)
  ),
  where: Argument.String("where").pipe(
    Argument.variadic({ min: 1, max: 2 }),
    Argument.mapTryCatch(parseWhere, Arguments.because),
    Argument.withDescription("HOST PORT, or only PORT with --listen")
  )
}, ({ listen, udp, where, ...flags }) =>
  Effect.gen(function*() {
    if (listen) Exit.endsByInterruption()
    else if (where.host === "") return yield* usage("HOST PORT are needed to connect")
    const place = listen ? `port ${where.port}` : `${where.host}:${where.port}`
    yield* Effect.scoped(program(listen, udp, where)).pipe(
      Effect.mapError(Exit.at(place)),
      Effect.provide(TapHost.layerConfigured("nc", flags))
    )
  })).pipe(
    Command.withDescription(
      "Connect standard input and output to a far host, or with --listen to the first one that connects."
    ),
    Command.withExamples([
      {
        command: "echo hello | netstack nc --tap tap0 --address 10.0.0.2/24 10.0.0.1 7000",
        description: "Sends a line to 'nc -l 7000' on this machine"
      },
      {
        command: "netstack nc --tap tap0 --address 10.0.0.2/24 --listen 7000",
        description: "Waits for 'nc 10.0.0.2 7000' on this machine"
      }
    ])
  )
