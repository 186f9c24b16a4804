import { assert, describe, it } from "@effect/vitest"
import * as Host from "../../../src/testing/Host.ts"
import * as Wire from "../../../src/testing/Wire.ts"
import * as Address from "../../../src/wire/Address.ts"
import * as Frame from "../../../src/wire/Frame.ts"
import * as Icmpv4 from "../../../src/wire/Icmpv4.ts"
import * as Icmpv6 from "../../../src/wire/Icmpv6.ts"
import * as Mac from "../../../src/wire/Mac.ts"
import * as Family from "../family.ts"
import * as Lan from "./Lan.ts"
import { bind, type BindOptions, connect, introduced, reasonOf, taken, tryBind } from "./Sockets.ts"

const { here, link, there } = Lan

const largest = Family.choose(65_507, 65_527)
const loopback = Family.choose(Address.loopbackV4, Address.loopbackV6)
const elsewhere = Family.choose(Address.v4(10, 1, 0, 1), Address.v6(0x20010db8, 1, 0, 1))
/** All hosts of the link, in IP and in the link layer. */
const everybody = Family.choose(
  { fields: { destination: Address.broadcastV4 }, to: Mac.broadcast },
  { fields: { destination: Address.v6(0xff020000, 0, 0, 1) }, to: 0x3333_0000_0001 }
)

describe("Udp between hosts", () => {
  it("carries datagrams of every size both ways, whole and in order (rfc: 768)", () => {
    const one = Host.make({ seed: 1, interfaces: [Lan.interfaceOf(here)] })
    const two = Host.make({ seed: 2, interfaces: [Lan.interfaceOf(there)] })
    const wire = Wire.make([one, two])
    const server = bind(two, { port: 7 })
    const client = bind(one, { local: here })
    for (const size of [0, 1, 1471, 1472, 1473, 9000, largest]) {
      const data = Lan.bytes(size, size)
      one.call(Lan.send(client, there, 7, data))
      wire.exchange()
      const [datagram] = two.call(Lan.receive(server))
      assert.deepStrictEqual(datagram!.bytes, data)
      assert.deepInclude(datagram, { source: here, destination: there, link, hopLimit: 64, trafficClass: 0 })
      two.call(Lan.send(server, datagram!.source, datagram!.sourcePort, data))
      wire.exchange()
      assert.deepStrictEqual(one.call(Lan.receive(client))[0]!.bytes, data)
    }
    assert.strictEqual(one.memory() + two.memory(), 0)
    assert.strictEqual(one.counter("udpSent"), 7)
    assert.strictEqual(one.counter("udpReceived"), 7)
  })

  it("carries datagrams within a host, without checksums being made (loopback)", () => {
    const self = Lan.host()
    const server = bind(self, { port: 7 })
    const client = bind(self)
    for (const to of [here, loopback]) {
      self.call(Lan.send(client, to, 7, Lan.bytes(60_000)))
      assert.deepStrictEqual(self.call(Lan.receive(server))[0]!.bytes, Lan.bytes(60_000))
    }
    assert.deepStrictEqual(self.takeFrames(link), [])
  })
})

