/**
 * What a packet is once all its fragments are there (RFC 791 §3.2, RFC 8200 §4.5): its headers as if it never had been cut.
 */
import * as Address from "../../wire/Address.ts"
import * as Wire from "../../wire/Ipv4.ts"
import * as Ipv6 from "../../wire/Ipv6.ts"
import * as Word from "../../wire/Word.ts"
import type { Context } from "../Context.ts"
import * as Counter from "../Counter.ts"
import type { DropReason } from "../Drop.ts"
import type { Packet } from "../Ip.ts"
import * as Assembly from "./Assembly.ts"

/** The whole IPv6 packet, and what is needed to walk on in it: what follows, and where its number stands. */
export interface WholeV6 {
  readonly packet: Packet
  readonly protocolAt: number
}

const refuse = (ctx: Context, packet: Packet, reason: DropReason): undefined => {
  ctx.drop(reason, packet.link)
  return undefined
}

/** The traffic class of the whole; `undefined` if its fragments' marks contradict each other, which is counted. */
const classOf = (ctx: Context, packet: Packet, self: Assembly.Incomplete, first: number): number | undefined => {
  const trafficClass = Assembly.trafficClassOf(first, self.marks)
  return trafficClass ?? refuse(ctx, packet, "FragmentMarksMixed")
}

/** The whole packet, with its headers as if it never had been cut. */
export const v6 = (ctx: Context, packet: Packet, self: Assembly.Incomplete): WholeV6 | undefined => {
  const bytes = Assembly.join(self)
  const payloadLength = bytes.length - Ipv6.headerLength
  if (payloadLength > Ipv6.maximumPayloadLength) return refuse(ctx, packet, "FragmentTooLong")
  const first = Word.read32(bytes, 0)
  const trafficClass = classOf(ctx, packet, self, (first >>> 20) & 0xff)
  if (trafficClass === undefined) return undefined
  ctx.count(Counter.index.reassembled)
  Word.write32((first & 0xf00f_ffff) | (trafficClass << 20), bytes, 0)
  Word.write16(payloadLength, bytes, 4)
  const whole: Packet = {
    ...packet,
    bytes,
    slab: undefined,
    ipStart: 0,
    start: self.header!.length,
    end: bytes.length,
    protocol: bytes[self.protocolAt]!,
    hopLimit: bytes[7]!,
    trafficClass,
    checksum: "none",
    segmentSize: 0,
    isGroup: self.isGroup
  }
  return { packet: whole, protocolAt: self.protocolAt }
}

/** The whole packet, with a header as if it never had been cut. */
export const v4 = (ctx: Context, packet: Packet, self: Assembly.Incomplete): Packet | undefined => {
  const bytes = Assembly.join(self)
  const start = self.header!.length
  // The first fragment may have brought more options than the others.
  if (bytes.length > Wire.maximumLength) return refuse(ctx, packet, "FragmentTooLong")
  const trafficClass = classOf(ctx, packet, self, bytes[1]!)
  if (trafficClass === undefined) return undefined
  ctx.count(Counter.index.reassembled)
  Wire.emit(
    {
      source: Address.readV4(bytes, 12),
      destination: Address.readV4(bytes, 16),
      hopLimit: bytes[8]!,
      trafficClass,
      protocol: self.protocol,
      identification: self.identification,
      dontFragment: false,
      moreFragments: false,
      fragmentOffset: 0,
      totalLength: bytes.length,
      options: start === Wire.minimumHeaderLength
        ? undefined
        : { bytes: self.header!, start: Wire.minimumHeaderLength, end: start }
    },
    bytes,
    0
  )
  return {
    ...packet,
    bytes,
    slab: undefined,
    ipStart: 0,
    start,
    end: bytes.length,
    hopLimit: bytes[8]!,
    trafficClass,
    checksum: "none",
    segmentSize: 0,
    isGroup: self.isGroup
  }
}
