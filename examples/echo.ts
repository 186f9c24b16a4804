/**
 * A TCP server and a client, each on a host of its own: `node examples/echo.ts`
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { Links, Netstack, Tcp } from "../src/index.ts"

const [near, far] = Links.layerMemory()

/** Sends back in capitals what it reads, connection by connection. */
const server = Effect.gen(function*() {
  const listener = yield* Tcp.listen({ port: 7 })
  return yield* listener.serve((connection) =>
    connection.stream.pipe(
      Stream.decodeText,
      Stream.map((text) => text.toUpperCase()),
      Stream.encodeText,
      Stream.run(connection.sink)
    )
  )
})

const client = Effect.gen(function*() {
  const connection = yield* Tcp.connect("10.0.0.2:7").pipe(
    // Every failure has a typed reason: what can be mended is, and the rest goes on up.
    Effect.catchReason("TcpError", "ConnectionRefused", () => Effect.die("the server is not there"))
  )
  yield* connection.write(new TextEncoder().encode("hello, network\n"))
  yield* connection.end
  yield* Console.log(new TextDecoder().decode(yield* connection.readAll).trimEnd())
}).pipe(Effect.scoped)

const Server = Layer.effectDiscard(Effect.forkScoped(server, { startImmediately: true })).pipe(
  Layer.provide(Netstack.layer({ ipv4: "10.0.0.2/24" })),
  Layer.provide(far)
)
const Client = Netstack.layer({ ipv4: "10.0.0.1/24" }).pipe(Layer.provide(near))

client.pipe(Effect.provide([Client, Server]), NodeRuntime.runMain)
