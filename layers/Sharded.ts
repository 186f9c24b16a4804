/**
 * One host on several cores: a thread for each shard, and in each a whole stack on one queue of a TAP device that has several.
 *
 * ```
 *                        ┌─ queue 0 ── stack ── program ─┐
 *   kernel ── tap0 ──────┤                               ├──── one view: connections, counters, interfaces
 *    hashes each flow    └─ queue 1 ── stack ── program ─┘
 *    to a queue
 * ```
 *
 * The shards share nothing. Each runs the same program, so each listens to the same ports, and a connection lives on the shard to whose queue
 * the kernel steers it (`link/Steering.ts` tells how, and what becomes of frames that come on another's). A program that wants something
 * from the other shards' connections sends it messages, as it would to another machine.
 *
 * A shard that fails ends all of them: with a queue fewer the kernel would steer the others' flows anew.
 *
 * @example
 * ```ts
 * const live = Sharded.layer({
 *   shards: 2,
 *   device: { name: "tap0", vnetHeader: true },
 *   stack: { ipv4: "10.0.0.2/24" },
 *   program: new URL("./program.ts", import.meta.url)
 * })
 * ```
 */
import type * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { MessageChannel, type MessagePort, Worker } from "node:worker_threads"
import * as NetworkInterface from "../src/sockets/NetworkInterface.ts"
import * as TcpInfo from "../src/sockets/TcpInfo.ts"
import * as Mac from "../src/wire/Mac.ts"
import type * as Protocol from "./ShardProtocol.ts"
import * as Tap from "./Tap.ts"

export type { DeviceOptions, StackOptions } from "./ShardProtocol.ts"

export interface Options {
  /** Threads; as many as there are cores to spare. */
  readonly shards: number
  readonly device: Protocol.DeviceOptions
  readonly stack: Protocol.StackOptions
  /** The host's link-layer address, such as `02:00:00:00:00:01`; a random one if absent. */
  readonly mac?: Mac.Input
  /** A module whose default export is a `Shard.Program`. */
  readonly program: URL
  /** What the program is given; it must survive a structured clone. */
  readonly input?: unknown
}

/** The most shards that a device has queues for (`MAX_TAP_QUEUES` of Linux). */
export const mostShards = 256

/** A shard could not start or has died, and the others were ended with it. */
export class ShardFailed extends Schema.TaggedError<ShardFailed>()("ShardFailed", {
  shard: Schema.Number,
  detail: Schema.String
}) {
  override get message(): string {
    return `shard ${this.shard} failed, and the others were ended with it: ${this.detail}`
  }
}

/** A connection, and where it lives. */
export interface Connection extends TcpInfo.TcpInfo {
  readonly shard: number
}

/** What a program has told. */
export interface Said {
  readonly shard: number
  readonly value: unknown
}

type Counted = Pick<Protocol.Report, "counters" | "drops" | "memory">

/** The shards as one host. */
export interface View {
  readonly shards: number
  /** The host's interfaces: addresses of the first shard, which are those of all, and the losses of all. Loopback is each shard's own. */
  readonly interfaces: Effect.Effect<ReadonlyArray<NetworkInterface.NetworkInterface>, ShardFailed>
  readonly connections: Effect.Effect<ReadonlyArray<Connection>, ShardFailed>
  /** Sums over all shards, by name. */
  readonly counters: Effect.Effect<Counted["counters"], ShardFailed>
  readonly drops: Effect.Effect<Counted["drops"], ShardFailed>
  readonly memory: Effect.Effect<Counted["memory"], ShardFailed>
  /** The same of each shard by itself. */
  readonly each: Effect.Effect<ReadonlyArray<Counted>, ShardFailed>
  /** What programs tell (`Shard.tell`), from now on; who does not keep up loses the oldest of a thousand. For one reader. */
  readonly said: Stream.Stream<Said>
  /** Fails when a shard does; never succeeds. */
  readonly failure: Effect.Effect<never, ShardFailed>
}

export class Sharded extends Context.Service<Sharded, View>()("effect-netstack/layers/Sharded") {}

const saidCapacity = 1024

/** How long a thread that is told to close may take: its stack goes on delivering what programs have written. */
const closePatience = "10 seconds"

