/**
 * TCP segments towards the stack: handshakes of every kind, and segments in the middle of a conversation, from exactly right to barely
 * possible.
 */
import * as Sequence from "../../src/wire/Sequence.ts"
import * as Tcp from "../../src/wire/Tcp.ts"
import type * as TcpOptions from "../../src/wire/TcpOptions.ts"
import type { Conversation } from "./Conversations.ts"
import * as Frames from "./Frames.ts"
import * as Ipv6Packets from "./Ipv6Packets.ts"
import type { Random } from "./Random.ts"
import { closedPorts, type Scene, tcpPorts } from "./Scene.ts"

const noise = (random: Random, length: number): Frames.Fill => (bytes, at) => {
  random.fill(bytes, at, at + length)
  return at + length
}

const maybe = <A>(random: Random, probability: number, value: () => A): A | undefined =>
  random.chance(probability) ? value() : undefined

const synOptions = (random: Random): Partial<TcpOptions.Options> => {
  const withTimestamps = random.chance(0.5)
  return {
    maximumSegmentSize: maybe(random, 0.8, () => random.pick([0, 1, 64, 536, 1220, 1460, 8960, 65_535])),
    windowScale: maybe(random, 0.6, () => random.pick([0, 2, 7, 14, 15, 255])),
    sackPermitted: random.chance(0.7),
    timestampValue: withTimestamps ? random.next() | 0 : undefined,
    timestampEcho: withTimestamps ? (random.chance(0.9) ? 0 : random.next() | 0) : undefined
  }
}

/** A share of what nobody waits for goes over IPv6. */
const perhapsOverIpv6 = (target: Frames.Buffer, random: Random): void => {
  if (random.chance(0.4)) Ipv6Packets.translate(target)
}

/** Over the version of the conversation, to the address that the stack has in it. */
const carry = (target: Frames.Buffer, { local }: Conversation): void => {
  if (typeof local !== "number") Ipv6Packets.translate(target, local)
}

const windows = [0, 1, 2, 100, 536, 1460, 8192, 32_767, 65_535] as const

/** A SYN to a listener or to a port without one, from a peer's port that is new or was used before. */
export const syn = (target: Frames.Buffer, { random }: Scene): void => {
  const port = random.chance(0.9) ? random.pick(tcpPorts) : random.pick(closedPorts)
  Frames.tcp(target, Frames.from(random.pick(Frames.peers)), {
    sourcePort: random.chance(0.98) ? random.between(1024, 1024 + 4000) : random.pick(closedPorts),
    destinationPort: port,
    sequence: random.chance(0.2) ? random.pick([0, -1, 0x7fff_ffff, -0x8000_0000]) : random.next() | 0,
    acknowledgment: random.chance(0.9) ? 0 : random.next() | 0,
    flags: Tcp.SYN |
      random.weighted([[12, 0], [2, Tcp.ECE | Tcp.CWR], [1, Tcp.FIN], [1, Tcp.ACK], [1, Tcp.RST], [1, Tcp.URG]]),
    window: random.pick(windows),
    urgentPointer: 0,
    options: synOptions(random)
  }, noise(random, random.chance(0.9) ? 0 : random.length(1400)))
  perhapsOverIpv6(target, random)
}

/** Where the segment stands: mostly where it is expected. */
const sequenceOf = (at: Conversation, random: Random): Sequence.Sequence =>
  random.weighted<() => Sequence.Sequence>([
    [12, () => at.expected],
    [4, () => Sequence.add(at.expected, random.between(1, 3000))],
    [3, () => Sequence.add(at.expected, -random.between(1, 3000))],
    [1, () => Sequence.add(at.expected, at.window + random.between(-2, 2))],
    [1, () => Sequence.add(at.expected, (at.window << random.between(0, 14)) + random.between(-2, 2))],
    [1, () => random.next() | 0]
  ])()

/** What it acknowledges: mostly all or a part of what the stack has sent. */
const acknowledgmentOf = (at: Conversation, random: Random): Sequence.Sequence =>
  random.weighted<() => Sequence.Sequence>([
    [8, () => at.sent],
    [
      4,
      () => Sequence.add(at.acknowledged, random.below(Math.max(1, Sequence.distance(at.acknowledged, at.sent)) + 1))
    ],
    [3, () => at.acknowledged],
    [1, () => Sequence.add(at.sent, random.between(1, 10_000))],
    [1, () => Sequence.add(at.acknowledged, -random.between(1, 100_000))],
    [1, () => random.next() | 0]
  ])()

const flagsOf = (random: Random): number =>
  random.weighted([
    [30, Tcp.ACK],
    [8, Tcp.ACK | Tcp.PSH],
    [4, Tcp.ACK | Tcp.FIN],
    [2, Tcp.RST],
    [1, Tcp.RST | Tcp.ACK],
    [1, Tcp.SYN],
    [2, Tcp.SYN | Tcp.ACK],
    [1, Tcp.ACK | Tcp.URG],
    [1, Tcp.ACK | Tcp.ECE],
    [1, Tcp.ACK | Tcp.CWR],
    [1, 0],
    [1, Tcp.FIN],
    [1, random.below(0x200)]
  ])

