/**
 * Many hosts and links in one thread and one queue of events, in virtual time, without a fiber.
 *
 * ```
 *   host ─frames─▶ lane (faults by seed) ─▶ ┌───────────────┐
 *   host ◀─frame── at its time ──────────── │ queue by time │   run: the first event, then what it leads to, and so on
 *   host ◀─alarm── at its time ──────────── └───────────────┘
 * ```
 *
 * The seed decides everything: a stream of chance for each link, direction and kind of fault, and the keys of each host. So the
 * same seed and the same programs give the same {@link Trace}, byte for byte, on any machine.
 */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import { format } from "effect/Formatter"
import * as Predicate from "effect/Predicate"
import * as Result from "effect/Result"
import * as Time from "../core/Time.ts"
import type { Statistics } from "../link/Faults.ts"
import { Heap } from "../link/Heap.ts"
import * as Random from "../link/Random.ts"
import * as Frame from "../wire/Frame.ts"
import { Artifacts, type Keeper } from "./Artifacts.ts"
import { Bridge } from "./Bridge.ts"
import { FlightRecorder } from "./FlightRecorder.ts"
import * as Host from "./Host.ts"
import { type Interceptor, Lane, type Receiver, type Timeline } from "./Lane.ts"
import { hostOf, type Listener, Node, type Watcher } from "./Node.ts"
import * as Plan from "./Plan.ts"
import * as Program from "./Program.ts"
import * as RunningTest from "./RunningTest.ts"
import { settingsOf } from "./settingsOf.ts"
import { type Direction, type Faults, type Topology, TopologyError } from "./Topology.ts"
import { type Detail, Trace } from "./Trace.ts"

/** A test of a simulation has failed: with which seed, how it is run again, and what it has left. */
export class SeededFailure extends Data.TaggedError("SeededFailure")<{
  readonly seed: number
  readonly again: string
  /** Lines that tell where its recordings and its capture are; none where nobody keeps them. */
  readonly kept: ReadonlyArray<string>
  readonly cause: unknown
}> {
  override get message(): string {
    const { cause } = this
    // Test runners that pass errors on between processes leave no more of the cause than its properties.
    const why = Predicate.hasProperty(cause, "message") ? String(cause.message) : format(cause)
    return [why, `the simulation had seed ${this.seed}`, `  again: ${this.again}`, ...this.kept].join("\n")
  }
}

export interface Options {
  /** 1 if absent. */
  readonly seed?: number
  /** What {@link Trace} remembers; the hash if absent. `"none"` is fastest. */
  readonly trace?: Detail
}

export interface TestOptions extends Options {
  /** Keeps recordings of all hosts and a capture when the test fails. Absent: {@link Artifacts} of the fiber that runs, if one does. */
  readonly artifacts?: Keeper
}

/** Nothing is left to happen, and programs still wait. */
export class Deadlock extends Data.TaggedError("Deadlock")<{ readonly waiting: ReadonlyArray<string> }> {
  override get message(): string {
    return `everything waits and nothing is scheduled: ${this.waiting.join("; ")}`
  }
}

/** The time was up before the programs were done. */
export class TimeLimit extends Data.TaggedError("TimeLimit")<{ readonly waiting: ReadonlyArray<string> }> {
  override get message(): string {
    return `the time is up: ${this.waiting.join("; ")}`
  }
}

/** A link of a running simulation. */
export interface SimulatedLink {
  /** Replaces the settings of one direction, or of both, from the next frame on. */
  readonly set: (faults: Faults, direction?: Direction) => void
  /** From now on every frame is lost. Frames under way arrive. */
  readonly partition: (direction?: Direction) => void
  readonly heal: (direction?: Direction) => void
  /** Has every frame of one direction looked at before the faults; `undefined` ends it. */
  readonly intercept: (direction: Direction, interceptor: Interceptor | undefined) => void
  readonly statistics: (direction: Direction) => Statistics
  /** Octets that wait for the line of a direction; none where there is no rate. */
  readonly queued: (direction: Direction) => number
}

interface Event {
  readonly action: (item: never) => void
  readonly item: unknown
}

/** Events of one instant beyond which hosts are taken to answer each other for ever. */
const mostAtOnce = 1_000_000

const nanosPerMicro = 1000

/** How long programs may take. */
const defaultLimit = Time.seconds(3600)

/** The links of a simulation: for each direction a lane. */
type Lanes = Readonly<Record<Direction, Lane>>

const directions: ReadonlyArray<Direction> = ["forth", "back"]

const linkOf = (lanes: Lanes): SimulatedLink => {
  const each = (direction: Direction | undefined, f: (lane: Lane) => void): void => {
    for (const one of directions) if (direction === undefined || direction === one) f(lanes[one])
  }
  const part = (partitioned: boolean) => (direction?: Direction) =>
    each(direction, ({ path }) => {
      path.partitioned = partitioned
    })
  return {
    set: (faults, direction) => each(direction, ({ path }) => path.set(settingsOf(faults))),
    partition: part(true),
    heal: part(false),
    intercept: (direction, interceptor) => {
      lanes[direction].interceptor = interceptor
    },
    statistics: (direction) => lanes[direction].statistics,
    queued: (direction) => lanes[direction].queued
  }
}

