/**
 * The bounds of neighbours, IP, ICMP, datagrams and the stack as a whole: each row is hit, and what is said to happen happens.
 */
import { assert } from "@effect/vitest"
import * as Bounds from "../../../src/core/Bounds.ts"
import type { DropReason } from "../../../src/core/Drop.ts"
import * as Time from "../../../src/core/Time.ts"
import type * as Host from "../../../src/testing/Host.ts"
import * as Address from "../../../src/wire/Address.ts"
import * as IpProtocol from "../../../src/wire/IpProtocol.ts"
import * as Lan from "../Lan.ts"

/** A row's test. */
export type Hit = () => void

const { here, link, there } = Lan

export const limited = (limits: Partial<Bounds.Limits>, options: Host.Options = {}): Host.Host => {
  const self = Lan.host({ ...options, limits })
  Lan.introduce(self)
  return self
}

export const reasonOf = (asked: Host.Asked<unknown>): object => {
  const outcome = asked.outcome()
  return outcome._tag === "Failed" ? outcome.reason : outcome
}

/** The reason by which the table says that the row's drops are counted. */
export const dropOf = (name: Bounds.Name): DropReason => {
  const { atLimit }: Bounds.Bound = Bounds.table[name]
  if (!("drop" in atLimit)) throw new Error(`${name} drops nothing`)
  return atLimit.drop
}

const station = (n: number): Address.Ipv4 => Address.v4(10, 0, 0, 100 + n)

const known = (self: Host.Host): ReadonlyArray<string> =>
  self.call({ _tag: "ListNeighbors", link }).map(({ address }) => Address.format(address))

/** The first half of a datagram of so many octets, which waits for its other half. */
const half = (identification: number, length = 64, source = there): Uint8Array =>
  Lan.ethernet(Lan.ip(Lan.bytes(length), { protocol: IpProtocol.udp, identification, moreFragments: true, source }))

const neighbors = {
  neighborEntries: () => {
    const self = limited({ neighborEntries: 3 })
    self.advance(Time.seconds(5))
    for (const n of [1, 2]) {
      Lan.introduce(self, station(n), 0x0200_0000_7700 + n)
      self.advance(Time.seconds(5))
    }
    // The first one is used again, so the second is the one unused for longest.
    self.request(Lan.ping(there))
    Lan.introduce(self, station(3), 0x0200_0000_7703)
    assert.deepStrictEqual(known(self), ["10.0.0.9", "10.0.0.102", "10.0.0.103"])
    assert.strictEqual(self.counter("neighborEvicted"), 1)
    const held = limited({ neighborEntries: 2 })
    held.call({ _tag: "SetNeighbor", link, address: station(1), mac: 0x0200_0000_7701 })
    held.call({ _tag: "RemoveNeighbor", link, address: there })
    held.request(Lan.ping(station(2)))
    held.request(Lan.ping(station(3)))
    assert.deepStrictEqual(known(held), ["10.0.0.101", "10.0.0.103"])
    held.call({ _tag: "RemoveNeighbor", link, address: station(3) })
    held.call({ _tag: "SetNeighbor", link, address: station(2), mac: 0x0200_0000_7702 })
    held.request(Lan.ping(station(3)))
    assert.deepStrictEqual(known(held), ["10.0.0.101", "10.0.0.102"])
    // What waited for the one that made room, and what found none.
    assert.strictEqual(held.dropCount("NeighborCacheFull"), 2)
  },
  neighborParkedPackets: () => {
    const self = limited({ neighborParkedPackets: 3 })
    const socket = Lan.bind(self, 8)
    for (let i = 0; i < 5; i++) self.call(Lan.send(socket, station(1), 7, Uint8Array.of(i)))
    assert.strictEqual(self.dropCount(dropOf("neighborParkedPackets")), 2)
    Lan.sent(self)
    self.deliver(
      link,
      Lan.arp({
        operation: 2,
        senderMac: 0x0200_0000_7701,
        senderIp: station(1),
        targetMac: Lan.hereMac,
        targetIp: here
      })
    )
    // rfc: 4861 §7.2.2: the oldest make room.
    assert.deepStrictEqual(Lan.sent(self).map(({ payload }) => payload[0]), [2, 3, 4])
    assert.strictEqual(self.call({ _tag: "UdpGetInfo", socket }).bytesUnsent, 0)
  },
  neighborParkedBytes: () => {
    const self = limited({ neighborParkedBytes: 3000 })
    const socket = Lan.bind(self, 8)
    for (let i = 0; i < 5; i++) self.call(Lan.send(socket, station(i), 7, Lan.bytes(1000)))
    assert.strictEqual(self.dropCount(dropOf("neighborParkedBytes")), 3)
    assert.isAtMost(self.memory("parkedPackets"), 3000)
    assert.isAbove(self.memory("parkedPackets"), 2000)
  }
} satisfies Partial<Record<Bounds.Name, Hit>>

