import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import * as Bridge from "../../src/link/Bridge.ts"
import type { Link, Port, Sink } from "../../src/link/Link.ts"
import * as MemoryLink from "../../src/link/MemoryLink.ts"
import * as Offload from "../../src/link/Offload.ts"
import * as Signal from "../../src/link/Signal.ts"
import * as Vlan from "../../src/link/Vlan.ts"
import * as Tcp from "../../src/sockets/Tcp.ts"
import * as Packet from "../../src/testing/Packet.ts"
import * as Checksum from "../../src/wire/Checksum.ts"
import * as Frame from "../../src/wire/Frame.ts"
import * as Mac from "../../src/wire/Mac.ts"
import { host, on } from "../workers/Hosts.ts"
import * as Collector from "./Collector.ts"

const station = (index: number): Mac.Mac => 0x0200_0000_0000 + index

const between = (source: Mac.Mac, destination: Mac.Mac, length = 60): Frame.Frame => {
  const bytes = new Uint8Array(length)
  Mac.write(destination, bytes, 0)
  Mac.write(source, bytes, 6)
  return Frame.plain(bytes)
}

/** Wires in memory, whose near ends are for a bridge. */
const wires = (count: number, options: MemoryLink.Options = {}) => {
  const pairs = Array.from(
    { length: count },
    (_, index) => MemoryLink.pair({ ...options, names: [`wire${index}`, `station${index}`] })
  )
  return { near: pairs.map(([near]) => near), far: pairs.map(([, far]) => far) }
}

/** An open bridge of three wires, with what arrives at their far ends and at its own port, which is the last. */
const opened = (options: Bridge.Options = {}) =>
  Effect.gen(function*() {
    const { far, near } = wires(3)
    const bridge = Bridge.make(near, options)
    const sinks = Array.from({ length: 4 }, () => Collector.make())
    const ports: Array<Port> = []
    for (const [index, link] of [...far, bridge.link].entries()) ports.push(yield* link.open(sinks[index]!))
    return { bridge, ports, counts: () => sinks.map(({ received }) => received.length) }
  })

/** A link that takes as many frames as there is room, for a bridge, and what it was given. */
const narrow = (headroom = 0) => {
  const room = Signal.make()
  const state = { room: 0, taken: new Array<Frame.Frame>(), sink: undefined as Sink | undefined }
  const port: Port = {
    send: (frames, from) => {
      const count = Math.min(state.room, frames.length - from)
      state.room -= count
      for (const frame of frames.slice(from, from + count)) {
        frame.bytes.fill(0xee, frame.start - headroom, frame.start)
        state.taken.push({ ...frame, bytes: Frame.copy(frame), start: 0, end: Frame.size(frame) })
      }
      return count
    },
    writable: Effect.suspend(() => state.room > 0 ? Effect.void : room.wait),
    counters: () => ({ tooLong: 1 })
  }
  const link: Link = {
    ...MemoryLink.pair({ names: ["narrow", ""] })[0],
    headroom,
    open: (sink) =>
      Effect.sync(() => {
        state.sink = sink
        return port
      })
  }
  const widen = (by: number) => {
    state.room += by
    room.notify()
  }
  return { link, state, widen }
}

