/**
 * What a host on the wire can know of the stack's connections by listening: from each segment that the stack sends, what it has
 * sent, what it expects and which window it offers. Frames made from this are in the middle of a conversation.
 */
import type * as Address from "../../src/wire/Address.ts"
import * as Ethernet from "../../src/wire/Ethernet.ts"
import * as IpProtocol from "../../src/wire/IpProtocol.ts"
import * as Ipv4 from "../../src/wire/Ipv4.ts"
import * as Malformed from "../../src/wire/Malformed.ts"
import * as Sequence from "../../src/wire/Sequence.ts"
import * as Tcp from "../../src/wire/Tcp.ts"
import * as Frames from "./Frames.ts"
import * as Ipv6Packets from "./Ipv6Packets.ts"
import type { Random } from "./Random.ts"

export interface Conversation {
  readonly peer: Frames.Host
  /** The stack's own address; over IPv6 it has several. */
  readonly local: Address.Address
  readonly peerPort: number
  readonly stackPort: number
  /** The next sequence number that the stack expects. */
  expected: Sequence.Sequence
  /** What the stack has sent up to now, without what it sent again. */
  sent: Sequence.Sequence
  /** The oldest that we have not acknowledged. */
  acknowledged: Sequence.Sequence
  window: number
  /** The stack's last timestamp; undefined where it sends none. */
  timestamp: number | undefined
  /** Ours, which goes up a little with every segment. */
  clock: number
}

const most = 512

const keyOf = (peer: Frames.Host, local: Address.Address, peerPort: number, stackPort: number): string =>
  `${peer.address}:${peerPort}:${stackPort} ${
    typeof local === "number" ? 4 : `${local.w0}:${local.w1}:${local.w2}:${local.w3}`
  }`

const saidOverIpv4 = (frame: Uint8Array, ethernet: Ethernet.Header): Ipv6Packets.Said | undefined => {
  if (ethernet.type !== Ethernet.EtherType.ipv4) return undefined
  const ip = Ipv4.parse(frame, ethernet.payloadStart, ethernet.payloadEnd)
  if (Malformed.isMalformed(ip) || ip.protocol !== IpProtocol.tcp || Ipv4.isFragment(ip)) return undefined
  return { peer: ip.destination, from: ip.source, start: ip.payloadStart, end: ip.payloadEnd }
}

/** The conversations that were overheard last. */
export class Conversations {
  readonly list: Array<Conversation> = []
  private readonly byTuple = new Map<string, Conversation>()

  pick(random: Random): Conversation | undefined {
    // The younger ones are more likely to be alive.
    const recent = Math.min(this.list.length, random.chance(0.7) ? 16 : most)
    return this.list[this.list.length - 1 - random.below(recent)]
  }

  /** Listens to a frame that the stack has sent. */
  hear(frame: Uint8Array): void {
    const ethernet = Ethernet.parse(frame, 0, frame.length)
    if (Malformed.isMalformed(ethernet)) return
    const said = ethernet.type === Ethernet.EtherType.ipv6 ? Ipv6Packets.said(frame) : saidOverIpv4(frame, ethernet)
    const peer = said === undefined ? undefined : Frames.peers.find(({ address }) => address === said.peer)
    if (said === undefined || peer === undefined) return
    const segment = Tcp.parse(frame, said.start, said.end)
    if (!Malformed.isMalformed(segment)) this.note(peer, said.from, segment)
  }

  private note(peer: Frames.Host, local: Address.Address, segment: Tcp.Header): void {
    const key = keyOf(peer, local, segment.destinationPort, segment.sourcePort)
    const sent = Sequence.add(segment.sequence, Tcp.segmentLength(segment))
    const known = this.byTuple.get(key)
    if (known === undefined || (segment.flags & Tcp.SYN) !== 0) {
      if (known !== undefined) this.forget(known, key)
      if ((segment.flags & Tcp.RST) === 0) this.add(key, peer, local, segment, sent)
      return
    }
    if (Sequence.after(sent, known.sent)) known.sent = sent
    if ((segment.flags & Tcp.ACK) !== 0) known.expected = segment.acknowledgment
    known.window = segment.window
    known.timestamp = segment.options.timestampValue ?? known.timestamp
  }

  private add(
    key: string,
    peer: Frames.Host,
    local: Address.Address,
    segment: Tcp.Header,
    sent: Sequence.Sequence
  ): void {
    const conversation: Conversation = {
      peer,
      local,
      peerPort: segment.destinationPort,
      stackPort: segment.sourcePort,
      expected: (segment.flags & Tcp.ACK) !== 0 ? segment.acknowledgment : (segment.sequence ^ 0x1234_5678) | 0,
      sent,
      acknowledged: segment.sequence,
      window: segment.window,
      timestamp: segment.options.timestampValue,
      clock: segment.options.timestampEcho ?? 1
    }
    this.byTuple.set(key, conversation)
    this.list.push(conversation)
    if (this.list.length <= most) return
    const oldest = this.list[0]!
    this.forget(oldest, keyOf(oldest.peer, oldest.local, oldest.peerPort, oldest.stackPort))
  }

  private forget(conversation: Conversation, key: string): void {
    this.byTuple.delete(key)
    this.list.splice(this.list.indexOf(conversation), 1)
  }
}
