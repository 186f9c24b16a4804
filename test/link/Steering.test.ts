/** Which frame is whose among shards, and how frames get there. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as MemoryLink from "../../src/link/MemoryLink.ts"
import * as Steering from "../../src/link/Steering.ts"
import * as Address from "../../src/wire/Address.ts"
import * as Frame from "../../src/wire/Frame.ts"
import * as IpProtocol from "../../src/wire/IpProtocol.ts"
import * as Packets from "../core/Packets.ts"
import * as Collector from "./Collector.ts"

const mac = 0x0200_0000_0001
const otherMac = 0x0200_0000_0002
const families = [
  [Address.v4(10, 0, 0, 1), Address.v4(10, 0, 0, 2)],
  [Address.v6(0x20010db8, 0, 0, 1), Address.v6(0x20010db8, 0, 0, 2)]
] as const

/** The first octets of a transport header: the ports, or type and code. */
const transport = (first: number, second: number): Uint8Array => {
  const bytes = new Uint8Array(20)
  new DataView(bytes.buffer).setUint16(0, first)
  new DataView(bytes.buffer).setUint16(2, second)
  return bytes
}

const packet = (family: 0 | 1, protocol: number, payload: Uint8Array): Uint8Array => {
  const [source, destination] = families[family]
  const header = { protocol, trafficClass: 0, dontFragment: true, identification: 0 }
  return Packets.frame(Packets.ip(source, destination, payload, header), mac, otherMac)
}

const arp = (operation: 1 | 2): Uint8Array => {
  const bytes = new Uint8Array(60)
  bytes.set([0x08, 0x06, 0, 1, 8, 0, 6, 4, 0, operation], 12)
  return bytes
}

const ownerOf = (bytes: Uint8Array, shards = 2): Steering.Owner => Steering.ownerOf(bytes, 0, bytes.length, shards)

const icmp = (type: number): Uint8Array => transport(type << 8, 0)

/** What shards hand to each other, by who gets it. */
const exchanges = (shards: number) => {
  const listeners: Array<((frame: Frame.Frame) => void) | undefined> = Array(shards).fill(undefined)
  const of = (shard: number): Steering.Exchange => ({
    hand: (to, frame) => {
      listeners[to]?.({ ...Frame.plain(Frame.copy(frame)), checksum: frame.checksum })
      return listeners[to] !== undefined
    },
    receive: (listener) => {
      listeners[shard] = listener
      return () => {
        listeners[shard] = undefined
      }
    }
  })
  return { of, listeners }
}

/** Two shards on a wire each; what their stacks see, and what the far end of each wire sees. */
const twoShards = Effect.gen(function*() {
  const { listeners, of } = exchanges(2)
  const make = (shard: number) =>
    Effect.gen(function*() {
      const [near, far] = MemoryLink.pair({ names: [`queue${shard}`, "peer"] })
      const stack = Collector.make()
      const kernel = Collector.make()
      const port = yield* Steering.make(near, { shard, shards: 2 }, of(shard)).open(stack)
      return { stack, kernel, port, peer: yield* far.open(kernel) }
    })
  return { one: yield* make(0), other: yield* make(1), listeners }
})

