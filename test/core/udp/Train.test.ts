import { assert, describe, it } from "@effect/vitest"
import type { Output } from "../../../src/core/Output.ts"
import type { Message } from "../../../src/core/udp/Requests.ts"
import * as Host from "../../../src/testing/Host.ts"
import type { Gso } from "../../../src/wire/Frame.ts"
import * as Family from "../family.ts"
import * as Lan from "./Lan.ts"
import { bind } from "./Sockets.ts"

const { here, there } = Lan

/** A host on a link that cuts datagrams apart, or does not, which knows the station; and how what it sends is to be cut. */
const make = (cuts: boolean, limits: NonNullable<Host.Options["limits"]> = {}) => {
  const cuttings: Array<Gso | undefined> = []
  const observer = (_: unknown, outputs: ReadonlyArray<Output>): void => {
    for (const output of outputs) if (output._tag === "Transmit") cuttings.push(output.packet.gso)
  }
  const offload = { checksumOffload: true, segmentation: new Set(["udp"] as const), maxSegmentBytes: 65_535 }
  const on = { ...Lan.interfaceOf(here), ...(cuts ? offload : {}) }
  const self = Host.make({ seed: 1, interfaces: [on], limits, observer })
  Lan.introduce(self)
  cuttings.length = 0
  return { self, cuttings }
}

const messagesOf = (lengths: ReadonlyArray<number>, remotePort = 7): ReadonlyArray<Message> =>
  lengths.map((length, i) => ({ remote: there, remotePort, bytes: Lan.bytes(length, i) }))

describe("Datagrams of one call", () => {
  it("leave as one where the link cuts them apart, and are what they would have been alone", () => {
    const messages = [...messagesOf([100, 100, 100, 30]), ...messagesOf([30, 31]), ...messagesOf([30, 30], 8)]
    const sentBy = (cuts: boolean) => {
      const { cuttings, self } = make(cuts)
      const socket = bind(self, { port: 5 })
      assert.strictEqual(self.call({ _tag: "UdpSendMany", socket, messages }), messages.length)
      assert.strictEqual(self.counter("udpSent"), messages.length)
      assert.strictEqual(self.memory(), 0)
      return { cuttings, datagrams: Lan.sent(self).map(({ payload, udp }) => [udp!.destinationPort, payload]) }
    }
    const together = sentBy(true)
    const gso = (size: number): Gso => ({ kind: "udp", size, headerLength: 14 + Family.headerLength + 8 })
    // A shorter one ends a train, a longer one or another port begins one.
    assert.deepStrictEqual(together.cuttings, [gso(100), undefined, undefined, gso(30)])
    const alone = sentBy(false)
    assert.deepStrictEqual(alone.cuttings, messages.map(() => undefined))
    assert.deepStrictEqual(together.datagrams, alone.datagrams)
    assert.deepStrictEqual(alone.datagrams, messages.map(({ bytes, remotePort }) => [remotePort, bytes]))
  })

  it("go alone where one is more than a packet, and as far as the socket has room", () => {
    const { cuttings, self } = make(true, { datagramSendBytes: 250 })
    const socket = bind(self, { port: 5 })
    self.call({ _tag: "UdpSendMany", socket, messages: messagesOf([100, 100, 100, 100]) })
    assert.deepStrictEqual(cuttings.map((cutting) => cutting?.size), [100, 100])
    assert.deepStrictEqual(Lan.sent(self).map(({ payload }) => payload.length), [100, 100, 100, 100])
    cuttings.length = 0
    self.call({ _tag: "UdpSendMany", socket, messages: messagesOf([2000, 2000]) })
    assert.isTrue(cuttings.length > 2 && cuttings.every((cutting) => cutting === undefined))
  })
})
