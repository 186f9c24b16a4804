/**
 * What is alive in two stacks and around them, in numbers that are equal before and after whatever leaves nothing: rows of every
 * table of the core, bytes of every account, workers, alarms, waiting requests, watchers and fibers.
 */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Metric from "effect/Metric"
import type * as Scope from "effect/Scope"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import * as State from "../../src/core/State.ts"
import * as VirtualTime from "../../src/testing/VirtualTime.ts"
import * as EntropySource from "../../src/workers/EntropySource.ts"
import type { Stack } from "../../src/workers/Stack.ts"
import { type Hosts, pair } from "../workers/Hosts.ts"

/** Fibers that run with this in their context. */
class Fibers implements Metric.FiberRuntimeMetricsService {
  alive = 0

  readonly recordFiberStart = (): void => {
    this.alive++
  }

  readonly recordFiberEnd = (): void => {
    this.alive--
  }
}

type Count = Readonly<Record<string, number>>

/** What a host learns and keeps for a while, whatever its programs do: neighbours, paths, servers' cookies. */
const isLearnt = (path: string): boolean => /^(neighbor|ip|icmp)\.|^tcp\.(fastOpen|roundTrips)/.test(path)

const countOf = (name: string, stack: Stack): Effect.Effect<Count> =>
  Effect.gen(function*() {
    const count: Record<string, number> = {}
    const tables = yield* stack.read(State.snapshot)
    for (const [path, value] of Object.entries(tables)) {
      if (value instanceof Map && !isLearnt(path)) count[`${name}: ${path}`] = value.size
    }
    for (const cell of ["tcp.connections", "tcp.halfOpen", "tcp.timeWaits"]) {
      count[`${name}: ${cell}`] = Number(tables[cell])
    }
    for (const [i, bytes] of (tables["memory"] as ReadonlyArray<number>).entries()) {
      count[`${name}: memory ${i}`] = bytes
    }
    for (const [what, number] of Object.entries(yield* stack.census)) count[`${name}: ${what}`] = number
    return count
  })

/** Longer than any connection lingers, and any name is remembered. */
const longEnough = "20 minutes"

const counted = ({ one, two }: Hosts, fibers: Fibers): Effect.Effect<Count> =>
  Effect.gen(function*() {
    yield* Effect.sleep(longEnough)
    return { ...(yield* countOf("one", one)), ...(yield* countOf("two", two)), fibers: fibers.alive }
  })

setFlagsFromString("--expose-gc")
const collectGarbage = runInNewContext("gc") as () => void

const heap = (): number => {
  collectGarbage()
  return process.memoryUsage().heapUsed
}

/** Numbers from 0 to 1 that are the same in each run. */
const chances = (seed: number): () => number => {
  const generate = EntropySource.seeded(seed)
  return () => generate(2).reduce((sum, octet) => sum * 256 + octet, 0) / 2 ** 16
}

/** Lets a fiber come to one of the places where it can be interrupted: after some turns of the scheduler, or some time. */
const awhile = (draw: () => number): Effect.Effect<void> =>
  draw() < 0.7
    ? Effect.asVoid(Effect.repeat(Effect.yieldNow, { times: Math.floor(draw() * 40) }))
    : Effect.sleep(Math.floor(draw() * 60))

export interface Cycle {
  /** Opens a layer, uses it, and closes it, with a scope of its own. */
  readonly run: (hosts: Hosts) => Effect.Effect<unknown, unknown, Scope.Scope>
  /** Turns of the event loop for what is Node's. */
  readonly turns?: number
  /** Of the cycles of an ordinary run, if they take long; 1 if absent. */
  readonly share?: number
}

/** Cycles of each layer; a long run sets NETSTACK_CYCLES to 10000. */
const asked = process.env["NETSTACK_CYCLES"]
const ordinary = 1000

export interface Report {
  readonly before: Count
  readonly after: Count
  /** How many ended well, and how many were interrupted before their end. */
  readonly done: number
  readonly interrupted: number
  /** Growth of the heap in bytes over the second half of the cycles, and what it must stay below. */
  readonly growth: number
  readonly bound: number
}

/**
 * Bytes by which the heap may seem to grow over so many cycles: what is compiled meanwhile takes its place, more of it the longer it goes on,
 * and there is an end to that.
 */
const boundOf = (cycles: number): number => Math.min(700_000 + 2000 * cycles, 1_000_000)

/** Every other cycle is interrupted somewhere. */
const repeat = ({ run }: Cycle, hosts: Hosts, times: number, draw: () => number) =>
  Effect.gen(function*() {
    const ended = { done: 0, interrupted: 0 }
    for (let i = 0; i < times; i++) {
      const fiber = yield* Effect.forkChild(Effect.scoped(run(hosts)))
      if (i % 2 === 1) {
        yield* awhile(draw)
        yield* Fiber.interrupt(fiber)
      }
      const exit = yield* Fiber.await(fiber)
      if (exit._tag === "Success") ended.done++
      else if (i % 2 === 1) ended.interrupted++
      else return yield* Effect.failCause(exit.cause)
    }
    return ended
  })

/** Runs a layer's cycles in virtual time between two stacks. */
export const measure = (cycle: Cycle): Effect.Effect<Report, unknown> => {
  const fibers = new Fibers()
  const times = asked === undefined ? Math.round(ordinary * (cycle.share ?? 1)) : Number(asked)
  const program = Effect.gen(function*() {
    const draw = chances(21)
    const hosts = yield* pair({ latency: "5 millis" })
    yield* repeat(cycle, hosts, 6, draw)
    const before = yield* counted(hosts, fibers)
    const first = yield* repeat(cycle, hosts, times / 2, draw)
    yield* Effect.sleep(longEnough)
    const middle = heap()
    const second = yield* repeat(cycle, hosts, times / 2, draw)
    const after = yield* counted(hosts, fibers)
    return {
      before,
      after,
      done: first.done + second.done,
      interrupted: first.interrupted + second.interrupted,
      growth: heap() - middle,
      bound: boundOf(times / 2)
    }
  })
  return Effect.provideService(
    VirtualTime.run(program, { turns: cycle.turns ?? 0, seed: 21 }),
    Metric.FiberRuntimeMetrics,
    fibers
  )
}
