/**
 * What a link of a plan becomes in a network of running stacks: faults between two ends, each the interface of a host or the port of a switch, and the
 * trace of what is sent, arrives and is lost on it, as the simulator keeps it (`Lane.ts`).
 *
 * ```
 *   first end ── sent ─▶ interceptor ─▶ faults ─▶ arrived ── second end
 *                             └──────────┴─▶ lost                            and back in the same way
 * ```
 */
import type * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Capture from "../link/Capture.ts"
import * as Faults from "../link/Faults.ts"
import type { Link, LinkError, Port, Sink } from "../link/Link.ts"
import * as MemoryLink from "../link/MemoryLink.ts"
import * as Switch from "../link/Switch.ts"
import type { Frame } from "../wire/Frame.ts"
import { type Intercepted, interceptLink } from "./interceptLink.ts"
import * as Plan from "./Plan.ts"
import { settingsOf } from "./settingsOf.ts"
import type { Direction } from "./Topology.ts"
import type { Happening, Reason, Trace, Way } from "./Trace.ts"

export interface Cable {
  readonly faults: Faults.Faults
  readonly intercept: Intercepted["intercept"]
  /** Whoever opens the link with the faults sends forth; else it sends back. */
  readonly sendsForth: boolean
  /** What hosts open at its ends. */
  readonly plugs: ReadonlyArray<readonly [Plan.InterfaceEnd, Link]>
  /** What is to be joined, between two switches. */
  readonly joined: readonly [Link, Link] | undefined
}

/** Keeps what happens on one link; nothing is wrapped where nobody wants to know. */
class Tracing {
  private readonly trace: Trace
  private readonly now: () => number
  private readonly ways: Readonly<Record<Direction, Way>>

  constructor(trace: Trace, now: () => number, ways: Readonly<Record<Direction, Way>>) {
    this.trace = trace
    this.now = now
    this.ways = ways
  }

  get isIdle(): boolean {
    return this.trace.isIdle
  }

  add(happening: Happening, direction: Direction, { bytes, end, start }: Frame): void {
    this.trace.add(happening, this.ways[direction], this.now(), bytes, start, end)
  }

  befall(reason: Reason, direction: Direction, frame: Frame): void {
    this.trace.befall(reason, this.ways[direction], this.now(), frame)
  }

  /** The end of the link that `direction` leads away from, as who opens it sees it. */
  atEnd(link: Link, direction: Direction): Link {
    if (this.isIdle) return link
    const other = opposite(direction)
    return Capture.make(link, {
      attach: () => (frame, way) =>
        way === "out" ? this.add("sent", direction, frame) : this.add("arrived", other, frame)
    })
  }

  /** What lies behind the end to which `direction` leads, as the faults see it. */
  behind(link: Link, direction: Direction): Link {
    if (this.isIdle) return link
    const other = opposite(direction)
    return Capture.make(link, {
      attach: () => (frame, way) =>
        way === "out" ? this.add("arrived", direction, frame) : this.add("sent", other, frame)
    })
  }
}

const opposite = (direction: Direction): Direction => direction === "forth" ? "back" : "forth"

/** Joins two links that nobody else opens, as a cable between two switches does. */
export const join = ([one, two]: readonly [Link, Link]): Effect.Effect<void, LinkError, Scope.Scope> =>
  Effect.gen(function*() {
    const ports: Array<Port> = []
    const sinkTo = (other: 0 | 1): Sink => ({ frames: (batch) => void ports[other]?.send(batch, 0), changed: () => {} })
    ports[0] = yield* one.open(sinkTo(1))
    ports[1] = yield* two.open(sinkTo(0))
  })

const lay = (
  planned: Plan.PlannedLink,
  switches: ReadonlyArray<Switch.Switch>,
  seed: number,
  tracing: Tracing
): Cable => {
  const { ends: [first, second], faults, mtu, name } = planned
  const faulty = (link: Link, sendsForth: boolean) => {
    const [forth, back] = sendsForth ? ["forth", "back"] as const : ["back", "forth"] as const
    const made = Faults.make({ ...link, name }, {
      seed,
      send: settingsOf(faults[forth]),
      receive: settingsOf(faults[back]),
      ...(tracing.isIdle
        ? {}
        : { onFault: (fault, frame, direction) => tracing.befall(fault, direction === "send" ? forth : back, frame) })
    })
    const { intercept, link: intercepted } = interceptLink(
      made.link,
      (frame, direction) => tracing.befall("intercepted", direction === "send" ? forth : back, frame)
    )
    return { faults: made, intercept, sendsForth, joined: undefined, link: tracing.atEnd(intercepted, forth) }
  }
  const portOf = (end: Plan.PortEnd): Link => switches[end.switch]!.ports[end.port]!
  if (first._tag === "Port") {
    // Who opens a port of a switch sends into it: what a host at the second end sends goes back.
    const made = faulty(tracing.behind(portOf(first), "back"), false)
    if (second._tag === "Interface") return { ...made, plugs: [[second, made.link]] }
    return { ...made, plugs: [], joined: [made.link, portOf(second)] }
  }
  const [here, there] = MemoryLink.pair({ mtu })
  const made = faulty(second._tag === "Port" ? tracing.behind(portOf(second), "forth") : here, true)
  const own = [first, made.link] as const
  return { ...made, plugs: second._tag === "Port" ? [own] : [own, [second, tracing.atEnd(there, "back")]] }
}

/** Lays all links of a plan. Times in the trace are from now on, by the clock. */
export const make = (plan: Plan.Plan, seed: number, trace: Trace, clock: Clock.Clock): ReadonlyArray<Cable> => {
  const switches = plan.switches.map(({ mtu, ports }) => Switch.make({ ports, mtu }))
  const start = clock.monotonicTimeNanosUnsafe()
  const now = () => Number(clock.monotonicTimeNanosUnsafe() - start)
  return plan.links.map((planned, number) => {
    const [first, second] = planned.ends.map((end) => Plan.nameOf(plan, end)) as [string, string]
    const link = planned.name
    const ways = {
      forth: { number: 2 * number, link, from: first, to: second },
      back: { number: 2 * number + 1, link, from: second, to: first }
    }
    return lay(planned, switches, seed, new Tracing(trace, now, ways))
  })
}