describe("Udp receive", () => {
  it("finds the connected socket, then the one bound to the address, then the open one (rfc: 1122 §4.1.3.5)", () => {
    const self = introduced()
    const reuse = { options: { reuseAddress: true } }
    const open = bind(self, { port: 8, ...reuse })
    const specific = bind(self, { port: 8, local: here, ...reuse })
    const connected = bind(self, { port: 8, local: here, ...reuse })
    connect(self, connected)
    self.deliver(link, Lan.datagram(7, 8, Uint8Array.of(1)))
    self.deliver(link, Lan.datagram(6, 8, Uint8Array.of(2)))
    assert.deepStrictEqual([taken(self, connected), taken(self, specific), taken(self, open)], [[1], [2], []])
    self.call({ _tag: "UdpClose", socket: specific })
    self.deliver(link, Lan.datagram(6, 8, Uint8Array.of(3)))
    assert.deepStrictEqual([taken(self, connected), taken(self, open)], [[], [3]])
  })

  it("gives a datagram for one to the socket bound last, and one for a group to all (rfc: 1112 §7, rfc: 919)", () => {
    const self = introduced()
    const sockets = [1, 2, 3].map(() => bind(self, { port: 8, options: { reuseAddress: true } }))
    self.deliver(link, Lan.datagram(7, 8, Uint8Array.of(1)))
    assert.deepStrictEqual(sockets.map((socket) => taken(self, socket)), [[], [], [1]])
    self.deliver(
      link,
      Lan.datagram(7, 8, Uint8Array.of(2), everybody.fields, everybody)
    )
    assert.deepStrictEqual(sockets.map((socket) => taken(self, socket)), [[2], [2], [2]])
  })

  it("gives nothing to a socket of the other version, or of another interface", () => {
    const self = Host.make({
      seed: 1,
      interfaces: [Lan.interfaceOf(here), { addresses: [[elsewhere, Family.prefixLength]] }]
    })
    bind(self, { port: 8, version: Family.choose(6, 4) })
    bind(self, { port: 8, version: Family.version, link: 2 })
    assert.deepStrictEqual(Lan.deliver(self, Lan.datagram(7, 8, Uint8Array.of(1))).dropped, ["UdpNoSocket"])
    const dual = bind(self, { port: 9 })
    self.deliver(link, Lan.datagram(7, 9, Uint8Array.of(1)))
    assert.deepStrictEqual(taken(self, dual), [1])
  })

  it("answers a closed port (rfc: 1122 §4.1.3.1 SHOULD)", () => {
    const { dropped, told } = Lan.deliver(introduced(), Lan.datagram(7, 8, Lan.bytes(4)))
    assert.deepStrictEqual(dropped, ["UdpNoSocket"])
    const code = Family.choose(Icmpv4.UnreachableCode.port, Icmpv6.UnreachableCode.port)
    assert.deepInclude(told[0], { _tag: "Unreachable", code })
  })

  it("drops in silence what is damaged, and answers no closed port for it (rfc: 1122 §4.1.3.4 MUST)", () => {
    const self = introduced()
    const socket = bind(self, { port: 8 })
    const good = Lan.udp(7, 8, Lan.bytes(9))
    for (
      const [at, reason] of [[16, "UdpChecksum"], [6, "UdpChecksum"], [1, "UdpChecksum"], [4, "Malformed"]] as const
    ) {
      const bad = Lan.ethernet(Lan.ip(good.with(at, good[at]! ^ 0x10)))
      assert.deepStrictEqual(Lan.deliver(self, bad), { sent: [], told: [], dropped: [reason] })
    }
    const short = Lan.ethernet(Lan.ip(good.slice(0, 7)))
    assert.deepStrictEqual(Lan.deliver(self, short), { sent: [], told: [], dropped: ["Malformed"] })
    assert.deepStrictEqual(taken(self, socket), [])
  })

  it("takes a datagram without checksum in IPv4 only (rfc: 768, 8200 §8.1 MUST)", () => {
    const self = introduced()
    const socket = bind(self, { port: 8 })
    const bare = Lan.udp(7, 8, Uint8Array.of(5), { withoutChecksum: true })
    self.deliver(link, Lan.ethernet(Lan.ip(bare)))
    assert.deepStrictEqual(taken(self, socket), Family.choose([5], []))
  })

  it("leaves behind what follows the datagram in its packet (rfc: 768: the length decides)", () => {
    const self = introduced()
    const socket = bind(self, { port: 8 })
    const padded = new Uint8Array(30)
    padded.set(Lan.udp(7, 8, Lan.bytes(4)))
    self.deliver(link, Lan.ethernet(Lan.ip(padded)))
    assert.deepStrictEqual(self.call(Lan.receive(socket))[0]!.bytes, Lan.bytes(4))
  })

  it("cuts what the link has merged", () => {
    const self = introduced()
    const socket = bind(self, { port: 8 })
    const frame = Lan.datagram(7, 8, Lan.bytes(250))
    self.deliver(link, {
      ...Frame.plain(frame),
      checksum: "partial",
      gso: { kind: "udp", size: 100, headerLength: 22 + Family.headerLength }
    })
    const received = self.call(Lan.receive(socket))
    assert.deepStrictEqual(received.map(({ bytes }) => bytes.length), [100, 100, 50])
    assert.deepStrictEqual(received.flatMap(({ bytes }) => Array.from(bytes)), Array.from(Lan.bytes(250)))
  })

  it("hands a datagram to who waits, the longest waiting first", () => {
    const self = introduced()
    const socket = bind(self, { port: 8 })
    const [first, second] = [self.request(Lan.receive(socket)), self.request(Lan.receive(socket))]
    self.deliver(link, Lan.datagram(7, 8, Uint8Array.of(1)))
    assert.strictEqual(second.outcome()._tag, "Pending")
    const outcome = first.outcome()
    assert.deepStrictEqual(outcome._tag === "Done" ? outcome.value.map(({ bytes }) => bytes[0]) : [], [1])
    assert.strictEqual(self.state.tickets.size, 1)
  })

  it("gives at most what was asked for, and the rest later", () => {
    const self = introduced()
    const socket = bind(self, { port: 8 })
    for (let i = 0; i < 5; i++) self.deliver(link, Lan.datagram(7, 8, Uint8Array.of(i)))
    const take = (max: number) => self.call(Lan.receive(socket, false, max)).map(({ bytes }) => bytes[0])
    assert.deepStrictEqual([take(2), take(1), take(9)], [[0, 1], [2], [3, 4]])
    assert.strictEqual(reasonOf(self.request(Lan.receive(socket, false))), "WouldBlock")
    assert.strictEqual(reasonOf(self.request(Lan.receive(socket, true, 0))), "InvalidArgument")
  })

  it("loses nothing when the reply finds nobody waiting", () => {
    const self = introduced()
    const socket = bind(self, { port: 8 })
    self.deliver(link, Lan.datagram(7, 8, Uint8Array.of(1)))
    const request = Lan.receive(socket)
    const value = self.call(request)
    self.deliver(link, Lan.datagram(7, 8, Uint8Array.of(2)))
    self.tell({ _tag: "Returned", request, value })
    assert.deepStrictEqual(taken(self, socket), [1, 2])
    assert.strictEqual(self.memory(), 0)
  })

  it("forgets who does not wait any more", () => {
    const self = introduced()
    const socket = bind(self, { port: 8 })
    self.abandon(self.request(Lan.receive(socket)))
    assert.strictEqual(self.state.tickets.size, 0)
    self.deliver(link, Lan.datagram(7, 8, Uint8Array.of(1)))
    assert.deepStrictEqual(taken(self, socket), [1])
  })
})

