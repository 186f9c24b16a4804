/**
 * `netstack script`: runs scripts in packetdrill's language against a host of this stack, in virtual time, and tells which of them pass.
 *
 * It exits with 0 if all have passed, 1 if some have failed, and 2 if some could not be run.
 */
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Option from "effect/Option"
import * as Path from "effect/Path"
import * as Script from "../src/testing/Script.ts"
import * as Arguments from "./arguments.ts"
import * as Exit from "./exit.ts"

/** A script that was run. */
export interface Ran {
  readonly file: string
  readonly outcome: Script.Outcome
}

const failedStatus = 1

/** The program's exit status for what came of the scripts. */
export const statusOf = (all: ReadonlyArray<Ran>): number =>
  all.some(({ outcome }) => outcome.status === "failed")
    ? failedStatus
    : all.every(({ outcome }) => outcome.status === "passed")
    ? 0
    : Exit.usageStatus

const count = (all: ReadonlyArray<Ran>, status: Script.Outcome["status"]): number =>
  all.filter(({ outcome }) => outcome.status === status).length

/** How many came out how, in one line. */
export const summary = (all: ReadonlyArray<Ran>): string =>
  `${all.length} ${all.length === 1 ? "script" : "scripts"}: ${count(all, "passed")} passed, ${
    count(all, "failed")
  } failed, ` +
  `${count(all, "skipped")} skipped, ${count(all, "invalid")} can't be read`

/** What was left out, with how often and an example, the most frequent first. */
export const skips = (all: ReadonlyArray<Ran>): ReadonlyArray<string> => {
  const places = new Map<string, Array<string>>()
  for (const { file, outcome } of all) {
    for (const { line, what } of outcome.skips) places.set(what, [...places.get(what) ?? [], `${file}:${line}`])
    const { reason, status } = outcome
    if (reason === undefined || status === "failed") continue
    const what = `${status}: ${reason.detail}`
    places.set(what, [...places.get(what) ?? [], `${file}:${reason.line}`])
  }
  return [...places]
    .toSorted(([, a], [, b]) => b.length - a.length)
    .map(([what, where]) => `  ${String(where.length).padStart(4)}  ${what}  (${where[0]})`)
}

interface Options {
  readonly run: Script.RunOptions
  readonly verbose: boolean
  readonly quiet: boolean
}

const tell = ({ file, outcome }: Ran, { quiet, verbose }: Options): Effect.Effect<void> => {
  const { reason, status } = outcome
  if (verbose) return Console.log(`${status.padEnd(7)}  ${file}\n${Script.render(outcome, { withLines: true })}\n`)
  if (status === "failed" && !quiet) return Console.log(`failed   ${file}\n${Script.render(outcome)}\n`)
  if (status === "passed") return quiet ? Effect.void : Console.log(`passed   ${file}`)
  return Console.log(`${status.padEnd(7)}  ${file}: line ${reason?.line}: ${reason?.detail}`)
}

/** The scripts that a name stands for: itself, or those of a directory. */
const filesOf = (name: string) =>
  Effect.gen(function*() {
    const fs = yield* FileSystem.FileSystem
    const path = yield* Path.Path
    const { type } = yield* fs.stat(name)
    if (type !== "Directory") return [name]
    const below = yield* fs.readDirectory(name, { recursive: true })
    return below.filter((file) => file.endsWith(".pkt")).toSorted().map((file) => path.join(name, file))
  })

const unreadable = (name: string) => (error: Error) => Exit.badInput(`${name} can't be read: ${error.message}`)

const runFile = (file: string, options: Options) =>
  Effect.gen(function*() {
    const fs = yield* FileSystem.FileSystem
    const text = yield* Effect.mapError(fs.readFileString(file), unreadable(file))
    const ran: Ran = { file, outcome: Script.run(text, options.run) }
    yield* tell(ran, options)
    return ran
  })

const main = (names: ReadonlyArray<string>, options: Options) =>
  Effect.gen(function*() {
    const files = yield* Effect.forEach(names, (name) => Effect.mapError(filesOf(name), unreadable(name)))
    const empty = names.filter((_, i) => files[i]!.length === 0)
    if (empty.length > 0) return yield* Exit.badInput(`no files that end in .pkt below ${empty.join(", ")}`)
    const all = yield* Effect.forEach(files.flat(), (file) => runFile(file, options))
    const left = skips(all)
    if (left.length > 0) yield* Console.log(`\nleft out:\n${left.join("\n")}`)
    yield* Console.log(`\n${summary(all)}`)
    const status = statusOf(all)
    if (status === 0) return
    const message = status === failedStatus ? "some scripts failed" : "some scripts could not be run"
    return yield* new Exit.CommandFailure({ message, status })
  })

