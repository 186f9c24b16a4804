/**
 * What was sent to a reader who had just gone away comes back in front, and is paid for exactly as long as it is kept.
 */
import { assert, describe, it } from "@effect/vitest"
import { ACK, established, host, text } from "./Peer.ts"

const give = (discards: boolean) => {
  const self = host()
  const { ack, connection, peer, seq } = established(self)
  peer.send({ seq, ack, flags: ACK, text: text(100) })
  const request = { _tag: "TcpRead", connection, max: 1000, block: true } as const
  const value = self.call(request)
  if (discards) self.call({ _tag: "TcpShutdown", connection, read: true, write: false })
  self.tell({ _tag: "Returned", request, value })
  peer.send({ seq: seq + 100, ack, flags: ACK, text: text(50, 100) })
  return { connection, self }
}

describe("Bytes that come back from a reader who has gone", () => {
  it("are read again before what came after them", () => {
    const { connection, self } = give(false)
    const { length, pieces } = self.call({ _tag: "TcpRead", connection, max: 1000, block: true })
    const bytes = pieces.flatMap((piece) => Array.from(piece.bytes.subarray(piece.start, piece.end)))
    assert.deepStrictEqual([length, bytes], [150, [...text(150)]])
    self.call({ _tag: "TcpAbort", connection })
    assert.strictEqual(self.memory(), 0)
  })

  it("are not kept where nobody will read any more", () => {
    const { connection, self } = give(true)
    assert.strictEqual(self.memory("tcpReceive"), 0)
    self.call({ _tag: "TcpAbort", connection })
    assert.strictEqual(self.memory(), 0)
  })
})
