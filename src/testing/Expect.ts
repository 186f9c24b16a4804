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
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Counter from "../core/Counter.ts"
import type * as Drop from "../core/Drop.ts"
import type { StateName } from "../core/tcp/Info.ts"
import * as Time from "../core/Time.ts"
import type { Host } from "./Host.ts"
import type { Simulation } from "./Simulator.ts"
import { type Amount, amounts, states, Unmet } from "./Unmet.ts"

/** The same for the hosts of a running network. */
export * as network from "./ExpectNetwork.ts"
export type { PacketPattern, Pattern } from "./Like.ts"
export { frame, type Frames, noFrame, render, sequence } from "./Seen.ts"
export { Unmet } from "./Unmet.ts"

/** Expects counters of a host: values, or tests of them. */
export const counters = (host: Host, expected: Readonly<Partial<Record<Counter.Name, Amount>>>): void =>
  amounts("counters", expected, (name) => host.counter(name))

/** Expects how many packets a host has dropped for a reason. */
export const drops = (host: Host, expected: Readonly<Partial<Record<Drop.DropReason, Amount>>>): void =>
  amounts("drops", expected, (reason) => host.dropCount(reason))

/** Expects as many connections of a host in these states, and none in any other; listeners do not count. */
export const connections = (host: Host, expected: Readonly<Partial<Record<StateName, number>>>): void =>
  states(expected, host.connections())

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