const found = <A>(what: string, name: string, map: ReadonlyMap<string, A>): A => {
  const value = map.get(name)
  if (value !== undefined) return value
  throw new TopologyError({ where: name, detail: `no ${what} has this name; there are: ${[...map.keys()].join(", ")}` })
}

const waiting = (processes: ReadonlyArray<Program.Process<unknown>>): ReadonlyArray<string> =>
  processes.filter(({ isDone }) => !isDone).map(({ name, waitsFor }) => `${name} waits for ${waitsFor ?? "nothing"}`)

/** A network of hosts; {@link make} makes one. */
export class Simulation {
  readonly trace: Trace
  private readonly queue: Heap<Event> = new Heap()
  private nanos = 0
  private readonly nodes: Map<string, Node> = new Map()
  private readonly links: Map<string, SimulatedLink> = new Map()
  private readonly listeners: Array<Listener> = []
  private readonly timeline: Timeline
  /** Events so far. */
  events = 0
  private atOnce = 0

  constructor(plan: Plan.Plan, options: Options, recorder?: FlightRecorder) {
    const seed = options.seed ?? 1
    this.trace = new Trace(options.trace ?? "hash")
    this.timeline = { now: () => this.nanos, schedule: (at, action, item) => this.queue.put(at, { action, item }) }
    for (const planned of plan.hosts) {
      const { description: { record }, name } = planned
      const host = hostOf(planned, seed, recorder === undefined ? record : recorder.recorder(name, record))
      this.nodes.set(name, new Node(name, host, this.timeline, this.listeners))
    }
    recorder?.watch(this.trace, Host.announcing)
    this.wire(plan, seed)
    for (const change of plan.changes) this.at(Time.millis(change.at), () => this.change(change))
    for (const node of this.nodes.values()) node.settle()
  }

  private wire(plan: Plan.Plan, seed: number): void {
    const bridges = plan.switches.map(() => new Bridge())
    plan.links.forEach(({ ends, faults, name }, number) => {
      const lane = (direction: Direction): Lane => {
        const [from, to] = direction === "forth" ? ends : [ends[1], ends[0]]
        return new Lane({
          way: {
            number: 2 * number + (direction === "forth" ? 0 : 1),
            link: name,
            from: Plan.nameOf(plan, from),
            to: Plan.nameOf(plan, to)
          },
          faults: settingsOf(faults[direction]),
          seed,
          stream: Random.streamOf(`${name} ${direction}`),
          timeline: this.timeline,
          trace: this.trace,
          receiver: this.receiverOf(plan, bridges, to)
        })
      }
      const lanes: Lanes = { forth: lane("forth"), back: lane("back") }
      this.plug(plan, bridges, ends[0], lanes.forth)
      this.plug(plan, bridges, ends[1], lanes.back)
      this.links.set(name, linkOf(lanes))
    })
  }

  private receiverOf(plan: Plan.Plan, bridges: ReadonlyArray<Bridge>, end: Plan.End): Receiver {
    if (end._tag === "Port") {
      const bridge = bridges[end.switch]!
      return (frame) => bridge.receive(end.port, frame)
    }
    const node = this.node(plan.hosts[end.host]!.name)
    return (frame) => node.receive(end.interface + 1, frame)
  }

  private plug(plan: Plan.Plan, bridges: ReadonlyArray<Bridge>, end: Plan.End, out: Lane): void {
    if (end._tag === "Port") bridges[end.switch]!.connect(end.port, (frame) => out.send(frame))
    else this.node(plan.hosts[end.host]!.name).lanes[end.interface] = out
  }

  private change({ directions, faults, link, partition }: Plan.PlannedChange): void {
    const changed = this.link(link)
    for (const direction of directions) {
      if (faults !== undefined) changed.set(faults, direction)
      if (partition === true) changed.partition(direction)
      if (partition === false) changed.heal(direction)
    }
  }

  private node(name: string): Node {
    return found("host", name, this.nodes)
  }

  /** The time since the start. */
  get elapsed(): Time.Span {
    return Time.micros(this.nanos / 1000)
  }

  /** Whether nothing is left to happen. */
  get isQuiescent(): boolean {
    return this.queue.size === 0
  }

  get hosts(): ReadonlyArray<string> {
    return [...this.nodes.keys()]
  }

  /** The core of a host, to look into. What is asked of it is sent at the next event; use {@link touch} for that. */
  host(name: string): Host.Host {
    return this.node(name).host
  }

  link(name: string): SimulatedLink {
    return found("link", name, this.links)
  }

  /** Does something with a host at the present time, and sends what comes of it. */
  touch<A>(name: string, action: (host: Host.Host) => A): A {
    const node = this.node(name)
    node.catchUp()
    const value = action(node.host)
    node.settle()
    return value
  }

  /** Starts a program on a host; it runs now as far as it can. */
  program<A>(name: string, host: string, body: Program.Body<A>): Program.Process<A> {
    const node = this.node(host)
    node.catchUp()
    const self = Program.selfOf(node.host, node.wakeAt)
    const process = new Program.Process(name, body(self))
    node.processes.push(process)
    node.settle()
    return process
  }

