/**
 * What the workers cost around the core: pings through a running stack on a wire in memory, against the same pings through
 * `runBatch` alone. Both get them in batches of 64; the wire's copy of each frame is the shell's, as it is with any link.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import type { Sink } from "../../src/link/Link.ts"
import * as Links from "../../src/link/Links.ts"
import * as MemoryLink from "../../src/link/MemoryLink.ts"
import * as Netstack from "../../src/Netstack.ts"
import * as Frame from "../../src/wire/Frame.ts"
import { Bare } from "../Bare.ts"
import * as Frames from "../frames.ts"
import type { Row, Settings } from "../Row.ts"

const batch = 64

const frameOf = (write: (bytes: Uint8Array) => number): Frame.Frame => {
  const bytes = new Uint8Array(256)
  return Frame.plain(bytes, 0, write(bytes))
}

const pings = Array.from({ length: batch }, (_, sequence) => frameOf((bytes) => Frames.ping(bytes, sequence, 56)))

/** Pings a second through `runBatch`. */
const bare = (batches: number): number => {
  const self = new Bare(Frames.stack.mac, Frames.stack.address)
  const { bytes, end, start } = frameOf(Frames.introduction)
  self.run([self.frame(bytes, start, end)])
  const events = pings.map((frame) => self.frame(frame.bytes, frame.start, frame.end))
  const begin = performance.now()
  for (let i = 0; i < batches; i++) self.run(events)
  return batches * batch / (performance.now() - begin) * 1000
}

/** Pings a second through the workers: the next batch goes out when all answers of the one before are in. */
const shell = (batches: number) =>
  Effect.scoped(Effect.gen(function*() {
    const [near, far] = MemoryLink.pair({ macs: [Frames.stack.mac, Frames.peer.mac] })
    yield* Effect.provide(Netstack.make({ ipv4: "10.99.0.2/24" }), Links.layer(near))
    const done = yield* Deferred.make<void>()
    let answers = 0
    let left = batches
    const sink: Sink = {
      frames: (frames) => {
        for (const frame of frames) {
          if (frame.end - frame.start >= pings[0]!.end && frame.bytes[frame.start + 34] === 0) answers += 1
          frame.slab?.release()
        }
        if (answers < batch) return
        answers -= batch
        left -= 1
        if (left > 0) port.send(pings, 0)
        else Deferred.doneUnsafe(done, Effect.void)
      },
      changed: () => {}
    }
    const port = yield* far.open(sink)
    port.send([frameOf(Frames.introduction)], 0)
    const begin = performance.now()
    port.send(pings, 0)
    yield* Deferred.await(done)
    return batches * batch / (performance.now() - begin) * 1000
  }))

const measure = ({ runs, scale }: Settings) =>
  Effect.gen(function*() {
    const batches = Math.ceil(20_000 / scale)
    const turn = Effect.all([shell(batches), Effect.sync(() => bare(batches))])
    yield* turn
    const turns = yield* Effect.replicateEffect(turn, runs)
    return [{
      name: "pings through the workers",
      unit: "/s",
      values: turns.map(([through]) => through),
      against: { name: "runBatch alone", values: turns.map(([, alone]) => alone) }
    }]
  })

export const rows: ReadonlyArray<Row> = [
  { name: "shell", about: "events through the workers, against the core alone", measure }
]
