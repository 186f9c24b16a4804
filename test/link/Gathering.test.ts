/** Frames in pieces go to ports that take such, and to no middleware that does not know of them. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Bridge from "../../src/link/Bridge.ts"
import * as Capture from "../../src/link/Capture.ts"
import * as Faults from "../../src/link/Faults.ts"
import { gathering, type Link } from "../../src/link/Link.ts"
import * as MemoryLink from "../../src/link/MemoryLink.ts"
import * as Steering from "../../src/link/Steering.ts"
import * as Vlan from "../../src/link/Vlan.ts"
import * as Frame from "../../src/wire/Frame.ts"
import * as Collector from "./Collector.ts"

const nobody: Steering.Exchange = { hand: () => true, receive: () => () => {} }

/** A link that takes frames in pieces, and what it took. */
const taking = () => {
  const [near] = MemoryLink.pair({ mtu: 9000 })
  const taken: Array<Frame.Frame> = []
  const send = (frames: ReadonlyArray<Frame.Frame>, from: number): number => {
    taken.push(...frames.slice(from))
    return frames.length - from
  }
  const open: Link["open"] = (sink) => Effect.map(near.open(sink), (port) => gathering({ ...port, send }))
  return { link: { ...near, open }, taken }
}

const watched = (link: Link): Link => Capture.make(link, { attach: () => () => {} })
const shard = (index: number) => (link: Link): Link => Steering.make(link, { shard: index, shards: 2 }, nobody)

const middleware: ReadonlyArray<readonly [name: string, gathers: boolean, make: (link: Link) => Link]> = [
  ["nothing", true, (link) => link],
  ["a capture", false, watched],
  ["faults", false, Faults.apply({ seed: 1 })],
  ["a VLAN", false, Vlan.apply(10)],
  ["a trunk without tags", false, (link) => Vlan.trunk(link).untagged],
  ["a bridge", false, (link) => Bridge.make([link]).link],
  ["the first shard", true, shard(0)],
  ["another shard", true, shard(1)],
  ["a shard with a capture below", false, (link) => shard(0)(watched(link))],
  ["a capture of a shard", false, (link) => watched(shard(0)(link))]
]

describe("Port.gathers", () => {
  for (const [name, gathers, make] of middleware) {
    it.effect(`${gathers ? "is" : "is not"} the port of ${name}`, () =>
      Effect.gen(function*() {
        const port = yield* make(taking().link).open(Collector.make())
        assert.strictEqual(port.gathers === port, gathers)
      }))
  }

  it.effect("lets shards pass on what lies in pieces", () =>
    Effect.gen(function*() {
      for (const index of [0, 1]) {
        const { link, taken } = taking()
        const port = yield* shard(index)(link).open(Collector.make())
        const rest = [3, 4].map((value) => ({ bytes: new Uint8Array(4000).fill(value), start: 1000, end: 4000 }))
        const frame = { ...Collector.frame(1, 60), rest }
        assert.strictEqual(Frame.size(frame), 6060)
        assert.strictEqual(port.send([frame], 0), 1)
        assert.deepStrictEqual(taken, [frame])
        assert.deepStrictEqual(Frame.copy(taken[0]!).subarray(60), new Uint8Array(6000).fill(3, 0, 3000).fill(4, 3000))
      }
    }))
})
