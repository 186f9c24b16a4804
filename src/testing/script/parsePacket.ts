/**
 * Packet lines, behind their time:
 *
 * ```
 *   < [ect0] P. 1:1001(1000) ack 1 win 257 <nop,nop,TS val 100 ecr 200>
 *   > S. 0:0(0) ack 1 <mss 1460,...>        > udp (100)        < icmp unreachable frag_needed mtu 1200 [1:1461(1460)]
 * ```
 */
import * as Tcp from "../../wire/Tcp.ts"
import { emitOptions } from "./optionBytes.ts"
import type { Scanner } from "./Scanner.ts"
import type { IcmpPacket, IpFields, Packet, PacketDirection, SequenceRange, TcpOption } from "./Syntax.ts"

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

const integer = (scanner: Scanner, what: string): number => Number(scanner.expect(/-?(?:0x[0-9a-fA-F]+|\d+)/y, what)[0])

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
  const [word] = scanner.expect(/[a-z]\w*/y, "a field of the IP header")
  if (ecnWords.has(word)) into.ecn = word as NonNullable<IpFields["ecn"]>
  else if (word === "tos" || word === "tclass") into.trafficClass = integer(scanner, "a traffic class")
  else if (word === "ttl" || word === "hlim") into.hopLimit = integer(scanner, "a hop limit")
  else if (word === "flowlabel") integer(scanner, "a flow label")
  else scanner.fail(`${word} is no field of the IP header`)
  scanner.take(/,/y)
}

/** What stands in brackets between the direction and the packet. */
const parseIp = (scanner: Scanner): IpFields => {
  const fields: IpBuilding = { ecn: undefined, trafficClass: undefined, hopLimit: undefined }
  const closing = scanner.take(/\[/y) === undefined ? scanner.take(/\((?=\s*[a-z])/y) && /\)/y : /\]/y
  if (closing !== undefined) { while (scanner.take(closing) === undefined) parseIpField(scanner, fields) }
  return fields
}

const hexadecimal = (word: string): Uint8Array =>
  Uint8Array.from({ length: word.length >> 1 }, (_, i) => Number.parseInt(word.slice(2 * i, 2 * i + 2), 16))

const parseBlocks = (scanner: Scanner): ReadonlyArray<readonly [number, number]> => {
  const blocks: Array<readonly [number, number]> = []
  for (let found = scanner.take(sackBlock); found !== undefined; found = scanner.take(sackBlock)) {
    blocks.push([Number(found[1]), Number(found[2])])
  }
  return blocks
}

const sackBlock = /(\d+)\s*:\s*(\d+)/y

const parseTimestamps = (scanner: Scanner): TcpOption => {
  scanner.expect(/val\b/y, "val")
  const value = integer(scanner, "a timestamp")
  scanner.expect(/ecr\b/y, "ecr")
  return { _tag: "Timestamps", value, echo: integer(scanner, "a timestamp") }
}

/** `ECN e1b 1 ceb 0 e0b 1001`: the first counter tells the order (RFC 9768 §3.2.3). */
const parseAccurateEcn = (scanner: Scanner): TcpOption => {
  const names: Array<string> = []
  const counters: Array<number> = []
  for (let found = scanner.take(counter); found !== undefined; found = scanner.take(counter)) {
    names.push(found[1]!)
    counters.push(Number(found[2]))
  }
  return { _tag: "AccurateEcn", kind: names[0] === "e0b" ? 172 : 174, counters }
}

const counter = /(e0b|e1b|ceb)\s+(\d+)/y

const parseFastOpen = (scanner: Scanner, isExperimental: boolean): TcpOption => {
  const cookie = scanner.take(/([0-9a-fA-F]+)(?=\s*[,>])/y)
  return { _tag: "FastOpen", cookie: hexadecimal(cookie?.[1] ?? ""), isExperimental }
}

const simple: Readonly<Record<string, TcpOption>> = {
  nop: { _tag: "Nop" },
  eol: { _tag: "Eol" },
  sackok: { _tag: "SackPermitted" }
}

