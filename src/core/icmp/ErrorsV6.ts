/**
 * What ICMPv6 makes of an error: its message, and the cases in which none may be sent (RFC 4443 §2.4 (e), §3).
 */
import * as Address from "../../wire/Address.ts"
import * as Checksum from "../../wire/Checksum.ts"
import * as Icmpv6 from "../../wire/Icmpv6.ts"
import * as IpProtocol from "../../wire/IpProtocol.ts"
import type { ErrorKind } from "../Context.ts"
import type { Head, Packet, Path } from "../Ip.ts"

/** Where the next header stands in an IPv6 header. */
const nextHeaderAt = 6

const messageOf = (kind: ErrorKind): Icmpv6.Fields => {
  switch (kind) {
    case "portUnreachable":
      return { _tag: "Unreachable", code: Icmpv6.UnreachableCode.port }
    case "protocolUnreachable":
      return {
        _tag: "ParameterProblem",
        code: Icmpv6.ParameterProblemCode.unrecognizedNextHeader,
        pointer: nextHeaderAt
      }
    case "reassemblyTimeout":
      return { _tag: "TimeExceeded", code: Icmpv6.TimeExceededCode.reassembly }
    case "hopLimitExceeded":
      return { _tag: "TimeExceeded", code: Icmpv6.TimeExceededCode.hopLimit }
    case "noRoute":
      return { _tag: "Unreachable", code: Icmpv6.UnreachableCode.noRoute }
    case "hostUnreachable":
      return { _tag: "Unreachable", code: Icmpv6.UnreachableCode.address }
    case "beyondScope":
      return { _tag: "Unreachable", code: Icmpv6.UnreachableCode.beyondScope }
    default:
      return kind._tag === "tooBig"
        ? { _tag: "PacketTooBig", mtu: kind.mtu }
        : { _tag: "ParameterProblem", code: kind.code, pointer: kind.pointer }
  }
}

/** Writes the message's header; the quoted packet makes it `length` bytes long. */
export const emit = (kind: ErrorKind, path: Path, length: number, head: Head): number => {
  const pseudo = Checksum.pseudo(path.source, path.destination, IpProtocol.icmpv6, length)
  return Icmpv6.emit(messageOf(kind), head.bytes, head.at, Checksum.fold(pseudo))
}

/** rfc: 4443 §2.4 (e.3) MUST NOT, with its two exceptions: a packet to a group that is too big, or that has an option which asks for the answer. */
const isForGroups = (kind: ErrorKind): boolean =>
  typeof kind === "object" && (kind._tag === "tooBig" || kind.evenToGroup === true)

/** rfc: 4443 §2.4 (e) MUST NOT */
export const mayReport = (kind: ErrorKind, packet: Packet): boolean => {
  const { bytes, end, protocol, source, start } = packet
  if (packet.isGroup && !isForGroups(kind)) return false
  // (e.6): to a source that is not a single host
  if (Address.isUnspecified(source) || Address.isMulticast(source)) return false
  // (e.1), (e.2): about an error, or a redirect
  return protocol !== IpProtocol.icmpv6 ||
    (end > start && bytes[start]! >= 128 && bytes[start] !== Icmpv6.Type.redirect)
}