describe("Bridge (IEEE 802.1D-2004 §7)", () => {
  it.effect("floods between its members and its own port, and learns where stations are", () =>
    Effect.gen(function*() {
      const { bridge, counts, ports } = yield* opened()
      ports[0]!.send([between(station(0), station(9))], 0)
      assert.deepStrictEqual(counts(), [0, 1, 1, 1])
      ports[3]!.send([between(station(9), station(0))], 0)
      assert.deepStrictEqual(counts(), [1, 1, 1, 1])
      ports[1]!.send([between(station(1), Mac.broadcast)], 0)
      assert.deepStrictEqual(counts(), [2, 1, 2, 2])
      ports[0]!.send([between(station(0), station(1))], 0)
      assert.deepStrictEqual(counts(), [2, 2, 2, 2])
      assert.deepStrictEqual(
        bridge.table(),
        new Map([[station(0), "wire0"], [station(9), "bridge0"], [station(1), "wire1"]])
      )
    }))

  it.effect("learns no more stations than its table holds, and counts the others", () =>
    Effect.gen(function*() {
      const { bridge, ports } = yield* opened({ tableSize: 10 })
      for (let i = 0; i < 100; i++) ports[0]!.send([between(station(i), Mac.broadcast)], 0)
      assert.deepStrictEqual([bridge.table().size, bridge.notLearned()], [10, 90])
    }))

  it.effect("forgets the stations behind a member that goes down or away", () =>
    Effect.gen(function*() {
      const { link, state } = narrow()
      const { far, near } = wires(1)
      const bridge = Bridge.make([link, ...near])
      yield* bridge.link.open(Collector.make())
      const port = yield* far[0]!.open(Collector.make())
      const plug = () => state.sink!.frames([between(station(0), Mac.broadcast)])
      port.send([between(station(1), Mac.broadcast)], 0)
      for (const change of [{ _tag: "Down" }, { _tag: "Gone", error: undefined }] as const) {
        plug()
        assert.deepStrictEqual(bridge.table(), new Map([[station(1), "wire0"], [station(0), "narrow"]]))
        state.sink!.changed(change)
        assert.deepStrictEqual(bridge.table(), new Map([[station(1), "wire0"]]))
      }
    }))

  it.effect("waits for a slow member within a bound, in order, and serves the others", () =>
    Effect.gen(function*() {
      const { link, state, widen } = narrow()
      const { far, near } = wires(1)
      const bridge = Bridge.make([link, ...near], { queueFrames: 100_000, bufferBytes: 512 * 1024 })
      const sink = Collector.make()
      const port = yield* bridge.link.open(Collector.make())
      yield* far[0]!.open(sink)
      for (let i = 0; i < 1000; i++) port.send([between(station(i), Mac.broadcast, 1500)], 0)
      assert.deepStrictEqual([sink.received.length, state.taken.length], [1000, 0])
      const overflow = port.counters()["overflow"]!
      assert.isAbove(overflow, 500)
      widen(7)
      for (let i = 0; i < 100; i++) yield* Effect.yieldNow
      widen(1000)
      for (let i = 0; i < 100; i++) yield* Effect.yieldNow
      const sources = state.taken.map(({ bytes }) => Mac.read(bytes, 6))
      assert.deepStrictEqual(sources, Array.from({ length: 1000 - overflow }, (_, index) => station(index)))
      state.room = 1
      port.send([between(station(5), Mac.broadcast)], 0)
      assert.strictEqual(state.taken.length, 1000 - overflow + 1)
    }))

  it.effect("counts for each member what was lost on the way from it and to it", () =>
    Effect.gen(function*() {
      const { link, state } = narrow()
      const bridge = Bridge.make([link])
      yield* bridge.link.open(Collector.make())
      state.sink!.frames([between(station(0), 0x0180_c200_0000), between(station(0), Mac.broadcast, 1600)])
      assert.deepInclude(bridge.counters().get("narrow"), { reserved: 1, tooLong: 2 })
    }))

  it.effect("leaves each member the headroom that it wants", () =>
    Effect.gen(function*() {
      const { link, state, widen } = narrow(12)
      const { far, near } = wires(1)
      const bridge = Bridge.make([link, ...near])
      yield* bridge.link.open(Collector.make())
      const port = yield* far[0]!.open(Collector.make())
      port.send(Array.from({ length: 20 }, (_, index) => between(station(index), Mac.broadcast)), 0)
      widen(20)
      for (let i = 0; i < 100; i++) yield* Effect.yieldNow
      assert.deepStrictEqual(
        state.taken.map(({ bytes }) => [Mac.read(bytes, 0), Mac.read(bytes, 6)]),
        Array.from({ length: 20 }, (_, index) => [Mac.broadcast, station(index)])
      )
    }))

  it.effect("has the least MTU of its members, the first MAC, and closes them with itself", () =>
    Effect.gen(function*() {
      const [plain] = MemoryLink.pair({ names: ["a", "b"], mtu: 9000 })
      const [own] = MemoryLink.pair({ names: ["c", "d"], mtu: 1400, macs: [station(3), station(4)] })
      const { link } = Bridge.make([plain, own], { name: "lan" })
      assert.deepInclude(link, { name: "lan", mtu: 1400, mac: station(3), medium: "ethernet" })
      const scope = yield* Scope.make()
      yield* Scope.provide(link.open(Collector.make()), scope)
      assert.strictEqual((yield* Effect.flip(Effect.scoped(plain.open(Collector.make())))).code, "EBUSY")
      yield* Scope.close(scope, Exit.void)
      yield* plain.open(Collector.make())
      assert.strictEqual(Bridge.make([own], { mac: "02:00:00:00:00:09" }).link.mac, 0x0200_0000_0009)
      const wrong = Bridge.make([own], { mac: "nine" }).link
      assert.match((yield* Effect.flip(Effect.scoped(wrong.open(Collector.make())))).message, /nine is no MAC address/)
      const failure = yield* Effect.flip(Effect.scoped(link.open(Collector.make())))
      assert.deepInclude(failure, { link: "a", code: "EBUSY" })
    }))

  it.effect("refuses links without Ethernet and names that occur twice", () =>
    Effect.gen(function*() {
      const { near } = wires(2)
      const [bare] = MemoryLink.pair({ medium: "ip" })
      const hintOf = (members: ReadonlyArray<Link>, name = "bridge0") =>
        Effect.map(Effect.flip(Effect.scoped(Bridge.make(members, { name }).link.open(Collector.make()))), ({ hint }) =>
          hint)
      assert.strictEqual(yield* hintOf([...near, bare]), "only Ethernet links can be bridged")
      const twice = "each member and the bridge need a name of their own"
      assert.deepStrictEqual([yield* hintOf([near[0]!, near[0]!]), yield* hintOf(near, "wire1")], [twice, twice])
    }))
})

