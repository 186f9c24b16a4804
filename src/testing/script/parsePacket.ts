/**
 * Packet lines, behind their time:
 *
 * ```
 *   < [ect0] P. 1:1001(1000) ack 1 win 257 <nop,nop,TS val 100 ecr 200>
 *   > S. 0:0(0) ack 1 <mss 1460,...>        > udp (100)        < [1:1461(1460)] icmp unreachable frag_needed mtu 1200
 * ```
 */
import * as Tcp from "../../wire/Tcp.ts"
import { Unsupported } from "./Descriptor.ts"
import { integer, parseOptions } from "./parseOptions.ts"
import type { Scanner } from "./Scanner.ts"
import type { IcmpPacket, IpFields, Packet, PacketDirection, SequenceRange, TcpPacket } from "./Syntax.ts"

const flagBits: Readonly<Record<string, number>> = {
  F: Tcp.FIN,
  S: Tcp.SYN,
  R: Tcp.RST,
  P: Tcp.PSH,
  ".": Tcp.ACK,
  U: Tcp.URG,
  E: Tcp.ECE,
  W: Tcp.CWR,
  C: Tcp.CWR,
  A: Tcp.AE,
  "-": 0
}

/** A digit is the ACE field of accurate ECN, whose bits are AE, CWR and ECE (RFC 9768 §3.1.1). */
const bitsOf = (letter: string): number | undefined => {
  if (!/\d/.test(letter)) return flagBits[letter]
  const value = Number(letter)
  return ((value & 4) === 0 ? 0 : Tcp.AE) | ((value & 2) === 0 ? 0 : Tcp.CWR) | ((value & 1) === 0 ? 0 : Tcp.ECE)
}

const parseFlags = (scanner: Scanner): number => {
  const [word] = scanner.expect(/[A-Z0-7.-]+(?=\s)/y, "TCP flags")
  let flags = 0
  for (const letter of word) flags |= bitsOf(letter) ?? scanner.fail(`${letter} is no TCP flag`)
  return flags
}

const parseRange = (scanner: Scanner): SequenceRange => {
  const [, start, end, length] = scanner.expect(
    /(-?\d+)\s*:\s*(-?\d+)\s*\(\s*(\d+)\s*\)/y,
    "a range of sequence numbers"
  )
  return { start: Number(start), end: Number(end), length: Number(length) }
}

const ecnWords = new Set(["noecn", "ect0", "ect1", "ect01", "ce"])

interface IpBuilding {
  ecn: IpFields["ecn"]
  trafficClass: number | undefined
  hopLimit: number | undefined
}

const parseIpField = (scanner: Scanner, into: IpBuilding): void => {
  const [spoken] = scanner.expect(/[a-z]\w*(?:\([01]\))?/iy, "a field of the IP header")
  const word = spoken.toLowerCase().replace(/[()]/g, "")
  if (ecnWords.has(word)) into.ecn = word as NonNullable<IpFields["ecn"]>
  else if (word === "tos" || word === "tclass") into.trafficClass = integer(scanner, "a traffic class")
  else if (word === "ttl" || word === "hlim") into.hopLimit = integer(scanner, "a hop limit")
  else if (word === "flowlabel") integer(scanner, "a flow label")
  else throw new Unsupported(`the field ${word} of the IP header`)
  scanner.take(/,/y)
}

/** What stands in brackets between the direction and the packet. */
const parseIp = (scanner: Scanner): IpFields => {
  const fields: IpBuilding = { ecn: undefined, trafficClass: undefined, hopLimit: undefined }
  const closing = scanner.take(/\[/y) === undefined ? scanner.take(/\((?=\s*[a-z])/iy) && /\)/y : /\]/y
  if (closing !== undefined) { while (scanner.take(closing) === undefined) parseIpField(scanner, fields) }
  return fields
}

/** What an IP packet can carry beside its headers. */
const longestText = 65_535 - 120

const portNumbers = /(\d+)\s*>\s*(\d+)(?=\s)/y

/** `54321>8080 S 0:0(0)`: from which port to which, where a script has several connections at once. */
const parsePorts = (scanner: Scanner): TcpPacket["ports"] => {
  const found = scanner.take(portNumbers)
  return found === undefined ? undefined : { source: Number(found[1]), destination: Number(found[2]) }
}

