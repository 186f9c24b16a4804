/**
 * Child processes of a test: the lines they print as they come, their end, and that none outlives its scope.
 *
 * Nothing here sleeps. Whoever waits, waits for a line or for the end of a process, under a limit that names what was awaited and
 * shows what was printed until then.
 */
import * as Data from "effect/Data"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { type ChildProcess, spawn } from "node:child_process"
import { appendFileSync } from "node:fs"

/** How a process ended, and all it printed. */
export interface Ended {
  readonly status: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

/** A command that could not be started, ended other than it should, or did not do in time what was awaited. */
export class ProcessError extends Data.TaggedError("ProcessError")<{
  readonly command: string
  readonly what: string
  readonly printed: string
}> {
  override get message(): string {
    return `${this.command}: ${this.what}\n${this.printed.slice(-4000)}`
  }
}

export interface Options {
  /** Where all that it prints is kept as well. */
  readonly log?: string
  readonly environment?: Readonly<Record<string, string>>
}

export interface Running {
  readonly pid: number
  /** The first line, of those printed already or still to come on either stream, that matches. */
  readonly line: (pattern: RegExp, limit?: Duration.Input) => Effect.Effect<RegExpExecArray, ProcessError>
  readonly write: (text: string | Uint8Array) => Effect.Effect<void>
  readonly endInput: Effect.Effect<void>
  /** Everything printed so far, both streams in the order of their arrival. */
  readonly printed: () => string
  readonly ended: (limit?: Duration.Input) => Effect.Effect<Ended, ProcessError>
  /** Signals the process and all that it started. */
  readonly signal: (signal: NodeJS.Signals) => Effect.Effect<void>
}

export const defaultLimit: Duration.Input = "60 seconds"

/** What a child printed, how it ended, and who waits for either. */
interface Watched {
  readonly child: ChildProcess
  readonly command: string
  stdout: string
  stderr: string
  printed: string
  ended: Ended | undefined
  failed: Error | undefined
  readonly watchers: Set<() => void>
}

const watch = (child: ChildProcess, command: string, log: string | undefined): Watched => {
  const self: Watched = {
    child,
    command,
    stdout: "",
    stderr: "",
    printed: "",
    ended: undefined,
    failed: undefined,
    watchers: new Set()
  }
  const wake = () => {
    for (const watcher of self.watchers) watcher()
  }
  const onText = (stream: "stdout" | "stderr") => (text: string) => {
    self[stream] += text
    self.printed += text
    if (log !== undefined) appendFileSync(log, text)
    wake()
  }
  child.stdout?.setEncoding("utf8").on("data", onText("stdout"))
  child.stderr?.setEncoding("utf8").on("data", onText("stderr"))
  // The far end may be gone before our last words reach it.
  child.stdin?.on("error", () => {})
  child.on("error", (error) => {
    self.failed = error
    wake()
  })
  child.on("close", (status, signal) => {
    self.ended = { status, signal, stdout: self.stdout, stderr: self.stderr }
    wake()
  })
  return self
}

const error = (self: Watched, what: string): ProcessError =>
  new ProcessError({ command: self.command, what, printed: self.printed })

/** Waits until `find` has found something. */
const until = <A>(
  self: Watched,
  what: string,
  limit: Duration.Input,
  find: () => Effect.Effect<A, ProcessError> | undefined
): Effect.Effect<A, ProcessError> =>
  Effect.callback<A, ProcessError>((resume) => {
    const look = () => {
      const found = self.failed === undefined ? find() : Effect.fail(error(self, self.failed.message))
      if (found === undefined) return
      self.watchers.delete(look)
      resume(found)
    }
    self.watchers.add(look)
    look()
    return Effect.sync(() => {
      self.watchers.delete(look)
    })
  }).pipe(Effect.timeoutOrElse({
    duration: limit,
    orElse: () => Effect.fail(error(self, `${what}: nothing came in time`))
  }))

const awaitEnd = (self: Watched, limit: Duration.Input): Effect.Effect<Ended, ProcessError> =>
  until(self, "its end", limit, () => self.ended === undefined ? undefined : Effect.succeed(self.ended))

const awaitLine = (
  self: Watched,
  pattern: RegExp,
  limit: Duration.Input
): Effect.Effect<RegExpExecArray, ProcessError> => {
  let from = 0
  const whole = new RegExp(pattern.source, pattern.flags.replaceAll("g", ""))
  return until(self, `a line like ${pattern}`, limit, () => {
    for (let end = self.printed.indexOf("\n", from); end >= 0; end = self.printed.indexOf("\n", from)) {
      const match = whole.exec(self.printed.slice(from, end))
      from = end + 1
      if (match !== null) return Effect.succeed(match)
    }
    return self.ended === undefined ? undefined : Effect.fail(error(self, `ended without a line like ${pattern}`))
  })
}

/** The child leads a process group of its own, so that what it started ends with it. */
const signalGroup = (self: Watched, signal: NodeJS.Signals): Effect.Effect<void> =>
  Effect.sync(() => {
    if (self.ended !== undefined || self.child.pid === undefined) return
    try {
      process.kill(-self.child.pid, signal)
    } catch {
      // It ended in this moment.
    }
  })

/** Starts a program that is killed, and gone, when the scope closes. */
export const start = (
  program: string,
  args: ReadonlyArray<string>,
  options: Options = {}
): Effect.Effect<Running, ProcessError, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const child = spawn(program, args, {
        detached: true,
        stdio: ["pipe", "pipe", "pipe"],
        env: { ...process.env, ...options.environment }
      })
      return watch(child, [program, ...args].join(" "), options.log)
    }),
    (self) =>
      self.child.pid === undefined
        ? Effect.void
        : Effect.andThen(signalGroup(self, "SIGKILL"), Effect.ignore(awaitEnd(self, "10 seconds")))
  ).pipe(
    Effect.tap((self) =>
      until(
        self,
        "its start",
        "10 seconds",
        () => self.child.pid === undefined ? undefined : Effect.void
      )
    ),
    Effect.map((self): Running => ({
      pid: self.child.pid!,
      line: (pattern, limit = defaultLimit) => awaitLine(self, pattern, limit),
      write: (text) =>
        Effect.sync(() => {
          self.child.stdin?.write(text)
        }),
      endInput: Effect.sync(() => {
        self.child.stdin?.end()
      }),
      printed: () => self.printed,
      ended: (limit = defaultLimit) => awaitEnd(self, limit),
      signal: (signal) => signalGroup(self, signal)
    }))
  )

export interface RunOptions extends Options {
  readonly input?: string | Uint8Array
  readonly limit?: Duration.Input
}

/** Runs a program to its end, however it ends. */
export const run = (
  program: string,
  args: ReadonlyArray<string>,
  options: RunOptions = {}
): Effect.Effect<Ended, ProcessError> =>
  Effect.scoped(Effect.gen(function*() {
    const running = yield* start(program, args, options)
    if (options.input !== undefined) yield* running.write(options.input)
    yield* running.endInput
    return yield* running.ended(options.limit)
  }))

/** Runs a program that must end with status 0. */
export const succeed = (
  program: string,
  args: ReadonlyArray<string>,
  options: RunOptions = {}
): Effect.Effect<Ended, ProcessError> =>
  Effect.flatMap(run(program, args, options), (ended) =>
    ended.status === 0 ? Effect.succeed(ended) : Effect.fail(
      new ProcessError({
        command: [program, ...args].join(" "),
        what: `ended with ${ended.signal ?? `status ${ended.status}`}`,
        printed: ended.stdout + ended.stderr
      })
    ))
