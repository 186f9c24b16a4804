import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import * as Capture from "../../src/link/Capture.ts"
import type { Link, LinkError, Port, Sink } from "../../src/link/Link.ts"
import * as MemoryLink from "../../src/link/MemoryLink.ts"
import * as Vlan from "../../src/link/Vlan.ts"
import * as Frame from "../../src/wire/Frame.ts"
import * as golden from "../wire/golden.ts"
import * as Collector from "./Collector.ts"

const addresses = "02000000000102000000000a"
const request = "000108000604000102000000000a0a0000010000000000000a000002"
const bare = addresses + "0806" + request
/** The same as `tcpdump -e` shows it: VLAN 10 priority 0, VLAN 20 priority 5, VLAN 0 priority 3 and not to be kept. */
const inVlan10 = addresses + "8100000a0806" + request
const inVlan20 = addresses + "8100a0140806" + request
const priorityOnly = addresses + "810070000806" + request

const hex = (frame: Frame.Frame): string => Buffer.from(Frame.copy(frame)).toString("hex")
const plain = (text: string): Frame.Frame => Frame.plain(golden.fromHex(text))

/** A frame with `headroom` octets of its own before it. */
const roomy = (text: string, headroom: number): Frame.Frame => {
  const octets = golden.fromHex(text)
  const bytes = new Uint8Array(headroom + octets.length).fill(0xee)
  bytes.set(octets, headroom)
  return Frame.plain(bytes, headroom)
}

/** A trunk on one end of a wire, and what is seen and sent at the other. */
const wired = (options: MemoryLink.Options = {}) =>
  Effect.gen(function*() {
    const [near, far] = MemoryLink.pair({ names: ["eth0", "peer"], ...options })
    const seen = Collector.make()
    return { trunk: Vlan.trunk(near), seen, peer: yield* far.open(seen), link: near }
  })

