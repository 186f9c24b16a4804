import { assert, describe, it } from "@effect/vitest"
import * as Host from "../../../src/testing/Host.ts"
import * as Address from "../../../src/wire/Address.ts"
import * as Ethernet from "../../../src/wire/Ethernet.ts"
import * as Frame from "../../../src/wire/Frame.ts"
import * as Mac from "../../../src/wire/Mac.ts"
import * as Lan from "../Lan.ts"

const { here, hereMac, link, thereMac } = Lan
const request = Lan.ip(Lan.echo())

describe("Ethernet", () => {
  it("takes what is sent to its own address, and what is behind the IP packet is padding (rfc: 894, rfc: 1122 §2.3.3)", () => {
    const self = Lan.host()
    Lan.introduce(self)
    const padded = new Uint8Array(60)
    padded.set(Lan.ethernet(request))
    assert.deepStrictEqual(Lan.deliver(self, padded).sent.map(({ icmp }) => icmp?._tag), ["EchoReply"])
  })

  const refused: ReadonlyArray<readonly [string, Uint8Array, string]> = [
    ["what is for another station", Lan.ethernet(request, { to: thereMac }), "EthernetNotForUs"],
    ["what comes from a group", Lan.ethernet(request, { from: 0x0300_0000_0001 }), "EthernetSourceIsGroup"],
    ["what comes from everybody", Lan.ethernet(request, { from: Mac.broadcast }), "EthernetSourceIsGroup"],
    ["what comes from itself", Lan.ethernet(request, { from: hereMac }), "EthernetSourceIsOurs"],
    ["a protocol that it does not speak", Lan.ethernet(request, { type: 0x88cc }), "EtherTypeUnknown"],
    ["an IEEE 802.3 length", Lan.ethernet(request, { type: request.length }), "EtherTypeUnknown"],
    ["a frame shorter than its header", Lan.ethernet(request).slice(0, 13), "Malformed"],
    ["an empty frame", new Uint8Array(0), "Malformed"]
  ]
  for (const [what, frame, reason] of refused) {
    it(`drops ${what} (rfc: 1122 §2.3.3, IEEE 802)`, () => {
      const self = Lan.host()
      assert.deepStrictEqual(Lan.deliver(self, frame), { sent: [], dropped: [reason] })
    })
  }

  it("drops what comes in while the interface is down, and from links that it does not know", () => {
    const self = Lan.host()
    self.tell({ _tag: "LinkChanged", link, up: false })
    assert.deepStrictEqual(Lan.deliver(self, Lan.ethernet(request)).dropped, ["InterfaceDown"])
    self.deliver(9, Lan.ethernet(request))
    assert.deepStrictEqual(Lan.dropped(self), ["DetachedInterface"])
  })

  it("reads only the frame's range of its slab", () => {
    const self = Lan.host()
    Lan.introduce(self)
    const frame = Lan.ethernet(request)
    const slab = new Uint8Array(2048).fill(0xee)
    slab.set(frame, 100)
    self.deliver(link, Frame.plain(slab, 100, 100 + frame.length))
    assert.deepStrictEqual(Lan.sent(self).map(({ icmp }) => icmp?._tag), ["EchoReply"])
  })

  it("knows bare IP by its version on links without link-layer header", () => {
    const self = Host.make({ interfaces: [{ medium: "ip", addresses: [[here, 24]] }] })
    self.deliver(link, Lan.ip(Lan.echo()))
    assert.strictEqual(self.takeFrames(link).length, 1)
    self.deliver(link, Uint8Array.of(0x50, 0, 0, 0))
    self.deliver(link, new Uint8Array(0))
    assert.deepStrictEqual(Lan.dropped(self), ["EtherTypeUnknown", "EtherTypeUnknown"])
  })

  it("verifies no checksum for which the link vouches, or which never was on a wire", () => {
    const self = Lan.host()
    Lan.introduce(self)
    const frame = Lan.ethernet(request)
    frame[frame.length - 1] = frame[frame.length - 1]! ^ 1
    for (const [checksum, answers] of [["none", 0], ["verified", 1], ["partial", 1]] as const) {
      self.deliver(link, { ...Frame.plain(frame), checksum })
      assert.strictEqual(self.takeFrames(link).length, answers, checksum)
    }
  })

  it("counts frames and bytes", () => {
    const self = Lan.host()
    Lan.introduce(self)
    const [frames, octets] = [self.counter("framesReceived"), self.counter("bytesReceived")]
    const [framesOut, octetsOut] = [self.counter("framesSent"), self.counter("bytesSent")]
    const frame = Lan.ethernet(request)
    self.deliver(link, frame)
    assert.strictEqual(self.counter("framesReceived") - frames, 1)
    assert.strictEqual(self.counter("bytesReceived") - octets, frame.length)
    assert.strictEqual(self.counter("framesSent") - framesOut, 1)
    assert.strictEqual(self.counter("bytesSent") - octetsOut, frame.length)
  })

  it("sends to everybody what is for everybody and to one what is for one", () => {
    const self = Lan.host()
    self.request(Lan.ping(Address.v4(10, 0, 0, 77)))
    assert.deepStrictEqual(Lan.sent(self).map(({ ethernet }) => [ethernet.destination, ethernet.type]), [
      [Mac.broadcast, Ethernet.EtherType.arp]
    ])
  })
})
