/**
 * Frames of everything but TCP towards the stack: ARP, ICMP with its errors about what the stack has sent, UDP, fragments, options,
 * addresses that must not be, and noise.
 */
import * as Address from "../../src/wire/Address.ts"
import * as Arp from "../../src/wire/Arp.ts"
import * as Ethernet from "../../src/wire/Ethernet.ts"
import type * as Icmpv4 from "../../src/wire/Icmpv4.ts"
import * as Igmp from "../../src/wire/Igmp.ts"
import * as IpProtocol from "../../src/wire/IpProtocol.ts"
import * as Ipv4 from "../../src/wire/Ipv4.ts"
import * as Mac from "../../src/wire/Mac.ts"
import * as Malformed from "../../src/wire/Malformed.ts"
import * as Frames from "./Frames.ts"
import type { Random } from "./Random.ts"
import { closedPorts, rawProtocol, type Scene, udpPorts } from "./Scene.ts"

export const noise = (random: Random, length: number): Frames.Fill => (bytes, at) => {
  random.fill(bytes, at, at + length)
  return at + length
}

/** Fills a frame with noise; behind a right Ethernet header, if that is asked for. */
export const garbage = (target: Frames.Buffer, { random }: Scene): void => {
  target.end = random.length(1600)
  random.fill(target.bytes, 0, target.end)
  if (random.chance(0.5) || target.end < Ethernet.headerLength) return
  const type = random.pick([0x0800, 0x0806, 0x86dd, 0x8100, 0x88a8, 0x05dc, random.next() & 0xffff])
  const destination = random.pick([Frames.stackMac, Mac.broadcast, Mac.ofMulticastV4(0xe000_0001)])
  Ethernet.emit({ destination, source: random.pick(Frames.peers).mac, type }, target.bytes, 0)
}

export const arp = (target: Frames.Buffer, { random }: Scene): void => {
  const peer = random.pick(Frames.peers)
  const claims = random.chance(0.06)
  const header: Arp.Header = {
    operation: random.weighted([[6, Arp.Operation.request], [4, Arp.Operation.reply], [1, random.next() & 0xffff]]),
    senderMac: random.chance(0.9)
      ? peer.mac
      : random.pick([Mac.zero, Mac.broadcast, Frames.stackMac, 0x0100_5e00_0001]),
    senderIp: claims ? Frames.stackAddress : random.chance(0.9) ? peer.address : random.pick(Frames.strangers),
    targetMac: random.pick([Mac.zero, Frames.stackMac]),
    targetIp: random.chance(0.8) ? Frames.stackAddress : random.pick([...Frames.strangers, peer.address])
  }
  Frames.arp(
    target,
    header,
    random.chance(0.9) ? peer.mac : random.pick([Mac.broadcast, Frames.stackMac]),
    random.pick([Mac.broadcast, Frames.stackMac])
  )
}

/** Neighbours without number: the cache has a bound. */
export const arpFlood = (target: Frames.Buffer, scene: Scene): void => {
  const { random } = scene
  const senderIp = Address.v4(10, 99, 0, 0) | random.below(256)
  if (senderIp === Frames.honest.address) return garbage(target, scene)
  const senderMac = 0x0200_0001_0000 + random.below(0x1_0000)
  Frames.arp(
    target,
    {
      operation: Arp.Operation.request,
      senderMac,
      senderIp,
      targetMac: Mac.zero,
      targetIp: Frames.stackAddress
    },
    senderMac,
    Mac.broadcast
  )
}

const quoteLengths = [0, 1, 19, 20, 27, 28, 40, 128, 548] as const