const parseOption = (scanner: Scanner): TcpOption => {
  const [word] = scanner.expect(/[A-Za-z]\w*/y, "a TCP option")
  const known = simple[word.toLowerCase()]
  if (known !== undefined) return known
  switch (word.toLowerCase()) {
    case "mss":
      return { _tag: "Mss", value: integer(scanner, "a segment size") }
    case "wscale":
      return { _tag: "WindowScale", value: integer(scanner, "a shift") }
    case "uto":
      return { _tag: "UserTimeout", value: integer(scanner, "a time") }
    case "sack":
      return { _tag: "Sack", blocks: parseBlocks(scanner) }
    case "ts":
      return parseTimestamps(scanner)
    case "fo":
    case "foexp":
      return parseFastOpen(scanner, word.toLowerCase() === "foexp")
    case "ecn":
      return parseAccurateEcn(scanner)
    // A signature (RFC 2385), whatever it is.
    case "md5":
      scanner.take(/[0-9a-fA-F]{32}/y)
      return { _tag: "Raw", kind: 19, value: new Uint8Array(16) }
    case "raw":
    case "gen":
      return {
        _tag: "Raw",
        kind: integer(scanner, "a kind"),
        value: hexadecimal(scanner.take(/[0-9a-fA-F]+/y)?.[0] ?? "")
      }
    default:
      return scanner.fail(`${word} is no TCP option of this language`)
  }
}

const parseOptions = (scanner: Scanner): ReadonlyArray<TcpOption> | "any" => {
  if (scanner.take(/</y) === undefined) return []
  if (scanner.take(/\.\.\.\s*>/y) !== undefined) return "any"
  const options: Array<TcpOption> = []
  if (scanner.take(/>/y) !== undefined) return options
  do options.push(parseOption(scanner))
  while (scanner.take(/,/y) !== undefined)
  scanner.expect(/>/y, "> behind the options")
  return options
}

/** What is sent has to be whole. */
const checkInbound = (
  scanner: Scanner,
  flags: number,
  window: number | undefined,
  options: ReadonlyArray<TcpOption> | "any"
): void => {
  if (window === undefined && (flags & Tcp.RST) === 0) scanner.fail("expected win in a packet to the host")
  if (options === "any") return scanner.fail("expected the options of a packet to the host one by one")
  if (emitOptions(options).length % 4 !== 0) {
    scanner.fail("expected options padded to four octets, with nop or eol,")
  }
}

const parseTcp = (scanner: Scanner, direction: PacketDirection, ip: IpFields): Packet => {
  const flags = parseFlags(scanner)
  const sequence = parseRange(scanner)
  const numbers: { ack?: number; win?: number; urg?: number } = {}
  for (let word = scanner.take(field); word !== undefined; word = scanner.take(field)) {
    numbers[word[1] as "ack" | "win" | "urg"] = integer(scanner, `a number behind ${word[1]}`)
  }
  const options = parseOptions(scanner)
  if (direction === "in") checkInbound(scanner, flags, numbers.win, options)
  return {
    _tag: "TcpPacket",
    direction,
    ip,
    flags,
    sequence,
    acknowledgment: numbers.ack,
    window: numbers.win,
    urgent: numbers.urg,
    options
  }
}

const field = /(ack|win|urg)\b/y

const parseUdp = (scanner: Scanner, direction: PacketDirection, ip: IpFields): Packet => {
  const [, length] = scanner.expect(/\(\s*(\d+)\s*\)/y, "the length of a datagram in parentheses")
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

const parseIcmp = (scanner: Scanner, direction: PacketDirection, ip: IpFields): Packet => {
  const [type] = scanner.expect(/[a-z_]+/y, "a type of ICMP message")
  const code = scanner.take(/(?!mtu\b)[a-z_]+/y)?.[0]
  const mtu = scanner.take(/mtu\b/y) === undefined ? undefined : integer(scanner, "an MTU")
  return { _tag: "IcmpPacket", direction, ip, type, code, mtu, quoted: parseQuoted(scanner) }
}

/** Reads a packet, if the text goes on with one. */
export const parsePacket = (scanner: Scanner): Packet | undefined => {
  const direction = scanner.take(/[<>]/y)
  if (direction === undefined) return undefined
  const way = direction[0] === "<" ? "in" : "out"
  const ip = parseIp(scanner)
  if (scanner.take(/udp\b/y) !== undefined) return parseUdp(scanner, way, ip)
  if (scanner.take(/icmp\b/y) !== undefined) return parseIcmp(scanner, way, ip)
  if (scanner.sees(/(?:ipv4|ipv6|gre|mpls|sctp|udplite)\b/y)) {
    scanner.fail("tunnels and this protocol are not spoken here")
  }
  return parseTcp(scanner, way, ip)
}
