/**
 * What must hold whatever comes in: nothing threw, the accounts add up and stay within their bounds, and what goes out is well formed.
 */
import * as Bounds from "../../src/core/Bounds.ts"
import * as Counter from "../../src/core/Counter.ts"
import * as Drop from "../../src/core/Drop.ts"
import { pools, type State } from "../../src/core/State.ts"
import * as Arp from "../../src/wire/Arp.ts"
import * as Checksum from "../../src/wire/Checksum.ts"
import * as Ethernet from "../../src/wire/Ethernet.ts"
import * as Icmpv4 from "../../src/wire/Icmpv4.ts"
import * as IpProtocol from "../../src/wire/IpProtocol.ts"
import * as Ipv4 from "../../src/wire/Ipv4.ts"
import * as Malformed from "../../src/wire/Malformed.ts"
import * as Tcp from "../../src/wire/Tcp.ts"
import * as Udp from "../../src/wire/Udp.ts"
import * as Frames from "./Frames.ts"
import { rawProtocol } from "./Scene.ts"
import type { Subject } from "./Subject.ts"

/** Something that must not be. */
export class Fault extends Error {
  readonly _tag = "Fault"
}

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

const checkTransport = (frame: Uint8Array, ip: Ipv4.Header): string | undefined => {
  const { destination, payloadEnd, payloadStart, protocol, source } = ip
  const pseudo = Checksum.pseudoV4(source, destination, protocol, payloadEnd - payloadStart)
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
    case rawProtocol:
      return undefined
    default:
      return `protocol ${protocol}, which nobody here speaks`
  }
}

const faultOf = (frame: Uint8Array): string | undefined => {
  const ethernet = Ethernet.parse(frame, 0, frame.length)
  if (Malformed.isMalformed(ethernet)) return ethernet.detail
  if (ethernet.source !== Frames.stackMac) return "not from the stack's MAC"
  if (ethernet.type === Ethernet.EtherType.arp) {
    const arp = Arp.parse(frame, ethernet.payloadStart, ethernet.payloadEnd)
    return Malformed.isMalformed(arp) ? arp.detail : undefined
  }
  if (ethernet.type !== Ethernet.EtherType.ipv4) return `EtherType ${ethernet.type.toString(16)}`
  const ip = Ipv4.parse(frame, ethernet.payloadStart, ethernet.payloadEnd)
  if (Malformed.isMalformed(ip)) return ip.detail
  if (ip.source !== Frames.stackAddress && ip.source !== Frames.secondAddress) {
    return "not from an address of the stack's"
  }
  if (ip.totalLength > 1500) return `${ip.totalLength} bytes on a link with an MTU of 1500`
  return Ipv4.isFragment(ip) ? undefined : checkTransport(frame, ip)
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
  tcpConnections: 4096,
  tcpHalfOpen: 256,
  tcpTimeWait: 512,
  tcpOutOfOrderRanges: 16,
  memoryBytes: 48 * 1024 * 1024
})
