/**
 * What each shard of `sharded.ts` runs: echo over TCP on port 7, on the second shard alone an echo of datagrams on an ephemeral port, two ports
 * whose connections end the thread that has them, and one connection each to the kernel.
 */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { type Program, Shard } from "../../../layers/Shard.ts"
import { echo } from "../../../src/services/classic.ts"
import { serve } from "../../../src/services/Service.ts"
import * as Tcp from "../../../src/sockets/Tcp.ts"
import * as Udp from "../../../src/sockets/Udp.ts"
import { kernelAddress } from "../Machine.ts"

export const datagramPort = 60_000
/** By what is thrown where nobody catches it, and by `process.exit`. */
export const fatalPorts = { throws: 9, exits: 13 } as const
/** Where the kernel serves what `sharded.ts` was told to ask. */
export type Input = { readonly kernelPort: number }

const echoDatagrams = Effect.gen(function*() {
  const socket = yield* Udp.bind({ port: datagramPort })
  return yield* Stream.runForEach(socket.stream, ({ bytes, source }) => Effect.ignore(socket.send(bytes, source)))
})

const dieBy = (port: number, end: () => void) =>
  Effect.gen(function*() {
    const listener = yield* Tcp.listen({ port })
    return yield* listener.serve(() => Effect.sync(() => setImmediate(end)))
  })

const fault = new Error("thrown where nobody catches it")
const die = Effect.all([
  dieBy(fatalPorts.throws, () => {
    throw fault
  }),
  dieBy(fatalPorts.exits, () => process.exit(3))
], { concurrency: "unbounded" })

/** Asks the kernel's echo service one thing after another, as often as there are ephemeral ports to go wrong with. */
const askKernel = (port: number) =>
  Effect.gen(function*() {
    let answered = 0
    for (let i = 0; i < 20; i++) {
      answered += yield* Effect.scoped(Effect.gen(function*() {
        const connection = yield* Tcp.connect({ host: kernelAddress, port })
        yield* connection.write(new TextEncoder().encode(`${i}`))
        yield* connection.end
        return new TextDecoder().decode(yield* connection.readAll) === `${i}` ? 1 : 0
      }))
    }
    return answered
  })

const program: Program<Input> = ({ kernelPort }) =>
  Effect.gen(function*() {
    const { index, tell } = yield* Shard
    const announced = Effect.andThen(askKernel(kernelPort), (answered) => tell({ answered }))
    const all = [serve(echo, 7, tell("echo")), die, announced, ...(index === 1 ? [echoDatagrams] : [])]
    return yield* Effect.andThen(Effect.all(all, { concurrency: "unbounded" }), Effect.never)
  })

export default program
