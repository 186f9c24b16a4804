import { assert, describe, it } from "@effect/vitest"
import * as Time from "../../../src/core/Time.ts"
import * as Frame from "../../../src/wire/Frame.ts"
import * as Malformed from "../../../src/wire/Malformed.ts"
import * as Tcp from "../../../src/wire/Tcp.ts"
import * as Family from "../family.ts"
import { host, listen, Peer, remote } from "./Peer.ts"

describe("The story of one SYN (docs/control-flow.md)", () => {
  it("a SYN for a listener leaves one SYN/ACK, one notice and one timer; the timer sends the SYN/ACK again", () => {
    const self = host()
    const listener = listen(self)
    const peer = new Peer(self, 80)
    const frame = peer.frame({ seq: 1000, flags: Tcp.SYN, options: { maximumSegmentSize: 1460 } })

    // One event in, and its outputs: nothing else happens.
    const outputs = self.run([{
      _tag: "Frame",
      link: 1,
      frame: Frame.plain(frame),
      receivedAt: self.now
    }])
    assert.deepStrictEqual(outputs.map((output) => output._tag), ["SetTimer", "Notice", "Transmit"])

    const notice = outputs.find((output) => output._tag === "Notice")!
    const connection = [...self.state.tcp.entries.values()][0]!.id
    assert.deepStrictEqual(notice.change, {
      _tag: "ConnectionIncoming",
      listener,
      connection,
      remote,
      remotePort: peer.sourcePort
    })

    const timer = outputs.find((output) => output._tag === "SetTimer")!
    assert.deepStrictEqual(timer.timer, { _tag: "Tcp", key: connection })
    assert.strictEqual(timer.at, Time.plus(self.now, Time.seconds(1)))

    const transmit = outputs.find((output) => output._tag === "Transmit")!
    const { head, headEnd, headStart } = transmit.packet
    const header = Tcp.parse(head, headStart + 14 + Family.headerLength, headEnd)
    if (Malformed.isMalformed(header)) throw new Error(header.detail)
    assert.strictEqual(header.flags, Tcp.SYN | Tcp.ACK)
    assert.strictEqual(header.acknowledgment, 1001)
    const [first] = peer.take()

    // Nobody answers: the timer fires, and the same SYN/ACK leaves again.
    self.advance(Time.seconds(1))
    const again = peer.one()
    assert.deepStrictEqual({ ...again }, { ...first! })
    assert.strictEqual(self.counter("tcpSegmentsRetransmitted"), 1)
  })
})
