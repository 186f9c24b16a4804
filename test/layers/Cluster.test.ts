/**
 * Two runners of `effect/cluster` on two stacks: each serves its shards over `SocketServer` and reaches the other's over `Socket`.
 */
import { assert, describe, it } from "@effect/vitest"
import {
  Entity,
  MessageStorage,
  RunnerAddress,
  RunnerHealth,
  Runners,
  RunnerStorage,
  Sharding,
  ShardingConfig,
  SocketRunner
} from "effect/cluster"
import * as MachineId from "effect/cluster/MachineId"
import type * as Runner from "effect/cluster/Runner"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { Rpc, RpcSerialization } from "effect/rpc"
import * as Schema from "effect/Schema"
import * as NetstackClusterSocket from "../../layers/NetstackClusterSocket.ts"
import * as Faults from "../../src/link/Faults.ts"
import * as MemoryLink from "../../src/link/MemoryLink.ts"
import { Netstack } from "../../src/sockets/Netstack.ts"
import * as Network from "../../src/sockets/Network.ts"
import * as VirtualTime from "../../src/testing/VirtualTime.ts"
import type { Stack } from "../../src/workers/Stack.ts"
import { addressOne, addressTwo, host, on } from "../workers/Hosts.ts"

const port = 34431

/** Tells which runner it lives on, and counts. */
const Counter = Entity.make("Counter", [
  Rpc.make("Add", {
    payload: { amount: Schema.Int },
    success: Schema.Struct({ total: Schema.Int, runner: Schema.String })
  })
])

const counterOn = (runner: string) =>
  Counter.toLayer(Effect.sync(() => {
    let total = 0
    return Counter.of({ Add: ({ payload }) => Effect.sync(() => ({ total: total += payload.amount, runner })) })
  }))

const keyOf = (value: { readonly toString: () => string }) => String(value)

/** What a database is to a cluster: who runs, and who holds which shard. */
const makeStorage = Effect.sync(() => {
  const runners = new Map<string, readonly [Runner.Runner, boolean]>()
  const locks = new Map<string, string>()
  const heldBy = (address: RunnerAddress.RunnerAddress) => keyOf(address)
  return RunnerStorage.RunnerStorage.of({
    getRunners: Effect.sync(() => [...runners.values()]),
    register: (runner, isHealthy) =>
      Effect.sync(() => {
        runners.set(keyOf(runner.address), [runner, isHealthy])
        return MachineId.make(runners.size)
      }),
    unregister: (address) => Effect.sync(() => void runners.delete(keyOf(address))),
    setRunnerHealth: (address, isHealthy) =>
      Effect.sync(() => {
        const known = runners.get(keyOf(address))
        if (known !== undefined) runners.set(keyOf(address), [known[0], isHealthy])
      }),
    acquire: (address, shards) =>
      Effect.sync(() =>
        [...shards].filter((shard) => {
          const owner = locks.get(keyOf(shard))
          if (owner !== undefined && owner !== heldBy(address)) return false
          locks.set(keyOf(shard), heldBy(address))
          return true
        })
      ),
    refresh: (address, shards) =>
      Effect.sync(() => [...shards].filter((shard) => locks.get(keyOf(shard)) === heldBy(address))),
    release: (_, shard) => Effect.sync(() => void locks.delete(keyOf(shard))),
    releaseAll: (address) =>
      Effect.sync(() => {
        for (const [shard, owner] of locks) if (owner === heldBy(address)) locks.delete(shard)
      })
  })
})

/** A runner with its entity, on a stack. */
const runnerOn = (stack: Stack, address: string, name: string, storage: Layer.Layer<RunnerStorage.RunnerStorage>) =>
  counterOn(name).pipe(
    Layer.provideMerge(SocketRunner.layer),
    Layer.provide(RunnerHealth.layerPing.pipe(Layer.provide(Runners.layerRpc))),
    Layer.provide([NetstackClusterSocket.layerSocketServer, NetstackClusterSocket.layerClientProtocol]),
    Layer.provide([storage, MessageStorage.layerNoop, RpcSerialization.layerSchemaBinary()]),
    Layer.provide(ShardingConfig.layer({ runnerAddress: Option.some(RunnerAddress.make(address, port)) })),
    Layer.provide(Layer.succeed(Netstack, stack))
  )

/** Adds one to each of many counters, from one runner, and tells what each answered. */
const addToEach = (sharding: Context.Context<Sharding.Sharding>, names: ReadonlyArray<string>) =>
  Effect.gen(function*() {
    const clientOf = yield* Counter.client
    return yield* Effect.forEach(names, (name) => clientOf(name).Add({ amount: 1 }), { concurrency: 5 })
  }).pipe(Effect.provideContext(sharding))

const names = Array.from({ length: 30 }, (_, i) => `counter ${i}`)

/** Both runners, and the stacks that they are on. */
const cluster = (loss: number) =>
  Effect.gen(function*() {
    const [near, far] = MemoryLink.pair({ latency: "2 millis" })
    const wire = Faults.make(near, { seed: 11, loss })
    const one = yield* host([wire.link], { ipv4: `${addressOne}/24` })
    const two = yield* host([far], { ipv4: `${addressTwo}/24` }, 2)
    const storage = Layer.succeed(RunnerStorage.RunnerStorage, yield* makeStorage)
    const first = yield* Layer.build(runnerOn(one, addressOne, "one", storage))
    const second = yield* Layer.build(runnerOn(two, addressTwo, "two", storage))
    // Until every shard has its runner.
    yield* Effect.sleep("1 minute")
    return { one, two, first, second, wire }
  })

describe("effect/cluster over the stack's sockets", () => {
  it.live("spreads entities over two runners, and finds each from either", () =>
    VirtualTime.run(
      Effect.gen(function*() {
        const { first, one, second, two } = yield* cluster(0)
        const asked = yield* addToEach(first, names)
        assert.deepStrictEqual(new Set(asked.map(({ runner }) => runner)), new Set(["one", "two"]))
        assert.deepStrictEqual(asked.map(({ total }) => total), names.map(() => 1))
        // The other runner finds the same entities, with what they have counted.
        const again = yield* addToEach(second, names)
        assert.deepStrictEqual(again, asked.map(({ runner }) => ({ runner, total: 2 })))
        const ports = (yield* on(one)(Network.connections)).map(({ remote }) => String(remote))
        assert.include(ports, `${addressTwo}:${port}`)
        assert.isAbove((yield* on(two)(Network.connections)).length, 0)
      }),
      { turns: 20 }
    ))

  it.live("does so over a wire that loses every tenth frame", () =>
    VirtualTime.run(
      Effect.gen(function*() {
        const { first, wire } = yield* cluster(0.1)
        for (let round = 1; round <= 3; round++) {
          const asked = yield* addToEach(first, names)
          assert.deepStrictEqual(asked.map(({ total }) => total), names.map(() => round))
        }
        const { receive, send } = wire.statistics()
        assert.isAbove(send.lost + receive.lost, 0)
      }),
      { turns: 20 }
    ))
})
