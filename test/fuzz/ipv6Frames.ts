/**
 * Frames of IPv6 itself towards the stack: chains of extension headers of any length, fragments and fragments within fragments,
 * neighbour discovery, listener discovery, errors, and addresses that must not be.
 */
import * as Address from "../../src/wire/Address.ts"
import * as Ethernet from "../../src/wire/Ethernet.ts"
import * as Icmpv6 from "../../src/wire/Icmpv6.ts"
import * as IpProtocol from "../../src/wire/IpProtocol.ts"
import * as Ipv6 from "../../src/wire/Ipv6.ts"
import * as Mac from "../../src/wire/Mac.ts"
import * as Mld from "../../src/wire/Mld.ts"
import * as Word from "../../src/wire/Word.ts"
import * as Frames from "./Frames.ts"
import * as Packets from "./Ipv6Packets.ts"
import { noise, pending } from "./otherFrames.ts"
import type { Random } from "./Random.ts"
import { closedPorts, type Scene, udpPorts } from "./Scene.ts"

/** What a chain is made of: numbers of headers, and types of options. */
interface Material {
  readonly kinds: ReadonlyArray<number>
  readonly optionTypes: ReadonlyArray<number>
}

/** What everybody knows and skips. */
const known: Material = { kinds: [43, 44, 60, 60], optionTypes: [0, 1, 1, 0x3e] }
/** What must not be there, is answered, or is nobody's. */
const strange: Material = {
  kinds: [0, 0, 43, 44, 60, 60, 60, 50, 51, 135, 139, 140, 253],
  optionTypes: [0, 1, 1, 5, 0x3e, 0x7e, 0xbe, 0xc2, 0xc9, 0xfe, 0x8b]
}
const ends = [6, 17, 58, 58, 59, 41, 4, 132, 255] as const

/** Options that fill a header to its end, mostly. */
const fillOptions = (random: Random, material: Material, bytes: Uint8Array, at: number, end: number): void => {
  let next = at
  while (next < end) {
    const type = random.pick(material.optionTypes)
    bytes[next++] = type
    if (type === 0 || next >= end) continue
    const length = material === known || random.chance(0.95) ? random.below(end - next) : random.next() & 0xff
    bytes[next++] = length
    for (let i = 0; i < length && next < end; i++) bytes[next++] = type === 1 ? 0 : random.next()
  }
}

/** One extension header at `at`, which says that `next` follows; the offset behind it. */
const header = (
  random: Random,
  material: Material,
  bytes: Uint8Array,
  at: number,
  kind: number,
  next: number
): number => {
  const units = random.chance(0.9) ? random.below(3) : random.below(20)
  const end = at + 8 * (units + 1)
  bytes[at] = next
  bytes[at + 1] = material === known || random.chance(0.97) ? units : random.next()
  if (kind === IpProtocol.fragment) {
    bytes[at + 1] = 0
    // Mostly a packet in one fragment (RFC 6946), which goes on to what follows.
    Word.write16(material === known || random.chance(0.8) ? 0 : random.next() & 0xffff, bytes, at + 2)
    Word.write32(random.below(64), bytes, at + 4)
    return at + 8
  }
  if (kind === IpProtocol.routing) {
    random.fill(bytes, at + 2, end)
    if (material === known || random.chance(0.5)) bytes[at + 3] = 0
    return end
  }
  fillOptions(random, material, bytes, at + 2, end)
  return end
}

/** How many headers: mostly a few, around the bound, or as many as the frame holds. */
const chainLength = (random: Random): number =>
  random.weighted<() => number>([
    [12, () => random.below(4)],
    [3, () => random.between(14, 18)],
    [2, () => random.between(18, 200)],
    [1, () => 8000]
  ])()

