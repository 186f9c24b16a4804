/**
 * Expectations of frames, counters, drops and connections. Those that are not met throw, and tell what was there instead.
 *
 * @example
 * ```ts
 * Expect.frame(host.takeFrames(1), { ip: { destination: "10.0.0.2" }, tcp: { flags: "S.", window: (n) => n > 0 } })
 * Expect.noFrame(simulation.trace, { tcp: { flags: /R/ } })
 * Expect.connections(host, { ESTABLISHED: 1 })
 * Expect.eventually(simulation, "the connection is gone", () => Expect.connections(host, {}), Time.seconds(120))
 * ```
 */
import * as Data from "effect/Data"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Counter from "../core/Counter.ts"
import type * as Drop from "../core/Drop.ts"
import type { StateName } from "../core/tcp/Info.ts"
import * as Time from "../core/Time.ts"
import { describePacket } from "./describePacket.ts"
import type { Host } from "./Host.ts"
import { isLike, mismatch, type PacketPattern, show } from "./Like.ts"
import * as Packet from "./Packet.ts"
import type { Simulation } from "./Simulator.ts"
import { type Entry, Trace } from "./Trace.ts"

/** An expectation was not met. */
export class Unmet extends Data.TaggedError("Unmet")<{ readonly expected: string; readonly found: string }> {
  override get message(): string {
    return `expected ${this.expected}\n${this.found}`
  }
}

export type { PacketPattern, Pattern } from "./Like.ts"

/** Frames, a trace, or entries of one. */
export type Frames = Trace | ReadonlyArray<Uint8Array | Entry>

/** A frame with its packet, and how it was introduced. */
interface Seen {
  readonly frame: Uint8Array
  readonly packet: Packet.Packet
  readonly prefix: string
}

const prefixOf = ({ at, from, happening, to }: Entry): string =>
  `${Time.toMillis(at).toFixed(3).padStart(10)} ms ${from} ${
    happening === "lost" ? "lost on the way to" : happening
  } ${to} `

/** Of a trace only what was sent, once each; the same frame arrives or is lost later. */
const seen = (frames: Frames): ReadonlyArray<Seen> => {
  const all = frames instanceof Trace ? frames.entries.filter(({ happening }) => happening === "sent") : frames
  return all.map((each) => {
    const frame = each instanceof Uint8Array ? each : each.frame
    return { frame, packet: Packet.read(frame), prefix: each instanceof Uint8Array ? "" : prefixOf(each) }
  })
}

/** Frames in one line each; for a failure the last ones will do. */
const mostShown = 40

/** A list of frames, one a line. */
export const render = (frames: Frames): string => listed(seen(frames), () => "")

const listed = (all: ReadonlyArray<Seen>, note: (each: Seen) => string): string => {
  const shown = all.slice(-mostShown)
  const before = all.length - shown.length
  const lines = shown.map((each) => `  ${each.prefix}${describePacket(each.packet)}${note(each)}`)
  return [...(before > 0 ? [`  … ${before} frames before`] : []), ...lines].join("\n")
}

const among = (all: ReadonlyArray<Seen>, pattern: PacketPattern): string =>
  all.length === 0
    ? "but there was none"
    : `among\n${listed(all, ({ packet }) => `   (${mismatch(packet, pattern, "")})`)}`

const matches = (pattern: PacketPattern) => ({ packet }: Seen): boolean => isLike(packet, pattern)

/** Expects a frame that is like the pattern; answers the first one. */
export const frame = (frames: Frames, pattern: PacketPattern): Packet.Packet => {
  const all = seen(frames)
  const found = all.find(matches(pattern))
  if (found !== undefined) return found.packet
  throw new Unmet({ expected: `a frame like ${show(pattern)}`, found: among(all, pattern) })
}

/** Expects frames that are like the patterns, in this order; others may be in between. */
export const sequence = (frames: Frames, patterns: ReadonlyArray<PacketPattern>): ReadonlyArray<Packet.Packet> => {
  const all = seen(frames)
  let from = 0
  return patterns.map((pattern, number) => {
    const index = all.findIndex((each, i) => i >= from && matches(pattern)(each))
    const rest = all.slice(from)
    from = index + 1
    if (index >= 0) return all[index]!.packet
    throw new Unmet({
      expected: `then a frame like ${show(pattern)} (number ${number + 1})`,
      found: among(rest, pattern)
    })
  })
}

