/**
 * How flows share a link that is as fast as the stack. What the other side answers waits in a queue of the device, which is short and is read in a turn
 * of the event loop, as with a TAP device of Linux.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { type Link, noCapabilities, type Sink } from "../../src/link/Link.ts"
import * as SlabPool from "../../src/link/SlabPool.ts"
import * as Tcp from "../../src/sockets/Tcp.ts"
import type * as TcpConnection from "../../src/sockets/TcpConnection.ts"
import { fairness } from "../../src/testing/Transfer.ts"
import type { Frame } from "../../src/wire/Frame.ts"
import { host, on } from "./Hosts.ts"

const flows = 16
const bytesEach = 1024 * 1024

/** Frames that a device holds for a reader; Linux takes 1000. */
const queueFrames = 500

/** One end of a wire whose frames arrive by `carry`, in memory that is the receiver's. */
const end = (name: string, mac: number, carry: (frame: Frame) => void) => {
  const pool = SlabPool.forCopies(1514, 16 * 1024 * 1024)
  let sink: Sink | undefined
  const link: Link = {
    name,
    mac,
    medium: "ethernet",
    mtu: 1500,
    capabilities: noCapabilities(1500),
    headroom: 0,
    open: (opened) =>
      Effect.sync(() => {
        sink = opened
        return {
          send: (frames: ReadonlyArray<Frame>, from: number) => {
            for (let at = from; at < frames.length; at++) carry(SlabPool.copy(pool, frames[at]!)!)
            return frames.length - from
          },
          writable: Effect.void,
          counters: () => ({})
        }
      })
  }
  const deliver = (frames: ReadonlyArray<Frame>): void =>
    sink === undefined ? SlabPool.release(frames) : sink.frames(frames)
  return { link, deliver }
}

/**
 * The first link's frames are at the second one at once, as a write to a device is received by the kernel in the same call. The other way they wait in the
 * device's queue for the event loop.
 */
const device = () => {
  let queue: Array<Frame> = []
  let lost = 0
  const read = (): void => {
    const frames = queue
    queue = []
    near.deliver(frames)
  }
  const far = end("kernel", 0x0200_0000_0002, (frame) => {
    if (queue.length === queueFrames) {
      lost += 1
      frame.slab?.release()
      return
    }
    queue.push(frame)
    if (queue.length === 1) setImmediate(read)
  })
  const near = end("tap", 0x0200_0000_0001, (frame) => far.deliver([frame]))
  return { near: near.link, far: far.link, lost: () => lost }
}

/** Sends without end. */
const pour = (connection: TcpConnection.TcpConnection) => {
  const block = new Uint8Array(256 * 1024)
  return Effect.forever(connection.writeOwned(block))
}

describe("Flows that share a link", () => {
  it.effect("get the same of it, and none of the answers is lost while the stack is busy sending", () =>
    Effect.gen(function*() {
      const { far, lost, near } = device()
      const one = yield* host([near], { ipv4: "10.0.0.1/24" })
      const two = yield* host([far], { ipv4: "10.0.0.2/24" }, 2)
      const listener = yield* on(one)(Tcp.listen({ port: 80 }))
      yield* Effect.forkChild(listener.serve(pour))
      const counts = new Array<number>(flows).fill(0)
      const take = (flow: number) =>
        Effect.scoped(Effect.gen(function*() {
          const connection = yield* Tcp.connect("10.0.0.1:80")
          const buffer = new Uint8Array(64 * 1024)
          while (counts[flow]! < bytesEach) counts[flow]! += yield* connection.readInto(buffer)
        }))
      yield* on(two)(Effect.raceAllFirst(Array.from(counts, (_, flow) => take(flow))))
      assert.strictEqual(lost(), 0)
      assert.isAbove(fairness(counts), 0.9)
    }))
})