/** Writes a chain from {@link Packets.payloadAt} on: the number of its first header, and where it ends. */
const chain = (target: Frames.Buffer, random: Random, last: number): number => {
  const room = random.chance(0.9) ? 1400 : Frames.capacity - 4096
  const length = chainLength(random)
  const material = random.chance(0.5) ? known : strange
  const first = length === 0 ? last : random.chance(0.4) ? IpProtocol.hopByHop : random.pick(material.kinds)
  let kind = first
  let at = Packets.payloadAt
  for (let i = 0; i < length && at < room; i++) {
    const isLast = i + 1 === length || at + 200 > room
    const next = isLast ? last : random.pick(material.kinds)
    at = header(random, material, target.bytes, at, kind, next)
    kind = next
    if (isLast) break
  }
  target.end = at
  return first
}

/** A packet behind a chain of extension headers. */
export const chained = (target: Frames.Buffer, { random }: Scene): void => {
  const last = random.pick(ends)
  const first = chain(target, random, last)
  const { bytes, end } = target
  target.end = noise(random, random.length(400))(bytes, end)
  if (last === IpProtocol.icmpv6 && target.end >= end + 8) bytes.set([128, 0, 0, 0, 0, 9, 0, 1], end)
  if (last === IpProtocol.udp && target.end >= end + 8) {
    bytes.set([0x30, 0x39, 0, random.pick(udpPorts)], end)
    Word.write16(target.end - end, bytes, end + 4)
  }
  Packets.enclose(target, Packets.from(random.pick(Frames.peers)), first)
}

/** A fragment of some packet: a few identifications, offsets that fit, overlap, leave holes or reach too far. */
export const fragment = (target: Frames.Buffer, { random }: Scene): void => {
  const unit = 8 * random.pick([1, 2, 8, 64, 180])
  const offset = random.chance(0.95) ? unit * random.below(12) : 8 * random.below(8192)
  const length = random.chance(0.8) ? unit : random.length(1440)
  const at = Packets.payloadAt
  const more = random.chance(0.75)
  target.bytes.fill(0, at, at + 8)
  // What gets together may begin with a fragment header again.
  target.bytes[at] = random.pick([
    IpProtocol.icmpv6,
    IpProtocol.udp,
    IpProtocol.fragment,
    IpProtocol.destinationOptions,
    59
  ])
  Word.write16(offset | (more ? 1 : 0), target.bytes, at + 2)
  Word.write32(random.chance(0.7) ? random.below(32) : random.next() | 0, target.bytes, at + 4)
  target.end = noise(random, length)(target.bytes, at + 8)
  if (offset === 0 && length >= 8) {
    const begins = [[128, 0, 0, 0, 0, 3, 0, 1], [0x30, 0x39, 0, 7, 0, 0, 0, 0], [58, 0, 0, 1, 0, 0, 0, 5], [
      44,
      0,
      1,
      4,
      0,
      0,
      0,
      0
    ]]
    target.bytes.set(random.pick(begins), at + 8)
  }
  Packets.enclose(target, Packets.from(random.pick(Frames.peers)), IpProtocol.fragment)
}

const mostWaiting = 64
const deepest = 3

/** Cuts the payload of a packet into fragments, of the payload's protocol; the frames. */
const cutUp = (
  random: Random,
  addressing: Packets.Addressing,
  payload: Uint8Array,
  protocol: number
): Array<Uint8Array> => {
  const size = 8 * random.between(Math.ceil(payload.length / 8 / mostWaiting), 180)
  const identification = random.next() | 0
  const frames: Array<Uint8Array> = []
  for (let offset = 0; offset < payload.length; offset += size) {
    const part = payload.subarray(offset, offset + size)
    const target: Frames.Buffer = { bytes: new Uint8Array(Packets.payloadAt + 8 + part.length), end: 0 }
    const at = Packets.payloadAt
    target.bytes[at] = protocol
    Word.write16(offset | (offset + size < payload.length ? 1 : 0), target.bytes, at + 2)
    Word.write32(identification, target.bytes, at + 4)
    target.bytes.set(part, at + 8)
    target.end = target.bytes.length
    Packets.enclose(target, addressing, IpProtocol.fragment)
    frames.push(target.bytes)
  }
  return frames
}

