import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import { Rpc, RpcClient, RpcGroup, RpcSerialization, RpcServer } from "effect/rpc"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { TestClock } from "effect/testing"
import * as NetstackSocket from "../../layers/NetstackSocket.ts"
import * as NetstackSocketServer from "../../layers/NetstackSocketServer.ts"
import * as Faults from "../../src/link/Faults.ts"
import * as MemoryLink from "../../src/link/MemoryLink.ts"
import { Netstack } from "../../src/sockets/Netstack.ts"
import * as Network from "../../src/sockets/Network.ts"
import type { Stack } from "../../src/workers/Stack.ts"
import { addressOne, addressTwo, host, on, pair } from "../workers/Hosts.ts"

class NoSuchUser extends Schema.TaggedError<NoSuchUser>()("NoSuchUser", { id: Schema.Int }) {}

class Users extends RpcGroup.make(
  Rpc.make("Name", { payload: { id: Schema.Int }, success: Schema.String, error: NoSuchUser }),
  Rpc.make("Count", { payload: { to: Schema.Int }, success: Schema.Int, stream: true }),
  Rpc.make("Wait")
) {}

const Handlers = Users.toLayer({
  Name: ({ id }) => id < 1000 ? Effect.succeed(`user ${id}`) : Effect.fail(new NoSuchUser({ id })),
  Count: ({ to }) => Stream.range(1, to),
  Wait: () => Effect.never
})

/** The server of the group, and a protocol for its clients: not a word in them about the network they use. */
const Server = RpcServer.layer(Users).pipe(
  Layer.provide(Handlers),
  Layer.provide(RpcServer.layerProtocolSocketServer),
  Layer.provide(RpcSerialization.layerNdjson)
)
const Protocol = RpcClient.layerProtocolSocket().pipe(Layer.provide(RpcSerialization.layerNdjson))

const port = 4000

/** The same on two stacks. */
const onStacks = (one: Stack, two: Stack) =>
  Protocol.pipe(
    Layer.provide(NetstackSocket.layer({ host: addressTwo, port })),
    Layer.provide(Layer.succeed(Netstack, one)),
    Layer.provideMerge(Server.pipe(
      Layer.provide(NetstackSocketServer.layer({ port })),
      Layer.provide(Layer.succeed(Netstack, two))
    ))
  )

describe("RPC over the stack's sockets", () => {
  it.live("calls, fails with typed errors and streams, over one connection", () =>
    Effect.gen(function*() {
      const { one, two } = yield* pair()
      yield* Effect.gen(function*() {
        const client = yield* RpcClient.make(Users)
        const names = yield* Effect.forEach([1, 2, 3], (id) => client.Name({ id }), { concurrency: 3 })
        assert.deepStrictEqual(names, ["user 1", "user 2", "user 3"])
        const missing = yield* Effect.flip(client.Name({ id: 1000 }))
        assert.deepInclude(missing, { _tag: "NoSuchUser", id: 1000 })
        const counted = yield* Stream.runCollect(client.Count({ to: 500 }))
        assert.deepStrictEqual(counted, Array.from({ length: 500 }, (_, i) => i + 1))
        assert.strictEqual((yield* on(one)(Network.connections)).length, 1)
      }).pipe(Effect.scoped, Effect.provide(onStacks(one, two)))
    }))

  it.live("carries interruption to the server, and goes on", () =>
    Effect.gen(function*() {
      const { one, two } = yield* pair()
      yield* Effect.gen(function*() {
        const client = yield* RpcClient.make(Users)
        const waiting = yield* Effect.forkChild(client.Wait(), { startImmediately: true })
        yield* client.Name({ id: 1 })
        yield* Fiber.interrupt(waiting)
        const exit = yield* Fiber.await(waiting)
        assert.isTrue(exit._tag === "Failure" && Cause.hasInterruptsOnly(exit.cause))
        assert.strictEqual(yield* client.Name({ id: 2 }), "user 2")
      }).pipe(Effect.scoped, Effect.provide(onStacks(one, two)))
    }))

  it.effect("works in virtual time over a wire that loses every tenth frame", () =>
    Effect.gen(function*() {
      const [near, far] = MemoryLink.pair({ latency: "20 millis" })
      const wire = Faults.make(near, { seed: 5, loss: 0.1 })
      const one = yield* host([wire.link], { ipv4: `${addressOne}/24` })
      const two = yield* host([far], { ipv4: `${addressTwo}/24` }, 2)
      const calls = Effect.gen(function*() {
        const client = yield* RpcClient.make(Users)
        return yield* Effect.forEach(Array.from({ length: 40 }, (_, id) => id), (id) => client.Name({ id }))
      }).pipe(Effect.scoped, Effect.provide(onStacks(one, two)))
      const calling = yield* Effect.forkChild(calls)
      while (calling.pollUnsafe() === undefined) yield* TestClock.adjust("10 seconds")
      assert.strictEqual((yield* Fiber.join(calling)).at(-1), "user 39")
      const { receive, send } = wire.statistics()
      assert.isAbove(send.lost + receive.lost, 0)
    }))
})
