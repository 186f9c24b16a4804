import { assert, describe, it } from "@effect/vitest"
import { millis, seconds } from "../../../src/core/Time.ts"
import type { Host } from "../../../src/testing/Host.ts"
import * as Address from "../../../src/wire/Address.ts"
import * as Family from "../family.ts"
import { Network } from "./Network.ts"
import { connected, connectRequest, pair, serverAddress } from "./Pair.ts"
import { ACK, established, host, icmpOf, Peer, PSH, read, remote, report, stateOf, SYN, text, write } from "./Peer.ts"

const connecting = (self: Host) => {
  const asked = self.request({ ...connectRequest(), remote, remotePort: 80, localPort: 5000 })
  return { asked, syn: self.takeFrames(1)[0]! }
}

/** The frames of text that the host has sent. */
const frames = (self: Host): Array<Uint8Array> => self.takeFrames(1)

/** Of packets, as IPv4 has them. */
const sizes = (all: ReadonlyArray<Uint8Array>): Array<number> =>
  all.map((frame) => frame.length - 14 - Family.headerLength + 20)

describe("ICMP errors (RFC 9293 §3.9.2.2, RFC 5461, RFC 5927)", () => {
  it("a hard one ends a connect, with what it says (rfc: 9293 §3.9.2.2 SHLD-26)", () => {
    for (const [code, what] of [[2, "protocol"], [10, "prohibited"]] as const) {
      const self = host()
      const { asked, syn } = connecting(self)
      report(self, 3, code, syn)
      const outcome = asked.outcome()
      if (outcome._tag !== "Failed" || outcome.reason._tag !== "Unreachable") throw new Error(JSON.stringify(outcome))
      assert.deepStrictEqual([outcome.reason.what, outcome.reason.icmp?.code], [what, icmpOf(3, code)[1]])
    }
  })
  it("port unreachable refuses a connect", () => {
    const self = host()
    const { asked, syn } = connecting(self)
    report(self, 3, 3, syn)
    assert.deepStrictEqual(asked.outcome(), { _tag: "Failed", reason: { _tag: "ConnectionRefused" } })
  })
  it("a soft one does not, and tells why when the time is over (rfc: 9293 §3.9.2.2 MUST-54 MUST-56 SHLD-25)", () => {
    const self = host()
    const { asked, syn } = connecting(self)
    report(self, 3, 1, syn)
    assert.strictEqual(asked.outcome()._tag, "Pending")
    self.advance(seconds(300))
    const outcome = asked.outcome()
    assert.strictEqual(outcome._tag === "Failed" ? outcome.reason._tag : "", "Unreachable")
  })
  it("one about a SYN with text turns Fast Open off for that server (rfc: 7413 §4.1.3.1 MUST)", () => {
    const self = host()
    const open = (localPort: number) => {
      const asked = self.request({ ...connectRequest({ fastOpen: "client" }), remote, remotePort: 80, localPort })
      return { asked, peer: new Peer(self, localPort, 80) }
    }
    const first = open(5000)
    const cookie = { bytes: Uint8Array.of(1, 2, 3, 4), start: 0, end: 4 }
    const options = { maximumSegmentSize: 1000, fastOpenCookie: cookie }
    first.peer.send({ seq: 1, ack: first.peer.one().seq + 1, flags: SYN | ACK, options })
    first.peer.take()
    const second = open(5001).asked.outcome()
    if (second._tag !== "Done") throw new Error("not open")
    write(self, second.value.connection, text(100))
    report(self, 3, 1, frames(self)[0]!)
    assert.strictEqual(open(5002).peer.one().options.fastOpenCookie, undefined)
  })
  it("about a number that is not in flight are dropped (rfc: 5927 §4.1)", () => {
    const self = host()
    const { asked, syn } = connecting(self)
    const forged = syn.slice()
    forged[14 + Family.headerLength + 7]! ^= 0x55
    report(self, 3, 2, forged)
    assert.strictEqual(asked.outcome()._tag, "Pending")
    assert.strictEqual(self.dropCount("IcmpErrorNotOurs"), 1)
  })
  it("never end an established connection (rfc: 5461 §4.2, 9293 §3.9.2.2)", () => {
    const self = host()
    const { connection, peer } = established(self)
    write(self, connection, text(10))
    const [frame] = frames(self)
    for (const [type, code] of [[3, 0], [3, 1], [3, 2], [3, 3], [3, 10], [11, 0], [12, 0], [4, 0]] as const) {
      report(self, type, code, frame!)
      assert.strictEqual(stateOf(self, connection), "ESTABLISHED", `${type} ${code}`)
    }
    peer.take()
  })
})