/** Blocks within what the stack has sent, and now and then anywhere. */
const sackBlocks = (at: Conversation, random: Random): ReadonlyArray<TcpOptions.SackBlock> =>
  Array.from({ length: random.between(1, 3) }, () => {
    const span = Math.max(1, Sequence.distance(at.acknowledged, at.sent))
    const left = random.chance(0.9) ? Sequence.add(at.acknowledged, random.below(span)) : random.next() | 0
    return { left, right: Sequence.add(left, random.chance(0.9) ? random.between(1, 3000) : random.next()) }
  })

const optionsOf = (at: Conversation, random: Random): Partial<TcpOptions.Options> => {
  const withTimestamps = random.chance(at.timestamp === undefined ? 0.02 : 0.95)
  return {
    timestampValue: withTimestamps ? (random.chance(0.95) ? at.clock : random.next() | 0) : undefined,
    timestampEcho: withTimestamps ? (random.chance(0.95) ? at.timestamp ?? 0 : random.next() | 0) : undefined,
    sackBlocks: random.chance(0.12) ? sackBlocks(at, random) : []
  }
}

/** A segment of a conversation that the stack is in. */
const next = (target: Frames.Buffer, at: Conversation, random: Random): void => {
  if (random.chance(0.3)) at.clock = (at.clock + random.below(1000)) | 0
  const acknowledgment = acknowledgmentOf(at, random)
  Frames.tcp(target, Frames.from(at.peer), {
    sourcePort: at.peerPort,
    destinationPort: at.stackPort,
    sequence: sequenceOf(at, random),
    acknowledgment,
    flags: flagsOf(random),
    window: random.pick(windows),
    urgentPointer: random.chance(0.95) ? 0 : random.next() & 0xffff,
    options: optionsOf(at, random)
  }, noise(random, random.chance(0.4) ? 0 : random.length(1448)))
  carry(target, at)
  if (Sequence.between(at.acknowledged, acknowledgment, Sequence.add(at.sent, 1))) at.acknowledged = acknowledgment
}

/** A segment of a conversation that nobody is in. */
const stray = (target: Frames.Buffer, random: Random): void => {
  Frames.tcp(target, Frames.from(random.pick(Frames.peers)), {
    sourcePort: random.next() & 0xffff,
    destinationPort: random.pick([...tcpPorts, ...closedPorts]),
    sequence: random.next() | 0,
    acknowledgment: random.next() | 0,
    flags: flagsOf(random),
    window: random.pick(windows),
    urgentPointer: 0
  }, noise(random, random.length(1448)))
  perhapsOverIpv6(target, random)
}

/** The rightest answer to the stack's last segment, so that conversations get on. */
const agreeable = (target: Frames.Buffer, at: Conversation, random: Random): void => {
  at.clock = (at.clock + 1) | 0
  at.acknowledged = at.sent
  Frames.tcp(target, Frames.from(at.peer), {
    sourcePort: at.peerPort,
    destinationPort: at.stackPort,
    sequence: at.expected,
    acknowledgment: at.sent,
    flags: Tcp.ACK | (random.chance(0.05) ? Tcp.FIN : 0),
    window: 65_535,
    urgentPointer: 0,
    options: at.timestamp === undefined ? {} : { timestampValue: at.clock, timestampEcho: at.timestamp }
  }, noise(random, random.chance(0.5) ? 0 : random.length(1448)))
  carry(target, at)
}

const mss = 1448

/** What a receiver says that misses the first segment of what the stack has sent, and has some of the others (RFC 2018 §4). */
const missing = (target: Frames.Buffer, at: Conversation, random: Random): void => {
  const left = Sequence.add(at.acknowledged, mss * random.between(1, 3))
  const hasMore = Sequence.before(left, at.sent)
  Frames.tcp(target, Frames.from(at.peer), {
    sourcePort: at.peerPort,
    destinationPort: at.stackPort,
    sequence: at.expected,
    acknowledgment: at.acknowledged,
    flags: Tcp.ACK | (random.chance(0.1) ? Tcp.ECE : 0),
    window: 65_535,
    urgentPointer: 0,
    options: {
      ...(at.timestamp === undefined ? {} : { timestampValue: at.clock, timestampEcho: at.timestamp }),
      sackBlocks: hasMore && random.chance(0.9)
        ? [{ left, right: random.chance(0.5) ? at.sent : Sequence.add(left, mss) }]
        : []
    }
  }, noise(random, 0))
  carry(target, at)
}

export const segment = (target: Frames.Buffer, scene: Scene): void => {
  const { conversations, focus, random } = scene
  if (focus !== undefined && focus.left > 0) {
    focus.left -= 1
    return random.chance(0.8) ? missing(target, focus.at, random) : agreeable(target, focus.at, random)
  }
  const at = conversations.pick(random)
  if (at === undefined || random.chance(0.03)) return stray(target, random)
  if (random.chance(0.08)) scene.focus = { at, left: random.between(2, 12) }
  if (random.chance(0.35)) return agreeable(target, at, random)
  next(target, at, random)
}