const fragments = {
  reassemblyBytes: () => {
    const self = limited({ reassemblyBytes: 10_000, reassemblyBytesPerPeer: 1_000_000 })
    for (let i = 0; i < 50; i++) {
      self.deliver(link, half(i, 1000))
      assert.isAtMost(self.memory("fragments"), 10_000)
    }
    assert.isAbove(self.dropCount("FragmentLimit"), 40)
    assert.strictEqual(self.counter("reassemblyFailed"), self.dropCount("FragmentLimit"))
    // The youngest are the ones that are left.
    const left = Array.from(self.state.ip.incomplete.values(), ({ identification }) => identification)
    assert.deepStrictEqual(left, Array.from({ length: left.length }, (_, i) => 50 - left.length + i))
    self.advance(Time.seconds(60))
    assert.strictEqual(self.memory(), 0)
  },
  reassemblyBytesPerPeer: () => {
    const self = limited({ reassemblyBytesPerPeer: 5000 })
    for (let i = 0; i < 10; i++) self.deliver(link, half(i, 1000))
    assert.isAtMost(self.memory("fragments"), 5000)
    const dropped = self.dropCount(dropOf("reassemblyBytesPerPeer"))
    assert.isAbove(dropped, 5)
    self.deliver(link, half(1, 1000, station(1)))
    assert.strictEqual(self.dropCount("FragmentLimit"), dropped)
  },
  reassemblyFragments: () => {
    const self = limited({ reassemblyFragments: 4 })
    for (let i = 0; i < 5; i++) {
      const fields = { protocol: IpProtocol.udp, fragmentOffset: i * 16, moreFragments: true }
      self.deliver(link, Lan.ethernet(Lan.ip(Lan.bytes(8), fields)))
    }
    assert.strictEqual(self.dropCount(dropOf("reassemblyFragments")), 1)
    assert.isBelow(self.memory("fragments"), 1000)
  }
} satisfies Partial<Record<Bounds.Name, Hit>>

