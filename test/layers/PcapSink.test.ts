import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as PcapSink from "../../layers/PcapSink.ts"
import * as Checksum from "../../src/wire/Checksum.ts"
import * as Frame from "../../src/wire/Frame.ts"
import * as Malformed from "../../src/wire/Malformed.ts"
import * as Pcapng from "../../src/wire/Pcapng.ts"
import { frame } from "../link/Collector.ts"

const folder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "pcap-sink-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true }))
)

/** Captures to a file, closes it, and reads it. */
const written = (options: Omit<PcapSink.Options, "path">, capture: (sink: PcapSink.PcapSink) => void) =>
  Effect.gen(function*() {
    const path = join(yield* folder, "test.pcapng")
    const sink = yield* Effect.scoped(
      Effect.tap(PcapSink.make({ ...options, path }), (each) => Effect.sync(() => capture(each)))
    )
    const contents = Pcapng.read(readFileSync(path))
    if (Malformed.isMalformed(contents)) return yield* Effect.die(contents)
    return { contents, sink }
  })

const data = (packet: Pcapng.Packet) => packet.bytes.slice(packet.start, packet.end)

const at = 1_700_000_000_123_456

describe("PcapSink", () => {
  it.live("writes each frame with its interface, time and direction, all of it before the scope has closed", () =>
    Effect.gen(function*() {
      const { contents, sink } = yield* written({}, (sink) => {
        const tap = sink.attach({ name: "tap0", medium: "ethernet" })
        const tun = sink.attach({ name: "tun0", medium: "ip" })
        tap(frame(1, 60), "in", at)
        tun(frame(2, 41), "out", at + 1)
      })
      assert.deepStrictEqual(contents.interfaces.map(({ linkType, name }) => [name, linkType]), [
        ["tap0", Pcapng.LinkType.ethernet],
        ["tun0", Pcapng.LinkType.raw]
      ])
      assert.deepStrictEqual(
        contents.packets.map((packet) => [packet.interface, packet.at, packet.direction, packet.originalLength]),
        [[0, at, "in", 60], [1, at + 1, "out", 41]]
      )
      assert.deepStrictEqual(contents.packets.map(data), [frame(1, 60).bytes, frame(2, 41).bytes])
      assert.deepStrictEqual(contents.statistics.map(({ dropped, received }) => [received, dropped]), [[1, 0], [1, 0]])
      assert.deepStrictEqual(sink.counters(), { written: 2, dropped: 0 })
    }))

  it.live("completes partial checksums in the file, not in the frame, and keeps super-segments whole", () =>
    Effect.gen(function*() {
      const bytes = new Uint8Array(60_010).fill(3)
      bytes.set([0x12, 0x34], 60)
      const partial = { checksum: "partial" as const, checksumStart: 34, checksumOffset: 16 }
      const gso = { kind: "tcp4" as const, size: 1448, headerLength: 66 }
      const original = { ...Frame.plain(bytes, 10), ...partial, gso }
      const before = bytes.slice()
      const { contents } = yield* written({}, (sink) => {
        sink.attach({ name: "tap0", medium: "ethernet" })(original, "out", at)
      })
      assert.deepStrictEqual(bytes, before)
      const kept = data(contents.packets[0]!)
      Checksum.complete(before, 44, 60_010, 60)
      assert.deepStrictEqual(kept, before.slice(10))
    }))

  it.live("keeps the start of each frame where a snap length says so, with its real length", () =>
    Effect.gen(function*() {
      const { contents } = yield* written({ snapLength: 96 }, (sink) => {
        const record = sink.attach({ name: "tap0", medium: "ethernet" })
        record(frame(1, 1514), "in", at)
        record(frame(2, 60), "in", at)
      })
      assert.deepStrictEqual(contents.packets.map((packet) => [data(packet).length, packet.originalLength]), [
        [96, 1514],
        [60, 60]
      ])
      assert.strictEqual(contents.interfaces[0]!.snapLength, 96)
    }))

  it.live("leaves out, and counts in the file, what the disk can't take in time", () =>
    Effect.gen(function*() {
      const { contents, sink } = yield* written({ bufferBytes: 100_000 }, (sink) => {
        const record = sink.attach({ name: "tap0", medium: "ethernet" })
        for (let i = 0; i < 200; i++) record(frame(i, 1500), "in", at)
      })
      const { dropped, written: kept } = sink.counters()
      assert.strictEqual(kept + dropped, 200)
      assert.isTrue(kept >= 60 && kept <= 66, String(kept))
      assert.strictEqual(contents.packets.length, kept)
      const { dropped: told, received } = contents.statistics[0]!
      assert.deepStrictEqual([received, told], [200, dropped])
    }))

  it.live("takes nothing after it closed", () =>
    Effect.gen(function*() {
      let record: ((each: Frame.Frame) => void) | undefined
      const { sink } = yield* written({}, (sink) => {
        const recorder = sink.attach({ name: "tap0", medium: "ethernet" })
        record = (each) => recorder(each, "in", at)
      })
      record!(frame(1))
      assert.deepStrictEqual(sink.counters(), { written: 0, dropped: 1 })
      assert.isUndefined(sink.failure())
    }))

  it.live("says why a file can't be opened", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(PcapSink.make({ path: join(yield* folder, "absent", "x.pcapng") }))
      assert.strictEqual(error.code, "ENOENT")
      assert.match(error.message, /absent\/x\.pcapng: the capture could not be opened \(ENOENT\)$/)
    }))
})
