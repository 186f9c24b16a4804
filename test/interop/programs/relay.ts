/**
 * A cable between two TAP devices that loses, delays and reorders frames by seed; it makes the devices, and they go with it.
 *
 *     relay.ts ONE OTHER SETTINGS         SETTINGS: { "seed": 7, "loss": 0.001, "delay": "5 millis", … } as link/Faults.ts has them
 *
 *     kernel ─── ONE ─── this process ─── OTHER ─── kernel, or a bridge to a stack
 *
 * It moves frame by frame: the devices have no offloads, so what the kernel would send as one large piece is cut before it comes here. It
 * says `ready`, and `relayed { … }` with what became of the frames when its input ends.
 */
import * as Effect from "effect/Effect"
import { once } from "node:events"
import * as Tap from "../../../layers/Tap.ts"
import { TunTapDevice } from "../../../layers/TunTapDevice.ts"
import * as Faults from "../../../src/link/Faults.ts"
import type { Link, Port } from "../../../src/link/Link.ts"
import type { Frame } from "../../../src/wire/Frame.ts"

const [one = "tap0", other = "tap1", settings = "{}"] = process.argv.slice(2)

const tap = (name: string) => Tap.make({ name, vnetHeader: false })

/** Frames that a device did not take at once are lost, as on a card whose ring is full. */
let refused = 0

/** Opens a link whose frames go to wherever `to` is by then. */
const open = (link: Link, to: () => Port | undefined) =>
  link.open({
    frames: (batch: ReadonlyArray<Frame>) => {
      refused += batch.length - (to()?.send(batch, 0) ?? 0)
      for (const frame of batch) frame.slab?.release()
    },
    changed: () => {}
  })

const program = Effect.gen(function*() {
  const faults = Faults.make(yield* tap(one), JSON.parse(settings) as Faults.Options)
  const far = yield* tap(other)
  let right: Port | undefined
  const left = yield* open(faults.link, () => right)
  right = yield* open(far, () => left)
  process.stdout.write("ready\n")
  process.stdin.resume()
  yield* Effect.promise(() => once(process.stdin, "end"))
  process.stdout.write(`relayed ${JSON.stringify({ refused, ...faults.statistics() })}\n`)
})

await Effect.runPromise(Effect.provide(Effect.scoped(program), TunTapDevice.layer))
