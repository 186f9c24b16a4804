import { assert, describe, it } from "@effect/vitest"
import * as Time from "../../../src/core/Time.ts"
import * as Family from "../family.ts"
import * as Lan from "./Lan.ts"
import { bind, connect, introduced, reasonOf, refuse, taken } from "./Sockets.ts"

const { link, there } = Lan

/** By type and code. */
const tooBig = Family.choose([3, 4] as const, [2, 0] as const)
const portUnreachable = Family.choose([3, 3] as const, [1, 4] as const)

describe("Udp errors", () => {
  it("end a waiting read of a connected socket (rfc: 1122 §4.1.3.3 MUST)", () => {
    const self = introduced()
    const socket = bind(self, { port: 8 })
    connect(self, socket)
    const waiting = self.request(Lan.receive(socket))
    self.call(Lan.send(socket, undefined, 0))
    refuse(self)
    assert.strictEqual(reasonOf(waiting), "ConnectionRefused")
    assert.strictEqual(reasonOf(self.request(Lan.receive(socket, false))), "WouldBlock")
  })

  it("end the next call, once, when nobody waits; data that came before is read first", () => {
    for (const call of ["read", "send"] as const) {
      const self = introduced()
      const socket = bind(self, { port: 8 })
      connect(self, socket)
      self.call(Lan.send(socket, undefined, 0))
      refuse(self)
      const ask = (): string =>
        reasonOf(
          call === "read" ? self.request(Lan.receive(socket, false)) : self.request(Lan.send(socket, undefined, 0))
        )
      assert.strictEqual(ask(), "ConnectionRefused")
      assert.strictEqual(ask(), call === "read" ? "WouldBlock" : "Done")
    }
    const self = introduced()
    const socket = bind(self, { port: 8 })
    connect(self, socket)
    self.deliver(link, Lan.datagram(7, 8, Uint8Array.of(1)))
    self.call(Lan.send(socket, undefined, 0))
    refuse(self)
    assert.deepStrictEqual(taken(self, socket), [1])
    assert.strictEqual(reasonOf(self.request(Lan.receive(socket))), "ConnectionRefused")
  })

  it("end the next send of an unconnected socket to that destination, and no other", () => {
    const self = introduced()
    const socket = bind(self, { port: 8 })
    self.call(Lan.send(socket, there, 7))
    refuse(self)
    assert.strictEqual(reasonOf(self.request(Lan.receive(socket, false))), "WouldBlock")
    assert.strictEqual(reasonOf(self.request(Lan.send(socket, there, 6))), "Done")
    assert.strictEqual(reasonOf(self.request(Lan.send(socket, there, 7))), "ConnectionRefused")
    assert.strictEqual(reasonOf(self.request(Lan.send(socket, there, 7))), "Done")
  })

  it("tell what a router says of the way (rfc: 1122 §4.1.3.3)", () => {
    const self = introduced()
    const socket = bind(self, { port: 8 })
    connect(self, socket)
    self.call(Lan.send(socket, undefined, 0))
    const [type, code] = Family.choose([3, 13] as const, [1, 1] as const)
    refuse(self, [type, code])
    assert.deepStrictEqual(self.request(Lan.send(socket, undefined, 0)).outcome(), {
      _tag: "Failed",
      reason: { _tag: "Unreachable", what: "prohibited", icmp: { version: Family.version, type, code, from: there } }
    })
  })

  it("tell that the next hop does not answer", () => {
    const self = Lan.host()
    const socket = bind(self, { port: 8 })
    self.call(Lan.send(socket, there, 7))
    self.advance(Time.seconds(3))
    assert.deepStrictEqual(self.request(Lan.send(socket, there, 7)).outcome(), {
      _tag: "Failed",
      reason: { _tag: "Unreachable", what: "host" }
    })
    assert.strictEqual(self.call({ _tag: "UdpGetInfo", socket }).bytesUnsent, 0)
  })

  it("tell a program that forbids cutting what would fit, and nobody else (rfc: 1191 §3, rfc: 8085 §3.2)", () => {
    const self = introduced()
    const [plain, strict] = [bind(self, { port: 8 }), bind(self, { port: 9, options: { dontFragment: true } })]
    const quotes = [plain, strict].map((socket) => {
      connect(self, socket)
      self.call(Lan.send(socket, undefined, 0, Lan.bytes(1400)))
      return Lan.quoteOf(self.takeFrames(link)[0]!)
    })
    for (const quoted of quotes) {
      self.deliver(link, Lan.icmp(tooBig[0], tooBig[1], quoted, 1300))
    }
    assert.strictEqual(reasonOf(self.request(Lan.send(plain, undefined, 0, Lan.bytes(1400)))), "Done")
    assert.strictEqual(Lan.sent(self).length, 2)
    assert.deepStrictEqual(self.request(Lan.send(strict, undefined, 0, Lan.bytes(1400))).outcome(), {
      _tag: "Failed",
      reason: { _tag: "MessageTooLarge", limit: 1272 }
    })
  })

  it("are ignored when they are about no socket (rfc: 5927 §4.1)", () => {
    const self = introduced()
    const socket = bind(self, { port: 8 })
    connect(self, socket)
    self.call(Lan.send(socket, undefined, 0))
    const quoted = Lan.quoteOf(self.takeFrames(link).at(-1)!)
    // The port of the far side.
    const forged = quoted.with(Family.headerLength + 3, 9)
    self.deliver(link, Lan.icmp(portUnreachable[0], portUnreachable[1], forged))
    assert.deepStrictEqual(Lan.dropped(self), ["IcmpErrorNotOurs"])
    assert.strictEqual(reasonOf(self.request(Lan.receive(socket, false))), "WouldBlock")
  })
})
