/**
 * `netstack watch`: a live view of a running stack, from the site that the service `http` of `netstack up` serves.
 */
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Console from "effect/Console"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientResponse from "effect/http/HttpClientResponse"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import { Status } from "../src/services/Status.ts"
import * as StatusView from "../src/services/StatusView.ts"
import * as Arguments from "./arguments.ts"
import * as Exit from "./exit.ts"

/** How wide and how high the view may be. */
export interface Size {
  readonly columns: number
  readonly rows: number
}

const clip = (line: string, columns: number): string => line.length > columns ? `${line.slice(0, columns - 1)}…` : line

const tableLines = ({ head, rows, title }: StatusView.Table): ReadonlyArray<string> => {
  const isNumber = head.map((name) => name.startsWith("#"))
  const all = [head.map((name) => name.replace("#", "")), ...rows]
  const widths = head.map((_, column) => Math.max(...all.map((cells) => cells[column]!.length)))
  const line = (cells: ReadonlyArray<string>): string =>
    cells.map((cell, i) => isNumber[i] === true ? cell.padStart(widths[i]!) : cell.padEnd(widths[i]!)).join("  ")
      .trimEnd()
  return ["", title.toUpperCase(), ...(rows.length === 0 ? ["none"] : all.map(line))]
}

/** The view as lines that fit; what has no room is told. */
export const lines = (view: StatusView.View, { columns, rows }: Size): ReadonlyArray<string> => {
  const all = [view.headline, ...view.tables.flatMap(tableLines)].map((line) => clip(line, columns))
  if (all.length <= rows) return all
  return [...all.slice(0, rows - 1), `… ${all.length - rows + 1} more lines`]
}

/** What the transport says, which is further inside, says more than that it failed. */
const messageOf = (error: Error): string => {
  const inner = [error.message]
  for (let at: unknown = error.cause; at instanceof Error && inner.length < 5; at = at.cause) {
    if (at.message !== "" && at.message !== inner.at(-1)) inner.push(at.message)
  }
  return inner.join(": ")
}

const read = (url: URL): Effect.Effect<Status, Exit.CommandFailure, HttpClient.HttpClient> =>
  HttpClient.get(new URL("/status.json", url)).pipe(
    Effect.flatMap(HttpClientResponse.filterStatusOk),
    Effect.flatMap(HttpClientResponse.schemaBodyJson(Status)),
    Effect.timeout("5 seconds"),
    Effect.mapError((error) => new Exit.CommandFailure({ message: `${url.host}: ${messageOf(error)}` }))
  )

/** Draws over what was there, and clears only what is left, so that nothing flickers. */
const redraw = (text: ReadonlyArray<string>): Effect.Effect<void> =>
  Effect.sync(() => process.stdout.write(`\x1b[H${text.map((line) => `${line}\x1b[K`).join("\n")}\x1b[J`))

const onScreen = Effect.acquireRelease(
  Effect.sync(() => process.stdout.write("\x1b[?1049h\x1b[?25l")),
  () => Effect.sync(() => process.stdout.write("\x1b[?25h\x1b[?1049l"))
)

const unbounded: Size = { columns: Infinity, rows: Infinity }

/** Shows the stack until it is gone; a stack that is slow to answer once is asked again. */
const watch = (url: URL, interval: Duration.Duration, count: number, isScreen: boolean) =>
  Effect.gen(function*() {
    let before = yield* read(url)
    if (isScreen) yield* onScreen
    for (let shown = 0; shown < count; shown++) {
      yield* Effect.sleep(interval)
      const after = yield* Effect.retry(read(url), { times: 2, schedule: Schedule.spaced(interval) })
      const view = StatusView.view(before, after)
      const { columns, rows } = process.stdout
      if (isScreen) yield* redraw(lines(view, { columns, rows }))
      else yield* Console.log(lines(view, unbounded).join("\n"))
      before = after
    }
  })

const parseUrl = (text: string): URL => {
  const url = URL.parse(text.includes("://") ? text : `http://${text}`)
  if (url === null || url.protocol !== "http:") throw new Error("a URL such as http://10.0.0.2/")
  return url
}

export const command = Command.make("watch", {
  url: Argument.String("url").pipe(
    Argument.mapTryCatch(parseUrl, Arguments.because),
    Argument.withDescription("Where the stack's site is, such as http://10.0.0.2/")
  ),
  interval: Arguments.secondsFlag("interval").pipe(
    Flag.withAlias("i"),
    Flag.withMetavar("SECONDS"),
    Flag.withDescription("Between two looks; 1 by default"),
    Flag.withDefault(Duration.seconds(1))
  ),
  count: Arguments.numberFlag("count", 1, 1_000_000).pipe(
    Flag.withAlias("n"),
    Flag.withMetavar("N"),
    Flag.withDescription("Looks before it ends; for ever on a terminal and 1 elsewhere by default"),
    Flag.optional
  )
}, ({ count, interval, url }) => {
  Exit.endsByInterruption()
  const isScreen = process.stdout.isTTY
  const looks = Option.getOrElse(count, () => isScreen ? Infinity : 1)
  return Effect.scoped(watch(url, interval, looks, isScreen)).pipe(Effect.provide(FetchHttpClient.layer))
}).pipe(
  Command.withDescription(
    "Watch a running stack: its interfaces, its connections with rates, round trips, windows and retransmissions, and what it " +
      "drops and why. The stack is a 'netstack up' with '--service http:80', or any program that serves StatusSite; the same is on " +
      "its page for browsers."
  ),
  Command.withShortDescription("Watch a running stack"),
  Command.withExamples([
    { command: "netstack watch http://10.0.0.2/", description: "Live, until Ctrl-C" },
    { command: "netstack watch 10.0.0.2 --count 1 > now.txt", description: "One look, as text" }
  ])
)