describe("Vlan (IEEE 802.1Q-2018 §9.6)", () => {
  it.effect("tags what it sends, with VLAN and priority, byte for byte", () =>
    Effect.gen(function*() {
      const { seen, trunk } = yield* wired()
      const ten = yield* trunk.tagged(10).open(Collector.make())
      const twenty = yield* trunk.tagged(20, { priority: 5 }).open(Collector.make())
      const untagged = yield* trunk.untagged.open(Collector.make())
      ten.send([roomy(bare, 4)], 0)
      twenty.send([roomy(bare, 4)], 0)
      untagged.send([plain(bare)], 0)
      assert.deepStrictEqual(seen.received.map(hex), [inVlan10, inVlan20, bare])
    }))

  it.effect("gives each link the frames of its VLAN, without their tag and in the order of the wire", () =>
    Effect.gen(function*() {
      const { peer, trunk } = yield* wired()
      const heard: Array<string> = []
      const sinks = [0, 10, 20].map((vlan) =>
        Collector.make((batch) => batch.forEach((frame) => heard.push(`${vlan} ${hex(frame)}`)))
      )
      yield* trunk.untagged.open(sinks[0]!)
      yield* trunk.tagged(10).open(sinks[1]!)
      yield* trunk.tagged(20).open(sinks[2]!)
      peer.send([inVlan10, inVlan20, bare, priorityOnly, inVlan10, inVlan10].map(plain), 0)
      assert.deepStrictEqual(heard, ["10", "20", "0", "0", "10", "10"].map((vlan) => `${vlan} ${bare}`))
      assert.deepStrictEqual(sinks.map(({ batches }) => batches), [[2], [1, 2], [1]])
    }))

  it.effect("drops and counts what is of no VLAN here, and tags that are none, and gives their memory back", () =>
    Effect.gen(function*() {
      const { peer, trunk } = yield* wired({ bufferBytes: 1 })
      const sink = Collector.make()
      const port = yield* trunk.tagged(10).open(sink)
      const cutOff = addresses + "810000"
      const reserved = addresses + "8100efff0806" + request
      // Far more than the memory of the wire, unless each frame is released.
      for (let i = 0; i < 20_000; i++) peer.send([bare, inVlan20, cutOff, reserved].map(plain), 0)
      peer.send([plain(inVlan10)], 0)
      assert.strictEqual(sink.received.length, 1)
      assert.deepStrictEqual(trunk.losses(), { unknownVlan: 40_000, malformed: 40_000 })
      assert.deepInclude(port.counters(), { unknownVlan: 40_000, malformed: 40_000, tooLong: 0 })
    }))

  it.effect("leaves a frame as it was, whether there was headroom or not, and bytes that are not its own", () =>
    Effect.gen(function*() {
      const { peer, seen, trunk } = yield* wired()
      const port = yield* trunk.tagged(10).open(Collector.make())
      const frames = [roomy(bare, 4), plain(bare), roomy(bare, 3), roomy(bare, 7)]
      port.send(frames, 1)
      assert.deepStrictEqual(frames.map(hex), [bare, bare, bare, bare])
      assert.deepStrictEqual(seen.received.map(hex), [inVlan10, inVlan10, inVlan10])
      assert.deepStrictEqual([...frames[3]!.bytes.subarray(0, 3)], [0xee, 0xee, 0xee])
      const tagged = plain(inVlan10)
      peer.send([tagged], 0)
      assert.strictEqual(hex(tagged), inVlan10)
    }))

  it.effect("moves the offsets of checksums and super-segments with the tag, both ways", () =>
    Effect.gen(function*() {
      const { peer, seen, trunk } = yield* wired({ checksumOffload: true, segmentation: ["tcp4"] })
      const sink = Collector.make()
      const link = trunk.tagged(10)
      assert.deepStrictEqual(link.capabilities, {
        checksumOffload: true,
        segmentation: new Set(["tcp4"] as const),
        maxSegmentBytes: 65_535
      })
      const port = yield* link.open(sink)
      const large: Frame.Frame = {
        ...roomy(bare + "00".repeat(4000), 4),
        checksum: "partial",
        checksumStart: 34,
        checksumOffset: 16,
        gso: { kind: "tcp4", size: 1448, headerLength: 66 }
      }
      port.send([large], 0)
      const [sent] = seen.received
      assert.deepInclude(sent, { checksum: "partial", checksumStart: 38, checksumOffset: 16 })
      assert.deepStrictEqual(sent!.gso, { kind: "tcp4", size: 1448, headerLength: 70 })
      peer.send([sent!], 0)
      assert.strictEqual(hex(sink.received[0]!), hex(large))
      assert.deepInclude(sink.received[0], { checksumStart: 34, checksumOffset: 16, gso: large.gso })
      peer.send([{ ...plain(inVlan10), checksum: "verified" }], 0)
      assert.deepInclude(sink.received[1], { checksum: "verified", checksumStart: 0 })
    }))

  it.effect("carries a packet as long as the MTU of the link beneath", () =>
    Effect.gen(function*() {
      const { seen, trunk } = yield* wired({ mtu: 1500 })
      const link = trunk.tagged(10)
      assert.deepInclude(link, { name: "eth0.10", mtu: 1500, headroom: 4, medium: "ethernet" })
      const port = yield* link.open(Collector.make())
      port.send([roomy(addresses + "0800" + "45".repeat(1500), 4), roomy(addresses + "0800" + "45".repeat(1501), 4)], 0)
      assert.deepStrictEqual(seen.received.map(Frame.size), [1518])
      assert.strictEqual(port.counters()["tooLong"], 1)
    }))

  it.effect("nests: a VLAN within a VLAN is a link as well", () =>
    Effect.gen(function*() {
      const { peer, seen, trunk } = yield* wired()
      const sink = Collector.make()
      const inner = Vlan.make(trunk.tagged(10), 20)
      assert.deepInclude(inner, { name: "eth0.10.20", headroom: 8 })
      const port = yield* inner.open(sink)
      port.send([roomy(bare, 8)], 0)
      assert.strictEqual(hex(seen.received[0]!), addresses + "8100000a810000140806" + request)
      peer.send([seen.received[0]!], 0)
      assert.deepStrictEqual(sink.received.map(hex), [bare])
    }))
})

/** A link that takes what it is told to, and remembers how often it was opened. */
const limited = (room: () => number) => {
  const shown: Array<Frame.Frame> = []
  const state = { open: 0, opened: 0, sink: undefined as Sink | undefined, failure: undefined as LinkError | undefined }
  const port: Port = {
    send: (all, from) => Math.min(room(), all.length - from),
    writable: Effect.void,
    counters: () => ({})
  }
  const link: Link = {
    ...MemoryLink.pair({ names: ["eth0", "eth1"] })[0],
    open: (sink) =>
      Effect.acquireRelease(
        Effect.suspend(() => {
          if (state.failure !== undefined) return Effect.fail(state.failure)
          state.open += 1
          state.opened += 1
          state.sink = sink
          return Effect.succeed(port)
        }),
        () => Effect.sync(() => state.open -= 1)
      )
  }
  const recorder: Capture.CaptureSink = { attach: () => (frame) => shown.push(frame) }
  return { link, recorder, shown, state }
}