/** The packet of a frame that the stack has sent, as an ICMP error quotes it. */
const quote = ({ random, said }: Scene): Frames.Fill => {
  const frame = said.length === 0 ? undefined : random.pick(said)
  if (frame === undefined || random.chance(0.1)) return noise(random, random.length(128))
  const packet = frame.subarray(Ethernet.headerLength, Ethernet.headerLength + random.pick(quoteLengths))
  return (bytes, at) => {
    bytes.set(packet, at)
    if (packet.length > 0 && random.chance(0.2)) bytes[at + random.below(packet.length)] = random.next()
    return at + packet.length
  }
}

const icmpErrors = (random: Random): Icmpv4.Fields =>
  random.pick<() => Icmpv4.Fields>([
    () => ({
      _tag: "Unreachable",
      code: random.below(17),
      mtu: random.pick([0, 67, 68, 296, 552, 576, 1280, 1499, 1500, 65_535])
    }),
    () => ({ _tag: "Unreachable", code: 4, mtu: random.next() & 0xffff }),
    () => ({ _tag: "TimeExceeded", code: random.below(3) }),
    () => ({ _tag: "ParameterProblem", code: random.below(3), pointer: random.below(64) }),
    () => ({ _tag: "Redirect", code: random.below(4), gateway: random.pick(Frames.peers).address }),
    () => ({ _tag: "SourceQuench" })
  ])()

export const icmpError = (target: Frames.Buffer, scene: Scene): void =>
  Frames.icmp(target, Frames.from(scene.random.pick(Frames.peers)), icmpErrors(scene.random), quote(scene))

const timestamp = (random: Random) => ({
  identifier: random.next() & 0xffff,
  sequence: random.next() & 0xffff,
  originate: random.next() | 0,
  receive: random.next() | 0,
  transmit: random.next() | 0
})

export const icmpQuery = (target: Frames.Buffer, { random }: Scene): void => {
  const identifier = random.below(4)
  const sequence = random.next() & 0xffff
  const message = random.weighted<() => Icmpv4.Fields>([
    [6, () => ({ _tag: "EchoRequest", identifier, sequence })],
    [3, () => ({ _tag: "EchoReply", identifier, sequence })],
    [1, () => ({ _tag: "TimestampRequest", ...timestamp(random) })],
    [1, () => ({ _tag: "TimestampReply", ...timestamp(random) })],
    [1, () => ({ _tag: "Unknown", type: random.below(256), code: random.below(256), rest: random.next() | 0 })]
  ])()
  Frames.icmp(target, Frames.from(random.pick(Frames.peers)), message, noise(random, random.length(1472)))
}

export const udp = (target: Frames.Buffer, { random }: Scene): void => {
  const ports = random.chance(0.7) ? udpPorts : closedPorts
  Frames.udp(target, Frames.from(random.pick(Frames.peers)), {
    sourcePort: random.chance(0.95) ? random.between(1, 65_535) : 0,
    destinationPort: random.pick<number>(ports)
  }, noise(random, random.length(1472)))
}

/** A frame of one kind with a source, a destination or a MAC that it must not have. */
export const misplaced = (target: Frames.Buffer, { random }: Scene): void => {
  const whole = Frames.from(random.pick(Frames.peers))
  const macs = [Frames.stackMac, Mac.broadcast, Mac.ofMulticastV4(0xe000_0001), 0x0200_0000_0077, Mac.zero]
  const addressing: Frames.Addressing = {
    ...whole,
    source: random.chance(0.5) ? random.pick(Frames.strangers) : whole.source,
    destination: random.chance(0.5) ? random.pick(Frames.strangers) : whole.destination,
    destinationMac: random.chance(0.6) ? whole.destinationMac : random.pick(macs),
    sourceMac: random.chance(0.8) ? whole.sourceMac : random.pick(macs),
    hopLimit: random.pick([0, 1, 64, 255]),
    trafficClass: random.next() & 0xff
  }
  const ports = { sourcePort: random.between(1, 65_535), destinationPort: random.pick(udpPorts) }
  const echo = { _tag: "EchoRequest", identifier: 1, sequence: 1 } as const
  random.pick([
    () => Frames.udp(target, addressing, ports, noise(random, random.length(100))),
    () => Frames.icmp(target, addressing, echo, noise(random, random.length(100))),
    () =>
      Frames.ip(
        target,
        addressing,
        random.chance(0.5) ? rawProtocol : random.next() & 0xff,
        noise(random, random.length(100))
      )
  ])()
}