describe("Udp bind", () => {
  it("refuses what another socket has, as far as both could be meant", () => {
    const cases: ReadonlyArray<readonly [BindOptions, BindOptions, boolean]> = [
      [{}, {}, false],
      [{ local: here }, {}, false],
      [{}, { local: here }, false],
      [{ version: 6 }, { version: 4 }, true],
      [{ version: 6 }, {}, false],
      [{ version: Family.choose(6, 4) }, { local: here }, true],
      [{ local: here }, { local: loopback }, true],
      [{ link: 1 }, { link: 0 }, true],
      [{ link: 1 }, {}, false],
      [{ options: { reuseAddress: true } }, { options: { reuseAddress: true } }, true],
      [{ options: { reuseAddress: true } }, {}, false]
    ]
    for (const [first, second, isFree] of cases) {
      const self = Lan.host()
      bind(self, { port: 8, ...first })
      const outcome = reasonOf(tryBind(self, { port: 8, ...second }))
      assert.strictEqual(outcome, isFree ? "Done" : "AddressInUse", JSON.stringify([first, second]))
    }
  })

  it("gives a port back when its socket closes", () => {
    const self = Lan.host()
    self.call({ _tag: "UdpClose", socket: bind(self, { port: 8 }) })
    assert.strictEqual(reasonOf(tryBind(self, { port: 8 })), "Done")
  })

  it("chooses ephemeral ports that nobody can foretell, each once (rfc: 6056 §3.3.1, rfc: 6335 §6)", () => {
    const portsOf = (seed: number): ReadonlyArray<number> => {
      const self = Host.make({ seed, interfaces: [Lan.interfaceOf(here)] })
      return Array.from({ length: 200 }, () => {
        const outcome = tryBind(self).outcome()
        return outcome._tag === "Done" ? outcome.value.port : 0
      })
    }
    const [one, two] = [portsOf(1), portsOf(2)]
    assert.strictEqual(new Set(one).size, 200)
    for (const port of one) assert.isTrue(port >= 49_152 && port <= 65_535)
    assert.isBelow(one.filter((port, i) => port === two[i]).length, 3)
    assert.isBelow(one.filter((port, i) => i > 0 && port === one[i - 1]! + 1).length, 3)
  })

  it("tells when all ephemeral ports are taken (rfc: 6056 §3.2)", () => {
    const self = Lan.host()
    for (let port = 49_152; port <= 65_535; port++) bind(self, { port })
    assert.strictEqual(reasonOf(tryBind(self)), "PortsExhausted")
  })

  it("refuses foreign addresses, bad ports, bad options and interfaces that are not there", () => {
    const self = Lan.host()
    assert.strictEqual(reasonOf(tryBind(self, { local: there })), "AddressNotAvailable")
    assert.strictEqual(reasonOf(tryBind(self, { port: 65_536 })), "InvalidArgument")
    assert.strictEqual(reasonOf(tryBind(self, { port: -1 })), "InvalidArgument")
    assert.strictEqual(reasonOf(tryBind(self, { link: 9 })), "NotFound")
    assert.strictEqual(reasonOf(tryBind(self, { options: { hopLimit: 0 } })), "InvalidArgument")
    assert.strictEqual(reasonOf(tryBind(self, { options: { trafficClass: 256 } })), "InvalidArgument")
    for (
      const local of [
        0,
        Address.v4(127, 0, 0, 3),
        Address.broadcastV4,
        ...Family.choose([Address.v4(10, 0, 0, 255)], []),
        Address.v4(224, 0, 0, 1),
        Address.unspecifiedV6,
        Address.loopbackV6,
        Address.v6(0xff020000, 0, 0, 1)
      ]
    ) {
      assert.strictEqual(reasonOf(tryBind(self, { local })), "Done", Address.format(local))
    }
  })

  it("knows no socket after it was closed, and ends what waits there", () => {
    const self = introduced()
    const socket = bind(self, { port: 8 })
    self.deliver(link, Lan.datagram(7, 8, Lan.bytes(100)))
    self.call(Lan.receive(socket))
    self.deliver(link, Lan.datagram(7, 8, Lan.bytes(100)))
    self.call(Lan.receive(socket))
    const waiting = self.request(Lan.receive(socket))
    self.call({ _tag: "UdpClose", socket })
    assert.strictEqual(reasonOf(waiting), "Closed")
    assert.strictEqual(reasonOf(self.request(Lan.receive(socket))), "Closed")
    assert.strictEqual(reasonOf(self.request(Lan.send(socket, there, 7))), "Closed")
    assert.strictEqual(self.memory(), 0)
    assert.strictEqual(self.state.tickets.size, 0)
    assert.strictEqual(self.state.udp.index.size + self.state.udp.ports.size, 0)
  })

  it("lets go of datagrams that nobody has read", () => {
    const self = introduced()
    const socket = bind(self, { port: 8 })
    self.deliver(link, Lan.datagram(7, 8, Lan.bytes(100)))
    assert.isAbove(self.memory("datagrams"), 100)
    self.call({ _tag: "UdpClose", socket })
    assert.strictEqual(self.memory(), 0)
  })

  it("closes a socket that nobody came to fetch", () => {
    const self = Lan.host()
    const asked = {
      _tag: "UdpBind",
      local: undefined,
      version: undefined,
      port: 8,
      link: undefined,
      options: {}
    } as const
    self.tell({ _tag: "Returned", request: asked, value: self.call(asked) })
    assert.strictEqual(self.state.udp.sockets.size, 0)
  })

  it("ends waiting when the interface that a socket is bound to is gone", () => {
    const self = Lan.host()
    const waiting = self.request(Lan.receive(bind(self, { port: 8, link })))
    const open = self.request(Lan.receive(bind(self, { port: 9 })))
    self.call({ _tag: "DetachLink", link })
    assert.strictEqual(reasonOf(waiting), "LinkDown")
    assert.strictEqual(reasonOf(open), "Pending")
  })
})

