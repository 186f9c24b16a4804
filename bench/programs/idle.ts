/**
 * A server on the TAP device of `Wires.ts` that accepts connections and leaves them alone. A number on its input asks for the bytes that
 * it holds, after a collection, as soon as it has that many connections.
 *
 *     ready ─▶ (connections come) ─▶ "1000" ─▶ bytes 12345678, connections 1000
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { createInterface } from "node:readline"
import * as Tap from "../../layers/Tap.ts"
import { TunTapDevice } from "../../layers/TunTapDevice.ts"
import * as Links from "../../src/link/Links.ts"
import * as Netstack from "../../src/Netstack.ts"
import * as Tcp from "../../src/sockets/Tcp.ts"

const [device = "tap0", ipv4 = "10.99.0.2/24", port = "7"] = process.argv.slice(2)

const used = (): number => {
  globalThis.gc?.()
  globalThis.gc?.()
  const { arrayBuffers, external, heapUsed } = process.memoryUsage()
  return heapUsed + Math.max(arrayBuffers, external)
}

const program = Effect.gen(function*() {
  const listener = yield* Tcp.listen({ port: Number(port), backlog: 4096 })
  let connections = 0
  let wanted = Infinity
  const report = (): void => {
    if (connections < wanted) return
    process.stdout.write(`bytes ${used()}, connections ${wanted}\n`)
    wanted = Infinity
  }
  createInterface({ input: process.stdin }).on("line", (line) => {
    wanted = Number(line)
    report()
  })
  process.stdout.write("ready\n")
  return yield* listener.serve(() =>
    Effect.suspend(() => {
      connections += 1
      report()
      return Effect.never
    })
  )
})

const stack = Netstack.layer({ ipv4: ipv4 as `${string}/${number}` }).pipe(
  Layer.provide(Links.layerEffect(Tap.make({ name: device }))),
  Layer.provide(TunTapDevice.layer)
)

await Effect.runPromise(Effect.provide(Effect.scoped(program), stack))
