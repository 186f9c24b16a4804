/** Captures as other programs read them, with the frames that a link with offload hands over unfinished. */
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as PcapSink from "../../layers/PcapSink.ts"
import * as Tap from "../../layers/Tap.ts"
import { TunTapDevice } from "../../layers/TunTapDevice.ts"
import * as Capture from "../../src/link/Capture.ts"
import type { Port, Sink } from "../../src/link/Link.ts"
import * as Frame from "../../src/wire/Frame.ts"
import * as Process from "./Process.ts"
import { suite } from "./Requirements.ts"
import * as TapEnd from "./TapEnd.ts"

const folder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "capture-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true }))
)

/** Twenty datagrams in one call, which the kernel hands over as one frame where the device takes such (UDP_SEGMENT, USO). */
const sendTrain = `import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.IPPROTO_UDP, 103, 1200)
s.sendto(bytes(24000), ("${TapEnd.ownAddress}", 9))`

/** Two kernels that talk through this process, over devices with offload; what passes is captured on one of them. */
const transfer = (path: string) =>
  Effect.scoped(Effect.gen(function*() {
    const sink = yield* PcapSink.make({ path, bufferBytes: 256 * 1024 * 1024 })
    const first = yield* Tap.make({ name: TapEnd.freshName(), vnetHeader: true })
    const second = yield* Tap.make({ name: TapEnd.freshName(), vnetHeader: true })
    const ports: Array<Port> = []
    const relay = (to: number): Sink => ({
      frames: (batch) => {
        ports[to]!.send(batch, 0)
        for (const frame of batch) frame.slab!.release()
      },
      changed: () => {}
    })
    ports.push(yield* Capture.make(first, sink).open(relay(1)))
    ports.push(yield* second.open(relay(0)))
    const one = yield* TapEnd.intoNamespace(first.name)
    const two = yield* TapEnd.intoNamespace(second.name)
    yield* two.succeed("ip", ["address", "del", `${TapEnd.kernelAddress}/24`, "dev", second.name])
    yield* two.succeed("ip", ["address", "add", `${TapEnd.ownAddress}/24`, "dev", second.name])
    const server = yield* two.start(process.execPath, [
      "-e",
      `require("net").createServer((socket) => { socket.pipe(socket) }).listen(5001, () => console.log("listening"))`
    ])
    yield* server.line(/listening/)
    const echo =
      `exec 3<>/dev/tcp/${TapEnd.ownAddress}/5001; head -c 3000000 /dev/zero >&3 & head -c 3000000 <&3 | wc -c`
    const { stdout } = yield* one.succeed("bash", ["-c", echo])
    assert.strictEqual(stdout.trim(), "3000000")
    yield* one.run("bash", ["-c", `echo datagram > /dev/udp/${TapEnd.ownAddress}/9`])
    yield* one.succeed("python3", ["-c", sendTrain])
    return sink.counters()
  }))

suite("a capture of a link with offload", ["bash", "python3", "tshark"], () => {
  it.live("is read without a malformed packet or a wrong checksum", () =>
    Effect.gen(function*() {
      const path = join(yield* folder, "offload.pcapng")
      const { dropped, written } = yield* transfer(path)
      assert.strictEqual(dropped, 0)
      const checked = ["ip", "tcp", "udp"].flatMap((protocol) => ["-o", `${protocol}.check_checksum:TRUE`])
      const tshark = (filter: string) =>
        Effect.map(
          Process.succeed("tshark", ["-r", path, ...checked, "-Y", filter]),
          ({ stdout }) => stdout.split("\n").filter((line) => line !== "")
        )
      assert.strictEqual((yield* tshark("frame")).length, written)
      // An ICMP error quotes a datagram as the second kernel got it, which is with a partial checksum.
      const bad = "_ws.malformed || ip.checksum.status == 0 || tcp.checksum.status == 0 || udp.checksum.status == 0"
      assert.deepStrictEqual(yield* tshark(`(${bad}) && !icmp`), [])
      assert.isAbove((yield* tshark("tcp.checksum.status == 1 && frame.len > 20000")).length, 0)
      assert.isAbove((yield* tshark("udp.checksum.status == 1 && udp.dstport == 9")).length, 0)
      // One frame since Linux 6.2, twenty before.
      const trains = yield* tshark("udp.checksum.status == 1 && udp.dstport == 9 && frame.len > 1000")
      assert.include([1, 20], trains.length)
      assert.isAbove((yield* tshark("frame.packet_flags_direction == 2 && tcp")).length, 0)
    }).pipe(Effect.provide(TunTapDevice.layer)))
})

suite("a capture to a full disk", [], () => {
  it.live("goes on without the file when the disk refuses, and says why", () =>
    Effect.gen(function*() {
      const sink = yield* Effect.scoped(Effect.tap(PcapSink.make({ path: "/dev/full" }), (sink) =>
        Effect.sync(() => {
          const record = sink.attach({ name: "tap0", medium: "ethernet" })
          for (let i = 0; i < 10; i++) record(Frame.plain(new Uint8Array(1500)), "in", 0)
        })))
      assert.strictEqual(sink.failure()?.code, "ENOSPC")
      assert.strictEqual(sink.failure()?.operation, "write")
    }))
})
