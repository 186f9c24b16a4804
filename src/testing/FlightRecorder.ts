/**
 * Records all hosts of a network while a test runs, and what befalls frames on its links, and tells of it when the test fails: the seed, the command
 * that runs it again, and where the recordings and the capture are.
 */
import * as Cause from "effect/Cause"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Time from "../core/Time.ts"
import * as Recording from "../workers/Recording.ts"
import * as Artifacts from "./Artifacts.ts"
import * as Flight from "./Flight.ts"
import * as RunningTest from "./RunningTest.ts"
import type { Entry, Trace } from "./Trace.ts"

/** One host's recording so far. */
interface Tape {
  readonly lines: Array<string>
  length: number
}

/** What becomes of a name in the name of a file. */
const fileName = (text: string): string =>
  text.toLowerCase().replaceAll(/[^\p{L}\p{N}]+/gu, "-").replaceAll(/^-|-$/g, "").slice(-80)

/** Two hosts have the same only if their names differ in nothing but characters that are not for files. */
const stemOf = (host: string): string => host.replaceAll(/[^\p{L}\p{N}_.-]+/gu, "-")

const recordingOf = (host: string): string => `${stemOf(host)}.recording`

const networkCapture = "network.pcapng"

const captureNameOf = (host: string): string => {
  const name = `${stemOf(host)}.pcapng`
  return name === networkCapture ? `host-${name}` : name
}

export class FlightRecorder {
  readonly seed: number
  private readonly keeper: Artifacts.Keeper | undefined
  private readonly tapes: Map<string, Tape> = new Map()
  /** What links have lost or altered, with times since 1970, up to the bound on a recording. */
  private readonly befallen: Array<Entry> = []
  private befallenBytes = 0
  private readonly test = RunningTest.current()

  constructor(seed: number, keeper: Artifacts.Keeper | undefined) {
    this.seed = seed
    this.keeper = keeper
  }

  /** Takes a host's recording line by line, and gives it to `other` as well; `undefined` when nobody wants it. */
  recorder(host: string, other: ((line: string) => void) | undefined): ((line: string) => void) | undefined {
    const { keeper } = this
    if (keeper === undefined) return other
    const tape: Tape = { lines: [], length: 0 }
    this.tapes.set(host, tape)
    return (line) => {
      other?.(line)
      tape.length += line.length
      if (tape.length <= keeper.mostRecorded) tape.lines.push(line)
      else tape.lines.length = 0
    }
  }

  /** Keeps what is lost or altered on the links of a trace from now on, for the capture. `start` is when its time begins, in microseconds since 1970. */
  watch(trace: Trace, start: number): void {
    const { keeper } = this
    if (keeper === undefined) return
    trace.watch((happening, { from, link, to }, nanos, bytes, first, end, reason) => {
      if (reason === undefined || this.befallenBytes + end - first > keeper.mostRecorded) return
      this.befallenBytes += end - first
      const at = Time.micros(start + nanos / 1000)
      this.befallen.push({ at, happening, link, from, to, reason, frame: bytes.slice(first, end) })
    })
  }

  /** The command that runs the test again. */
  get again(): string {
    return RunningTest.command(this.test, this.seed)
  }

  /** Tells why a run can be repeated, and leaves what there is of it. A run that was interrupted has not failed. */
  report(cause: Cause.Cause<unknown>): Effect.Effect<void> {
    return Cause.hasInterruptsOnly(cause) ? Effect.void : Effect.flatMap(this.keep(), (kept) => {
      const lines = [
        `the network had seed ${this.seed}`,
        `  again: ${this.again}`,
        ...kept
      ]
      // Not to the console of the test: that of `it.effect` keeps what is said to it for the test to look at, and shows nobody.
      return Effect.provideService(Effect.logError(lines.join("\n")), Console.Console, Console.Console.defaultValue())
    })
  }

  /** Leaves what there is of the run, and answers lines that tell where. What cannot be kept is no reason to hide why the test has failed. */
  keep(): Effect.Effect<ReadonlyArray<string>> {
    const { befallen, keeper, seed, tapes, test } = this
    if (keeper === undefined) return Effect.succeed([])
    const whole = [...tapes].filter(([, { lines }]) => lines.length > 0)
    const run = `${fileName(test?.name ?? "test")}-seed-${seed}`
    return Effect.gen(function*() {
      const recordings = whole.map(([host, { lines }]) => ({ name: recordingOf(host), content: lines.join("") }))
      const where = yield* keeper.keep(run, [...recordings, ...yield* capturesOf(whole, befallen)])
      const left = tapes.size - whole.length
      return [
        ...whole.map(([host]) => `  steps of ${host}: npx netstack replay ${where}/${recordingOf(host)}`),
        `  captures: ${where}/HOST.pcapng, and ${networkCapture} of all`,
        ...(left === 0 ? [] : [`  left out: ${left} recordings longer than ${keeper.mostRecorded} characters`])
      ]
    }).pipe(Effect.catchCause((cause) => Effect.succeed([`  nothing is kept: ${Cause.pretty(cause)}`])))
  }
}

/**
 * The frames at the interfaces of each host, and in one more file those of all hosts with what links have lost or altered. There each frame stands
 * at both ends, which to analysers of TCP is a segment that was sent again.
 */
const capturesOf = (
  tapes: ReadonlyArray<readonly [string, Tape]>,
  befallen: ReadonlyArray<Entry>
): Effect.Effect<ReadonlyArray<Artifacts.File>> =>
  Effect.forEach(
    tapes,
    ([name, { lines }]) => Effect.map(Recording.read(lines.join("")), (recording) => ({ name, recording }))
  ).pipe(
    Effect.map((recordings) => [
      ...recordings.map((each) => ({ name: captureNameOf(each.name), content: Flight.pcapng([each]) })),
      { name: networkCapture, content: Flight.pcapng(recordings, undefined, befallen) }
    ]),
    // A recording that this stack has just written can be read.
    Effect.orDie
  )