const ip = {
  icmpErrorsPerSecond: () => {
    const self = limited({ icmpErrorsPerSecond: 20, icmpErrorBurst: 1 })
    for (let i = 0; i < 200; i++) {
      self.deliver(link, Lan.datagram(7, 9999, Lan.bytes(4)))
      self.advance(Time.millis(10))
    }
    assert.closeTo(self.counter("icmpErrorsSent"), 40, 1)
    assert.strictEqual(self.dropCount(dropOf("icmpErrorsPerSecond")), 200 - self.counter("icmpErrorsSent"))
  },
  icmpErrorBurst: () => {
    const self = limited({ icmpErrorsPerSecond: 20, icmpErrorBurst: 7 })
    for (let i = 0; i < 30; i++) self.deliver(link, Lan.datagram(7, 9999, Lan.bytes(4)))
    assert.strictEqual(self.counter("icmpErrorsSent"), 7)
    assert.strictEqual(self.dropCount(dropOf("icmpErrorBurst")), 23)
  },
  transmitQueueBytes: () => {
    const self = limited({ transmitQueueBytes: 1000 })
    self.stall(link)
    for (let i = 0; i < 20; i++) self.deliver(link, Lan.ethernet(Lan.ip(Lan.echo(1, i, Lan.bytes(58)))))
    assert.strictEqual(self.state.queued.get(link), 1000)
    assert.strictEqual(self.dropCount(dropOf("transmitQueueBytes")), 10)
    // What somebody pays for is not dropped: its sender waits instead.
    const socket = Lan.bind(self, 8)
    self.call(Lan.send(socket, there, 7, Lan.bytes(500)))
    self.resume(link)
    assert.strictEqual(self.takeFrames(link).length, 11)
    assert.strictEqual(self.state.queued.get(link), 0)
  },
  pathMtus: () => {
    const self = Lan.host({ limits: { pathMtus: 2 }, interfaces: [{ addresses: [[here, 24]], gateway: there }] })
    Lan.introduce(self)
    for (const n of [1, 2, 3]) {
      self.request({ ...Lan.ping(Address.v4(192, 0, 2, n), Lan.bytes(1400)), dontFragment: true })
      const quoted = self.takeFrames(link)[0]!.slice(14, 42)
      self.deliver(link, Lan.ethernet(Lan.ip(Lan.icmp({ _tag: "Unreachable", code: 4, mtu: 1000 }, quoted))))
    }
    const left = Array.from(self.state.ip.pathMtus.values(), ({ destination }) => Address.format(destination))
    assert.deepStrictEqual(left, ["192.0.2.2", "192.0.2.3"])
    assert.strictEqual(self.state.ip.pathMtuOrder.size, 2)
  }
} satisfies Partial<Record<Bounds.Name, Hit>>

const configured = {
  addresses: () => {
    const self = limited({ addresses: 2 })
    const add = (n: number) =>
      reasonOf(self.request({ _tag: "AddAddress", link, address: station(n), prefixLength: 24, origin: "static" }))
    assert.deepStrictEqual(add(1), { _tag: "Done", value: undefined })
    assert.deepStrictEqual(add(2), { _tag: "LimitReached", bound: "addresses" })
    // One that is there may be renewed.
    assert.deepStrictEqual(add(1), { _tag: "Done", value: undefined })
  },
  interfaces: () => {
    const self = limited({ interfaces: 2 })
    const given = { ...self.step.links.get(link)!, id: 5, addresses: [] }
    assert.deepStrictEqual(reasonOf(self.request({ _tag: "AttachLink", interface: given })), {
      _tag: "LimitReached",
      bound: "interfaces"
    })
  },
  routes: () => {
    const self = limited({ routes: 2 })
    const add = (n: number) =>
      reasonOf(
        self.request({
          _tag: "AddRoute",
          prefix: Address.v4(192, 0, n, 0),
          length: 24,
          gateway: there,
          link,
          metric: 0,
          source: undefined
        })
      )
    assert.deepStrictEqual(add(1), { _tag: "Done", value: undefined })
    assert.deepStrictEqual(add(2), { _tag: "LimitReached", bound: "routes" })
    assert.deepStrictEqual(add(1), { _tag: "Done", value: undefined })
  }
} satisfies Partial<Record<Bounds.Name, Hit>>

