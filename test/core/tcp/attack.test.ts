import { assert, describe, it } from "@effect/vitest"
import { millis, seconds } from "../../../src/core/Time.ts"
import * as Time from "../../../src/core/Time.ts"
import * as Family from "../family.ts"
import { random } from "./Network.ts"
import { connected, drain, pair, pattern, port, stateOf, write } from "./Pair.ts"
import { ACK, FIN, host, listen, Peer, PSH, RST, SYN, text } from "./Peer.ts"

/** `TCP_ATTACK_PACKETS=1000000` makes it a long one. */
const packets = Number(process.env["TCP_ATTACK_PACKETS"] ?? 20_000)

const flags = [RST, RST | ACK, SYN, SYN | ACK, ACK, ACK | PSH, FIN | ACK, 0, FIN | SYN | RST | PSH | ACK, FIN | PSH]

describe("A blind attacker (RFC 5961, RFC 5927, RFC 4987)", () => {
  it("who knows both ends and guesses numbers ends no connection, puts no byte into it, and grows no memory", () => {
    const hosts = pair()
    const [client, server] = connected(hosts)
    const draw = random(7)
    // Its packets seem to come from the client.
    const attacker = new Peer(hosts.server, port, client.localPort)
    attacker.address = 0x0a000001
    const sent: Array<Uint8Array> = []
    const received: Array<Uint8Array> = []
    for (let i = 0; i < packets; i++) {
      const frame = attacker.frame({
        seq: Math.floor(draw() * 2 ** 32),
        ack: Math.floor(draw() * 2 ** 32),
        flags: flags[Math.floor(draw() * flags.length)]!,
        text: draw() < 0.3 ? text(Math.floor(draw() * 100)) : new Uint8Array(0),
        window: Math.floor(draw() * 65_536),
        destination: 0x0a000002
      })
      hosts.server.deliver(1, frame)
      if (i % 500 === 0) {
        const bytes = pattern(1000, sent.length * 1000)
        sent.push(bytes)
        write(hosts.client, client.connection, bytes, true)
        hosts.wire.advance(millis(100))
        received.push(drain(hosts.server, server.connection).bytes)
      }
    }
    hosts.wire.advance(seconds(5))
    received.push(drain(hosts.server, server.connection).bytes)
    assert.strictEqual(stateOf(hosts.client, client.connection), "ESTABLISHED")
    assert.strictEqual(stateOf(hosts.server, server.connection), "ESTABLISHED")
    assert.deepStrictEqual(Buffer.concat(received), Buffer.concat(sent))
    assert.strictEqual(hosts.server.state.tcp.entries.size, 1)
    assert.strictEqual(hosts.server.memory(), 0)
    assert.strictEqual(hosts.server.counter("defects"), 0)
    // RFC 5961 §7: the answers are limited.
    assert.isAtMost(hosts.server.counter("tcpChallengeAcks"), 1000 * (1 + hosts.server.now / Time.seconds(1)))
  })
  it("who floods a listener with SYNs takes a bounded part of the memory, and real clients come through", () => {
    const self = host({ limits: { tcpHalfOpen: 200 } })
    const listener = listen(self)
    const draw = random(3)
    let accepted = 0
    for (let i = 0; i < packets; i++) {
      const flood = new Peer(self, 80, 1 + Math.floor(draw() * 60_000))
      flood.address = Family.address(9 + Math.floor(draw() * 100))
      flood.send({ seq: Math.floor(draw() * 2 ** 32), flags: SYN, options: { maximumSegmentSize: 1460 } })
      self.takeFrames(1)
      assert.isAtMost(self.state.tcp.entries.size, 200 + accepted)
      if (i % 1000 !== 999) continue
      const real = new Peer(self, 80, 61_000 + i / 1000)
      real.send({ seq: 1, flags: SYN, options: { maximumSegmentSize: 1460 } })
      const answer = real.one()
      real.send({ seq: 2, ack: answer.seq + 1, flags: ACK })
      const outcome = self.request({ _tag: "TcpAccept", listener, block: false }).outcome()
      if (outcome._tag === "Done") accepted += 1
      self.notices()
    }
    assert.strictEqual(accepted, Math.floor(packets / 1000))
    assert.strictEqual(self.memory("tcpReceive") + self.memory("tcpSend"), 0)
  })
})
