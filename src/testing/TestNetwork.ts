/**
 * Running stacks on a network in memory: what a program needs to be tested as it is, with its own layers.
 *
 * ```
 *   your program ──▶ Netstack of one host ── link with faults by seed ── other hosts ◀── on("remote")(your test)
 * ```
 *
 * Time is that of the context: {@link run} runs everything in virtual time; under `TestClock` the test moves it.
 *
 * @example
 * ```ts
 * it.effect("survives loss", () =>
 *   TestNetwork.run(program, { faults: { delay: "10 millis", loss: 0.02 }, seed: 7 }))
 * ```
 */
import * as Clock from "effect/Clock"
import * as Config from "effect/Config"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as Tracer from "effect/Tracer"
import type * as Faults from "../link/Faults.ts"
import type { Link, LinkError } from "../link/Link.ts"
import { Links } from "../link/Links.ts"
import { named } from "../link/named.ts"
import * as Netstack from "../Netstack.ts"
import * as Mac from "../wire/Mac.ts"
import * as EntropySource from "../workers/EntropySource.ts"
import type { Stack } from "../workers/Stack.ts"
import { Artifacts } from "./Artifacts.ts"
import * as Cable from "./Cable.ts"
import { FlightRecorder } from "./FlightRecorder.ts"
import type { Interceptor } from "./interceptLink.ts"
import { mistakeIn } from "./mistakeIn.ts"
import * as Plan from "./Plan.ts"
import { seededTracer } from "./seededTracer.ts"
import { settingsOf } from "./settingsOf.ts"
import * as Topology from "./Topology.ts"
import { type Detail, Trace } from "./Trace.ts"
import * as VirtualTime from "./VirtualTime.ts"

export interface Options {
  /** Decides everything that is random. Absent: `NETSTACK_SEED` of the configuration, or 1. */
  readonly seed?: number
  /** Hosts, switches and links. Absent: `local` and `remote` at a wire with {@link faults}. */
  readonly topology?: Topology.Topology
  /** Of the wire, when there is no topology. */
  readonly faults?: Omit<Topology.LinkDescription, "between">
  /** The host whose stack is the program's `Netstack`; the first one if absent. */
  readonly host?: string
  /**
   * What {@link TestNetwork} remembers of the frames that were sent into each link, arrived at its other end or were lost on it; the hash if absent.
   */
  readonly trace?: Detail
}

/** A link of a running network. */
export interface TestLink {
  /** Replaces the faults of one direction, or of both, from the next frame on. */
  readonly set: (faults: Topology.Faults, direction?: Topology.Direction) => Effect.Effect<void>
  /** From now on every frame is lost, of one direction or of both. Frames under way arrive. */
  readonly partition: (direction?: Topology.Direction) => Effect.Effect<void>
  /** Every frame is lost, and the host at the first end is told that its link is down. */
  readonly down: Effect.Effect<void>
  /** Ends a partition, of one direction or of both; a host that was told that its link is down is told that it is up. */
  readonly heal: (direction?: Topology.Direction) => Effect.Effect<void>
  readonly statistics: (direction: Topology.Direction) => Faults.Statistics
  /** Has every frame of one direction looked at from now on, changed or lost (see `interceptLink.ts`); `undefined` ends it. */
  readonly intercept: (direction: Topology.Direction, interceptor: Interceptor | undefined) => Effect.Effect<void>
}

/** A network of running stacks, for tests that look at it and change it. */
export class TestNetwork extends Context.Service<TestNetwork, {
  readonly seed: number
  readonly hosts: ReadonlyMap<string, Stack>
  readonly links: ReadonlyMap<string, TestLink>
  /** By the name of a link that one; by the name of a host, a router or a switch all that lead there. */
  readonly linksAt: ReadonlyMap<string, ReadonlyArray<TestLink>>
  readonly trace: Trace
}>()("effect-netstack/testing/TestNetwork") {}

type Errors = Topology.TopologyError | LinkError

const found = <A>(
  what: string,
  name: string,
  map: ReadonlyMap<string, A>
): Effect.Effect<A, Topology.TopologyError> => {
  const value = map.get(name)
  if (value !== undefined) return Effect.succeed(value)
  const detail = `no ${what} has this name; there are: ${[...map.keys()].join(", ")}`
  return Effect.fail(new Topology.TopologyError({ where: name, detail }))
}

/** The stack of a host. */
export const stack = (host: string): Effect.Effect<Stack, Topology.TopologyError, TestNetwork> =>
  Effect.flatMap(TestNetwork, ({ hosts }) => found("host", host, hosts))

/**
 * Runs an effect on another host of the network than the program's.
 *
 * @example
 * ```ts
 * yield* TestNetwork.on("remote")(Tcp.connect("10.0.0.1:80"))
 * ```
 */
export const on = (host: string) =>
<A, E, R>(
  effect: Effect.Effect<A, E, R>
): Effect.Effect<A, E | Topology.TopologyError, TestNetwork | Exclude<R, Netstack.Netstack>> =>
  Effect.flatMap(stack(host), (stack) => Effect.provideService(effect, Netstack.Netstack, stack))