/** Lists of IP options: no operations, route recording, source routes, timestamps, router alert, nonsense. */
const optionLists: ReadonlyArray<ReadonlyArray<number>> = [
  [1, 1, 1, 1],
  [0],
  [7, 7, 4, 0, 0, 0, 0],
  [7, 39, 4, ...Array<number>(36).fill(0)],
  [131, 7, 4, 10, 99, 0, 1],
  [137, 7, 4, 10, 99, 0, 1],
  [68, 12, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0],
  [148, 4, 0, 0],
  [130, 11, ...Array<number>(9).fill(0)],
  [7, 3, 4],
  [7, 0],
  [7, 255, 4, 0]
]

export const optioned = (target: Frames.Buffer, { random }: Scene): void => {
  const known = Uint8Array.from(random.pick(optionLists))
  const bytes = random.chance(0.8) ? known : new Uint8Array(random.between(1, 40))
  if (bytes !== known) random.fill(bytes, 0, bytes.length)
  const addressing = { ...Frames.from(random.pick(Frames.peers)), options: { bytes, start: 0, end: bytes.length } }
  const echo = { _tag: "EchoRequest", identifier: 2, sequence: random.next() & 0xffff } as const
  if (random.chance(0.5)) return Frames.icmp(target, addressing, echo, noise(random, random.length(200)))
  Frames.udp(
    target,
    addressing,
    { sourcePort: 9, destinationPort: random.pick(udpPorts) },
    noise(random, random.length(200))
  )
}

const membership = (random: Random): Igmp.Message => {
  const group = random.pick([0, Address.v4(224, 0, 0, 1), Address.v4(239, 1, 2, 3), 0xe000_0000 | random.next()])
  const sources = Array.from({ length: random.below(6) }, () => Address.v4(192, 0, 2, random.below(200)))
  return random.weighted<() => Igmp.Message>([
    [5, () => ({
      _tag: "Query",
      version: random.pick([1, 2, 3]),
      maximumResponseMillis: random.pick([0, 100, 10_000, 3_000_000]),
      group,
      suppress: random.chance(0.1),
      robustness: random.below(8),
      queryIntervalSeconds: random.below(256),
      sources
    })],
    [1, () => ({ _tag: "Report", version: random.pick([1, 2]), group })],
    [1, () => ({ _tag: "Leave", group })],
    [1, () => ({ _tag: "Records", records: [{ type: random.below(8), group, sources }] })]
  ])()
}

/** Queries and reports of groups (RFC 3376 §4), mostly with the TTL that they must have. */
export const igmp = (target: Frames.Buffer, { random }: Scene): void => {
  const alert = { bytes: Uint8Array.of(148, 4, 0, 0), start: 0, end: 4 }
  const said = membership(random)
  Frames.ip(
    target,
    {
      ...Frames.from(random.pick(Frames.peers)),
      destination: random.pick([Address.v4(224, 0, 0, 1), Address.v4(239, 1, 2, 3), Frames.stackAddress]),
      destinationMac: random.pick([Mac.ofMulticastV4(0xe000_0001), Mac.ofMulticastV4(0xef01_0203), Frames.stackMac]),
      hopLimit: random.chance(0.9) ? 1 : 64,
      options: random.chance(0.9) ? alert : undefined
    },
    IpProtocol.igmp,
    (bytes, at) => Igmp.emit(said, bytes, at)
  )
}

/**
 * A fragment of some packet: a few identifications, so that fragments meet; offsets that fit, overlap, leave holes, or reach beyond
 * the longest packet.
 */
