/**
 * What must hold whatever comes in: nothing threw, the accounts add up and stay within their bounds, and what goes out is well formed.
 */
import * as Bounds from "../../src/core/Bounds.ts"
import * as Counter from "../../src/core/Counter.ts"
import * as Drop from "../../src/core/Drop.ts"
import { pools, snapshot, type State } from "../../src/core/State.ts"
import * as Address from "../../src/wire/Address.ts"
import * as Arp from "../../src/wire/Arp.ts"
import * as Checksum from "../../src/wire/Checksum.ts"
import * as Ethernet from "../../src/wire/Ethernet.ts"
import * as Icmpv4 from "../../src/wire/Icmpv4.ts"
import * as Icmpv6 from "../../src/wire/Icmpv6.ts"
import * as IpProtocol from "../../src/wire/IpProtocol.ts"
import * as Ipv4 from "../../src/wire/Ipv4.ts"
import * as Ipv6 from "../../src/wire/Ipv6.ts"
import * as Extension from "../../src/wire/Ipv6Extension.ts"
import * as Malformed from "../../src/wire/Malformed.ts"
import * as Tcp from "../../src/wire/Tcp.ts"
import * as Udp from "../../src/wire/Udp.ts"
import * as Frames from "./Frames.ts"
import * as Ipv6Packets from "./Ipv6Packets.ts"
import { rawProtocol } from "./Scene.ts"
import type { Subject } from "./Subject.ts"

/** Something that must not be. */
export class Fault extends Error {
  readonly _tag = "Fault"
}

/** More than any table of a stack with these bounds has. */
const mostEntries = 8192

const fail = (message: string): never => {
  throw new Fault(message)
}

const detailOf = (cause: unknown): string => cause instanceof Error ? cause.stack ?? cause.message : String(cause)

/** Cheap enough for every frame. */
export const afterFrame = (subject: Subject): void => {
  if (subject.defects.length > 0) fail(`an event threw: ${detailOf(subject.defects[0])}`)
  if (subject.state.counters.get(Counter.index.defects) > 0) fail("a defect was counted")
}

/** The accounts of the state. */
export const accounts = ({ state }: Subject): void => {
  let sum = 0
  for (const [i, pool] of pools.entries()) {
    const bytes = state.memory.get(i)
    if (bytes < 0) fail(`the memory account of ${pool} is negative: ${bytes}`)
    sum += bytes
  }
  const total = state.memory.get(pools.length)
  if (sum !== total) fail(`the memory accounts add up to ${sum} and not to ${total}`)
  if (total > state.config.limits.memoryBytes) fail(`the memory account exceeds its bound: ${total}`)
  if (state.tickets.size > state.config.limits.parkedRequests) fail(`too many requests wait: ${state.tickets.size}`)
  for (const [path, part] of Object.entries(snapshot(state))) {
    if (part instanceof Map && part.size > mostEntries) fail(`${path} has ${part.size} entries`)
  }
  for (const [link, queued] of state.queued.entries()) {
    if (queued !== 0) fail(`${queued} bytes are queued on link ${link}, and all has been sent`)
  }
}

/** After everything has been closed and all timers have rung: nothing is charged, nobody waits. */
export const quiet = (subject: Subject): void => {
  accounts(subject)
  for (const [i, pool] of pools.entries()) {
    const bytes = subject.state.memory.get(i)
    if (bytes !== 0) fail(`${bytes} bytes of ${pool} are still charged after everything has ended`)
  }
  if (subject.state.tickets.size > 0) fail(`${subject.state.tickets.size} requests wait after everything has ended`)
}

/** What is the same over both versions: where the transport stands, and the sum of its pseudo-header. */
interface Carried {
  readonly protocol: number
  readonly payloadStart: number
  readonly payloadEnd: number
  readonly pseudo: number
}

const checkTransport = (frame: Uint8Array, carried: Carried): string | undefined => {
  const { payloadEnd, payloadStart, protocol, pseudo } = carried
  switch (protocol) {
    case IpProtocol.tcp: {
      const segment = Tcp.parse(frame, payloadStart, payloadEnd)
      if (Malformed.isMalformed(segment)) return segment.detail
      return Tcp.verify(frame, segment, pseudo) ? undefined : "bad TCP checksum"
    }
    case IpProtocol.udp: {
      const datagram = Udp.parse(frame, payloadStart, payloadEnd)
      if (Malformed.isMalformed(datagram)) return datagram.detail
      return Udp.verify(frame, datagram, pseudo) ? undefined : "bad UDP checksum"
    }
    case IpProtocol.icmp: {
      const message = Icmpv4.parse(frame, payloadStart, payloadEnd)
      if (Malformed.isMalformed(message)) return message.detail
      return Icmpv4.verify(frame, payloadStart, payloadEnd) ? undefined : "bad ICMP checksum"
    }
    case IpProtocol.icmpv6: {
      const message = Icmpv6.parse(frame, payloadStart, payloadEnd)
      if (Malformed.isMalformed(message)) return message.detail
      return Icmpv6.verify(frame, payloadStart, payloadEnd, pseudo) ? undefined : "bad ICMPv6 checksum"
    }
    case IpProtocol.igmp:
      return Checksum.verify(frame, payloadStart, payloadEnd, 0) ? undefined : "bad IGMP checksum"
    case rawProtocol:
      return undefined
    default:
      return `protocol ${protocol}, which nobody here speaks`
  }
}