/** Options of the official program that mean something here; they win over those of the scripts. */
const meant = {
  bind_port: "The port that `bind(…, ..., ...)` binds to",
  connect_port: "The port that `connect(…, ..., ...)` connects to",
  ignore_push: "true leaves the PSH flag out of the comparison",
  init_scripts: "Commands before each script, with commas between; defaults.sh is known",
  ip_version: "ipv4, ipv6 or ipv4-mapped-ipv6",
  local_ip: "The address of the host under test",
  mtu: "The MTU of its link, in bytes",
  remote_ip: "The address of the far side",
  strict_options: "true compares the order and the padding of TCP options too",
  tolerance_percent: "How far from its time an event may be, of the time since the event before",
  tolerance_usecs: "How far from its time an event may be, in microseconds"
} as const

/** Options of the official program that mean nothing without a kernel and a device: taken, and named. */
const meaningless = [
  "dry_run",
  "gateway_ip",
  "mss",
  "netmask_ip",
  "no_cleanup",
  "non_fatal",
  "persistent_tun_dev",
  "send_omit_free",
  "so_filename",
  "so_flags",
  "speed",
  "tcp_ts_tick_usecs",
  "tun_driver",
  "udp_encaps",
  "use_expect",
  "wire_client_dev",
  "wire_server_dev"
] as const

/** Those of them that are numbers. */
const isNumber: ReadonlySet<string> = new Set([
  "bind_port",
  "connect_port",
  "mtu",
  "tolerance_percent",
  "tolerance_usecs"
])

const checked = (name: string) => (text: string): string => {
  if (isNumber.has(name) && !/^\d+(\.\d+)?$/.test(text)) throw new Error("a number")
  return text
}

const official = (name: string, description: string) =>
  Flag.String(name).pipe(
    Flag.mapTryCatch(checked(name), Arguments.because),
    Flag.withMetavar("VALUE"),
    Flag.withDescription(description),
    Flag.optional
  )

const passedOver = (name: string) =>
  Flag.String(name).pipe(Flag.withOptionalValue("true"), Flag.optional, Flag.withHidden)

const recordOf = <Name extends string, A>(names: ReadonlyArray<Name>, make: (name: Name) => A): Record<Name, A> =>
  Object.fromEntries(names.map((name) => [name, make(name)])) as Record<Name, A>

const names = Object.keys(meant) as ReadonlyArray<keyof typeof meant>

const flags = {
  ...recordOf(names, (name) => official(name, meant[name])),
  ...recordOf(meaningless, passedOver),
  define: Flag.String("define").pipe(
    Flag.withAlias("D"),
    Flag.withMetavar("NAME=VALUE"),
    Flag.withDescription("A word of the scripts that stands for another, again for each"),
    Flag.atLeast(0)
  ),
  seed: Arguments.numberFlag("seed", 0, 2 ** 32 - 1).pipe(
    Flag.withMetavar("N"),
    Flag.withDescription("Decides the host's keys, and with them its sequence numbers; 1 by default"),
    Flag.withDefault(1)
  ),
  verbose: Flag.Boolean("verbose").pipe(
    Flag.withAlias("v"),
    Flag.withDescription("Shows script and host side by side for what passes too"),
    Flag.withDefault(false)
  ),
  quiet: Flag.Boolean("quiet").pipe(
    Flag.withAlias("q"),
    Flag.withDescription("One line for each script that does not pass, none for the others"),
    Flag.withDefault(false)
  ),
  files: Argument.String("file").pipe(
    Argument.withDescription("Scripts, or directories of files that end in .pkt"),
    Argument.atLeast(1)
  )
}

const definitionsOf = (texts: ReadonlyArray<string>): Record<string, string> =>
  Object.fromEntries(texts.map((text) => {
    const at = text.indexOf("=")
    return at < 0 ? [text, ""] : [text.slice(0, at), text.slice(at + 1)]
  }))

export const command = Command.make("script", flags, (input) => {
  const given = names.flatMap((name) => Option.isSome(input[name]) ? [[name, input[name].value] as const] : [])
  const ignored = meaningless.filter((name) => Option.isSome(input[name]))
  const options: Options = {
    run: { flags: Object.fromEntries(given), definitions: definitionsOf(input.define), seed: input.seed },
    verbose: input.verbose,
    quiet: input.quiet
  }
  const note = ignored.length === 0
    ? Effect.void
    : Console.log(`left out: ${ignored.map((name) => `--${name}`).join(", ")}, which mean nothing here`)
  return Effect.andThen(note, main(input.files, options))
}).pipe(
  Command.withDescription(
    "Run scripts in packetdrill's language against a host of this stack, in virtual time: 0 if all pass, 1 if some fail, 2 if some can't be run."
  ),
  Command.withExamples([
    { command: "netstack script test/scripts", description: "All scripts of a directory" },
    {
      command: "netstack script --ip_version=ipv6 -D SIZE=1000 -v handshake.pkt",
      description: "One script over IPv6, shown step by step"
    }
  ])
)
