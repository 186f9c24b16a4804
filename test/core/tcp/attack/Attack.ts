/**
 * Attackers who see nothing of what is said and guess (RFC 5961, RFC 5927), and who ask for connections without end (RFC 4987): what becomes of the
 * connections, the memory and the real clients of a host.
 */
import { millis, seconds } from "../../../../src/core/Time.ts"
import * as Time from "../../../../src/core/Time.ts"
import type { Host } from "../../../../src/testing/Host.ts"
import * as Family from "../../family.ts"
import { random } from "../Network.ts"
import {
  clientAddress,
  connected,
  drain,
  type Pair,
  pair,
  pattern,
  port,
  serverAddress,
  stateOf,
  write
} from "../Pair.ts"
import { ACK, established, FIN, host, Peer, PSH, read, report, RST, SYN, text } from "../Peer.ts"

const flags = [RST, RST | ACK, SYN, SYN | ACK, ACK, ACK | PSH, FIN | ACK, 0, FIN | SYN | RST | PSH | ACK, FIN | PSH]

/** ICMP types and codes that a connection could fall for: unreachable in every way, fragmentation needed, time exceeded, source quench. */
const icmpErrors = [[3, 0], [3, 1], [3, 2], [3, 3], [3, 4], [3, 10], [11, 0], [4, 0]] as const

/** Packets between two pieces of real work. */
const packetsPerTalk = 500

/** What blind guesses have done. */
export interface Guessed {
  readonly states: ReadonlyArray<string>
  /** What the programs have sent has arrived, and nothing else. */
  readonly isIntact: boolean
  /** The full segment of both sides, before and after. */
  readonly segments: readonly [number, number]
  readonly entries: number
  readonly memory: number
  readonly defects: number
  readonly challenges: number
  /** RFC 5961 §7: how many challenge ACKs the time allows. */
  readonly challengesAllowed: number
}

/** The attacker knows both addresses and ports, and guesses numbers: its packets seem to come from the server, its errors from a router. */
const guess = (hosts: Pair, forged: Peer, quoted: Peer, draw: () => number): void => {
  const number = (): number => Math.floor(draw() * 2 ** 32)
  if (draw() < 0.2) {
    const [type, code] = icmpErrors[Math.floor(draw() * icmpErrors.length)]!
    const about = quoted.frame({ seq: number(), ack: number(), flags: ACK, destination: serverAddress, text: text(20) })
    return report(hosts.client, type, code, about, Math.floor(draw() * 1500))
  }
  hosts.client.deliver(
    1,
    forged.frame({
      seq: number(),
      ack: number(),
      flags: flags[Math.floor(draw() * flags.length)]!,
      text: draw() < 0.3 ? text(Math.floor(draw() * 100)) : new Uint8Array(0),
      window: Math.floor(draw() * 65_536),
      destination: clientAddress
    })
  )
}

export const blind = (packets: number, seed: number): Guessed => {
  const hosts = pair()
  const [client, server] = connected(hosts)
  const draw = random(seed)
  const forged = new Peer(hosts.client, client.localPort, port)
  forged.address = serverAddress
  const quoted = new Peer(hosts.client, port, client.localPort)
  quoted.address = clientAddress
  const segment = (): number => hosts.client.call({ _tag: "TcpGetInfo", connection: client.connection }).sendMss
  const before = segment()
  let [sent, isIntact] = [0, true]
  const talk = (): void => {
    for (
      const [from, own, to, other] of [
        [hosts.client, client.connection, hosts.server, server.connection],
        [hosts.server, server.connection, hosts.client, client.connection]
      ] as const
    ) {
      const bytes = pattern(1000, sent)
      write(from, own, bytes, true)
      hosts.wire.advance(millis(100))
      isIntact = isIntact && Buffer.compare(drain(to, other).bytes, bytes) === 0
    }
    sent += 1000
    hosts.client.notices()
    hosts.client.drops()
    hosts.wire.carried.length = 0
  }
  for (let i = 0; i < packets; i++) {
    guess(hosts, forged, quoted, draw)
    if (i % packetsPerTalk === 0) talk()
  }
  hosts.wire.advance(seconds(5))
  talk()
  return {
    states: [stateOf(hosts.client, client.connection), stateOf(hosts.server, server.connection)],
    isIntact,
    segments: [before, segment()],
    entries: hosts.client.state.tcp.entries.size,
    memory: hosts.client.memory(),
    defects: hosts.client.counter("defects"),
    challenges: hosts.client.counter("tcpChallengeAcks"),
    challengesAllowed: 1000 * (1 + hosts.client.now / Time.seconds(1))
  }
}

/** SYNs between two real clients. */
const synsPerClient = 1000

/** What a flood of SYNs has done. */
export interface Flooded {
  /** Real clients that came while it lasted, and those that were accepted. */
  readonly clients: number
  readonly accepted: number
  /** The most records beside those of real connections. */
  readonly halfOpen: number
  readonly limit: number
  /** A connection from before still carries text. */
  readonly isAlive: boolean
  /** Of connections; and of SYN/ACKs that wait for made-up neighbours to be found, with what that may be. */
  readonly memory: number
  readonly parked: number
  readonly parkedLimit: number
  readonly defects: number
}

/** A client that means it: it is accepted if the handshake ends, whether by a record or by a cookie. */
const connects = (self: Host, listener: number, localPort: number): boolean => {
  const real = new Peer(self, 80, localPort)
  real.send({ seq: 1, flags: SYN, options: { maximumSegmentSize: 1460 } })
  real.send({ seq: 2, ack: real.one().seq + 1, flags: ACK })
  return self.request({ _tag: "TcpAccept", listener, block: false }).outcome()._tag === "Done"
}

export const flood = (syns: number, seed: number): Flooded => {
  const self = host()
  const { ack, connection, listener, peer, seq } = established(self)
  const draw = random(seed)
  const { neighborParkedBytes: parkedLimit, tcpHalfOpen: limit } = self.state.config.limits
  let [clients, accepted, halfOpen] = [0, 0, 0]
  for (let i = 0; i < syns; i++) {
    const attacker = new Peer(self, 80, 1 + Math.floor(draw() * 39_999))
    attacker.address = Family.address(9 + Math.floor(draw() * 100))
    attacker.send({ seq: Math.floor(draw() * 2 ** 32), flags: SYN, options: { maximumSegmentSize: 1460 } })
    halfOpen = Math.max(halfOpen, self.state.tcp.entries.size - accepted - 1)
    if (i % synsPerClient !== synsPerClient - 1) continue
    self.takeFrames(1)
    if (connects(self, listener, 41_000 + clients)) accepted += 1
    clients += 1
    self.notices()
    self.drops()
  }
  self.takeFrames(1)
  peer.send({ seq, ack, flags: ACK | PSH, text: text(10) })
  const got = read(self, connection).outcome()
  const isAlive = got._tag === "Done" && got.value.length === 10
  const parked = self.memory("parkedPackets")
  const memory = self.memory() - parked
  const defects = self.counter("defects")
  return { clients, accepted, halfOpen, limit, isAlive, memory, parked, parkedLimit, defects }
}
