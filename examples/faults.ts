/**
 * A transfer over a wire that loses every fiftieth frame, and what TCP made of it: `node examples/faults.ts`
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { Faults, Links, MemoryLink, Netstack, Network, Tcp } from "../src/index.ts"

const [near, far] = MemoryLink.pair()
const wire = Faults.make(near, { seed: 7, loss: 0.02, delay: "2 millis" })

/** A host whose stack is at hand as a value, since this program speaks for both. */
const host = (ipv4: string, link: typeof near) =>
  Effect.provideService(Netstack.make({ ipv4 }), Links.Links, { links: [link] })

const program = Effect.gen(function*() {
  const sender = yield* host("10.0.0.1/24", wire.link)
  const receiver = yield* host("10.0.0.2/24", far)
  const listener = yield* Effect.provideService(Tcp.listen({ port: 9 }), Netstack.Netstack, receiver)
  const connect = Tcp.connect("10.0.0.2:9", { options: { congestionControl: "cubic" } })
  const connection = yield* Effect.provideService(connect, Netstack.Netstack, sender)
  const accepted = yield* listener.accept

  const data = new Uint8Array(1_000_000)
  yield* Effect.forkScoped(Effect.andThen(connection.writeOwned(data), connection.end))
  const received = yield* Stream.runFold(accepted.stream, () => 0, (sum, chunk) => sum + chunk.length)

  const { congestionWindow, segmentsRetransmitted } = yield* connection.info
  const { receive, send } = wire.statistics()
  const drops = yield* Effect.provideService(Network.drops, Netstack.Netstack, receiver)
  yield* Console.log(`${received} bytes arrived; the wire lost ${send.lost + receive.lost} frames`)
  yield* Console.log(`${segmentsRetransmitted} segments were sent again, the window is ${congestionWindow} bytes`)
  yield* Console.log(`dropped as duplicates: ${drops.TcpNotAcceptable}`)
}).pipe(Effect.scoped)

NodeRuntime.runMain(program)