describe("Steering", () => {
  it("gives each shard a part of the ephemeral ports, all of one size, none of them twice", () => {
    for (const shards of [1, 2, 3, 7, 256]) {
      const parts = Array.from({ length: shards }, (_, shard) => Steering.portsOf({ shard, shards }))
      const sizes = new Set(parts.map(({ first, last }) => last - first))
      assert.strictEqual(sizes.size, 1)
      assert.strictEqual(parts[0]!.first, 49_152)
      assert.isAtMost(parts.at(-1)!.last, 65_535)
      for (const [i, part] of parts.slice(1).entries()) assert.strictEqual(part.first, parts[i]!.last + 1)
      for (const [shard, { first, last }] of parts.entries()) {
        for (const port of [first, last]) {
          assert.strictEqual(ownerOf(packet(0, IpProtocol.tcp, transport(80, port)), shards), shard)
          assert.strictEqual(ownerOf(packet(1, IpProtocol.udp, transport(53, port)), shards), shard)
        }
      }
    }
  })

  it("leaves what comes for listeners, and requests, to whoever's queue it came on", () => {
    for (const family of [0, 1] as const) {
      for (const protocol of [IpProtocol.tcp, IpProtocol.udp]) {
        assert.strictEqual(ownerOf(packet(family, protocol, transport(60_000, 80))), "whoever")
        assert.strictEqual(ownerOf(packet(family, protocol, transport(60_000, 49_151))), "whoever")
      }
    }
    assert.strictEqual(ownerOf(packet(0, IpProtocol.icmp, icmp(8))), "whoever")
    assert.strictEqual(ownerOf(packet(1, IpProtocol.icmpv6, icmp(128))), "whoever")
  })

  it("tells everyone of neighbours, routers, groups, replies and errors", () => {
    assert.strictEqual(ownerOf(arp(1)), "everyone")
    assert.strictEqual(ownerOf(arp(2)), "everyone")
    for (const type of [0, 3, 5, 11, 12]) {
      assert.strictEqual(ownerOf(packet(0, IpProtocol.icmp, icmp(type))), "everyone")
    }
    for (const type of [1, 2, 3, 4, 129, 134, 135, 136, 137]) {
      assert.strictEqual(ownerOf(packet(1, IpProtocol.icmpv6, icmp(type))), "everyone")
    }
    assert.strictEqual(ownerOf(packet(0, IpProtocol.igmp, icmp(0x11))), "everyone")
  })

  it("reads no port where there is none: fragments, short frames, other protocols", () => {
    const fragment = packet(0, IpProtocol.udp, transport(53, 50_000))
    assert.strictEqual(ownerOf(fragment), 0)
    fragment[20] = 0x20
    assert.strictEqual(ownerOf(fragment), "whoever")
    const whole = packet(1, IpProtocol.tcp, transport(80, 65_000))
    for (let end = 0; end < 14 + 40 + 4; end++) {
      assert.strictEqual(Steering.ownerOf(whole, 0, end, 2), "whoever")
    }
    assert.strictEqual(Steering.ownerOf(whole, 0, 14 + 40 + 4, 2), 1)
  })

  it.effect("hands a frame to its owner and gives its slab back, once", () =>
    Effect.gen(function*() {
      const { one, other } = yield* twoShards
      const bytes = packet(0, IpProtocol.tcp, transport(80, 65_000))
      one.peer.send([Frame.plain(bytes)], 0)
      assert.strictEqual(one.stack.received.length, 0)
      assert.deepStrictEqual(other.stack.received.map(Frame.copy), [bytes])
      const mine = packet(0, IpProtocol.tcp, transport(80, 50_000))
      one.peer.send([Frame.plain(mine), Frame.plain(arp(1))], 0)
      assert.deepStrictEqual(one.stack.received.map(Frame.copy), [mine, arp(1)])
      assert.deepStrictEqual(other.stack.received.map(Frame.copy), [bytes, arp(1)])
      assert.deepInclude(one.port.counters(), { handedOver: 2, taken: 0 })
      assert.deepInclude(other.port.counters(), { handedOver: 0, taken: 2 })
    }))

  it.effect("lets the first shard alone tell the address that all have", () =>
    Effect.gen(function*() {
      const { one, other } = yield* twoShards
      const advertisement = packet(1, IpProtocol.icmpv6, icmp(136))
      const solicitation = packet(1, IpProtocol.icmpv6, icmp(135))
      const sent = [arp(2), arp(1), advertisement, solicitation, arp(2)].map((bytes) => Frame.plain(bytes))
      assert.strictEqual(one.port.send(sent, 0), 5)
      assert.strictEqual(one.kernel.received.length, 5)
      assert.strictEqual(other.port.send(sent, 0), 5)
      assert.deepStrictEqual(other.kernel.received.map(Frame.copy), [arp(1), solicitation])
      assert.deepInclude(other.port.counters(), { leftToFirst: 3 })
    }))

  it.effect("takes nothing more once it is closed", () =>
    Effect.gen(function*() {
      const { listeners } = yield* Effect.scoped(twoShards)
      assert.deepStrictEqual(listeners, [undefined, undefined])
    }))
})
