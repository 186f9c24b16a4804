/**
 * Runners of `effect/cluster` over the stack: what `NodeClusterSocket` has built in, with the stack's sockets.
 *
 * ```
 *   runner ── layerSocketServer: others reach it        runner ── layerClientProtocol: it reaches the others
 * ```
 *
 * @example
 * ```ts
 * const Cluster = SocketRunner.layer.pipe(
 *   Layer.provide([NetstackClusterSocket.layerSocketServer, NetstackClusterSocket.layerClientProtocol]),
 *   Layer.provide([storage, health, RpcSerialization.layerSchemaBinary()]),
 *   Layer.provide(ShardingConfig.layer({ runnerAddress: Option.some(RunnerAddress.make("10.0.0.2", 34431)) }))
 * )
 * ```
 */
import type { RunnerAddress } from "effect/cluster/RunnerAddress"
import * as Runners from "effect/cluster/Runners"
import * as ShardingConfig from "effect/cluster/ShardingConfig"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as RpcClient from "effect/rpc/RpcClient"
import * as RpcSerialization from "effect/rpc/RpcSerialization"
import * as Socket from "effect/socket/Socket"
import type * as SocketServer from "effect/socket/SocketServer"
import { Netstack } from "../src/sockets/Netstack.ts"
import * as NetstackSocket from "./NetstackSocket.ts"
import * as NetstackSocketServer from "./NetstackSocketServer.ts"

/** Long enough for a SYN that was lost twice; the cluster asks anew. */
const openTimeout = "5 seconds"

/** How a runner reaches another. */
export const layerClientProtocol: Layer.Layer<
  Runners.RpcClientProtocol,
  never,
  RpcSerialization.RpcSerialization | Netstack
> = Layer.effect(Runners.RpcClientProtocol)(Effect.gen(function*() {
  const serialization = yield* RpcSerialization.RpcSerialization
  const stack = yield* Netstack
  return {
    codecFor: serialization.codecFor,
    make: ({ host, port }: RunnerAddress) =>
      Effect.gen(function*() {
        const socket = yield* NetstackSocket.make({ host, port }, { openTimeout })
        return yield* RpcClient.makeProtocolSocket().pipe(
          Effect.provideService(Socket.Socket, socket),
          Effect.provideService(RpcSerialization.RpcSerialization, serialization)
        )
      }).pipe(Effect.provideService(Netstack, stack))
  }
}))

/** Listens at the port of `ShardingConfig.runnerListenAddress`, or `runnerAddress`, on all of the stack's addresses. */
export const layerSocketServer: Layer.Layer<
  SocketServer.SocketServer,
  SocketServer.SocketServerError,
  ShardingConfig.ShardingConfig | Netstack
> = Layer.unwrap(Effect.gen(function*() {
  const { runnerAddress, runnerListenAddress } = yield* ShardingConfig.ShardingConfig
  const place = Option.orElse(runnerListenAddress, () => runnerAddress)
  if (Option.isNone(place)) return yield* Effect.die("ShardingConfig has neither runnerListenAddress nor runnerAddress")
  return NetstackSocketServer.layer({ port: place.value.port })
}))