const sockets = {
  sockets: () => {
    const self = limited({ sockets: 3 })
    Lan.bind(self, 8)
    self.call({ _tag: "RawOpen", version: 4, protocol: 99, link: undefined })
    self.request(Lan.ping(there))
    const full = { _tag: "LimitReached", bound: "sockets" }
    assert.deepStrictEqual(reasonOf(self.request(Lan.ping(there))), full)
    assert.deepStrictEqual(reasonOf(self.request({ _tag: "RawOpen", version: 4, protocol: 1, link: undefined })), full)
    const bind = {
      _tag: "UdpBind",
      local: undefined,
      version: undefined,
      port: 0,
      link: undefined,
      options: {}
    } as const
    assert.deepStrictEqual(reasonOf(self.request(bind)), full)
  },
  datagramReceiveBytes: () => {
    const self = limited({ datagramReceiveBytes: 10_000 })
    const socket = Lan.bind(self, 8)
    const { socket: raw } = self.call({ _tag: "RawOpen", version: 4, protocol: IpProtocol.udp, link: undefined })
    for (let i = 0; i < 50; i++) self.deliver(link, Lan.datagram(7, 8, Lan.bytes(500)))
    const info = self.call({ _tag: "UdpGetInfo", socket })
    assert.isAtMost(info.bytesWaiting, 10_000)
    assert.isAbove(info.datagramsWaiting, 10)
    assert.strictEqual(info.datagramsDropped, 50 - info.datagramsWaiting)
    assert.strictEqual(self.dropCount(dropOf("datagramReceiveBytes")), info.datagramsDropped)
    assert.strictEqual(self.call(Lan.receive(socket, false, 100)).length, info.datagramsWaiting)
    const packets = self.call({ _tag: "RawReceive", socket: raw, max: 100, block: false })
    assert.strictEqual(self.dropCount("RawReceiveQueueFull"), 50 - packets.length)
    assert.strictEqual(self.memory(), 0)
  },
  datagramFailures: () => {
    const self = limited({ datagramFailures: 2 })
    const socket = Lan.bind(self, 8)
    const send = (port: number) => reasonOf(self.request(Lan.send(socket, there, port)))
    for (const port of [1, 2, 3]) {
      send(port)
      const quoted = self.takeFrames(link)[0]!.slice(14, 42)
      self.deliver(link, Lan.ethernet(Lan.ip(Lan.icmp({ _tag: "Unreachable", code: 3, mtu: 0 }, quoted))))
    }
    assert.deepStrictEqual([1, 2, 3].map(send), [
      { _tag: "Done", value: undefined },
      { _tag: "ConnectionRefused" },
      { _tag: "ConnectionRefused" }
    ])
  },
  datagramSendBytes: () => {
    const self = limited({ datagramSendBytes: 1000 })
    self.stall(link)
    const socket = Lan.bind(self, 8)
    const send = (block: boolean) => self.request({ ...Lan.send(socket, there, 7, Lan.bytes(400)), block })
    send(true)
    send(true)
    assert.strictEqual(send(true).outcome()._tag, "Pending")
    assert.deepStrictEqual(reasonOf(send(false)), { _tag: "WouldBlock" })
    assert.isAtMost(self.call({ _tag: "UdpGetInfo", socket }).bytesUnsent, 1000)
  },
  parkedRequests: () => {
    const self = limited({ parkedRequests: 2 })
    const socket = Lan.bind(self, 8)
    self.request(Lan.receive(socket))
    self.request(Lan.ping(there))
    const full = { _tag: "LimitReached", bound: "parkedRequests" }
    assert.deepStrictEqual(reasonOf(self.request(Lan.receive(socket))), full)
    assert.deepStrictEqual(reasonOf(self.request(Lan.ping(there))), full)
    assert.strictEqual(self.state.ping.echoes.size, 1)
    self.deliver(link, Lan.datagram(7, 8, Lan.bytes(1)))
    assert.strictEqual(self.request(Lan.receive(socket)).outcome()._tag, "Pending")
  },
  memoryBytes: () => {
    const self = limited({ memoryBytes: 5000 })
    const socket = Lan.bind(self, 8)
    for (let i = 0; i < 20; i++) self.deliver(link, Lan.datagram(7, 8, Lan.bytes(500)))
    assert.isAtMost(self.memory(), 5000)
    const after = self.dropCount(dropOf("memoryBytes"))
    assert.isAbove(after, 10)
    self.deliver(link, half(1, 1000))
    self.call(Lan.send(socket, station(1), 7, Lan.bytes(900)))
    assert.strictEqual(self.dropCount("MemoryBudget"), after + 2)
    self.call(Lan.receive(socket, false, 100))
    assert.strictEqual(self.memory(), 0)
    assert.strictEqual(self.call({ _tag: "UdpGetInfo", socket }).bytesUnsent, 0)
  }
} satisfies Partial<Record<Bounds.Name, Hit>>

export const core = { ...neighbors, ...fragments, ...ip, ...configured, ...sockets }
