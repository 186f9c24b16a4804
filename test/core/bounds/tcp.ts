/**
 * The bounds of TCP: each row is hit, and what is said to happen happens.
 */
import { assert } from "@effect/vitest"
import type * as Bounds from "../../../src/core/Bounds.ts"
import * as Demux from "../../../src/core/Demux.ts"
import * as TcpConfig from "../../../src/core/tcp/Config.ts"
import * as FastOpen from "../../../src/core/tcp/FastOpen.ts"
import * as Time from "../../../src/core/Time.ts"
import type { Host } from "../../../src/testing/Host.ts"
import type * as Address from "../../../src/wire/Address.ts"
import * as Family from "../family.ts"
import { ACK, established, FIN, host, listen, local, Peer, remote, SYN, text } from "../tcp/Peer.ts"
import { dropOf, type Hit, reasonOf } from "./core.ts"

/** Opens a connection from a port of the peer's; answers whether the host agreed. */
const opens = (self: Host, sourcePort: number): boolean => {
  const peer = new Peer(self, 80, sourcePort)
  peer.send({ seq: 1000, flags: SYN })
  const [answer] = peer.take()
  if (answer === undefined || answer.flags !== (SYN | ACK)) return false
  peer.send({ seq: 1001, ack: answer.seq + 1, flags: ACK })
  return true
}

const connect = (self: Host, remotePort: number) =>
  self.request({
    _tag: "TcpConnect",
    remote,
    remotePort,
    local: undefined,
    localPort: 0,
    link: undefined,
    options: {},
    block: true
  })

/** Two peers, each an address and a port, whose connections to port 80 have one hash under the host's key. */
const colliding = (self: Host): ReadonlyArray<readonly [Address.Address, number]> => {
  const byHash = new Map<number, readonly [Address.Address, number]>()
  // Of the ports alone the hash is one to one, so addresses must differ too.
  for (let port = 1;; port++) {
    for (let host = 9; host < 209; host++) {
      const address = Family.address(host)
      const hash = Demux.hash(self.state.keys.demux, local, 80, address, port)
      const other = byHash.get(hash)
      if (other !== undefined) return [other, [address, port]]
      byHash.set(hash, [address, port])
    }
  }
}