  /** Does something at a time from the start. */
  at(time: Time.Span, action: () => void): void {
    this.timeline.schedule(time * nanosPerMicro, action, undefined)
  }

  /** Hears all notices and drops of all hosts from now on. */
  listen(listener: Listener): void {
    this.listeners.push(listener)
  }

  /** Looks at every host whenever something has happened to it, from now on. */
  watch(watcher: Watcher): void {
    for (const node of this.nodes.values()) node.watchers.push(watcher)
  }

  /** Has a host's interface send a frame that the host knows nothing of. The first interface if absent. */
  inject(host: string, frame: Uint8Array, link = 1): void {
    const lane = this.node(host).lanes[link - 1]
    if (lane === undefined) throw new TopologyError({ where: host, detail: `it has no interface ${link}` })
    lane.send(Frame.plain(frame))
  }

  /** Lets time pass, with everything that happens in it. */
  advance(by: Time.Span): void {
    const end = this.nanos + by * nanosPerMicro
    while (this.queue.earliest <= end) this.step()
    this.nanos = end
    for (const node of this.nodes.values()) node.catchUp()
  }

  /** Runs until nothing is left to happen, at most for so long; true if so. */
  settle(limit: Time.Span = defaultLimit): boolean {
    const end = this.nanos + limit * nanosPerMicro
    while (this.queue.earliest <= end) this.step()
    return this.isQuiescent
  }

  /** Runs until something is so, which is looked at after every event, at most for so long; true if it came to be so. */
  runUntil(isSo: () => boolean, limit: Time.Span = defaultLimit): boolean {
    const end = this.nanos + limit * nanosPerMicro
    for (let isMet = isSo(); !isMet; isMet = isSo()) {
      if (this.queue.earliest > end) {
        this.advance(Time.micros((end - this.nanos) / nanosPerMicro))
        return isSo()
      }
      this.step()
    }
    return true
  }

  /** Runs until these programs are done, at most for so long. Throws {@link Deadlock} or {@link TimeLimit} if they never are. */
  finish(processes: ReadonlyArray<Program.Process<unknown>>, limit: Time.Span = defaultLimit): void {
    const end = this.nanos + limit * nanosPerMicro
    while (!processes.every(({ isDone }) => isDone)) {
      if (this.isQuiescent) throw new Deadlock({ waiting: waiting(processes) })
      if (this.queue.earliest > end) throw new TimeLimit({ waiting: waiting(processes) })
      this.step()
    }
  }

  private step(): void {
    const at = this.queue.earliest
    this.atOnce = at > this.nanos ? 0 : this.atOnce + 1
    if (this.atOnce > mostAtOnce) throw new Error("the hosts of this simulation do not come to rest")
    this.nanos = at
    this.events++
    const { action, item } = this.queue.take()!
    action(item as never)
  }
}

/**
 * A simulation of a topology. Throws a {@link TopologyError} if the topology makes no sense.
 *
 * @example
 * ```ts
 * const simulation = Simulator.make(Topology.pair({ delay: "10 millis", loss: 0.02 }), { seed: 7 })
 * const transfer = Transfer.start(simulation, { from: "local", to: "remote", bytes: 2_000_000 })
 * simulation.finish(transfer.processes)
 * ```
 */
export const make = (topology: Topology, options: Options = {}): Simulation =>
  new Simulation(Result.getOrThrow(Plan.make(topology)), options)

/**
 * Makes a simulation for a test. What the test throws is thrown as a {@link SeededFailure} that tells the seed, the command that runs it again, and
 * where its recordings and its capture are. Without a seed among the options it is `NETSTACK_SEED` of the environment, or 1.
 *
 * @example
 * ```ts
 * it("arrives whole", () =>
 *   Simulator.test(Topology.pair({ loss: 0.1 }), { artifacts: TestArtifacts.make() }, (simulation) => {
 *     assert.isTrue(Transfer.run(simulation, { from: "local", to: "remote", bytes: 1e6 }).isIntact)
 *   }))
 * ```
 */
export const test = <A>(topology: Topology, options: TestOptions, body: (simulation: Simulation) => A): A => {
  const seed = options.seed ?? RunningTest.environmentSeed()
  const recorder = new FlightRecorder(seed, options.artifacts ?? Fiber.getCurrent()?.getRef(Artifacts))
  const fail = (cause: unknown): never => {
    throw new SeededFailure({ seed, again: recorder.again, kept: kept(recorder), cause })
  }
  try {
    const value = body(new Simulation(Result.getOrThrow(Plan.make(topology)), { ...options, seed }, recorder))
    return value instanceof Promise ? value.catch(fail) as A : value
  } catch (cause) {
    return fail(cause)
  }
}

/** Has the files kept at once, for whoever waits for a simulation is no fiber. */
const kept = (recorder: FlightRecorder): ReadonlyArray<string> => {
  const exit = Effect.runSyncExit(recorder.keep())
  return Exit.isSuccess(exit) ? exit.value : ["  files: whoever keeps them does not do so at once"]
}