describe("Path MTU discovery (RFC 1191)", () => {
  it("sends what was too large again in smaller segments, at once, and remembers", () => {
    const self = host()
    const { ack, connection, peer, seq } = established(self, { options: { maximumSegmentSize: 1460 } })
    write(self, connection, text(4000))
    const all = frames(self)
    assert.deepStrictEqual(sizes(all), [1500, 1500, 1120])
    report(self, 3, 4, all[0]!, 1300)
    const again = frames(self)
    assert.isTrue(again.length > 0 && sizes(again).every((size) => size <= 1300), sizes(again).join())
    for (let i = 0; i < 5; i++) {
      peer.send({ seq, ack: ack + 4000, flags: ACK })
      write(self, connection, text(3000))
      assert.isTrue(sizes(frames(self)).every((size) => size <= 1300))
    }
  })
  it("believes no size below the least, or not below the present", () => {
    const self = host()
    const { connection } = established(self, { options: { maximumSegmentSize: 1460 } })
    write(self, connection, text(2000))
    const all = frames(self)
    report(self, 3, 4, all[0]!, 40)
    report(self, 3, 4, all[0]!, 1500)
    assert.deepStrictEqual(frames(self), [])
    assert.strictEqual(self.call({ _tag: "TcpGetInfo", connection }).sendMss, 1460)
  })
  it("is off where the program says so: packets may be cut on the way", () => {
    const self = host()
    const { connection } = established(self, { listenOptions: { pathMtuDiscovery: false } })
    write(self, connection, text(10))
    assert.strictEqual(frames(self)[0]![14 + 6]! & 0x40, 0)
  })
})

describe("A path that swallows large packets (RFC 4821, RFC 8899)", () => {
  /** A transfer over a network that loses every IP packet above `most` bytes, in silence. */
  const transfer = (most: number, options: object) => {
    const hosts = pair({ options })
    const faults = { loss: 0, duplication: 0, reordering: 0, corruption: 0, delay: millis(10) }
    const network = new Network([hosts.client, hosts.server], [faults, faults], 1)
    network.passes = (frame) => frame.length - 14 <= Family.mtuOf(most)
    const asked = hosts.client.request(connectRequest(options))
    const accepting = hosts.server.request({ _tag: "TcpAccept", listener: hosts.listener, block: true })
    network.advance(millis(100))
    const [connected, accepted] = [asked.outcome(), accepting.outcome()]
    if (connected._tag !== "Done" || accepted._tag !== "Done") throw new Error("not connected")
    const { connection } = connected.value
    let received = 0
    let written = 0
    return {
      hosts,
      connection,
      info: () => hosts.client.call({ _tag: "TcpGetInfo", connection }),
      go: (length: number, time: number): number => {
        written += length
        write(hosts.client, connection, text(length), true)
        network.advance(seconds(time), () => {
          const got = read(hosts.server, accepted.value.connection).outcome()
          if (got._tag === "Done") received += got.value.length
        })
        return written - received
      }
    }
  }
  it("is noticed by timeouts, and text goes through in smaller segments", () => {
    const run = transfer(1200, {})
    assert.strictEqual(run.go(200_000, 60), 0)
    assert.isAtMost(run.info().sendMss, 1200 - 40)
  })
  it("its size is found by probes, whose loss is no congestion", () => {
    const run = transfer(1300, {})
    assert.strictEqual(run.go(2_000_000, 60), 0)
    assert.isAtLeast(run.info().sendMss, 1300 - 40 - 12 - 8)
    assert.isAtMost(run.info().sendMss, 1300 - 40 - 12)
    assert.isAtMost(run.hosts.client.counter("tcpFastRetransmits"), 1)
  })
  it("is no matter where probing is on from the start, and large packets are used as soon as they are known to pass", () => {
    const run = transfer(1500, { mtuProbing: "always" })
    // The least that every link carries is more in IPv6 (RFC 4821 §7.2).
    assert.isAtMost(run.info().sendMss, Family.choose(1024 - 40, 1280 - 60))
    assert.strictEqual(run.go(1_000_000, 10), 0)
    assert.isAtLeast(run.info().sendMss, 1448 - 8)
    assert.strictEqual(run.hosts.client.counter("tcpTimeouts"), 0)
  })
  it("is not looked for where the knob says so", () => {
    const run = transfer(1200, { mtuProbing: "off" })
    assert.isAbove(run.go(200_000, 60), 0)
  })
})