/** Beside this module, with the same ending. */
const threadModule = new URL(`./ShardThread${import.meta.url.slice(import.meta.url.lastIndexOf("."))}`, import.meta.url)

/** One thread, as the main thread sees it. */
class Thread {
  readonly shard: number
  readonly exited: Deferred.Deferred<void> = Deferred.makeUnsafe()
  readonly opened: Deferred.Deferred<void, ShardFailed> = Deferred.makeUnsafe()
  readonly running: Deferred.Deferred<void, ShardFailed> = Deferred.makeUnsafe()
  private readonly worker: Worker
  private readonly asked: Map<number, Deferred.Deferred<Protocol.Report, ShardFailed>> = new Map()
  private readonly onFailure: (failed: ShardFailed) => void
  private lastAsk = 0
  private isClosing = false

  constructor(
    charge: Protocol.Charge,
    onFailure: (failed: ShardFailed) => void,
    onSaid: (said: Said) => void
  ) {
    this.shard = charge.shard
    this.onFailure = onFailure
    const transferList = charge.others.filter((port): port is MessagePort => port !== undefined)
    this.worker = new Worker(threadModule, { workerData: charge, transferList, name: `shard ${charge.shard}` })
    this.worker.on("message", (message: Protocol.FromShard) => this.hear(message, onSaid))
    this.worker.on("error", (error) => this.fail(error instanceof Error ? error.message : String(error)))
    this.worker.on("exit", (code) => {
      this.fail(`its thread ended with code ${code}`)
      Deferred.doneUnsafe(this.exited, Effect.void)
    })
  }

  private hear(message: Protocol.FromShard, onSaid: (said: Said) => void): void {
    switch (message._tag) {
      case "Opened":
        return void Deferred.doneUnsafe(this.opened, Effect.void)
      case "Running":
        return void Deferred.doneUnsafe(this.running, Effect.void)
      case "Said":
        return onSaid({ shard: this.shard, value: message.value })
      case "Answer": {
        const waiting = this.asked.get(message.id)
        this.asked.delete(message.id)
        if (waiting !== undefined) Deferred.doneUnsafe(waiting, Effect.succeed(message.report))
        return
      }
      case "Failed":
        return this.fail(message.detail)
    }
  }

  private fail(detail: string): void {
    if (!this.isClosing) this.onFailure(new ShardFailed({ shard: this.shard, detail }))
  }

  tell(message: Protocol.ToShard): void {
    this.worker.postMessage(message, [])
  }

  /** What the shard knows now. */
  get report(): Effect.Effect<Protocol.Report, ShardFailed> {
    return Effect.suspend(() => {
      const waiting = Deferred.makeUnsafe<Protocol.Report, ShardFailed>()
      const id = ++this.lastAsk
      this.asked.set(id, waiting)
      this.tell({ _tag: "Ask", id })
      return Effect.ensuring(Deferred.await(waiting), Effect.sync(() => this.asked.delete(id)))
    })
  }

  /** Ends the thread in good order, or without it if that takes too long. */
  get close(): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.isClosing = true
      this.tell({ _tag: "Close" })
      return Effect.timeoutOrElse(Deferred.await(this.exited), {
        duration: closePatience,
        orElse: () => Effect.asVoid(Effect.promise(() => this.worker.terminate()))
      })
    })
  }
}

/** A channel for each pair of shards: `channels[i][j]` is shard i's end to shard j. */
const channelsOf = (shards: number): ReadonlyArray<ReadonlyArray<MessagePort | undefined>> => {
  const ends: Array<Array<MessagePort | undefined>> = Array.from(
    { length: shards },
    () => Array(shards).fill(undefined)
  )
  for (let one = 0; one < shards; one++) {
    for (let other = one + 1; other < shards; other++) {
      const { port1, port2 } = new MessageChannel()
      ends[one]![other] = port1
      ends[other]![one] = port2
    }
  }
  return ends
}

/** Adds up records of numbers field by field. */
const sum = <A extends Readonly<Record<string, number>>>(all: ReadonlyArray<A>): A => {
  const total: Record<string, number> = {}
  for (const one of all) for (const [name, value] of Object.entries(one)) total[name] = (total[name] ?? 0) + value
  return total as A
}