describe("Udp connect", () => {
  it("chooses the address that leads there, and takes nothing from others (rfc: 1122 §4.1.3.5)", () => {
    const self = introduced()
    const socket = bind(self, { port: 8 })
    assert.deepStrictEqual(connect(self, socket).outcome(), { _tag: "Done", value: { local: here, port: 8 } })
    self.deliver(link, Lan.datagram(7, 8, Uint8Array.of(1)))
    self.deliver(link, Lan.datagram(6, 8, Uint8Array.of(2)))
    assert.deepStrictEqual(taken(self, socket), [1])
    assert.deepStrictEqual(Lan.dropped(self), ["UdpNoSocket"])
    self.call(Lan.send(socket, undefined, 0, Uint8Array.of(9)))
    assert.deepInclude(Lan.sent(self).at(-1)!.udp, { sourcePort: 8, destinationPort: 7 })
    assert.strictEqual(reasonOf(self.request(Lan.send(socket, there, 9))), "AlreadyConnected")
  })

  it("is undone by disconnecting", () => {
    const self = introduced()
    const socket = bind(self, { port: 8 })
    assert.strictEqual(reasonOf(self.request({ _tag: "UdpDisconnect", socket })), "NotConnected")
    assert.strictEqual(reasonOf(self.request(Lan.send(socket, undefined, 0))), "NotConnected")
    connect(self, socket)
    self.call({ _tag: "UdpDisconnect", socket })
    self.deliver(link, Lan.datagram(6, 8, Uint8Array.of(2)))
    assert.deepStrictEqual(taken(self, socket), [2])
    assert.strictEqual(self.call({ _tag: "UdpGetInfo", socket }).local, undefined)
  })

  it("may be changed to another far side", () => {
    const self = introduced()
    const socket = bind(self, { port: 8, local: here })
    connect(self, socket)
    connect(self, socket, there, 6)
    self.deliver(link, Lan.datagram(7, 8, Uint8Array.of(1)))
    self.deliver(link, Lan.datagram(6, 8, Uint8Array.of(2)))
    assert.deepStrictEqual(taken(self, socket), [2])
    self.call({ _tag: "UdpDisconnect", socket })
    assert.strictEqual(self.call({ _tag: "UdpGetInfo", socket }).local, here)
  })

  it("fails where no way leads, and for what is no far side", () => {
    const self = introduced()
    const socket = bind(self, { port: 8, version: Family.version })
    assert.strictEqual(
      reasonOf(connect(self, socket, Family.choose(Address.v4(192, 0, 2, 1), Address.v6(0x20010db8, 9, 0, 1)))),
      "Unreachable"
    )
    assert.strictEqual(reasonOf(connect(self, socket, there, 0)), "InvalidArgument")
    assert.strictEqual(
      reasonOf(connect(self, socket, Family.choose(Address.loopbackV6, Address.loopbackV4))),
      "InvalidArgument"
    )
    self.deliver(link, Lan.datagram(6, 8, Uint8Array.of(2)))
    assert.deepStrictEqual(taken(self, socket), [2])
  })
})

