/**
 * ICMP for IPv4 (RFC 792; next-hop MTU RFC 1191 §4; extended messages RFC 4884; source quench is dead, RFC 6633).
 *
 *      0      1      2             4                           8
 *     +------+------+-------------+---------------------------+------------- - -
 *     | type | code | checksum    | rest of header            | payload: echo data, or
 *     +------+------+-------------+---------------------------+ the quoted packet
 *
 * The checksum covers the whole message. It is verified apart from parsing, since a link may vouch for it: call
 * {@link verify} unless it does. To send, {@link emit} leaves the field zero, which is the partial checksum of ICMP.
 */
import * as Address from "./Address.ts"
import * as Checksum from "./Checksum.ts"
import * as Malformed from "./Malformed.ts"
import * as Word from "./Word.ts"

export const Type = {
  echoReply: 0,
  unreachable: 3,
  sourceQuench: 4,
  redirect: 5,
  echoRequest: 8,
  timeExceeded: 11,
  parameterProblem: 12,
  timestampRequest: 13,
  timestampReply: 14
} as const

/** Codes of destination unreachable (RFC 792, RFC 1122 §3.2.2.1, RFC 1812 §5.2.7.1). */
export const UnreachableCode = {
  network: 0,
  host: 1,
  protocol: 2,
  port: 3,
  fragmentationNeeded: 4,
  sourceRouteFailed: 5,
  networkUnknown: 6,
  hostUnknown: 7,
  sourceHostIsolated: 8,
  networkProhibited: 9,
  hostProhibited: 10,
  networkForTypeOfService: 11,
  hostForTypeOfService: 12,
  communicationProhibited: 13,
  hostPrecedenceViolation: 14,
  precedenceCutoff: 15
} as const

/** Codes of time exceeded. */
export const TimeExceededCode = { hopLimit: 0, reassembly: 1 } as const

/** What a message says. */
export type Fields =
  | { readonly _tag: "EchoRequest"; readonly identifier: number; readonly sequence: number }
  | { readonly _tag: "EchoReply"; readonly identifier: number; readonly sequence: number }
  /** `mtu` is the next hop's with code `fragmentationNeeded`; 0 when the router is too old to tell. */
  | { readonly _tag: "Unreachable"; readonly code: number; readonly mtu: number }
  /** Deprecated: never sent, and ignored when received (rfc: 6633 §3 MUST NOT). */
  | { readonly _tag: "SourceQuench" }
  | { readonly _tag: "Redirect"; readonly code: number; readonly gateway: Address.Ipv4 }
  | { readonly _tag: "TimeExceeded"; readonly code: number }
  /** `pointer` counts octets from the start of the quoted packet. */
  | { readonly _tag: "ParameterProblem"; readonly code: number; readonly pointer: number }
  | Timestamp<"TimestampRequest">
  | Timestamp<"TimestampReply">
  | { readonly _tag: "Unknown"; readonly type: number; readonly code: number; readonly rest: number }

/** Times are milliseconds since midnight UT, as int32. */
export interface Timestamp<Tag extends string> {
  readonly _tag: Tag
  readonly identifier: number
  readonly sequence: number
  readonly originate: number
  readonly receive: number
  readonly transmit: number
}

/** A received message. Of an error, the payload is what it quotes of the packet that caused it, from its IP header on. */
export type Header = Fields & { readonly payloadStart: number; readonly payloadEnd: number }

export const headerLength = 8
const timestampLength = 20

const truncated = Malformed.make("Icmpv4", "Truncated", "shorter than its header")

/**
 * Where the quoted packet ends: an extended message says so in 32-bit words, and extensions follow (RFC 4884 §4.1).
 * More than there is comes from a sender that used those bits for something else, so the whole counts.
 */
const quoteEnd = (bytes: Uint8Array, start: number, end: number): number => {
  const said = start + headerLength + bytes[start + 5]! * 4
  return said > start + headerLength && said < end ? said : end
}

const readTimestamp = <Tag extends "TimestampRequest" | "TimestampReply">(
  _tag: Tag,
  bytes: Uint8Array,
  start: number,
  end: number
) => ({
  _tag,
  identifier: Word.read16(bytes, start + 4),
  sequence: Word.read16(bytes, start + 6),
  originate: Word.read32(bytes, start + 8),
  receive: Word.read32(bytes, start + 12),
  transmit: Word.read32(bytes, start + 16),
  payloadStart: start + timestampLength,
  payloadEnd: end
})

