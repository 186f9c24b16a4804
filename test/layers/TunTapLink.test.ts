/** The pump of a TAP link over a scripted device. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Sharded from "../../layers/Sharded.ts"
import * as Tap from "../../layers/Tap.ts"
import { type Device, TunTapDevice } from "../../layers/TunTapDevice.ts"
import * as TunTapLink from "../../layers/TunTapLink.ts"
import { EAGAIN, EIO, type Readiness } from "../../layers/TunTapSystem.ts"
import * as Frame from "../../src/wire/Frame.ts"
import * as Collector from "../link/Collector.ts"
import { make as scripted, type Scripted } from "./ScriptedDevice.ts"

const { frame, frames, range, tags } = Collector

const receive = (device: Scripted, count: number, from = 0, length = 64) => {
  device.incoming.push(...range(count, from).map((i) => frame(i, length).bytes))
  device.tell({ readable: true })
}

describe("TunTapLink", () => {
  it.effect("delivers what one wake-up finds as one batch, up to its bound, and the rest at the next", () =>
    Effect.gen(function*() {
      const device = scripted()
      const sink = Collector.make()
      yield* TunTapLink.make(device, undefined, { batchFrames: 8 }).open(sink)
      receive(device, 10)
      device.tell({ readable: true })
      assert.deepStrictEqual(sink.batches, [8, 2])
      assert.deepStrictEqual(tags(sink), range(10))
      device.tell({ readable: true })
      assert.deepStrictEqual(sink.batches, [8, 2])
    }))

  it.effect("ends a batch of super-segments once it has a mebibyte, and gives the rest at the next", () =>
    Effect.gen(function*() {
      const device = scripted({ vnetHeaderBytes: 10, segmentation: new Set(["tcp4"] as const) })
      const sink = Collector.make()
      yield* TunTapLink.make(device, undefined, { slabs: 64 }).open(sink)
      receive(device, 20, 0, 65_000)
      assert.deepStrictEqual(sink.batches, [17])
      device.tell({ readable: true })
      assert.deepStrictEqual(sink.batches, [17, 3])
    }))

  it.effect("writes a frame in pieces as one behind its virtio-net header, where the device can", () =>
    Effect.gen(function*() {
      const offloading = { vnetHeaderBytes: 10, segmentation: new Set(["tcp4"] as const) }
      const device = scripted({ ...offloading, gather: () => 0 })
      const port = yield* TunTapLink.make(device, undefined, {}).open(Collector.make())
      assert.strictEqual(port.gathers, port)
      const head = Uint8Array.from({ length: 10 + 54 }, (_, i) => i)
      const rest = [7, 8].map((value) => ({ bytes: new Uint8Array(3000).fill(value), start: 500, end: 2500 }))
      const gso = { kind: "tcp4", size: 1460, headerLength: 54 } as const
      const whole: Frame.Frame = {
        ...Frame.plain(head, 10),
        checksum: "partial",
        checksumStart: 34,
        checksumOffset: 16,
        gso
      }
      assert.strictEqual(port.send([{ ...whole, rest }, { ...whole, rest: Array(33).fill(rest[0]) }], 0), 2)
      const [written] = device.written
      assert.deepStrictEqual(Array.from(written!.subarray(0, 10)), [1, 1, 54, 0, 180, 5, 34, 0, 16, 0])
      assert.deepStrictEqual(written!.subarray(10, 64), head.subarray(10))
      assert.deepStrictEqual(written!.subarray(64), new Uint8Array(4000).fill(7, 0, 2000).fill(8, 2000))
      // The second one was longer than any packet.
      assert.deepStrictEqual([device.written.length, port.counters()["tooLong"]], [1, 1])
      // A sender that left no room before it loses nothing either.
      port.send([{ ...whole, bytes: head.slice(10), start: 0, end: 54, rest }], 0)
      assert.deepStrictEqual(device.written[1], written)
      for (const plain of [scripted(offloading), scripted({ gather: () => 0 })]) {
        const whole = yield* TunTapLink.make(plain, undefined, {}).open(Collector.make())
        assert.isUndefined(whole.gathers)
      }
    }))

  it.effect("sends short when the device is full, and is writable again when the device is", () =>
    Effect.gen(function*() {
      const device = scripted()
      const port = yield* TunTapLink.make(device, undefined, {}).open(Collector.make())
      device.refuseWith = EAGAIN
      assert.strictEqual(port.send(frames(3), 0), 0)
      assert.strictEqual(device.wants, "rw")
      const waiting = yield* Effect.forkChild(port.writable, { startImmediately: true })
      assert.isUndefined(waiting.pollUnsafe())
      device.refuseWith = 0
      device.tell({ writable: true })
      assert.isDefined(waiting.pollUnsafe())
      assert.strictEqual(device.wants, "r")
      assert.strictEqual(port.send(frames(3), 0), 3)
      assert.strictEqual(device.written.length, 3)
    }))

  it.effect("goes down at EIO, asks no more of the device, and is up when it is writable", () =>
    Effect.gen(function*() {
      const device = scripted()
      const sink = Collector.make()
      const port = yield* TunTapLink.make(device, undefined, {}).open(sink)
      device.refuseWith = EIO
      assert.strictEqual(port.send(frames(3), 0), 3)
      device.refuseWith = 0
      port.send(frames(2), 0)
      assert.strictEqual(device.written.length, 0)
      assert.strictEqual(port.counters()["down"], 5)
      device.tell({ writable: true })
      assert.deepStrictEqual(sink.changes, [{ _tag: "Down" }, { _tag: "Up" }])
      port.send(frames(2), 0)
      assert.strictEqual(device.written.length, 2)
    }))

  it.effect("counts a frame that the kernel refuses, and sends the others", () =>
    Effect.gen(function*() {
      const device = scripted()
      const port = yield* TunTapLink.make(device, undefined, {}).open(Collector.make())
      device.refuseWith = 22
      assert.strictEqual(port.send([frame(1)], 0), 1)
      device.refuseWith = 0
      assert.strictEqual(port.send([frame(2)], 0), 1)
      assert.strictEqual(port.counters()["writeError"], 1)
    }))

  it.effect("is gone at a read error that waiting does not mend", () =>
    Effect.gen(function*() {
      const device: Scripted = { ...scripted(), read: () => -77 }
      const sink = Collector.make()
      let tell: (readiness: Readiness) => void = () => {}
      const closed: Array<string> = []
      const poll: Device["poll"] = (listener) => {
        tell = listener
        return { want: () => {}, close: () => closed.push("closed") }
      }
      yield* TunTapLink.make({ ...device, poll }, undefined, {}).open(sink)
      tell({ readable: true, writable: false, failed: false })
      tell({ readable: true, writable: false, failed: false })
      assert.strictEqual(sink.changes.length, 1)
      assert.strictEqual(sink.changes[0]!._tag, "Gone")
      assert.deepStrictEqual(closed, ["closed"])
    }))

  it.effect("counts frames that the kernel had to cut, and delivers the longest that is whole", () =>
    Effect.gen(function*() {
      const device = scripted()
      const sink = Collector.make()
      const port = yield* TunTapLink.make(device, undefined, {}).open(sink)
      receive(device, 1, 0, 1522)
      receive(device, 1, 1, 1523)
      receive(device, 1, 2, 9014)
      assert.deepStrictEqual(tags(sink), [0])
      assert.strictEqual(port.counters()["tooLong"], 2)
    }))

  it.effect("writes the virtio-net header into the headroom, and copies where there is none", () =>
    Effect.gen(function*() {
      const device = scripted({ vnetHeaderBytes: 10, segmentation: new Set(["tcp4"] as const) })
      const link = TunTapLink.make(device, undefined, {})
      assert.strictEqual(link.headroom, 10)
      const port = yield* link.open(Collector.make())
      const roomy = new Uint8Array(74)
      roomy.set(frame(5).bytes, 10)
      const partial = { checksum: "partial" as const, checksumStart: 34, checksumOffset: 16 }
      port.send([{ ...Frame.plain(roomy, 10), ...partial }, { ...frame(5), ...partial }], 0)
      assert.deepStrictEqual(device.written[0], device.written[1])
      assert.deepStrictEqual([...device.written[0]!.subarray(0, 10)], [1, 0, 0, 0, 0, 0, 34, 0, 16, 0])
      assert.deepStrictEqual(device.written[0]!.subarray(10), frame(5).bytes)
      assert.deepStrictEqual(roomy.subarray(10), frame(5).bytes)
    }))

  it.effect("drops and counts frames whose virtio-net header is wrong", () =>
    Effect.gen(function*() {
      const device = scripted({ vnetHeaderBytes: 10 })
      const sink = Collector.make()
      const port = yield* TunTapLink.make(device, undefined, {}).open(sink)
      const wrong = new Uint8Array(70)
      wrong[1] = 0x7f
      device.incoming.push(wrong, new Uint8Array(70), new Uint8Array(4))
      device.tell({ readable: true })
      assert.strictEqual(sink.received.length, 1)
      assert.strictEqual(port.counters()["malformed"], 2)
    }))

  it.effect("delivers nothing after it was closed, and can be opened again", () =>
    Effect.gen(function*() {
      const device = scripted()
      const link = TunTapLink.make(device, undefined, {})
      const sink = Collector.make()
      const port = yield* Effect.scoped(Effect.gen(function*() {
        const port = yield* link.open(sink)
        assert.strictEqual((yield* Effect.flip(link.open(sink))).code, "EBUSY")
        return port
      }))
      assert.strictEqual(device.wants, "closed")
      receive(device, 1)
      assert.strictEqual(sink.received.length, 0)
      port.send(frames(1), 0)
      assert.strictEqual(device.written.length, 0)
      yield* link.open(sink)
      device.tell({ readable: true })
      assert.strictEqual(sink.received.length, 1)
    }))
})

describe("the own address of a TAP link", () => {
  it.effect("is given as a text or a number, and a text that is none opens no device", () =>
    Effect.gen(function*() {
      let opened = 0
      const open = () =>
        Effect.sync(() => {
          opened += 1
          return scripted()
        })
      const make = (mac: NonNullable<Tap.Options["mac"]>) =>
        Effect.provideService(Tap.make({ name: "tap0", mac }), TunTapDevice, TunTapDevice.of({ open }))
      assert.strictEqual((yield* make("02:00:00:00:00:01")).mac, 0x0200_0000_0001)
      assert.strictEqual((yield* make(0x0200_0000_0001)).mac, 0x0200_0000_0001)
      const error = yield* Effect.flip(make("02:00"))
      assert.deepInclude(error, { _tag: "LinkError", link: "tap0", operation: "open" })
      assert.match(error.message, /02:00 is no MAC address: expected six /)
      assert.strictEqual(opened, 2)
    }))

  it.effect("is the same for a host in shards", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(Sharded.make({
        shards: 2,
        device: { name: "tap0" },
        stack: {},
        mac: "02:00",
        program: new URL("file:///none.ts")
      }))
      assert.match(error.message, /02:00 is no MAC address/)
    }))
})