describe("Explicit congestion notification (RFC 3168)", () => {
  const ECE = 0x40
  const CWR = 0x80
  const agreed = () => {
    const self = host()
    const listener = self.call({
      _tag: "TcpListen",
      local: undefined,
      version: undefined,
      port: 80,
      backlog: 4,
      options: { noDelay: true },
      link: undefined
    }).listener
    const peer = new Peer(self, 80)
    peer.send({ seq: 1000, flags: SYN | ECE | CWR, options: { maximumSegmentSize: 1000 } })
    const answer = peer.one()
    assert.strictEqual(answer.flags, SYN | ACK | ECE)
    assert.strictEqual(answer.trafficClass & 3, 0)
    peer.send({ seq: 1001, ack: answer.seq + 1, flags: ACK })
    const { connection } = self.call({ _tag: "TcpAccept", listener, block: false })
    return { self, peer, connection, seq: 1001, ack: (answer.seq + 1) | 0 }
  }
  it("is agreed to when the peer asks (rfc: 3168 §6.1.1), and not otherwise", () => {
    agreed()
    const self = host()
    const peer = established(self).peer
    assert.strictEqual(self.call({ _tag: "TcpList" })[0]!.ecn, false)
    assert.isTrue(peer.silent())
  })
  it("marks new text as capable, and neither ACKs nor what is sent again (rfc: 3168 §6.1.4 MUST NOT, §6.1.5 MUST NOT)", () => {
    const { ack, connection, peer, self, seq } = agreed()
    write(self, connection, text(10))
    assert.strictEqual(peer.one().trafficClass & 3, 2)
    peer.send({ seq, ack, flags: ACK | PSH, text: text(5) })
    self.advance(millis(40))
    assert.strictEqual(peer.one().trafficClass & 3, 0)
    self.advance(millis(1500))
    assert.strictEqual(peer.take()[0]!.trafficClass & 3, 0)
  })
  it("echoes a mark on every ACK until CWR comes (rfc: 3168 §6.1.3 MUST)", () => {
    const { ack, peer, seq } = agreed()
    peer.send({ seq, ack, flags: ACK, text: text(5), trafficClass: 3 })
    assert.strictEqual(peer.one().flags & ECE, ECE)
    peer.send({ seq: seq + 5, ack, flags: ACK, text: text(5), trafficClass: 2 })
    assert.strictEqual(peer.one().flags & ECE, ECE)
    peer.send({ seq: seq + 10, ack, flags: ACK | CWR, text: text(5), trafficClass: 2 })
    assert.strictEqual(peer.one().flags & ECE, 0)
  })
  it("answers an echo by a smaller window, once a round trip, and says CWR (rfc: 3168 §6.1.2 MUST)", () => {
    const { ack, connection, peer, self, seq } = agreed()
    const window = () => self.call({ _tag: "TcpGetInfo", connection }).congestionWindow
    write(self, connection, text(10_000))
    peer.take()
    const before = window()
    peer.send({ seq, ack: ack + 1000, flags: ACK | ECE })
    const after = window()
    assert.isBelow(after, before)
    peer.send({ seq, ack: ack + 2000, flags: ACK | ECE })
    assert.isAtLeast(window(), after)
    peer.send({ seq, ack: ack + 10_000, flags: ACK })
    write(self, connection, text(2000))
    assert.deepStrictEqual(peer.take().map((got) => got.flags & CWR), [CWR, 0])
  })
  it("is asked for by an active opener that wants it", () => {
    const self = host()
    const asked = self.request({ ...connectRequest({ ecn: "active" }), remote, remotePort: 80, localPort: 5000 })
    const peer = new Peer(self, 5000, 80)
    const syn = peer.one()
    assert.strictEqual(syn.flags, SYN | ECE | CWR)
    peer.send({ seq: 1, ack: syn.seq + 1, flags: SYN | ACK | ECE })
    const outcome = asked.outcome()
    if (outcome._tag !== "Done") throw new Error("not connected")
    assert.strictEqual(self.call({ _tag: "TcpGetInfo", connection: outcome.value.connection }).ecn, true)
  })
})

