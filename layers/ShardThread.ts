/**
 * The thread of one shard: opens its queue of the device, waits until all queues are open, runs a stack on it and the program on the stack.
 *
 * It is the main module of a worker thread, and nothing imports it.
 */
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as NetAddress from "effect/net/NetAddress"
import { type MessagePort, parentPort, workerData } from "node:worker_threads"
import type { Link } from "../src/link/Link.ts"
import * as Links from "../src/link/Links.ts"
import * as Steering from "../src/link/Steering.ts"
import * as Netstack from "../src/Netstack.ts"
import * as Network from "../src/sockets/Network.ts"
import * as Readings from "../src/workers/Readings.ts"
import { type Program, Shard } from "./Shard.ts"
import * as Exchange from "./ShardExchange.ts"
import type * as Protocol from "./ShardProtocol.ts"
import * as Tap from "./Tap.ts"
import { TunTapDevice } from "./TunTapDevice.ts"

const charge = workerData as Protocol.Charge
const main = parentPort as MessagePort

const say = (message: Protocol.FromShard): void => main.postMessage(message, [])

const report: Effect.Effect<Protocol.Report, Network.NetworkError, Netstack.Netstack> = Effect.gen(function*() {
  const stack = yield* Netstack.Netstack
  return {
    interfaces: yield* stack.read(Readings.interfaces),
    links: yield* stack.links,
    connections: yield* Effect.orDie(stack.ask({ _tag: "TcpList" })),
    counters: yield* Network.counters,
    drops: yield* Network.drops,
    memory: yield* Network.memory
  }
})

/** Answers what the main thread asks, as long as the scope is open. */
const answering = Effect.gen(function*() {
  const runFork = Effect.runForkWith(yield* Effect.context<Netstack.Netstack>())
  const answer = (message: Protocol.ToShard): void => {
    if (message._tag !== "Ask") return
    runFork(Effect.map(report, (found) => say({ _tag: "Answer", id: message.id, report: found })))
  }
  yield* Effect.acquireRelease(
    Effect.sync(() => main.on("message", answer)),
    () => Effect.sync(() => main.off("message", answer))
  )
})

const programOf = Effect.map(
  Effect.promise(() => import(charge.program) as Promise<{ readonly default: Program }>),
  (module) => module.default(charge.input)
)

const run = Effect.gen(function*() {
  yield* answering
  for (const gateway of charge.stack.gateways ?? []) {
    yield* Network.addRoute({ to: "default", gateway: NetAddress.ipFromStringUnsafe(gateway) })
  }
  const program = yield* programOf
  say({ _tag: "Running" })
  const tell = (value: unknown) => Effect.sync(() => say({ _tag: "Said", value }))
  const served = Effect.provideService(program, Shard, { index: charge.shard, count: charge.shards, tell })
  return yield* Effect.raceFirst(served, Netstack.failure)
})

const stackOn = (link: Link) => {
  const { first, last } = Steering.portsOf(charge)
  const { addresses, gateways: _, tcp, ...options } = charge.stack
  return Netstack.layer({
    ...options,
    ...(addresses === undefined ? {} : { addresses }),
    tcp: { ...tcp, firstEphemeralPort: first, lastEphemeralPort: last }
  }).pipe(Layer.provide(Links.layer(Steering.make(link, charge, Exchange.make(charge.others)))))
}

/** Completed by the main thread. */
const told = (tag: Protocol.ToShard["_tag"]): Effect.Effect<void> =>
  Effect.callback((resume) => {
    const listener = (message: Protocol.ToShard): void => {
      if (message._tag !== tag) return
      main.off("message", listener)
      resume(Effect.void)
    }
    main.on("message", listener)
    return Effect.sync(() => main.off("message", listener))
  })

const shard = Effect.gen(function*() {
  const link = yield* Tap.make({ ...charge.device, mac: charge.mac, multiQueue: true })
  say({ _tag: "Opened" })
  yield* told("Start")
  return yield* Effect.provide(Effect.scoped(run), stackOn(link))
})

/**
 * Fails with what somebody throws where nobody catches it. The thread then ends in good order: torn down at once, with the device still polled, it would take
 * the process along.
 */
const uncaught: Effect.Effect<never, unknown> = Effect.callback((resume) => {
  const listener = (thrown: unknown): void => resume(Effect.fail(thrown))
  process.on("uncaughtException", listener)
  return Effect.sync(() => process.off("uncaughtException", listener))
})

const program = Effect.gen(function*() {
  const closed = yield* Deferred.make<void>()
  yield* Effect.forkScoped(Effect.andThen(told("Close"), Deferred.succeed(closed, undefined)))
  const ended = Effect.andThen(Effect.scoped(shard), Effect.fail("the program has ended"))
  yield* Effect.raceFirst(Deferred.await(closed), Effect.raceFirst(ended, uncaught))
}).pipe(
  Effect.catchCause((cause) => Effect.sync(() => say({ _tag: "Failed", detail: Cause.pretty(cause) }))),
  Effect.scoped,
  Effect.provide(TunTapDevice.layer)
)

await Effect.runPromise(program)
for (const port of charge.others) port?.close()
main.close()