/** A super-segment of TCP over IPv4 as a stack hands it to a link with offload, behind `tags` VLAN tags. */
const superSegment = (payloadLength: number, size: number, tag = ""): Frame.Frame => {
  const link = `020000000002020000000001${tag}0800`
  const ip = "4500" + (40 + payloadLength).toString(16).padStart(4, "0") + "00014000400600000a0000010a000002"
  const tcp = "04d2005000000001000000025018010000000000"
  const head = Buffer.from(link + ip + tcp, "hex")
  const bytes = new Uint8Array(head.length + payloadLength)
  bytes.set(head)
  for (let i = head.length; i < bytes.length; i++) bytes[i] = i % 251
  const [checksumStart, checksumOffset] = [link.length / 2 + 20, 16]
  const ipAt = link.length / 2
  const pseudo = Checksum.fold(Checksum.sum(bytes, ipAt + 12, ipAt + 20, 6 + 20 + payloadLength))
  new DataView(bytes.buffer).setUint16(checksumStart + checksumOffset, pseudo)
  const ipSum = Checksum.finish(Checksum.sum(bytes, ipAt, ipAt + 20, 0))
  new DataView(bytes.buffer).setUint16(ipAt + 10, ipSum)
  const gso = payloadLength > size ? { kind: "tcp4", size, headerLength: head.length } as const : undefined
  return { ...Frame.plain(bytes), checksum: "partial", checksumStart, checksumOffset, gso }
}

/** As if the tag were not there. */
const untagged = (frame: Frame.Frame, tagBytes: number): Uint8Array => {
  const bytes = Frame.copy(frame)
  bytes.copyWithin(tagBytes, 0, 12)
  return bytes.subarray(tagBytes)
}