const interfacesOf = (reports: ReadonlyArray<Protocol.Report>, clock: Clock.Clock) =>
  reports[0]!.interfaces.map((self) => {
    const all = reports.flatMap(({ links }) => links.filter(({ id }) => id === self.id))
    const [first] = all
    const status = first && {
      ...first,
      overflowed: all.reduce((total, { overflowed }) => total + overflowed, 0),
      lost: sum(all.map(({ lost }) => lost))
    }
    return NetworkInterface.of(self, status, clock)
  })

const viewOf = (
  threads: ReadonlyArray<Thread>,
  failure: View["failure"],
  clock: Clock.Clock,
  said: Queue.Dequeue<Said, Cause.Done>
): View => {
  const reports = Effect.raceFirst(
    Effect.forEach(threads, (thread) => thread.report, { concurrency: "unbounded" }),
    failure
  )
  return {
    shards: threads.length,
    failure,
    said: Stream.fromQueue(said),
    interfaces: Effect.map(reports, (all) => interfacesOf(all, clock)),
    connections: Effect.map(
      reports,
      (all) => all.flatMap(({ connections }, shard) => connections.map((info) => ({ ...TcpInfo.of(info), shard })))
    ),
    counters: Effect.map(reports, (all) => sum(all.map(({ counters }) => counters))),
    drops: Effect.map(reports, (all) => sum(all.map(({ drops }) => drops))),
    memory: Effect.map(reports, (all) => sum(all.map(({ memory }) => memory))),
    each: Effect.map(reports, (all) => all.map(({ counters, drops, memory }) => ({ counters, drops, memory })))
  }
}

const macOf = ({ mac = Tap.randomMac() }: Options): Effect.Effect<Mac.Mac, ShardFailed> =>
  Effect.mapError(
    Effect.fromResult(Mac.fromInput(mac)),
    ({ message }) => new ShardFailed({ shard: 0, detail: `${String(mac)} is no MAC address: ${message}` })
  )

/** Starts the shards and is done when all of them run; the scope ends them. */
export const make = (options: Options): Effect.Effect<View, ShardFailed, Scope.Scope> =>
  Effect.gen(function*() {
    const { device, input, program, shards, stack } = options
    const mac = yield* macOf(options)
    if (!Number.isInteger(shards) || shards < 1 || shards > mostShards) {
      return yield* Effect.fail(new ShardFailed({ shard: 0, detail: `from 1 to ${mostShards} shards, not ${shards}` }))
    }
    const clock = yield* Clock.Clock
    const failed = yield* Deferred.make<never, ShardFailed>()
    const said = yield* Queue.sliding<Said, Cause.Done>(saidCapacity)
    const failure = Deferred.await(failed)
    const onFailure = (error: ShardFailed): void => void Deferred.doneUnsafe(failed, Effect.fail(error))
    const onSaid = (value: Said): void => void Queue.offerUnsafe(said, value)
    const threads: Array<Thread> = []
    const close = Effect.suspend(() => Effect.forEach(threads, (each) => each.close, { concurrency: "unbounded" }))
    yield* Effect.addFinalizer(() => Effect.andThen(close, Effect.sync(() => Queue.endUnsafe(said))))
    for (const [shard, others] of channelsOf(shards).entries()) {
      const charge = { shard, shards, device, mac, stack, program: program.href, input, others }
      const thread = new Thread(charge, onFailure, onSaid)
      threads.push(thread)
      // One after the other: the first makes the device, if it is not there.
      yield* Effect.raceFirst(Deferred.await(thread.opened), failure)
    }
    for (const thread of threads) thread.tell({ _tag: "Start" })
    const allRun = Effect.forEach(threads, ({ running }) => Deferred.await(running), { discard: true })
    yield* Effect.raceFirst(allRun, failure)
    // From here on one that dies takes the others along, whether anybody looks or not.
    yield* Effect.forkScoped(Effect.catch(failure, () => close))
    return viewOf(threads, failure, clock, said)
  })

/** {@link make} as a layer. */
export const layer = (options: Options): Layer.Layer<Sharded, ShardFailed> => Layer.effect(Sharded, make(options))