/** A whole packet in fragments, in any order, perhaps of fragments of fragments; now and then one is missing or comes twice. */
export const fragments = (target: Frames.Buffer, scene: Scene): void => {
  const { random } = scene
  const addressing = Packets.from(random.pick(Frames.peers))
  target.end = Icmpv6.emit({ _tag: "EchoRequest", identifier: 5, sequence: 1 }, target.bytes, Packets.payloadAt)
  target.end = noise(random, random.between(100, 5000))(target.bytes, target.end)
  Packets.enclose(target, addressing, IpProtocol.icmpv6)
  let payload = target.bytes.slice(Packets.payloadAt, target.end)
  let protocol: number = IpProtocol.icmpv6
  for (let depth = random.chance(0.7) ? 0 : random.between(1, deepest); depth > 0; depth--) {
    const nested = new Uint8Array(payload.length + 8)
    nested[0] = protocol
    Word.write16(random.chance(0.7) ? 0 : random.below(0x1_0000), nested, 2)
    Word.write32(random.below(8), nested, 4)
    nested.set(payload, 8)
    ;[payload, protocol] = [nested, IpProtocol.fragment]
  }
  for (const frame of cutUp(random, addressing, payload, protocol)) {
    if (random.chance(0.02)) continue
    scene.pending.splice(random.below(scene.pending.length + 1), 0, frame)
    if (random.chance(0.02)) scene.pending.push(frame)
  }
  if (scene.pending.length === 0) return
  scene.pending.splice(0, scene.pending.length - mostWaiting)
  pending(target, scene)
}

/** The packet of a frame that the stack has sent over IPv6, as an error quotes it. */
const quote = ({ random, said }: Scene): Frames.Fill => {
  const frames = said.filter((frame) => frame[12] === 0x86 && frame[13] === 0xdd)
  if (frames.length === 0 || random.chance(0.1)) return noise(random, random.length(128))
  const length = random.pick([0, 7, 39, 40, 47, 48, 60, 128, 1232])
  const packet = random.pick(frames).subarray(Ethernet.headerLength, Ethernet.headerLength + length)
  return (bytes, at) => {
    bytes.set(packet, at)
    if (packet.length > 0 && random.chance(0.2)) bytes[at + random.below(packet.length)] = random.next()
    return at + packet.length
  }
}

const errors = (random: Random): Icmpv6.Fields =>
  random.weighted<() => Icmpv6.Fields>([
    [3, () => ({ _tag: "Unreachable", code: random.below(9) })],
    [3, () => ({ _tag: "PacketTooBig", mtu: random.pick([0, 68, 1279, 1280, 1281, 1400, 1500, 65_535, -1]) })],
    [1, () => ({ _tag: "TimeExceeded", code: random.below(3) })],
    [1, () => ({ _tag: "ParameterProblem", code: random.below(5), pointer: random.pick([0, 6, 40, 255, -1]) })],
    [1, () => ({ _tag: "Other", type: random.below(256), code: random.below(256), rest: random.next() | 0 })]
  ])()

export const error = (target: Frames.Buffer, scene: Scene): void => {
  const { random } = scene
  target.end = quote(scene)(target.bytes, Icmpv6.emit(errors(random), target.bytes, Packets.payloadAt))
  Packets.enclose(target, Packets.from(random.pick(Frames.peers)), IpProtocol.icmpv6)
}

/** Echo requests and replies, to the stack, to groups, and from or to addresses that must not be. */
export const echo = (target: Frames.Buffer, { random }: Scene): void => {
  const numbers = { identifier: random.below(4), sequence: random.next() & 0xffff }
  const tag = random.chance(0.8) ? "EchoRequest" : "EchoReply"
  target.end = Icmpv6.emit({ _tag: tag, ...numbers }, target.bytes, Packets.payloadAt)
  target.end = noise(random, random.length(1432))(target.bytes, target.end)
  const whole = Packets.from(random.pick(Frames.peers))
  const odd = (): Address.Ipv6 => Packets.of(random.pick(Frames.strangers))
  Packets.enclose(target, {
    ...whole,
    source: random.chance(0.2) ? odd() : whole.source,
    destination: random.chance(0.2) ? odd() : whole.destination,
    destinationMac: random.chance(0.9) ? whole.destinationMac : Mac.ofMulticastV6(random.pick([1, 2, 0xff63_0002])),
    hopLimit: random.pick([0, 1, 64, 255]),
    trafficClass: random.next() & 0xff,
    flowLabel: random.chance(0.5) ? 0 : random.next() & 0xfffff
  }, IpProtocol.icmpv6)
}

