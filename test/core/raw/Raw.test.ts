import { assert, describe, it } from "@effect/vitest"
import type * as Host from "../../../src/testing/Host.ts"
import * as Address from "../../../src/wire/Address.ts"
import * as IpProtocol from "../../../src/wire/IpProtocol.ts"
import * as Lan from "../Lan.ts"

const { here, link, there } = Lan

const introduced = (options?: Host.Options): Host.Host => {
  const self = Lan.host(options)
  Lan.introduce(self)
  return self
}

const open = (self: Host.Host, protocol: number, on?: number): number =>
  self.call({ _tag: "RawOpen", version: 4, protocol, link: on }).socket

const receive = (socket: number, block = true) => ({ _tag: "RawReceive", socket, max: 8, block } as const)

const send = (socket: number, bytes: Uint8Array, block = true) => ({
  _tag: "RawSend",
  socket,
  destination: there,
  source: undefined,
  bytes,
  hopLimit: undefined,
  trafficClass: 0,
  dontFragment: false,
  block
} as const)

const reasonOf = (asked: Host.Asked<unknown>): string => {
  const outcome = asked.outcome()
  return outcome._tag === "Failed" ? outcome.reason._tag : outcome._tag
}

describe("Raw", () => {
  it("gets a copy of each packet of its protocol, beside the transport", () => {
    const self = introduced()
    const [one, two, other] = [open(self, IpProtocol.icmp), open(self, IpProtocol.icmp), open(self, 99)]
    const packet = Lan.ip(Lan.echo())
    const { sent } = Lan.deliver(self, Lan.ethernet(packet))
    assert.strictEqual(sent[0]!.icmp!._tag, "EchoReply")
    for (const socket of [one, two]) {
      const [received] = self.call(receive(socket))
      assert.deepStrictEqual(received!.bytes, packet)
      assert.deepInclude(received, { payloadStart: 20, source: there, destination: here, link })
    }
    assert.strictEqual(reasonOf(self.request(receive(other, false))), "WouldBlock")
  })

  it("takes a protocol that no transport speaks, so that no error is sent", () => {
    const self = introduced()
    const socket = open(self, 99)
    assert.deepStrictEqual(Lan.deliver(self, Lan.ethernet(Lan.ip(Lan.bytes(9), { protocol: 99 }))), {
      sent: [],
      dropped: []
    })
    assert.strictEqual(self.call(receive(socket)).length, 1)
    self.call({ _tag: "RawClose", socket })
    assert.deepStrictEqual(Lan.deliver(self, Lan.ethernet(Lan.ip(Lan.bytes(9), { protocol: 99 }))).dropped, [
      "IpProtocolUnknown"
    ])
  })

  it("keeps to its interface", () => {
    const self = introduced()
    const socket = open(self, 99, 0)
    assert.deepStrictEqual(Lan.deliver(self, Lan.ethernet(Lan.ip(Lan.bytes(9), { protocol: 99 }))).dropped, [
      "IpProtocolUnknown"
    ])
    assert.strictEqual(reasonOf(self.request(receive(socket, false))), "WouldBlock")
  })

  it("sends what it is given behind a header of the stack's", () => {
    const self = introduced()
    const socket = open(self, 99)
    self.call(send(socket, Lan.bytes(33)))
    const [{ ip, payload }] = Lan.sent(self) as [Lan.Read]
    assert.deepInclude(ip, { protocol: 99, source: here, destination: there, hopLimit: 64 })
    assert.deepStrictEqual(payload, Lan.bytes(33))
    assert.strictEqual(reasonOf(self.request(send(socket, Lan.bytes(65_516)))), "MessageTooLarge")
    assert.strictEqual(
      reasonOf(self.request({ ...send(socket, Lan.bytes(3)), destination: Address.loopbackV6 })),
      "InvalidArgument"
    )
  })

  it("waits for packets and for room, in order", () => {
    const self = introduced({ limits: { datagramSendBytes: 100 } })
    const socket = open(self, 99)
    const waiting = self.request(receive(socket))
    self.deliver(link, Lan.ethernet(Lan.ip(Lan.bytes(9), { protocol: 99 })))
    assert.strictEqual(waiting.outcome()._tag, "Done")
    self.stall(link)
    const asked = [1, 2, 3].map((n) => self.request(send(socket, Lan.bytes(60, n))))
    assert.deepStrictEqual(asked.map(reasonOf), ["Done", "Pending", "Pending"])
    assert.strictEqual(reasonOf(self.request(send(socket, Lan.bytes(1), false))), "WouldBlock")
    self.abandon(asked[1]!)
    self.resume(link)
    assert.strictEqual(reasonOf(asked[2]!), "Done")
    assert.deepStrictEqual(Lan.sent(self).map(({ payload }) => payload[0]), [1, 3])
  })

  it("loses nothing when a reply finds nobody, and ends what waits when it closes", () => {
    const self = introduced()
    const socket = open(self, 99)
    self.deliver(link, Lan.ethernet(Lan.ip(Lan.bytes(9), { protocol: 99 })))
    const request = receive(socket)
    self.tell({ _tag: "Returned", request, value: self.call(request) })
    assert.isAbove(self.memory("datagrams"), 0)
    assert.strictEqual(self.call(request).length, 1)
    const waiting = self.request(request)
    self.call({ _tag: "RawClose", socket })
    assert.strictEqual(reasonOf(waiting), "Closed")
    assert.strictEqual(reasonOf(self.request(request)), "Closed")
    assert.strictEqual(self.memory(), 0)
    assert.strictEqual(self.state.tickets.size, 0)
  })

  it("refuses what is no protocol, and interfaces that are not there", () => {
    const self = Lan.host()
    assert.strictEqual(
      reasonOf(self.request({ _tag: "RawOpen", version: 4, protocol: 256, link: undefined })),
      "InvalidArgument"
    )
    assert.strictEqual(reasonOf(self.request({ _tag: "RawOpen", version: 4, protocol: 1, link: 9 })), "NotFound")
    const socket = open(self, 99, link)
    const waiting = self.request(receive(socket))
    self.call({ _tag: "DetachLink", link })
    assert.strictEqual(reasonOf(waiting), "LinkDown")
  })
})