/** Reads a message that fills `bytes[start..end)`, which is the payload of the IP packet. */
export const parse = (bytes: Uint8Array, start: number, end: number): Header | Malformed.Malformed => {
  if (end - start < headerLength) return truncated
  const type = bytes[start]!
  const code = bytes[start + 1]!
  const payloadStart = start + headerLength
  const payloadEnd = end
  switch (type) {
    case Type.echoRequest:
    case Type.echoReply:
      return {
        _tag: type === Type.echoRequest ? "EchoRequest" : "EchoReply",
        identifier: Word.read16(bytes, start + 4),
        sequence: Word.read16(bytes, start + 6),
        payloadStart,
        payloadEnd
      }
    case Type.unreachable: {
      const mtu = code === UnreachableCode.fragmentationNeeded ? Word.read16(bytes, start + 6) : 0
      return { _tag: "Unreachable", code, mtu, payloadStart, payloadEnd: quoteEnd(bytes, start, end) }
    }
    case Type.sourceQuench:
      return { _tag: "SourceQuench", payloadStart, payloadEnd }
    case Type.redirect:
      return { _tag: "Redirect", code, gateway: Address.readV4(bytes, start + 4), payloadStart, payloadEnd }
    case Type.timeExceeded:
      return { _tag: "TimeExceeded", code, payloadStart, payloadEnd: quoteEnd(bytes, start, end) }
    case Type.parameterProblem: {
      const pointer = bytes[start + 4]!
      return { _tag: "ParameterProblem", code, pointer, payloadStart, payloadEnd: quoteEnd(bytes, start, end) }
    }
    case Type.timestampRequest:
    case Type.timestampReply:
      if (end - start < timestampLength) return truncated
      return type === Type.timestampRequest
        ? readTimestamp("TimestampRequest", bytes, start, end)
        : readTimestamp("TimestampReply", bytes, start, end)
    default:
      return { _tag: "Unknown", type, code, rest: Word.read32(bytes, start + 4), payloadStart, payloadEnd }
  }
}

/** Whether the checksum over the whole message holds (rfc: 1122 §3.2.2: a bad one is discarded in silence). */
export const verify = (bytes: Uint8Array, start: number, end: number): boolean => Checksum.verify(bytes, start, end, 0)

/** Offset of the checksum from the start of the message. */
export const checksumOffset = 2

export const size = (message: Fields): number =>
  message._tag === "TimestampRequest" || message._tag === "TimestampReply" ? timestampLength : headerLength

const writeHead = (type: number, code: number, rest: number, bytes: Uint8Array, at: number): number => {
  bytes[at] = type
  bytes[at + 1] = code
  Word.write16(0, bytes, at + checksumOffset)
  Word.write32(rest, bytes, at + 4)
  return at + headerLength
}

const pair = (message: { readonly identifier: number; readonly sequence: number }): number =>
  (message.identifier << 16) | (message.sequence & 0xffff)

const writeTimestamp = (
  type: number,
  message: Timestamp<string>,
  bytes: Uint8Array,
  at: number
): number => {
  const times = writeHead(type, 0, pair(message), bytes, at)
  Word.write32(message.originate, bytes, times)
  Word.write32(message.receive, bytes, times + 4)
  Word.write32(message.transmit, bytes, times + 8)
  return at + timestampLength
}

/** Writes the header with a zero checksum; the payload goes behind it, then the checksum is completed over both. */
export const emit = (message: Fields, bytes: Uint8Array, at: number): number => {
  switch (message._tag) {
    case "EchoRequest":
      return writeHead(Type.echoRequest, 0, pair(message), bytes, at)
    case "EchoReply":
      return writeHead(Type.echoReply, 0, pair(message), bytes, at)
    case "Unreachable":
      return writeHead(Type.unreachable, message.code, message.mtu, bytes, at)
    case "SourceQuench":
      return writeHead(Type.sourceQuench, 0, 0, bytes, at)
    case "Redirect":
      return writeHead(Type.redirect, message.code, message.gateway, bytes, at)
    case "TimeExceeded":
      return writeHead(Type.timeExceeded, message.code, 0, bytes, at)
    case "ParameterProblem":
      return writeHead(Type.parameterProblem, message.code, message.pointer << 24, bytes, at)
    case "TimestampRequest":
      return writeTimestamp(Type.timestampRequest, message, bytes, at)
    case "TimestampReply":
      return writeTimestamp(Type.timestampReply, message, bytes, at)
    case "Unknown":
      return writeHead(message.type, message.code, message.rest, bytes, at)
  }
}

/** Messages that report a fault of another packet; nobody answers them with an error (rfc: 1122 §3.2.2). */
export const isError = (message: Fields): boolean => {
  switch (message._tag) {
    case "Unreachable":
    case "SourceQuench":
    case "Redirect":
    case "TimeExceeded":
    case "ParameterProblem":
      return true
    case "EchoRequest":
    case "EchoReply":
    case "TimestampRequest":
    case "TimestampReply":
    case "Unknown":
      return false
  }
}
