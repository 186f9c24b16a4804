/**
 * Why bytes are not what a parser was asked to read.
 *
 * Each value is a frozen constant: a parser returns one instead of a representation and never throws. Where a host must
 * answer the sender, the constant carries the ICMP answer that the bytes deserve (RFC 1122 §3.2.2.5, RFC 8200 §4).
 */

/** The layer whose rules the bytes break. */
export type Protocol =
  | "Ethernet"
  | "Vlan"
  | "Arp"
  | "Ipv4"
  | "Icmpv4"
  | "Ipv6"
  | "Icmpv6"
  | "Ndp"
  | "Mld"
  | "Igmp"
  | "Udp"
  | "Tcp"
  | "Dhcp"
  | "Dns"
  | "Pcapng"

/** What is wrong: the same few reasons for every protocol, so that counters stay few. */
export type Reason = "Truncated" | "BadLength" | "BadVersion" | "BadChecksum" | "BadOption" | "BadField"

/** The ICMP parameter problem that answers the bytes: its code, and the octet it points at, from the start of the IP header. */
export interface Answer {
  readonly code: number
  readonly pointer: number
}

/** A verdict on bytes. Compare by identity, test with {@link isMalformed}. */
export class Malformed {
  readonly _tag = "Malformed"
  readonly protocol: Protocol
  readonly reason: Reason
  readonly detail: string
  readonly answer: Answer | undefined

  constructor(protocol: Protocol, reason: Reason, detail: string, answer?: Answer) {
    this.protocol = protocol
    this.reason = reason
    this.detail = detail
    this.answer = answer
    Object.freeze(this)
  }
}

/** Makes a verdict; for the constants at the top of a codec, never per packet. */
export const make = (protocol: Protocol, reason: Reason, detail: string, answer?: Answer): Malformed =>
  new Malformed(protocol, reason, detail, answer)

/** Tells a verdict from a representation. */
export const isMalformed = (value: unknown): value is Malformed => value instanceof Malformed