/** A link, to change and to ask. */
export const link = (name: string): Effect.Effect<TestLink, Topology.TopologyError, TestNetwork> =>
  Effect.flatMap(TestNetwork, ({ links }) => found("link", name, links))

const each = (
  name: string,
  change: (link: TestLink) => Effect.Effect<void>
): Effect.Effect<void, Topology.TopologyError, TestNetwork> =>
  Effect.gen(function*() {
    const { linksAt } = yield* TestNetwork
    yield* Effect.forEach(yield* found("link, host or switch", name, linksAt), change, { discard: true })
  })

/**
 * From now on every frame is lost on a link; or on all links of a host or a switch, which cuts it off.
 *
 * @example
 * ```ts
 * yield* TestNetwork.partition("server")
 * yield* Effect.sleep("30 seconds")
 * yield* TestNetwork.heal("server")
 * ```
 */
export const partition = (
  name: string,
  direction?: Topology.Direction
): Effect.Effect<void, Topology.TopologyError, TestNetwork> => each(name, (link) => link.partition(direction))

/** Ends a {@link partition}, also one that the host was told of. */
export const heal = (
  name: string,
  direction?: Topology.Direction
): Effect.Effect<void, Topology.TopologyError, TestNetwork> => each(name, (link) => link.heal(direction))

/** Replaces the faults of a link, or of all links of a host or a switch, from the next frame on. */
export const setFaults = (
  name: string,
  faults: Topology.Faults,
  direction?: Topology.Direction
): Effect.Effect<void, Topology.TopologyError, TestNetwork> => {
  const mistake = mistakeIn(faults)
  return mistake === undefined
    ? each(name, (link) => link.set(faults, direction))
    : Effect.fail(new Topology.TopologyError({ where: name, detail: mistake }))
}

/** Links by their own names, and by those of what they join. */
const linksByName = (plan: Plan.Plan, links: ReadonlyMap<string, TestLink>): TestNetwork["Service"]["linksAt"] => {
  const byName = new Map<string, Array<TestLink>>()
  const add = (name: string, link: TestLink) => byName.set(name, [...byName.get(name) ?? [], link])
  for (const { ends, name } of plan.links) {
    for (const end of ends) {
      add(Plan.nameOf(plan, end), links.get(name)!)
    }
  }
  for (const [name, link] of links) byName.set(name, [link])
  return byName
}

const directions: ReadonlyArray<Topology.Direction> = ["forth", "back"]

const testLinkOf = ({ faults, intercept, sendsForth }: Cable.Cable): TestLink => {
  const sideOf = (direction: Topology.Direction): Faults.Direction =>
    (direction === "forth") === sendsForth ? "send" : "receive"
  return {
    // Each direction counts for itself.
    set: (given, direction) =>
      Effect.forEach(
        direction === undefined ? directions : [direction],
        (each) => faults.set(settingsOf(given), sideOf(each)),
        { discard: true }
      ),
    partition: (direction) => direction === undefined ? faults.partition : faults.block(sideOf(direction), true),
    down: faults.down,
    heal: (direction) => direction === undefined ? faults.heal : faults.block(sideOf(direction), false),
    statistics: (direction) => faults.statistics()[sideOf(direction)],
    intercept: (direction, interceptor) => intercept(sideOf(direction), interceptor)
  }
}

/** Makes the stack of a host, with the links at its interfaces. */
const makeHost = (
  host: Plan.PlannedHost,
  links: ReadonlyArray<Link>,
  recorder: FlightRecorder
): Effect.Effect<Stack, Errors, Scope.Scope> => {
  const record = recorder.recorder(host.name, host.description.record)
  return Netstack.make({
    // Connections that are left when the test ends are reset: under a clock that nobody moves, waiting for them would never end.
    closeTimeout: 0,
    ...host.description,
    ...(record === undefined ? {} : { record }),
    interfaces: host.interfaces.map(({ description, mac, mtu, name }) => ({
      ...description,
      link: name,
      mtu,
      mac: description.mac ?? Mac.format(mac)
    }))
  }).pipe(
    Effect.provideService(Links, { links: links.map((link) => ({ ...link, isClosed: true })) }),
    Effect.provideService(EntropySource.EntropySource, EntropySource.seeded(Plan.seedOf(recorder.seed, host.name))),
    Effect.mapError((error) =>
      error._tag === "NetworkError" ? new Topology.TopologyError({ where: host.name, detail: error.message }) : error
    )
  )
}

/** Does what the topology says will happen, at its time. */
const follow = (
  changes: ReadonlyArray<Plan.PlannedChange>,
  links: ReadonlyMap<string, TestLink>
): Effect.Effect<void> =>
  Effect.gen(function*() {
    let now = 0
    for (const { at, directions, faults, link, partition } of changes) {
      if (at > now) yield* Effect.sleep(Duration.millis(at - now))
      now = at
      const changed = links.get(link)!
      for (const direction of directions) {
        if (faults !== undefined) yield* changed.set(faults, direction)
        if (partition === true) yield* changed.partition(direction)
        if (partition === false) yield* changed.heal(direction)
      }
    }
  })