const parseTcp = (scanner: Scanner, direction: PacketDirection, ip: IpFields): Packet => {
  const ports = parsePorts(scanner)
  const flags = parseFlags(scanner)
  const sequence = parseRange(scanner)
  const numbers: { ack?: number; win?: number; urg?: number } = {}
  for (let word = scanner.take(field); word !== undefined; word = scanner.take(field)) {
    if (word[1] === "win" && scanner.take(anything) !== undefined) continue
    numbers[word[1] as "ack" | "win" | "urg"] = integer(scanner, `a number behind ${word[1]}`)
  }
  if (direction === "in" && sequence.length > longestText) scanner.fail(`a segment of ${sequence.length} octets`)
  const { hasMore, options } = parseOptions(scanner)
  const isAck = numbers.ack !== undefined && (flags & (Tcp.AE | Tcp.ACK)) === Tcp.AE
  if (scanner.sees(/\/udp\b/y)) throw new Unsupported("TCP in datagrams of UDP")
  return {
    _tag: "TcpPacket",
    direction,
    ip,
    ports,
    // Some write an A for the ACK, which is the bit of accurate ECN else.
    flags: isAck ? flags ^ (Tcp.AE | Tcp.ACK) : flags,
    sequence,
    acknowledgment: numbers.ack,
    window: numbers.win,
    urgent: numbers.urg,
    options,
    ...(hasMore && options !== "any" ? { hasMoreOptions: true as const } : {})
  }
}

const field = /(ack|win|urg)\b/y
const anything = /\*|\.\.\./y

const parseUdp = (scanner: Scanner, direction: PacketDirection, ip: IpFields): Packet => {
  const [, length] = scanner.expect(/\(\s*(\d+)\s*\)/y, "the length of a datagram in parentheses")
  if (Number(length) > longestText) scanner.fail(`a datagram of ${length} octets`)
  return { _tag: "UdpPacket", direction, ip, length: Number(length) }
}

const parseQuoted = (scanner: Scanner): IcmpPacket["quoted"] => {
  if (scanner.take(/\[/y) === undefined) return undefined
  const udp = scanner.take(/udp\s*\(\s*(\d+)\s*\)/y)
  const quoted = udp === undefined
    ? { protocol: "tcp", sequence: parseRange(scanner) } as const
    : { protocol: "udp", length: Number(udp[1]) } as const
  scanner.expect(/\]/y, "]")
  return quoted
}

/** What is quoted may stand before the message or behind it. */
const parseIcmp = (
  scanner: Scanner,
  direction: PacketDirection,
  ip: IpFields,
  before: IcmpPacket["quoted"]
): Packet => {
  const [type] = scanner.expect(/[a-z_]+/y, "a type of ICMP message")
  const code = scanner.take(/(?!mtu\b)[a-z_]+/y)?.[0]
  const mtu = scanner.take(/mtu\b/y) === undefined ? undefined : integer(scanner, "an MTU")
  return { _tag: "IcmpPacket", direction, ip, type, code, mtu, quoted: parseQuoted(scanner) ?? before }
}

/** Reads a packet, if the text goes on with one. */
export const parsePacket = (scanner: Scanner): Packet | undefined => {
  const direction = scanner.take(/[<>]/y)
  if (direction === undefined) return undefined
  const way = direction[0] === "<" ? "in" : "out"
  const quoted = scanner.sees(/\[\s*(?:-?\d|udp\b)/y) ? parseQuoted(scanner) : undefined
  const ip = parseIp(scanner)
  if (scanner.take(/udp\b/y) !== undefined) return parseUdp(scanner, way, ip)
  if (scanner.take(/icmp(?:v?6)?\b/y) !== undefined) return parseIcmp(scanner, way, ip, quoted)
  const other = scanner.take(/(?:ipv4|ipv6|gre|mpls|sctp|udplite|addr|vlan|raw|arp|ndp|geneve|vxlan)\b/y)
  if (other !== undefined) throw new Unsupported(`packets with ${other[0]}`)
  return parseTcp(scanner, way, ip)
}
