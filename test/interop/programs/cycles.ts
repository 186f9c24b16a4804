/**
 * Opens and closes a layer on devices again and again, every other time interrupted somewhere, and prints what the process holds of the
 * machine before and after.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Sharded from "../../../layers/Sharded.ts"
import * as Tap from "../../../layers/Tap.ts"
import * as Tun from "../../../layers/Tun.ts"
import { TunTapDevice } from "../../../layers/TunTapDevice.ts"
import type { Link, LinkError } from "../../../src/link/Link.ts"
import { Links } from "../../../src/link/Links.ts"
import * as Netstack from "../../../src/Netstack.ts"
import * as Ping from "../../../src/sockets/Ping.ts"
import * as Udp from "../../../src/sockets/Udp.ts"
import * as Resources from "../../layers/Resources.ts"
import { device, kernelAddress, prefixLength, stackAddress } from "../Machine.ts"

const [layer = "", times = "0"] = process.argv.slice(2)

const stackOn = (making: Effect.Effect<Link, LinkError, TunTapDevice | Scope.Scope>) =>
  Effect.gen(function*() {
    const link = yield* Effect.provide(making, TunTapDevice.layer)
    return yield* Netstack.make({ ipv4: `${stackAddress}/${prefixLength}`, closeTimeout: 0 }).pipe(
      Effect.provideService(Links, { links: [link] })
    )
  })

/** The kernel says nothing while it takes note that somebody has come to its device: the first question may have to be asked again. */
const patience = "10 seconds"

/** A device that stays, with the kernel's address. */
const tap = Effect.gen(function*() {
  const stack = yield* stackOn(Tap.make({ name: device }))
  yield* Effect.provideService(Ping.ping(kernelAddress, { timeout: patience }), Netstack.Netstack, stack)
})

/** A device that comes and goes with its link. Nothing in it waits by itself, so it is given places to be interrupted at. */
const tun = Effect.gen(function*() {
  const stack = yield* stackOn(Tun.make({ name: "tun7" }))
  const socket = yield* Effect.provideService(Udp.connect(`${kernelAddress}:9`), Netstack.Netstack, stack)
  yield* Effect.sleep("5 millis")
  yield* socket.send(new Uint8Array(100))
  yield* Effect.sleep("5 millis")
})

const sharded = Effect.gen(function*() {
  const view = yield* Sharded.make({
    shards: 2,
    device: { name: device },
    stack: { ipv4: `${stackAddress}/${prefixLength}` },
    program: new URL("./idleShard.ts", import.meta.url),
    input: undefined
  })
  yield* view.connections
})

const layers: Readonly<Record<string, Omit<Resources.Cycle<unknown>, "times">>> = {
  Tap: { run: tap, within: 16 },
  Tun: { run: tun, within: 20 },
  Sharded: { run: sharded, within: 1000 }
}

Effect.runPromise(Resources.measure({ ...layers[layer]!, times: Number(times) })).then(
  (report) => process.stdout.write(`${JSON.stringify(report)}\n`),
  (error: unknown) => {
    console.error(error)
    process.exitCode = 1
  }
)