/** Expects that no frame is like the pattern. */
export const noFrame = (frames: Frames, pattern: PacketPattern = () => true): void => {
  const wrong = seen(frames).filter(matches(pattern))
  if (wrong.length === 0) return
  throw new Unmet({ expected: `no frame like ${show(pattern)}`, found: `but there was\n${listed(wrong, () => "")}` })
}

type Amount = number | ((value: number) => boolean)

const amounts = <Name extends string>(
  what: string,
  expected: Readonly<Partial<Record<Name, Amount>>>,
  read: (name: Name) => number
): void => {
  const wrong = (Object.entries<Amount | undefined>(expected) as Array<[Name, Amount]>).filter(([name, amount]) =>
    mismatch(read(name), amount, name) !== undefined
  )
  if (wrong.length === 0) return
  const found = wrong.map(([name]) => `${name} is ${read(name)}`).join(", ")
  throw new Unmet({ expected: `${what} ${show(Object.fromEntries(wrong))}`, found: `but ${found}` })
}

/** Expects counters of a host: values, or tests of them. */
export const counters = (host: Host, expected: Readonly<Partial<Record<Counter.Name, Amount>>>): void =>
  amounts("counters", expected, (name) => host.counter(name))

/** Expects how many packets a host has dropped for a reason. */
export const drops = (host: Host, expected: Readonly<Partial<Record<Drop.DropReason, Amount>>>): void =>
  amounts("drops", expected, (reason) => host.dropCount(reason))

/** Expects as many connections of a host in these states, and none in any other; listeners do not count. */
export const connections = (host: Host, expected: Readonly<Partial<Record<StateName, number>>>): void => {
  const found = host.connections()
  const names = new Set([...found.keys(), ...(Object.keys(expected) as ReadonlyArray<StateName>)])
  const wrong = [...names].filter((name) => (found.get(name) ?? 0) !== (expected[name] ?? 0))
  if (wrong.length === 0) return
  const there = [...found].map(([name, count]) => `${count} in ${name}`).join(", ")
  throw new Unmet({
    expected: `connections ${show(expected)}`,
    found: `but there ${there === "" ? "were none" : `were ${there}`}`
  })
}

/** Whether a check is met now: it answers true or nothing, and does not throw {@link Unmet}. */
const isMet = (check: () => unknown): boolean => {
  try {
    return check() !== false
  } catch (error) {
    if (error instanceof Unmet) return false
    throw error
  }
}

/**
 * Lets a simulation go on, event by event, until a check is met; answers when, from now. Throws if it is not within a time.
 */
export const eventually = (
  simulation: Simulation,
  what: string,
  check: () => unknown,
  within: Time.Span
): Time.Span => {
  const start = simulation.elapsed
  if (simulation.runUntil(() => isMet(check), within)) return Time.micros(simulation.elapsed - start)
  const reason = catchUnmet(check)
  throw new Unmet({
    expected: `${what} within ${Time.toMillis(within)} ms`,
    found: reason?.message ?? "but it was not so"
  })
}

const catchUnmet = (check: () => unknown): Unmet | undefined => {
  try {
    check()
    return undefined
  } catch (error) {
    return error instanceof Unmet ? error : undefined
  }
}

/**
 * Tries a check until it succeeds, with pauses on the `Clock`: for programs in virtual time. A check fails by failing or by throwing
 * {@link Unmet}. When the time is up its failure is the effect's.
 */
export const soon = <A, E, R>(
  check: Effect.Effect<A, E, R>,
  options: { readonly within?: Duration.Input; readonly every?: Duration.Input } = {}
): Effect.Effect<A, E | Unmet, R> =>
  Effect.gen(function*() {
    const every = Duration.toMillis(options.every ?? "1 millis")
    const caught = Effect.catchDefect(check, (defect) =>
      defect instanceof Unmet ? Effect.fail(defect) : Effect.die(defect))
    for (let left = Duration.toMillis(options.within ?? "1 minute"); left > 0; left -= every) {
      const exit = yield* Effect.exit(caught)
      if (exit._tag === "Success") {
        return exit.value
      }
      yield* Effect.sleep(every)
    }
    return yield* caught
  })