describe("A frame for a link that can do less", () => {
  const plain: Offload.Limits = {
    medium: "ethernet",
    mtu: 1500,
    capabilities: { checksumOffload: false, segmentation: new Set(), maxSegmentBytes: 1500 }
  }

  for (const [tag, bytes] of [["", 0], ["8100000a", 4], ["88a800018100000a", 8]] as const) {
    it(`is cut and its checksums are completed, behind ${bytes} bytes of tags`, () => {
      const whole = superSegment(4000, 1460, tag)
      const frames = Offload.lowered(plain, 12, [whole])
      assert.deepStrictEqual(frames.map(Frame.size), [1514 + bytes, 1514 + bytes, 1134 + bytes])
      assert.isTrue(frames.every(({ checksum, gso, start }) => checksum === "none" && gso === undefined && start >= 12))
      const packets = frames.map((frame) => Packet.read(untagged(frame, bytes)))
      assert.isTrue(packets.every(({ tcp }) => tcp?.isIntact))
      const payload = Buffer.concat(packets.map((packet) => packet.payload))
      assert.isTrue(payload.equals(whole.bytes.subarray(54 + bytes)))
    })
  }

  it("keeps its partial checksum where the link completes it, and is itself where the link can carry it", () => {
    const checksums = { ...plain, capabilities: { ...plain.capabilities, checksumOffload: true } }
    const [first, second] = Offload.lowered(checksums, 0, [superSegment(2000, 1460)])
    assert.deepInclude(first, { checksum: "partial", checksumStart: 34, checksumOffset: 16, gso: undefined })
    assert.strictEqual(Frame.size(second!), 54 + 540)
    const whole = [superSegment(1000, 1460), Frame.plain(new Uint8Array(60))]
    assert.strictEqual(Offload.lowered(checksums, 0, whole), whole)
    const [completed, same] = Offload.lowered(plain, 0, whole)
    assert.isTrue(Packet.read(Frame.copy(completed!)).tcp?.isIntact)
    assert.strictEqual(same, whole[1])
  })

  it("gives its memory back", () => {
    let released = 0
    const slab = { release: () => released++ }
    Offload.lowered(plain, 0, [{ ...superSegment(4000, 1460), slab }, { ...Frame.plain(new Uint8Array(60)), slab }])
    assert.strictEqual(released, 1)
  })
})

describe("Stacks across a bridge", () => {
  const bytes = Uint8Array.from({ length: 300_000 }, (_, index) => index % 253)

  /** Sends everything from one stack to the other. */
  const transfer = (from: Effect.Success<ReturnType<typeof host>>, to: typeof from, address: string) =>
    Effect.scoped(Effect.gen(function*() {
      const listener = yield* on(to)(Tcp.listen({ port: 7 }))
      const client = yield* on(from)(Tcp.connect({ host: address, port: 7 }))
      const server = yield* listener.accept
      const [received] = yield* Effect.all([server.readAll, Effect.andThen(client.write(bytes), client.end)], {
        concurrency: 2
      })
      assert.isTrue(Buffer.from(received).equals(bytes))
    }))

  it.live("transfer between links with offload and without, and with the bridge's own stack, in a VLAN and outside", () =>
    Effect.gen(function*() {
      const offload = MemoryLink.pair({ names: ["fast", "a"], checksumOffload: true, segmentation: ["tcp4", "tcp6"] })
      const bare = MemoryLink.pair({ names: ["slow", "b"] })
      const trunk = Vlan.trunk(Bridge.make([offload[0], bare[0]]).link)
      const interfaces = [{ ipv4: "10.0.0.3/24" }, { ipv4: "10.0.1.3/24" }] as const
      const middle = yield* host([trunk.untagged, trunk.tagged(10)], { interfaces }, 3)
      const left = yield* host([offload[1]], { ipv4: "10.0.0.1/24" }, 1)
      const rightTrunk = Vlan.trunk(bare[1])
      const right = yield* host([rightTrunk.untagged, rightTrunk.tagged(10)], {
        interfaces: [{ ipv4: "10.0.0.2/24" }, { ipv4: "10.0.1.2/24" }]
      }, 2)
      yield* transfer(left, right, "10.0.0.2")
      yield* transfer(right, left, "10.0.0.1")
      yield* transfer(middle, left, "10.0.0.1")
      yield* transfer(right, middle, "10.0.0.3")
      yield* transfer(right, middle, "10.0.1.3")
      yield* transfer(middle, right, "10.0.1.2")
    }))
})