describe("Udp send", () => {
  it("sends with a checksum, never zero (rfc: 768, rfc: 1122 §4.1.3.4 MUST)", () => {
    const self = introduced()
    const socket = bind(self, { port: 8 })
    const checksumOf = (payload: Uint8Array): number => {
      self.call(Lan.send(socket, there, 7, payload))
      const frame = self.takeFrames(link)[0]!
      Lan.read(frame)
      const at = 14 + Family.headerLength + 6
      return (frame[at]! << 8) | frame[at + 1]!
    }
    // The word that makes the sum come out as zero, which goes out as all ones.
    const missing = checksumOf(Uint8Array.of(0, 0))
    assert.notStrictEqual(missing, 0)
    assert.strictEqual(checksumOf(Uint8Array.of(missing >>> 8, missing)), 0xffff)
  })

  it("says which options a socket has set (rfc: 1122 §4.1.4)", () => {
    const self = introduced()
    const socket = bind(self, { port: 8, options: { hopLimit: 3, trafficClass: 0x88, dontFragment: true } })
    self.call(Lan.send(socket, there, 7))
    const dontFragment = Family.choose(true, false)
    assert.deepInclude(Lan.sent(self)[0], { hopLimit: 3, trafficClass: 0x88, dontFragment })
    self.call({ _tag: "UdpSetOptions", socket, options: { hopLimit: undefined, trafficClass: 0, dontFragment: false } })
    self.call(Lan.send(socket, there, 7))
    assert.deepInclude(Lan.sent(self)[0], { hopLimit: 64, trafficClass: 0, dontFragment: false })
    assert.strictEqual(
      reasonOf(self.request({ _tag: "UdpSetOptions", socket, options: { hopLimit: 999 } })),
      "InvalidArgument"
    )
  })

  it("sends to a group with a hop limit of 1 unless told otherwise (rfc: 1112 §6.1)", () => {
    const self = introduced()
    const socket = bind(self, { port: 8 })
    const group = Family.choose(Address.v4(239, 1, 2, 3), Address.v6(0xff050000, 0, 0, 7))
    self.call(Lan.send(socket, group, 7))
    self.call({ _tag: "UdpSetOptions", socket, options: { hopLimit: 9 } })
    self.call(Lan.send(socket, group, 7))
    assert.deepStrictEqual(Lan.sent(self).map(({ hopLimit }) => hopLimit), [1, 9])
  })

  if (Family.version === 4) {
    it("broadcasts only when allowed to (rfc: 8085 §3.7)", () => {
      const self = introduced()
      const socket = bind(self, { port: 8 })
      for (const to of [Address.broadcastV4, Address.v4(10, 0, 0, 255)]) {
        assert.strictEqual(reasonOf(self.request(Lan.send(socket, to, 7))), "InvalidArgument")
      }
      self.call({ _tag: "UdpSetOptions", socket, options: { broadcast: true } })
      for (const to of [Address.broadcastV4, Address.v4(10, 0, 0, 255)]) {
        assert.strictEqual(reasonOf(self.request(Lan.send(socket, to, 7))), "Done")
      }
      assert.deepStrictEqual(Lan.sent(self).map(({ to }) => to), [Mac.broadcast, Mac.broadcast])
    })
  }

  it("refuses what is too large for a datagram, or for a path over which it may not be cut (rfc: 8085 §3.2)", () => {
    const self = introduced()
    const socket = bind(self, { port: 8 })
    assert.deepStrictEqual(self.request(Lan.send(socket, there, 7, Lan.bytes(largest + 1))).outcome(), {
      _tag: "Failed",
      reason: { _tag: "MessageTooLarge", limit: largest }
    })
    self.call({ _tag: "UdpSetOptions", socket, options: { dontFragment: true } })
    assert.deepStrictEqual(self.request(Lan.send(socket, there, 7, Lan.bytes(1473))).outcome(), {
      _tag: "Failed",
      reason: { _tag: "MessageTooLarge", limit: 1472 }
    })
    assert.strictEqual(reasonOf(self.request(Lan.send(socket, there, 7, Lan.bytes(1472)))), "Done")
    assert.strictEqual(reasonOf(self.request(Lan.send(socket, there, 0))), "InvalidArgument")
  })

  it("waits for room in the link's queue, in order, and goes on when bytes have left", () => {
    const self = introduced({ limits: { datagramSendBytes: 2000 } })
    self.stall(link)
    const socket = bind(self, { port: 8 })
    const asked = [1, 2, 3, 4].map((n) => self.request(Lan.send(socket, there, 7, Lan.bytes(900, n))))
    assert.deepStrictEqual(asked.map(reasonOf), ["Done", "Done", "Pending", "Pending"])
    assert.strictEqual(self.call({ _tag: "UdpGetInfo", socket }).bytesUnsent, 1800)
    assert.strictEqual(reasonOf(self.request({ ...Lan.send(socket, there, 7), block: false })), "WouldBlock")
    self.release(link)
    assert.deepStrictEqual(asked.map(reasonOf), ["Done", "Done", "Done", "Pending"])
    self.resume(link)
    assert.deepStrictEqual(asked.map(reasonOf), ["Done", "Done", "Done", "Done"])
    assert.deepStrictEqual(Lan.sent(self).map(({ payload }) => payload[0]), [1, 2, 3, 4])
    assert.strictEqual(self.call({ _tag: "UdpGetInfo", socket }).bytesUnsent, 0)
    assert.strictEqual(self.state.queued.get(link), 0)
  })

  it("lets one datagram wait however long it is, cut or whole", () => {
    const self = introduced({ limits: { datagramSendBytes: 10 } })
    const socket = bind(self, { port: 8 })
    self.call(Lan.send(socket, there, 7, Lan.bytes(5000)))
    assert.strictEqual(Lan.sent(self).length, 4)
    assert.strictEqual(self.call({ _tag: "UdpGetInfo", socket }).bytesUnsent, 0)
  })

  it("forgets a send whose program is gone", () => {
    const self = introduced({ limits: { datagramSendBytes: 10 } })
    self.stall(link)
    const socket = bind(self, { port: 8 })
    self.call(Lan.send(socket, there, 7, Lan.bytes(10, 1)))
    const gone = self.request(Lan.send(socket, there, 7, Lan.bytes(10, 2)))
    const other = self.request(Lan.send(socket, there, 7, Lan.bytes(10, 3)))
    self.abandon(gone)
    self.resume(link)
    assert.strictEqual(reasonOf(other), "Done")
    assert.deepStrictEqual(Lan.sent(self).map(({ payload }) => payload[0]), [1, 3])
  })
})
