/**
 * Runs a scenario in the simulator and collects what there is to see.
 *
 * @example
 * ```ts
 * const outcome = Run.run(yield* Scenario.parse(text))
 * console.log(outcome.headline, outcome.unmet)
 * ```
 */
import * as Duration from "effect/Duration"
import { loopback } from "../../core/Device.ts"
import * as Time from "../../core/Time.ts"
import * as Address from "../../wire/Address.ts"
import type { Body } from "../Program.ts"
import { RequestFailed } from "../Program.ts"
import * as Scenario from "../Scenario.ts"
import * as Simulator from "../Simulator.ts"
import type { Direction } from "../Topology.ts"
import * as Transfer from "../Transfer.ts"
import * as flood from "./flood.ts"
import * as measures from "./measures.ts"
import type { Answer } from "./questions.ts"
import * as questions from "./questions.ts"
import * as Series from "./Series.ts"

/** What became of one end's program. */
export type Result<A> =
  | { readonly _tag: "Running" }
  | { readonly _tag: "Done"; readonly value: A }
  | { readonly _tag: "Failed"; readonly why: string }

/** What a flow did. */
export type FlowOutcome =
  | {
    readonly kind: "transfer"
    readonly series: Series.Series
    readonly collector: Series.Collector
    readonly sent: Result<Transfer.Sent>
    readonly received: Result<Transfer.Received>
  }
  | {
    readonly kind: "questions"
    readonly series: Series.Series
    readonly collector: Series.Collector
    readonly answers: ReadonlyArray<Answer>
    readonly asking: Result<void>
  }
  | { readonly kind: "flood"; readonly sent: number }

/** Octets that waited for the line of a link's direction. */
export interface Queue {
  readonly link: string
  readonly direction: Direction
  readonly samples: ReadonlyArray<{ readonly at: number; readonly bytes: number }>
}

/** What came of a scenario. */
export interface Outcome {
  readonly scenario: Scenario.Scenario
  readonly seed: number
  /** Seconds. */
  readonly duration: number
  readonly flows: Readonly<Record<string, FlowOutcome>>
  readonly queues: ReadonlyArray<Queue>
  readonly measures: Readonly<Record<string, number>>
  readonly headline: string
  /** What was expected and is not so, a line each. */
  readonly unmet: ReadonlyArray<string>
  readonly events: number
  /** The hash of everything that crossed the links. */
  readonly trace: string
}

export interface Options {
  /** The scenario's, or 1, if absent. */
  readonly seed?: number
}

/** A program that fails without ending the simulation. */
const caught = <A>(body: Body<A>): Body<Result<A>> =>
  function*(self) {
    try {
      return { _tag: "Done", value: yield* body(self) }
    } catch (error) {
      if (error instanceof RequestFailed) return { _tag: "Failed", why: error.message }
      throw error
    }
  }

const firstPort = 5001
const defaultQuestion = 100
/** Samples of a queue over the whole run. */
const samples = 2000

const spanOf = (duration: Duration.Duration): Time.Span => Time.millis(Duration.toMillis(duration))

/** A scenario that runs. */
export class Running {
  readonly simulation: Simulator.Simulation
  readonly scenario: Scenario.Scenario
  readonly seed: number
  /** Seconds. */
  readonly duration: number
  private readonly outcomes: Map<string, () => FlowOutcome> = new Map()
  private readonly ports: Map<string, number> = new Map()
  private readonly queues: Array<Queue & { readonly samples: Array<{ at: number; bytes: number }> }> = []
  private sampledAt = -Infinity

  constructor(scenario: Scenario.Scenario, options: Options = {}) {
    this.scenario = scenario
    this.seed = options.seed ?? scenario.seed ?? 1
    this.duration = Duration.toSeconds(scenario.duration)
    this.simulation = Simulator.make(scenario.topology, { seed: this.seed })
    Object.keys(scenario.flows).forEach((name, i) => this.ports.set(name, firstPort + i))
    for (const [name, flow] of Object.entries(scenario.flows)) this.begin(name, flow)
    for (const [link, { back, forth, rate }] of Object.entries(scenario.topology.links)) {
      for (const [direction, own] of [["forth", forth], ["back", back]] as const) {
        if ((own ?? { rate }).rate !== undefined) this.queues.push({ link, direction, samples: [] })
      }
    }
    this.simulation.watch((_, __, at) => this.sample(at / 1e6))
  }

  /** Seconds so far. */
  get elapsed(): number {
    return this.simulation.elapsed / 1e6
  }

