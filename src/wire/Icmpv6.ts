/**
 * ICMP for IPv6 (RFC 4443; extended messages RFC 4884).
 *
 *      0      1      2             4                           8
 *     +------+------+-------------+---------------------------+------------- - -
 *     | type | code | checksum    | rest of header            | payload: echo data, or
 *     +------+------+-------------+---------------------------+ the quoted packet
 *
 * The checksum covers the message and a pseudo-header; a link may vouch for it, so {@link verify} stands apart. Neighbour
 * discovery and listener discovery are ICMPv6 too: their types come out as `Other` and are read by `Ndp.ts` and `Mld.ts`.
 */
import * as Checksum from "./Checksum.ts"
import * as Malformed from "./Malformed.ts"
import * as Word from "./Word.ts"

export const Type = {
  unreachable: 1,
  packetTooBig: 2,
  timeExceeded: 3,
  parameterProblem: 4,
  echoRequest: 128,
  echoReply: 129,
  listenerQuery: 130,
  listenerReport: 131,
  listenerDone: 132,
  routerSolicitation: 133,
  routerAdvertisement: 134,
  neighborSolicitation: 135,
  neighborAdvertisement: 136,
  redirect: 137,
  listenerReportV2: 143
} as const

/** Codes of destination unreachable (RFC 4443 §3.1). */
export const UnreachableCode = {
  noRoute: 0,
  prohibited: 1,
  beyondScope: 2,
  address: 3,
  port: 4,
  sourcePolicy: 5,
  rejectRoute: 6
} as const

/** Codes of time exceeded (RFC 4443 §3.3). */
export const TimeExceededCode = { hopLimit: 0, reassembly: 1 } as const

/** Codes of parameter problem (RFC 4443 §3.4; RFC 7112 §5 for the incomplete chain). */
export const ParameterProblemCode = {
  badField: 0,
  unrecognizedNextHeader: 1,
  unrecognizedOption: 2,
  incompleteHeaderChain: 3
} as const

/** What a message says. */
export type Fields =
  | { readonly _tag: "EchoRequest"; readonly identifier: number; readonly sequence: number }
  | { readonly _tag: "EchoReply"; readonly identifier: number; readonly sequence: number }
  | { readonly _tag: "Unreachable"; readonly code: number }
  | { readonly _tag: "PacketTooBig"; readonly mtu: number }
  | { readonly _tag: "TimeExceeded"; readonly code: number }
  /** `pointer` counts octets from the start of the quoted packet, and may point behind what is quoted. */
  | { readonly _tag: "ParameterProblem"; readonly code: number; readonly pointer: number }
  | { readonly _tag: "Other"; readonly type: number; readonly code: number; readonly rest: number }

/** A received message. Of an error, the payload is what it quotes of the packet that caused it, from its IPv6 header on. */
export type Header = Fields & { readonly payloadStart: number; readonly payloadEnd: number }

export const headerLength = 8
/** Offset of the checksum from the start of the message. */
export const checksumOffset = 2

const truncated = Malformed.make("Icmpv6", "Truncated", "shorter than 8 bytes")

/** Where the quoted packet ends: an extended message says so in 64-bit words (RFC 4884 §4.4, §4.5). */
const quoteEnd = (bytes: Uint8Array, start: number, end: number): number => {
  const said = start + headerLength + bytes[start + 4]! * 8
  return said > start + headerLength && said < end ? said : end
}

/** Reads a message that fills `bytes[start..end)`, the payload behind all extension headers. */
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
    case Type.unreachable:
      return { _tag: "Unreachable", code, payloadStart, payloadEnd: quoteEnd(bytes, start, end) }
    case Type.packetTooBig:
      return { _tag: "PacketTooBig", mtu: Word.read32(bytes, start + 4) >>> 0, payloadStart, payloadEnd }
    case Type.timeExceeded:
      return { _tag: "TimeExceeded", code, payloadStart, payloadEnd: quoteEnd(bytes, start, end) }
    case Type.parameterProblem: {
      const pointer = Word.read32(bytes, start + 4) >>> 0
      return { _tag: "ParameterProblem", code, pointer, payloadStart, payloadEnd }
    }
    default:
      return { _tag: "Other", type, code, rest: Word.read32(bytes, start + 4), payloadStart, payloadEnd }
  }
}

/** Whether the message is intact (rfc: 4443 §2.3); `pseudoSum` is made with its length. */
export const verify = (bytes: Uint8Array, start: number, end: number, pseudoSum: number): boolean =>
  Checksum.verify(bytes, start, end, pseudoSum)

export const size = (_message: Fields): number => headerLength

const write = (type: number, code: number, rest: number, checksum: number, bytes: Uint8Array, at: number): number => {
  bytes[at] = type
  bytes[at + 1] = code
  Word.write16(checksum, bytes, at + checksumOffset)
  Word.write32(rest, bytes, at + 4)
  return at + headerLength
}

/**
 * Writes the header. `checksum` is what stands in its field: the folded pseudo-header sum, with which the checksum is
 * completed once the payload is behind the header.
 */
export const emit = (message: Fields, bytes: Uint8Array, at: number, checksum = 0): number => {
  switch (message._tag) {
    case "EchoRequest":
    case "EchoReply": {
      const type = message._tag === "EchoRequest" ? Type.echoRequest : Type.echoReply
      return write(type, 0, (message.identifier << 16) | message.sequence, checksum, bytes, at)
    }
    case "Unreachable":
      return write(Type.unreachable, message.code, 0, checksum, bytes, at)
    case "PacketTooBig":
      return write(Type.packetTooBig, 0, message.mtu, checksum, bytes, at)
    case "TimeExceeded":
      return write(Type.timeExceeded, message.code, 0, checksum, bytes, at)
    case "ParameterProblem":
      return write(Type.parameterProblem, message.code, message.pointer, checksum, bytes, at)
    case "Other":
      return write(message.type, message.code, message.rest, checksum, bytes, at)
  }
}

/** Messages that report a fault of another packet: types below 128, known or not (rfc: 4443 §2.1). */
export const isError = (message: Fields): boolean => {
  switch (message._tag) {
    case "Unreachable":
    case "PacketTooBig":
    case "TimeExceeded":
    case "ParameterProblem":
      return true
    case "EchoRequest":
    case "EchoReply":
      return false
    case "Other":
      return message.type < 128
  }
}
