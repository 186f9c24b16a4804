/**
 * `netstack replay`: plays the recording of a stack, event by event, with what came of each and what it changed in the state.
 */
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Option from "effect/Option"
import * as Terminal from "effect/Terminal"
import { describeMoment } from "../src/testing/describeMoment.ts"
import * as Flight from "../src/testing/Flight.ts"
import * as Recording from "../src/workers/Recording.ts"
import * as Arguments from "./arguments.ts"
import * as Exit from "./exit.ts"

interface Options {
  readonly recording: string
  readonly step: boolean
  readonly from: number
  readonly to: number
  readonly changes: boolean
  readonly pcapng: Option.Option<string>
}

const read = (path: string) =>
  Effect.gen(function*() {
    const text = yield* (yield* FileSystem.FileSystem).readFileString(path)
    const recording = yield* Recording.read(text)
    // Lines end in a newline; a program that was killed has not come to that of its last one.
    if (!text.endsWith("\n")) {
      yield* Console.error(`netstack: ${path} is cut: its last line is incomplete, and left out`)
    }
    return recording
  }).pipe(Effect.mapError((error) => Exit.badInput(`${path}: ${error.message}`)))

/** Remembers the names of interfaces as they are attached. */
const makeNames = () => {
  const names = new Map<number, string>([[0, "lo"]])
  return {
    learn: ({ event }: Flight.Moment): void => {
      if (event._tag !== "Request" || event.request._tag !== "AttachLink") return
      names.set(event.request.interface.id, event.request.interface.name)
    },
    of: (link: number): string => names.get(link) ?? `link ${link}`
  }
}

/** A number goes on to that event, `q` ends it, anything else goes on by one. */
const ask = Effect.gen(function*() {
  const terminal = yield* Terminal.Terminal
  yield* terminal.display("· ")
  const answer = (yield* Effect.orElseSucceed(terminal.readLine, () => "q")).trim()
  return answer === "q" ? Infinity : Number(answer) || 0
})

const play = (recording: Recording.Recording, { changes, from, step, to }: Options) =>
  Effect.gen(function*() {
    const names = makeNames()
    let next = from
    let last = 0
    for (const moment of Flight.play(recording, changes)) {
      names.learn(moment)
      last = moment.number
      if (moment.number < next) continue
      if (moment.number > to) break
      for (const line of describeMoment(moment, names.of)) yield* Console.log(line)
      if (step) next = Math.max(moment.number + 1, yield* ask)
    }
    if (from > last) return yield* Exit.badInput(`there is no event ${from}: the recording has ${last}`)
  })

const capture = (recording: Recording.Recording, source: string, path: string) =>
  Effect.gen(function*() {
    const bytes = Flight.pcapng([{ name: "", recording }], `replayed from ${source}`)
    yield* (yield* FileSystem.FileSystem).writeFile(path, bytes)
    yield* Console.log(`${path}: ${bytes.length} bytes`)
  }).pipe(Effect.mapError((error) => new Exit.CommandFailure({ message: `${path}: ${error.message}` })))

const replay = (options: Options) =>
  Effect.gen(function*() {
    const recording = yield* read(options.recording)
    if (Option.isSome(options.pcapng)) return yield* capture(recording, options.recording, options.pcapng.value)
    yield* play(recording, options)
  })

const eventFlag = (name: string) => Arguments.numberFlag(name, 1, Number.MAX_SAFE_INTEGER).pipe(Flag.withMetavar("N"))

export const command = Command.make("replay", {
  recording: Argument.String("recording").pipe(
    Argument.withDescription("What a stack has recorded; failed tests leave one for each host")
  ),
  step: Flag.Boolean("step").pipe(
    Flag.withAlias("s"),
    Flag.withDescription("Waits after each event: return goes on, a number goes on to that event, q ends it"),
    Flag.withDefault(false)
  ),
  from: eventFlag("from").pipe(Flag.withDescription("The first event to show"), Flag.withDefault(1)),
  to: eventFlag("to").pipe(Flag.withDescription("The last event to show"), Flag.withDefault(Number.MAX_SAFE_INTEGER)),
  changes: Flag.Boolean("changes").pipe(
    Flag.withDescription("Shows what each event changed in the state; on by default, --no-changes is faster"),
    Flag.withDefault(true)
  ),
  pcapng: Flag.String("pcapng").pipe(
    Flag.withMetavar("FILE"),
    Flag.withDescription("Writes the frames of all interfaces to a capture file instead, with the reasons of drops"),
    Flag.optional
  )
}, replay).pipe(
  Command.withDescription(
    "Play the recording of a stack: every event, the frames that came and went, the answers, and what changed in the state."
  ),
  Command.withExamples([
    {
      command: "netstack replay remote.recording --step",
      description: "Event by event, at the pace of the return key"
    },
    { command: "netstack replay remote.recording --pcapng remote.pcapng", description: "For Wireshark" }
  ])
)
