/** ICMP messages by the names of the language: errors about segments of the host, and what the host itself says. */
import * as Checksum from "../../wire/Checksum.ts"
import * as Icmpv4 from "../../wire/Icmpv4.ts"
import * as Icmpv6 from "../../wire/Icmpv6.ts"
import * as IpProtocol from "../../wire/IpProtocol.ts"
import * as Word from "../../wire/Word.ts"
import { Unsupported } from "./Descriptor.ts"
import type { Flow } from "./Flow.ts"
import { emitIp, type IpHeader, type IpPacket } from "./Segment.ts"
import type { IcmpPacket } from "./Syntax.ts"
import { emitUdp, type UdpDatagram } from "./udpPackets.ts"

/** Type and code of each message; without a code the first one of the type. */
type Table = Readonly<Record<string, readonly [number, number]>>

const version4: Table = {
  "unreachable net_unreachable": [3, 0],
  "unreachable net_unreach": [3, 0],
  "unreachable host_unreachable": [3, 1],
  "unreachable host_unreach": [3, 1],
  "unreachable protocol_unreachable": [3, 2],
  "unreachable proto_unreachable": [3, 2],
  "unreachable prot_unreach": [3, 2],
  "unreachable port_unreachable": [3, 3],
  "unreachable port_unreach": [3, 3],
  "unreachable frag_needed": [3, 4],
  "unreachable source_route_failed": [3, 5],
  "unreachable net_unknown": [3, 6],
  "unreachable host_unknown": [3, 7],
  "unreachable source_host_isolated": [3, 8],
  "unreachable net_prohibited": [3, 9],
  "unreachable host_prohibited": [3, 10],
  "unreachable net_tos": [3, 11],
  "unreachable host_tos": [3, 12],
  "unreachable admin_prohibited": [3, 13],
  "unreachable communication_prohibited": [3, 13],
  "unreachable pkt_filtered": [3, 13],
  "unreachable packet_filtered": [3, 13],
  "unreachable precedence_violation": [3, 14],
  "unreachable precedence_cutoff": [3, 15],
  "source_quench": [4, 0],
  "redirect": [5, 0],
  "time_exceeded": [11, 0],
  "time_exceeded exc_ttl": [11, 0],
  "time_exceeded exc_fragtime": [11, 1],
  "parameter_problem": [12, 0],
  "echo_request": [8, 0],
  "echo_reply": [0, 0]
}

const version6: Table = {
  "unreachable no_route": [1, 0],
  "unreachable noroute": [1, 0],
  "unreachable net_unreachable": [1, 0],
  "unreachable admin_prohibited": [1, 1],
  "unreachable adm_prohibited": [1, 1],
  "unreachable not_neighbour": [1, 2],
  "unreachable addr_unreachable": [1, 3],
  "unreachable addr_unreach": [1, 3],
  "unreachable address_unreachable": [1, 3],
  "unreachable host_unreachable": [1, 3],
  "unreachable port_unreachable": [1, 4],
  "unreachable port_unreach": [1, 4],
  "packet_too_big": [2, 0],
  "too_big": [2, 0],
  "unreachable frag_needed": [2, 0],
  "time_exceeded": [3, 0],
  "parameter_problem": [4, 0],
  "parameter_problem unknown_next_header": [4, 1],
  "echo_request": [128, 0],
  "echo_reply": [129, 0]
}

/** What a code is that collections call by other names: by a word in it. */
const alike: ReadonlyArray<readonly [string, RegExp, string]> = [
  ["time_exceeded", /frag/, "exc_fragtime"],
  ["time_exceeded", /ttl|transit|hop/, ""],
  ["source_quench", /./, ""],
  ["redirect", /./, ""],
  ["unreachable", /no_?route/, "no_route"],
  ["unreachable", /prohibited/, "admin_prohibited"],
  ["unreachable", /neighbou?r|scope/, "not_neighbour"],
  ["unreachable", /addr/, "addr_unreachable"],
  ["unreachable", /net\w*tos/, "net_tos"],
  ["unreachable", /host\w*tos/, "host_tos"],
  ["unreachable", /precedence/, "precedence_violation"],
  ["parameter_problem", /./, ""]
]

const isV6 = ({ source }: IpHeader): boolean => typeof source === "object"

const numbersOf = ({ code, type }: IcmpPacket, ip: IpHeader): readonly [number, number] => {
  const table = isV6(ip) ? version6 : version4
  const name = code === undefined ? type : `${type} ${code}`
  const other = alike.find(([of, word]) => of === type && word.test(code ?? ""))?.[2]
  const found = table[name] ?? (other === undefined ? undefined : table[`${type} ${other}`.trim()]) ??
    (code === undefined ? Object.entries(table).find(([each]) => each.startsWith(`${type} `))?.[1] : undefined)
  if (found === undefined) throw new Unsupported(`the ICMP message ${name}`)
  return found
}

/** Octets of the offending packet's payload that a message quotes at least (RFC 792). */
const quotedOctets = 8

/** The host's own packet as a router would quote it. */
const quoted = ({ quoted }: IcmpPacket, flow: Flow, udp: UdpDatagram | undefined, ip: IpHeader): Uint8Array => {
  const back = { ...ip, source: ip.destination, destination: ip.source, hopLimit: 60 }
  if (quoted?.protocol === "udp") {
    const ports = udp ?? { sourcePort: flow.localPort, destinationPort: flow.remotePort }
    return emitUdp({ ...ports, length: quoted.length }, back)
  }
  const length = 20 + (quoted?.sequence.length ?? 0)
  const transport = new Uint8Array(length)
  Word.write16(flow.localPort, transport, 0)
  Word.write16(flow.remotePort, transport, 2)
  Word.write32(flow.toLive(quoted?.sequence.start ?? 0), transport, 4)
  const packet = emitIp(
    back,
    IpProtocol.tcp,
    transport
  )
  return packet.slice(0, packet.length - length + quotedOctets)
}

/** Of the far side, about a segment of a connection. */
export const emitIcmp = (
  packet: IcmpPacket,
  flow: Flow,
  udp: UdpDatagram | undefined,
  ip: IpHeader
): Uint8Array => {
  const [type, code] = numbersOf(packet, ip)
  const quote = quoted(packet, flow, udp, ip)
  const bytes = new Uint8Array(8 + quote.length)
  bytes[0] = type
  bytes[1] = code
  Word.write32(packet.mtu ?? 0, bytes, 4)
  bytes.set(quote, 8)
  const protocol = isV6(ip) ? IpProtocol.icmpv6 : IpProtocol.icmp
  const offset = isV6(ip) ? Icmpv6.checksumOffset : Icmpv4.checksumOffset
  const pseudo = isV6(ip) ? Checksum.fold(Checksum.pseudo(ip.source, ip.destination, protocol, bytes.length)) : 0
  Word.write16(pseudo, bytes, offset)
  Checksum.complete(bytes, 0, bytes.length, offset)
  return emitIp(ip, protocol, bytes)
}

/** What an ICMP packet says; `undefined` if it is none. */
export const nameOfIcmp = (bytes: Uint8Array, { ip, payloadStart, protocol }: IpPacket): string | undefined => {
  if (protocol !== (isV6(ip) ? IpProtocol.icmpv6 : IpProtocol.icmp)) return undefined
  const [type, code] = [bytes[payloadStart], bytes[payloadStart + 1]]
  const found = Object.entries(isV6(ip) ? version6 : version4).find(([, numbers]) =>
    numbers[0] === type && numbers[1] === code
  )
  return found?.[0] ?? `type ${type} code ${code}`
}