describe("Vlan beneath and above", () => {
  it.effect("shows a frame once to what is beneath, however often the link has to be asked to take it", () =>
    Effect.gen(function*() {
      let room = 1
      const { link, recorder, shown } = limited(() => room)
      const port = yield* Vlan.make(Capture.make(link, recorder), 10).open(Collector.make())
      const all = [roomy(bare, 4), roomy(bare, 4), plain(bare)]
      assert.strictEqual(port.send(all, 0), 1)
      room = 0
      assert.strictEqual(port.send(all, 1), 0)
      room = 9
      assert.strictEqual(port.send(all, 1), 2)
      assert.strictEqual(shown.length, 3)
      assert.deepStrictEqual(all.map(hex), [bare, bare, bare])
    }))

  it.effect("opens the link beneath with the first and closes it with the last", () =>
    Effect.gen(function*() {
      const { link, state } = limited(() => 9)
      const trunk = Vlan.trunk(link)
      const [first, second] = [yield* Scope.make(), yield* Scope.make()]
      yield* Scope.provide(trunk.tagged(10).open(Collector.make()), first)
      yield* Scope.provide(trunk.tagged(20).open(Collector.make()), second)
      assert.strictEqual(state.opened, 1)
      const again = yield* Effect.flip(Effect.scoped(trunk.tagged(20).open(Collector.make())))
      assert.deepInclude(again, { link: "eth0.20", code: "EBUSY" })
      yield* Scope.close(first, Exit.void)
      assert.strictEqual(state.open, 1)
      yield* Scope.close(second, Exit.void)
      assert.strictEqual(state.open, 0)
      yield* Effect.scoped(trunk.tagged(20).open(Collector.make()))
      assert.deepStrictEqual([state.opened, state.open], [2, 0])
    }))

  it.effect("can be opened later if the link beneath fails at first", () =>
    Effect.gen(function*() {
      const { link, state } = limited(() => 9)
      const vlan = Vlan.make(link, 10)
      state.failure = yield* Effect.flip(Effect.scoped(Vlan.make(link, 0).open(Collector.make())))
      assert.strictEqual((yield* Effect.flip(Effect.scoped(vlan.open(Collector.make())))).link, "eth0.0")
      state.failure = undefined
      yield* vlan.open(Collector.make())
      assert.strictEqual(state.open, 1)
    }))

  it.effect("tells every link of changes, and one that opens later where things stand", () =>
    Effect.gen(function*() {
      const { link, state } = limited(() => 9)
      const trunk = Vlan.trunk(link)
      const [early, late, last] = [Collector.make(), Collector.make(), Collector.make()]
      yield* trunk.tagged(10).open(early)
      state.sink!.changed({ _tag: "Down" })
      state.sink!.changed({ _tag: "MtuChanged", mtu: 1400 })
      yield* trunk.tagged(20).open(late)
      const expected = [{ _tag: "Down" }, { _tag: "MtuChanged", mtu: 1400 }] as const
      assert.deepStrictEqual([early.changes, late.changes], [[...expected], [...expected]])
      state.sink!.changed({ _tag: "Up" })
      yield* trunk.untagged.open(last)
      assert.deepStrictEqual(last.changes, [{ _tag: "MtuChanged", mtu: 1400 }])
    }))

  it.effect("refuses VLANs that are none, priorities that are none, and links without Ethernet", () =>
    Effect.gen(function*() {
      const { link } = yield* wired()
      const hintOf = (vlan: Link) =>
        Effect.map(Effect.flip(Effect.scoped(vlan.open(Collector.make()))), ({ hint }) => hint)
      for (const identifier of [0, -1, 4095, 1.5, Number.NaN]) {
        assert.strictEqual(yield* hintOf(Vlan.make(link, identifier)), "a VLAN is 1 to 4094")
      }
      for (const priority of [-1, 8, 0.5]) {
        assert.strictEqual(yield* hintOf(Vlan.make(link, 1, { priority })), "a priority is 0 to 7")
      }
      const [bareIp] = MemoryLink.pair({ medium: "ip" })
      assert.strictEqual(yield* hintOf(Vlan.apply(1)(bareIp)), "only an Ethernet link has VLANs")
    }))
})