/** Datagrams to ports without a socket and with one, with a checksum of zero now and then (RFC 8200 §8.1: refused). */
export const datagram = (target: Frames.Buffer, { random }: Scene): void => {
  const ports = { sourcePort: random.between(1, 65_535), destinationPort: random.pick([...udpPorts, ...closedPorts]) }
  Frames.udp(target, Frames.from(random.pick(Frames.peers)), ports, noise(random, random.length(1452)))
  Packets.translate(target)
  if (random.chance(0.05)) target.bytes.fill(0, Packets.payloadAt + 6, Packets.payloadAt + 8)
}

const versions: ReadonlyArray<1 | 2> = [1, 2]
const groups = [Packets.allNodes, Address.v6(0xff02_0000, 0, 1, 0xff63_0002), Address.v6(0xff05_0000, 0, 0, 0x1234)]

const group = (random: Random): Address.Ipv6 =>
  random.chance(0.9) ? random.pick(groups) : Address.v6(0xff02_0000, 0, 0, random.next())

const sources = (random: Random): ReadonlyArray<Address.Ipv6> =>
  Array.from(
    { length: random.chance(0.8) ? random.below(4) : random.below(85) },
    () => Address.v6(0x2001_0db8, 0, 0, random.below(200))
  )

const listenerMessage = (random: Random): Mld.Message =>
  random.weighted<() => Mld.Message>([
    [5, () => ({
      _tag: "Query",
      version: random.pick(versions),
      maximumResponseMillis: random.pick([0, 1, 100, 10_000, 65_535, 1_000_000]),
      group: random.chance(0.5) ? Address.unspecifiedV6 : group(random),
      suppress: random.chance(0.1),
      robustness: random.below(8),
      queryIntervalSeconds: random.below(256),
      sources: sources(random)
    })],
    [2, () => ({ _tag: "Report", version: 1, group: group(random) })],
    [1, () => ({ _tag: "Leave", group: group(random) })],
    [1, () => ({
      _tag: "Records",
      records: Array.from({ length: random.below(5) }, () => ({
        type: random.below(8),
        group: group(random),
        sources: sources(random).slice(0, 10)
      }))
    })]
  ])()

/** Listener discovery (RFC 3810 §5), mostly with the hop limit and the router alert that it must have. */
export const listener = (target: Frames.Buffer, { random }: Scene): void => {
  const at = Packets.payloadAt
  const isAlert = random.chance(0.9)
  if (isAlert) target.bytes.set([IpProtocol.icmpv6, 0, 5, 2, 0, 0, 1, 0], at)
  target.end = Mld.emit(listenerMessage(random), target.bytes, isAlert ? at + 8 : at)
  const peer = random.pick(Frames.peers)
  Packets.enclose(target, {
    ...Packets.from(peer),
    source: random.chance(0.9)
      ? Packets.linkLocal(peer.mac)
      : random.pick([Packets.of(peer.address), Address.unspecifiedV6]),
    destination: random.chance(0.9) ? Packets.allNodes : group(random),
    destinationMac: Mac.ofMulticastV6(1),
    hopLimit: random.chance(0.9) ? 1 : random.pick([0, 64, 255])
  }, isAlert ? IpProtocol.hopByHop : IpProtocol.icmpv6)
}

/** A packet at the longest that IPv6 can say, or that says another length than it has. */
export const wrongLength = (target: Frames.Buffer, { random }: Scene): void => {
  target.end = noise(random, random.pick([0, 1, 1440, 9000, 65_535]))(target.bytes, Packets.payloadAt)
  Packets.enclose(target, Packets.from(random.pick(Frames.peers)), random.pick(ends))
  const said = random.pick([0, 1, 7, 8, 1439, Ipv6.maximumPayloadLength, random.next() & 0xffff])
  Word.write16(said, target.bytes, Ethernet.headerLength + 4)
}