const seedOf = ({ seed }: Options): Effect.Effect<number> =>
  seed === undefined ? Effect.orDie(Config.withDefault(Config.Int("NETSTACK_SEED"), 1)) : Effect.succeed(seed)

/** Makes a network whose hosts are recorded; the scope ends it. */
const assemble = (
  options: Options,
  recorder: FlightRecorder
): Effect.Effect<TestNetwork["Service"], Errors, Scope.Scope> =>
  Effect.gen(function*() {
    const plan = yield* Effect.fromResult(Plan.make(options.topology ?? Topology.pair(options.faults)))
    const { seed } = recorder
    const trace = new Trace(options.trace ?? "hash")
    const clock = yield* Clock.clockWith(Effect.succeed)
    recorder.watch(trace, clock.currentTimeMillisUnsafe() * 1000)
    const cables = Cable.make(plan, seed, trace, clock)
    const plugs = cables.flatMap(({ plugs }) => plugs)
    const hosts = new Map<string, Stack>()
    for (const [number, host] of plan.hosts.entries()) {
      const links = host.interfaces.map(({ name }, i) => {
        const [, link] = plugs.find(([end]) => end.host === number && end.interface === i)!
        return { ...link, name }
      })
      hosts.set(host.name, yield* makeHost(host, links, recorder))
    }
    for (const { joined } of cables) if (joined !== undefined) yield* Cable.join(joined)
    const links = new Map(plan.links.map(({ name }, i) => [name, testLinkOf(cables[i]!)]))
    const linksAt = linksByName(plan, links)
    yield* Effect.forkScoped(named("changes", follow(plan.changes, links)))
    return { seed, hosts, links, linksAt, trace }
  })

const recorderOf = (options: Options): Effect.Effect<FlightRecorder> =>
  Effect.zipWith(seedOf(options), Artifacts, (seed, keeper) => new FlightRecorder(seed, keeper))

/** Makes a network; the scope ends it. When it ends with a failure, the log tells the seed and how to run it again. */
export const make = (options: Options = {}): Effect.Effect<TestNetwork["Service"], Errors, Scope.Scope> =>
  Effect.gen(function*() {
    const recorder = yield* recorderOf(options)
    yield* Effect.addFinalizer((exit) => Exit.isFailure(exit) ? recorder.report(exit.cause) : Effect.void)
    return yield* assemble(options, recorder)
  })

/**
 * Provides the stack of one host as the program's `Netstack`, on a network of which `TestNetwork` knows the rest.
 *
 * @example
 * ```ts
 * const Test = App.pipe(Layer.provideMerge(TestNetwork.layer({ faults: { loss: 0.02 }, seed: 7 })))
 * ```
 */
export const layer = (options: Options = {}): Layer.Layer<Netstack.Netstack | TestNetwork, Errors> =>
  layerOf(options, make(options))

/** Whose seed is that of the program itself: no host can have this name. */
const programName = ""

const layerOf = (options: Options, made: Effect.Effect<TestNetwork["Service"], Errors, Scope.Scope>) =>
  Layer.effectContext(Effect.gen(function*() {
    const network = yield* made
    const name = options.host ?? [...network.hosts.keys()][0] ?? ""
    const stack = yield* found("host", name, network.hosts)
    const services = Context.make(Netstack.Netstack, stack).pipe(
      Context.add(TestNetwork, network),
      // What layers over the stack draw, such as the numbers of questions to name servers.
      Context.add(EntropySource.EntropySource, EntropySource.seeded(Plan.seedOf(network.seed, programName)))
    )
    const isTraced = (yield* Effect.tracer) !== Tracer.nativeTracer
    return isTraced ? services : Context.add(services, Tracer.Tracer, seededTracer(network.seed))
  }))

/**
 * Runs a program on a network of its own in virtual time (see {@link VirtualTime}). When it fails, the log tells the seed and the command
 * that runs the test again, and where {@link Artifacts} has left recordings and a capture.
 */
export const run = <A, E, R>(
  program: Effect.Effect<A, E, R>,
  options: Options & Omit<VirtualTime.Options, "seed"> = {}
): Effect.Effect<
  A,
  E | Errors | VirtualTime.Failure,
  Exclude<Exclude<R, Netstack.Netstack | TestNetwork>, Scope.Scope>
> =>
  Effect.flatMap(
    recorderOf(options),
    (recorder) =>
      // The program's scope closes before the network that it is on.
      VirtualTime.run(Effect.provide(Effect.scoped(program), layerOf(options, assemble(options, recorder))), {
        ...options,
        seed: recorder.seed
      }).pipe(Effect.tapCause((cause) => recorder.report(cause)))
  )