export const fragment = (target: Frames.Buffer, { random }: Scene): void => {
  const peer = random.pick(Frames.peers)
  const unit = 8 * random.pick([1, 2, 8, 64, 185])
  const fragmentOffset = random.chance(0.95) ? unit * random.below(12) : 8 * random.below(8192)
  const length = random.chance(0.8) ? unit : random.length(1480)
  const at = Ethernet.headerLength + Ipv4.minimumHeaderLength
  random.fill(target.bytes, at, at + length)
  if (fragmentOffset === 0 && length >= 8) {
    // An echo request's or a datagram's first eight bytes, so that what gets together is delivered.
    target.bytes.set(random.pick([[8, 0, 0, 0, 0, 3, 0, 1], [0x30, 0x39, 0, 7, 0, 0, 0, 0]]), at)
  }
  Ethernet.emit({ destination: Frames.stackMac, source: peer.mac, type: Ethernet.EtherType.ipv4 }, target.bytes, 0)
  Ipv4.emit(
    {
      source: peer.address,
      destination: Frames.stackAddress,
      hopLimit: 64,
      trafficClass: 0,
      protocol: random.pick([1, 6, 17, rawProtocol]),
      identification: random.chance(0.7) ? random.below(64) : random.next() & 0xffff,
      dontFragment: random.chance(0.02),
      moreFragments: random.chance(0.75),
      fragmentOffset,
      totalLength: Ipv4.minimumHeaderLength + length,
      options: undefined
    },
    target.bytes,
    Ethernet.headerLength
  )
  target.end = at + length
}

/** A frame that was made before. */
export const pending = (target: Frames.Buffer, { pending }: Scene): void => {
  const frame = pending.pop()!
  target.bytes.set(frame)
  target.end = frame.length
}

const mostWaiting = 64
const ipAt = Ethernet.headerLength
const payloadAt = ipAt + Ipv4.minimumHeaderLength

/** The fragment of a whole packet that begins at `offset` of its payload and has at most `size` bytes of it. */
const cut = ({ bytes, end }: Frames.Buffer, header: Ipv4.Header, offset: number, size: number): Uint8Array => {
  const from = payloadAt + offset
  const to = Math.min(from + size, end)
  const frame = new Uint8Array(payloadAt + to - from)
  frame.set(bytes.subarray(0, ipAt))
  const part = { fragmentOffset: offset, moreFragments: to < end, totalLength: frame.length - ipAt }
  Ipv4.emit({ ...header, ...part }, frame, ipAt)
  frame.set(bytes.subarray(from, to), payloadAt)
  return frame
}

/** A whole packet in fragments of one size, in any order; now and then one is missing, or comes twice. */
export const fragments = (target: Frames.Buffer, scene: Scene): void => {
  const { random } = scene
  const addressing = { ...Frames.from(random.pick(Frames.peers)), identification: random.next() & 0xffff }
  const fill = noise(random, random.between(100, 5000))
  if (random.chance(0.5)) {
    Frames.udp(target, addressing, { sourcePort: 9, destinationPort: random.pick(udpPorts) }, fill)
  } else Frames.icmp(target, addressing, { _tag: "EchoRequest", identifier: 5, sequence: 1 }, fill)
  const header = Ipv4.parse(target.bytes, ipAt, target.end)
  if (Malformed.isMalformed(header)) return
  const size = 8 * random.between(Math.ceil((target.end - payloadAt) / 8 / mostWaiting), 185)
  for (let offset = 0; payloadAt + offset < target.end; offset += size) {
    if (random.chance(0.02)) continue
    const frame = cut(target, header, offset, size)
    scene.pending.splice(random.below(scene.pending.length + 1), 0, frame)
    if (random.chance(0.02)) scene.pending.push(frame)
  }
  if (scene.pending.length === 0) return
  scene.pending.splice(0, scene.pending.length - mostWaiting)
  pending(target, scene)
}