const isOther = (source: Address.Ipv6): boolean =>
  [Frames.honest, ...Frames.peers].some(({ address }) => Address.equals(Ipv6Packets.of(address), source))

/** What is wrong with a packet of the stack's over IPv6. It has addresses that it has made itself, but none of its neighbours'. */
const faultOverIpv6 = (frame: Uint8Array, start: number, end: number): string | undefined => {
  const ip = Ipv6.parse(frame, start, end)
  if (Malformed.isMalformed(ip)) return ip.detail
  if (Address.isMulticast(ip.source) || isOther(ip.source)) return "not from an address of the stack's"
  if (ip.payloadLength > 1500 - Ipv6.headerLength) return `${ip.payloadLength} bytes of payload with an MTU of 1500`
  if (ip.protocol === IpProtocol.fragment) return undefined
  const upper = Extension.upperLayer(ip.protocol, frame, ip.payloadStart, ip.payloadEnd)
  if (upper === undefined) return "extension headers that are cut off"
  const { protocol, start: payloadStart } = upper
  const pseudo = Checksum.pseudoV6(ip.source, ip.destination, protocol, ip.payloadEnd - payloadStart)
  return checkTransport(frame, { protocol, payloadStart, payloadEnd: ip.payloadEnd, pseudo })
}

const faultOf = (frame: Uint8Array): string | undefined => {
  const ethernet = Ethernet.parse(frame, 0, frame.length)
  if (Malformed.isMalformed(ethernet)) return ethernet.detail
  if (ethernet.source !== Frames.stackMac) return "not from the stack's MAC"
  if (ethernet.type === Ethernet.EtherType.arp) {
    const arp = Arp.parse(frame, ethernet.payloadStart, ethernet.payloadEnd)
    return Malformed.isMalformed(arp) ? arp.detail : undefined
  }
  if (ethernet.type === Ethernet.EtherType.ipv6) return faultOverIpv6(frame, ethernet.payloadStart, ethernet.payloadEnd)
  if (ethernet.type !== Ethernet.EtherType.ipv4) return `EtherType ${ethernet.type.toString(16)}`
  const ip = Ipv4.parse(frame, ethernet.payloadStart, ethernet.payloadEnd)
  if (Malformed.isMalformed(ip)) return ip.detail
  if (ip.source !== Frames.stackAddress && ip.source !== Frames.secondAddress) {
    return "not from an address of the stack's"
  }
  if (ip.totalLength > 1500) return `${ip.totalLength} bytes on a link with an MTU of 1500`
  const pseudo = Checksum.pseudoV4(ip.source, ip.destination, ip.protocol, ip.payloadEnd - ip.payloadStart)
  return Ipv4.isFragment(ip) ? undefined : checkTransport(frame, { ...ip, pseudo })
}

/** What the stack has sent. */
export const sent = (frame: Uint8Array): void => {
  const fault = faultOf(frame)
  if (fault !== undefined) fail(`the stack sent a bad frame, ${fault}: ${Buffer.from(frame).toString("hex")}`)
}

/** How often each reason to drop was met, the most frequent first; for the report. */
export const drops = (state: State): ReadonlyArray<readonly [reason: string, count: number]> =>
  Drop.reasons.map((reason, i) => [reason, state.drops.get(i)] as const)
    .filter(([, count]) => count > 0)
    .toSorted(([, a], [, b]) => b - a)

/** Bounds so tight that a run reaches them. */
export const limits: Bounds.Limits = Bounds.withOverrides({
  neighborEntries: 64,
  neighborParkedPackets: 8,
  reassemblyBytes: 256 * 1024,
  reassemblyBytesPerPeer: 64 * 1024,
  reassemblyFragments: 16,
  datagramReceiveBytes: 64 * 1024,
  parkedRequests: 4096,
  defaultRouters: 4,
  advertisedRoutes: 8,
  onLinkPrefixes: 8,
  autonomousPrefixes: 4,
  pathMtus: 64,
  tcpConnections: 4096,
  tcpHalfOpen: 256,
  tcpTimeWait: 512,
  tcpOutOfOrderRanges: 16,
  memoryBytes: 48 * 1024 * 1024
})
