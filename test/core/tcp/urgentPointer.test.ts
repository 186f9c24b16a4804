/** Where the urgent pointer of a receiver stands (RFC 9293 §3.8.5, §3.10.7.4 sixth check). */
import { assert, describe, it } from "@effect/vitest"
import type { Host } from "../../../src/testing/Host.ts"
import { ACK, established, FIN, host, read, text } from "./Peer.ts"

const URG = 0x20

const urgent = (self: Host, connection: number): number => self.call({ _tag: "TcpGetInfo", connection }).urgent

const announcements = (self: Host): number =>
  self.notices().filter((change) => change._tag === "ConnectionEvent" && change.event === "urgent").length

describe("The urgent pointer", () => {
  it("never goes back, and is announced anew once what was urgent has been read (rfc: 9293 §3.8.5 MUST-32 MUST-33)", () => {
    const self = host()
    const { ack, connection, peer, seq } = established(self)
    self.notices()
    peer.send({ seq, ack, flags: ACK | URG, text: text(10), urgentPointer: 10 })
    assert.deepStrictEqual([announcements(self), urgent(self, connection)], [1, 10])
    peer.send({ seq: seq + 10, ack, flags: ACK | URG, text: text(10), urgentPointer: 20 })
    assert.deepStrictEqual([announcements(self), urgent(self, connection)], [0, 30])
    // A pointer from before, on a segment that comes late.
    peer.send({ seq: seq + 20, ack, flags: ACK | URG, text: text(10), urgentPointer: 5 })
    assert.deepStrictEqual([announcements(self), urgent(self, connection)], [0, 30])
    read(self, connection, 30)
    assert.strictEqual(urgent(self, connection), 0)
    peer.send({ seq: seq + 30, ack, flags: ACK | URG, text: text(10), urgentPointer: 4 })
    assert.deepStrictEqual([announcements(self), urgent(self, connection)], [1, 4])
  })
  it("tells nothing where it points at what was read, or behind the peer's FIN (rfc: 9293 §3.8.5 MUST-32, §3.10.7.4)", () => {
    const self = host()
    const { ack, connection, peer, seq } = established(self)
    peer.send({ seq, ack, flags: ACK, text: text(10) })
    read(self, connection, 10)
    self.notices()
    peer.send({ seq: seq + 10, ack, flags: ACK | URG, text: text(10), urgentPointer: 0 })
    assert.deepStrictEqual([announcements(self), urgent(self, connection)], [0, 0])
    peer.send({ seq: seq + 20, ack, flags: ACK | FIN })
    peer.send({ seq: seq + 21, ack, flags: ACK | URG, urgentPointer: 100 })
    assert.deepStrictEqual([announcements(self), urgent(self, connection)], [0, 0])
  })
})
