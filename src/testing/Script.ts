/**
 * Runs scripts in packetdrill's language against a host of this stack, in virtual time.
 *
 * The language is that of the program's own scripts: packets with relative sequence numbers, system calls with their results, times,
 * assertions on `TCP_INFO`, commands that set Linux's or FreeBSD's knobs. What has no meaning here is left out by name.
 *
 * @example
 * ```ts
 * const outcome = Script.run(`
 *   0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
 *  +0 bind(3, ..., ...) = 0
 *  +0 listen(3, 1) = 0
 *  +0 < S 0:0(0) win 65535 <mss 1460>
 *  +0 > S. 0:0(0) ack 1 <...>`)
 * if (outcome.status !== "passed") console.error(Script.render(outcome))
 * ```
 */
import type { Difference } from "./script/compareSegment.ts"
import { Unsupported } from "./script/Descriptor.ts"
import { parseScript } from "./script/parseScript.ts"
import { Failure, type Line, Session, type Skip } from "./script/Session.ts"
import { type RunOptions, settingsOf } from "./script/Settings.ts"
import { SyntaxFault } from "./script/Syntax.ts"

export type { Difference } from "./script/compareSegment.ts"
export type { Line, Skip } from "./script/Session.ts"
export type { RunOptions } from "./script/Settings.ts"

/** What came of a script. */
export interface Outcome {
  /** `skipped`: it needs something that is not done here. `invalid`: it can't be read. */
  readonly status: "passed" | "failed" | "skipped" | "invalid"
  /** Where and why it ended; `undefined` if it passed. */
  readonly reason:
    | { readonly line: number; readonly detail: string; readonly differences: ReadonlyArray<Difference> }
    | undefined
  /** What was left out. */
  readonly skips: ReadonlyArray<Skip>
  /** What happened, in the order of time: the script beside the host. */
  readonly lines: ReadonlyArray<Line>
}

const ended = (
  status: Outcome["status"],
  line: number,
  detail: string,
  session?: Session,
  differences: ReadonlyArray<Difference> = []
): Outcome => ({
  status,
  reason: { line, detail, differences },
  skips: session?.skips ?? [],
  lines: session?.lines ?? []
})

/** Runs a script. Never throws, whatever the text is. */
export const run = (text: string, options: RunOptions = {}): Outcome => {
  let session: Session | undefined
  try {
    const syntax = parseScript(text, new Map(Object.entries(options.definitions ?? {})))
    const settings = settingsOf(syntax.options, options)
    session = new Session(settings)
    for (const what of settings.unknown) session.skips.push({ line: 1, what: `option: ${what}` })
    session.run(syntax.events)
    session.leftovers()
    return { status: "passed", reason: undefined, skips: session.skips, lines: session.lines }
  } catch (error) {
    session?.leftovers()
    if (error instanceof SyntaxFault) return ended("invalid", error.line, error.message, session)
    if (error instanceof Failure) return ended("failed", error.line, error.message, session, error.differences)
    const line = session?.line ?? 1
    if (error instanceof Unsupported) return ended("skipped", error.line ?? line, error.message, session)
    return ended("failed", line, error instanceof Error ? error.stack ?? error.message : String(error), session)
  }
}

const width = 68

const cell = (text: string): string => text.length > width ? `${text.slice(0, width - 1)}…` : text.padEnd(width)

const row = ({ at, host, line, script }: Line, isWrong: boolean): string =>
  `${isWrong ? "!" : " "} ${(at / 1e6).toFixed(6).padStart(11)} ${String(line ?? "").padStart(4)}  ${
    cell(script)
  } ${host}`.trimEnd()

/** How an outcome is shown. */
export interface RenderOptions {
  /** What happened is shown whatever the outcome is; otherwise only of a failure. */
  readonly withLines?: boolean
}

/** The outcome for a reader: what was expected beside what came, in the order of time. */
export const render = ({ lines, reason, skips, status }: Outcome, options: RenderOptions = {}): string => {
  const wrong = reason === undefined ? -1 : lines.findLastIndex(({ line }) => line === reason.line)
  return [
    reason === undefined ? status : `${status} at line ${reason.line}: ${reason.detail}`,
    ...(status === "failed" || options.withLines === true
      ? [`${" ".repeat(20)}${cell("script")} host`, ...lines.map((line, i) => row(line, i === wrong))]
      : []),
    ...(reason?.differences ?? []).map(({ expected, got, what }) =>
      `  ${what}\n    expected ${expected}\n    got      ${got}`
    ),
    ...skips.map(({ line, what }) => `left out at line ${line}: ${what}`)
  ].join("\n")
}