export const tcp = {
  tcpConnections: () => {
    const self = host({ limits: { tcpConnections: 2 } })
    listen(self)
    for (const port of [1, 2, 3]) opens(self, port)
    assert.strictEqual(self.state.tcp.connections.value, 2)
    assert.strictEqual(self.dropCount(dropOf("tcpConnections")), 1)
    assert.deepStrictEqual(reasonOf(connect(self, 9)), { _tag: "LimitReached", bound: "tcpConnections" })
  },
  tcpHalfOpen: () => {
    const self = host({ limits: { tcpHalfOpen: 3 } })
    listen(self, 80, 16, { synCookies: "never" })
    for (let port = 1; port <= 5; port++) new Peer(self, 80, port).send({ seq: 1, flags: SYN })
    assert.strictEqual(self.state.tcp.halfOpen.value, 3)
    assert.strictEqual(self.dropCount(dropOf("tcpHalfOpen")), 2)
    self.advance(Time.seconds(200))
    assert.strictEqual(self.state.tcp.halfOpen.value, 0)
    assert.isTrue(opens(self, 9))
  },
  tcpBacklog: () => {
    const self = host({ limits: { tcpBacklog: 2 } })
    const listener = listen(self, 80, 1000)
    assert.deepStrictEqual([1, 2, 3].map((port) => opens(self, port)), [true, true, false])
    assert.strictEqual(self.dropCount(dropOf("tcpBacklog")), 1)
    self.call({ _tag: "TcpAccept", listener, block: false })
    assert.isTrue(opens(self, 4))
  },
  tcpTimeWait: () => {
    const self = host({ limits: { tcpTimeWait: 2 } })
    const listener = listen(self)
    const close = (port: number) => {
      const peer = new Peer(self, 80, port)
      peer.send({ seq: 1000, flags: SYN })
      const { seq } = peer.one()
      peer.send({ seq: 1001, ack: seq + 1, flags: ACK })
      const { connection } = self.call({ _tag: "TcpAccept", listener, block: false })
      self.call({ _tag: "TcpClose", connection })
      peer.send({ seq: 1001, ack: seq + 2, flags: FIN | ACK })
      self.advance(Time.seconds(1))
      peer.take()
      return connection
    }
    const closed = [1, 2, 3].map(close)
    assert.strictEqual(self.state.tcp.timeWaits.value, 2)
    // The one that was first has gone.
    assert.deepStrictEqual(closed.map((id) => self.state.tcp.entries.has(id)), [false, true, true])
    self.advance(Time.seconds(100))
    assert.strictEqual(self.state.tcp.entries.size, 0)
  },
  tcpFastOpens: () => {
    const self = host({ limits: { tcpFastOpens: 1 } })
    listen(self, 80, 16, { fastOpen: "server" })
    const bytes = FastOpen.cookieFor(self.state.keys.cookie, remote)
    const acks = [1, 2].map((port) => {
      const peer = new Peer(self, 80, port)
      const fastOpenCookie = { bytes, start: 0, end: bytes.length }
      peer.send({ seq: 1000, flags: SYN, text: text(5), options: { fastOpenCookie } })
      return peer.one().ack
    })
    assert.deepStrictEqual(acks, [1006, 1001])
  },
  tcpFastOpenCookies: () => {
    const self = host({ limits: { tcpFastOpenCookies: 2 } })
    for (const remotePort of [1, 2, 3]) {
      const asked = { remote, remotePort, local: undefined, localPort: 5000, link: undefined, block: true } as const
      self.request({ _tag: "TcpConnect", options: { fastOpen: "client" }, ...asked })
      const peer = new Peer(self, 5000, remotePort)
      const fastOpenCookie = { bytes: new Uint8Array(8), start: 0, end: 8 }
      peer.send({ seq: 1, ack: peer.one().seq + 1, flags: SYN | ACK, options: { fastOpenCookie } })
      peer.take()
    }
    const known = Array.from(self.state.tcp.fastOpenMemory.entries(), ([key]) => key.split(":").at(-1))
    assert.deepStrictEqual(known.toSorted(), ["2", "3"])
  },
  tcpOutOfOrderRanges: () => {
    const self = host({ limits: { tcpOutOfOrderRanges: 3 } })
    const { ack, peer, seq } = established(self)
    for (let i = 1; i <= 5; i++) peer.send({ seq: seq + i * 10, ack, flags: ACK, text: text(5) })
    assert.strictEqual(self.dropCount(dropOf("tcpOutOfOrderRanges")), 2)
    peer.send({ seq: seq + 60_000, ack, flags: ACK, text: text(5) })
    assert.isAtMost(self.memory(), 1024)
  },
  tcpChallengeAcksPerSecond: () => {
    const config = { tcp: { ...TcpConfig.defaults, challengeInterval: Time.zero } }
    const self = host({ config, limits: { tcpChallengeAcksPerSecond: 4 } })
    const { peer, seq } = established(self)
    self.advance(Time.seconds(1))
    for (let i = 0; i < 10; i++) peer.send({ seq: seq + i, flags: SYN })
    assert.strictEqual(peer.take().length, 4)
    self.advance(Time.seconds(1))
    for (let i = 0; i < 10; i++) peer.send({ seq: seq + i, flags: SYN })
    assert.strictEqual(peer.take().length, 4)
  },
  demuxChain: () => {
    const self = host({ limits: { demuxChain: 1 } })
    listen(self)
    const answers = colliding(self).map(([address, port]) => {
      self.call({ _tag: "SetNeighbor", link: 1, address, mac: 0x0200_0000_0909 })
      const peer = new Peer(self, 80, port)
      peer.address = address
      peer.send({ seq: 1000, flags: SYN })
      return peer.take().length
    })
    assert.deepStrictEqual(answers, [1, 0])
    assert.strictEqual(self.dropCount(dropOf("demuxChain")), 1)
  }
} satisfies Partial<Record<Bounds.Name, Hit>>