  /** Lets so many seconds go by; false when the run is over. */
  advance(seconds: number): boolean {
    const left = this.duration - this.elapsed
    this.simulation.advance(Time.micros(Math.round(Math.min(seconds, left) * 1e6)))
    return this.elapsed < this.duration
  }

  get outcome(): Outcome {
    const { duration, queues, scenario, seed, simulation } = this
    const flows = Object.fromEntries(Array.from(this.outcomes, ([name, of]) => [name, of()]))
    const measured = measures.of(simulation, scenario, flows, queues)
    return {
      scenario,
      seed,
      duration,
      flows,
      queues,
      measures: measured,
      headline: measures.filledIn(scenario.headline, measured),
      unmet: measures.unmet(scenario.expect, measured),
      events: simulation.events,
      trace: simulation.trace.hash
    }
  }

  private sample(at: number): void {
    if (at - this.sampledAt < this.duration / samples) return
    this.sampledAt = at
    for (const { direction, link, samples } of this.queues) {
      samples.push({ at, bytes: this.simulation.link(link).queued(direction) })
    }
  }

  private begin(name: string, flow: Scenario.Flow): void {
    switch (flow.kind) {
      case "transfer":
        return this.transfer(name, flow)
      case "questions":
        return this.questions(name, flow)
      case "flood":
        return this.flood(name, flow)
    }
  }

  /** Starts a program at its time; answers what has become of it. */
  private program<A>(name: string, host: string, at: number, body: Body<A>): () => Result<A> {
    let result: () => Result<A> = () => ({ _tag: "Running" })
    this.simulation.at(Time.millis(at), () => {
      const process = this.simulation.program(name, host, caught(body))
      result = () => process.isDone ? process.value : { _tag: "Running" }
    })
    return () => result()
  }

  private transfer(name: string, flow: Scenario.Transfer): void {
    const { bytes, from, pause, to } = flow
    const { duration, simulation } = this
    const port = this.ports.get(name)!
    const options = {
      from,
      to,
      bytes,
      port,
      ...(pause === undefined ? {} : { pause: { after: pause.after, length: spanOf(pause.length) } })
    }
    const collector = Series.collect(simulation, from, to, port, duration)
    const remote = Transfer.firstAddress(simulation.host(to))
    const received = this.program(`${name} receives`, to, 0, Transfer.receive(simulation, options))
    const body = Transfer.send(simulation, options, remote)
    const sent = this.program(`${name} sends`, from, Scenario.startOf(flow), body)
    const { series } = collector
    this.outcomes.set(name, () => ({ kind: "transfer", series, collector, sent: sent(), received: received() }))
  }

  private questions(name: string, flow: Scenario.Questions): void {
    const { bytes = defaultQuestion, every, from, to } = flow
    const { duration, simulation } = this
    const port = this.ports.get(name)!
    const options = { bytes, every: spanOf(every), port, remote: Transfer.firstAddress(simulation.host(to)) }
    const collector = Series.collect(simulation, from, to, port, duration)
    const answers: Array<Answer> = []
    this.program(`${name} answers`, to, 0, questions.answerer(options))
    const body = questions.asker(simulation, options, answers)
    const asking = this.program(`${name} asks`, from, Scenario.startOf(flow), body)
    const { series } = collector
    this.outcomes.set(name, () => ({ kind: "questions", series, collector, answers, asking: asking() }))
  }

  private flood(name: string, flow: Scenario.Flood): void {
    const { simulation } = this
    const target = Scenario.floodedBy(flow, this.scenario.flows)!
    const address = Transfer.firstAddress(simulation.host(target.to))
    if (!Address.isV4(address)) throw new Scenario.ScenarioError({ detail: `flow ${name}: floods are IPv4 only` })
    const sent = flood.start(simulation, {
      from: flow.from,
      source: this.macOf(flow.from),
      target: { address, mac: this.macOf(target.to), port: this.ports.get(flow.flow)! },
      start: Time.millis(Scenario.startOf(flow)),
      length: spanOf(flow.length),
      rate: flow.rate,
      seed: this.seed
    })
    this.outcomes.set(name, () => ({ kind: "flood", sent: sent() }))
  }

  private macOf(host: string): number {
    for (const { id, mac } of this.simulation.host(host).state.device.interfaces.values()) {
      if (id !== loopback) return mac
    }
    return 0
  }
}

/** Runs a scenario to its end. Throws a `TopologyError` if its network makes no sense. */
export const run = (scenario: Scenario.Scenario, options?: Options): Outcome => {
  const running = new Running(scenario, options)
  running.advance(running.duration)
  return running.outcome
}