describe("Accurate ECN (RFC 9768)", () => {
  const AE = 0x100
  const CWR = 0x80
  const ECE = 0x40
  const all = AE | CWR | ECE
  const ace = (flags: number): number => (flags & all) >>> 6
  const server = (marks = 0) => {
    const self = host()
    const { listener } = self.call({
      _tag: "TcpListen",
      local: undefined,
      version: undefined,
      port: 80,
      backlog: 4,
      options: { noDelay: true, ecn: "accurate" },
      link: undefined
    })
    const peer = new Peer(self, 80)
    peer.send({ seq: 1000, flags: SYN | all, options: { maximumSegmentSize: 1000 }, trafficClass: marks })
    return { self, listener, peer, answer: peer.one() }
  }
  it("a server says in its SYN/ACK how the SYN came (rfc: 9768 §3.1.1)", () => {
    assert.deepStrictEqual([0, 1, 2, 3].map((marks) => ace(server(marks).answer.flags)), [0b010, 0b011, 0b100, 0b110])
  })
  it("counts marked packets in three bits, from five on, and tells every second at once (rfc: 9768 §3.2.1, §3.2.2)", () => {
    const { answer, listener, peer, self } = server()
    peer.send({ seq: 1001, ack: answer.seq + 1, flags: ACK | CWR })
    self.call({ _tag: "TcpAccept", listener, block: false })
    const counts: Array<number> = []
    for (let i = 0; i < 10; i++) {
      peer.send({
        seq: 1001 + i * 10,
        ack: answer.seq + 1,
        flags: ACK | AE | ECE,
        text: text(10),
        trafficClass: i % 2 === 0 ? 3 : 2
      })
      counts.push(ace(peer.one().flags))
    }
    assert.deepStrictEqual(counts, [6, 6, 7, 7, 0, 0, 1, 1, 2, 2])
  })
  it("a sender's window answers to a count that has gone up, once a round trip", () => {
    const { answer, listener, peer, self } = server()
    peer.send({ seq: 1001, ack: answer.seq + 1, flags: ACK | CWR })
    const { connection } = self.call({ _tag: "TcpAccept", listener, block: false })
    const window = () => self.call({ _tag: "TcpGetInfo", connection }).congestionWindow
    write(self, connection, text(10_000))
    const sent = peer.take()
    assert.isTrue(sent.every((got) => (got.trafficClass & 3) === 2 && ace(got.flags) === 5))
    const before = window()
    peer.send({ seq: 1001, ack: answer.seq + 1001, flags: ACK | AE | ECE })
    assert.isAtLeast(window(), before)
    peer.send({ seq: 1001, ack: answer.seq + 2001, flags: ACK | AE | CWR })
    const after = window()
    assert.isBelow(after, before)
    peer.send({ seq: 1001, ack: answer.seq + 3001, flags: ACK | AE | CWR | ECE })
    assert.isAtLeast(window(), after)
  })
  it("a client asks for it, says how the SYN/ACK came, and falls back to what the server knows", () => {
    const client = (flags: number, marks = 0) => {
      const self = host()
      const asked = self.request({ ...connectRequest({ ecn: "accurate" }), remote, remotePort: 80, localPort: 5000 })
      const peer = new Peer(self, 5000, 80)
      const syn = peer.one()
      assert.strictEqual(ace(syn.flags), 7)
      peer.send({ seq: 1, ack: syn.seq + 1, flags: SYN | ACK | flags, trafficClass: marks })
      const last = peer.one()
      const outcome = asked.outcome()
      if (outcome._tag !== "Done") throw new Error("not connected")
      return [ace(last.flags), self.call({ _tag: "TcpGetInfo", connection: outcome.value.connection }).ecn]
    }
    assert.deepStrictEqual(client(CWR), [0b010, true])
    assert.deepStrictEqual(client(CWR, 3), [0b110, true])
    assert.deepStrictEqual(client(ECE), [0, true])
    assert.deepStrictEqual(client(0), [0, false])
    assert.deepStrictEqual(client(all), [0, false])
  })
})

describe("A next hop that has gone (RFC 1122 §3.3.1.4)", () => {
  it("is doubted at the third retransmission, though it was believed in, and asked (rfc: 9293 §3.8.3 MUST-20)", () => {
    let isCut = false
    const self = pair({ tap: (frame) => isCut ? undefined : frame })
    const { client, wire } = self
    client.call({ _tag: "RemoveNeighbor", link: 1, address: serverAddress })
    const [{ connection }] = connected(self)
    const stateOfServer = () => {
      const all = client.call({ _tag: "ListNeighbors", link: undefined })
      return all.find(({ address }) => Address.equals(address, serverAddress))?.state
    }
    assert.strictEqual(stateOfServer(), "Reachable")
    isCut = true
    write(client, connection, text(100))
    const seen: Array<string | undefined> = []
    for (let count = 1; count <= 3; count++) {
      while (client.counter("tcpTimeouts") < count) {
        client.advance(millis(10))
        wire.exchange()
      }
      seen.push(stateOfServer())
    }
    assert.deepStrictEqual(seen, ["Reachable", "Reachable", "Delay"])
    client.advance(seconds(1))
    assert.strictEqual(stateOfServer(), "Probe")
  })
})
