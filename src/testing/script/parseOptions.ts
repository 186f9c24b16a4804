/**
 * The TCP options of a packet line, in angle brackets:
 *
 * ```
 *   <mss 1460,sackOK,TS val 100 ecr 0,nop,wscale 7>      <...> for whatever      <mss 1460,...> for these and whatever else
 * ```
 */
import { Unsupported } from "./Descriptor.ts"
import type { Scanner } from "./Scanner.ts"
import type { TcpOption } from "./Syntax.ts"

/** What stands in a line: options, and whether others may be there too. */
export interface Listed {
  readonly options: ReadonlyArray<TcpOption> | "any"
  readonly hasMore: boolean
}

/** A number, with a sign or in hexadecimal if need be. */
export const integer = (scanner: Scanner, what: string): number =>
  Number(scanner.expect(/-?(?:0x[0-9a-fA-F]+|\d+)/y, what)[0])

const hexadecimal = (word: string): Uint8Array =>
  Uint8Array.from({ length: word.length >> 1 }, (_, i) => Number.parseInt(word.slice(2 * i, 2 * i + 2), 16))

const sackBlock = /(-?\d+)\s*:\s*(-?\d+)/y

const parseBlocks = (scanner: Scanner): ReadonlyArray<readonly [number, number]> => {
  const blocks: Array<readonly [number, number]> = []
  for (let found = scanner.take(sackBlock); found !== undefined; found = scanner.take(sackBlock)) {
    blocks.push([Number(found[1]), Number(found[2])])
  }
  return blocks
}

/** `TS val 100 ecr 0`; either number may be left out, or be `...` for any, and then counts as 0. */
const parseTimestamps = (scanner: Scanner): TcpOption => {
  const value = scanner.take(/val\b/y) === undefined ? 0 : anyNumber(scanner) ?? 0
  const echo = scanner.take(/ecr\b/y) === undefined ? 0 : anyNumber(scanner)
  return { _tag: "Timestamps", value, echo: echo ?? 0, ...(echo === undefined ? { isAnyEcho: true } : {}) }
}

const anyNumber = (scanner: Scanner): number | undefined =>
  scanner.take(/\.\.\./y) === undefined ? integer(scanner, "a timestamp") >>> 0 : undefined

const counter = /(e0b|e1b|ceb)\s+(\d+)/y

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

const parseFastOpen = (scanner: Scanner, isExperimental: boolean): TcpOption => {
  if (scanner.take(/\.\.\./y) !== undefined) {
    return { _tag: "FastOpen", cookie: new Uint8Array(0), isExperimental, isAny: true }
  }
  const cookie = scanner.take(/(?:0x)?([0-9a-fA-F]+)(?=\s*[,>])/y)
  return { _tag: "FastOpen", cookie: hexadecimal(cookie?.[1] ?? ""), isExperimental }
}

/** A signature (RFC 2385), whatever it is. */
const parseSignature = (scanner: Scanner): TcpOption => {
  scanner.take(/(?:0x)?[0-9a-fA-F]{32}|\.\.\./y)
  return { _tag: "Raw", kind: 19, value: new Uint8Array(16) }
}

/** `raw KIND HEX`: any other option by its octets. */
const parseRaw = (scanner: Scanner): TcpOption => ({
  _tag: "Raw",
  kind: integer(scanner, "a kind"),
  value: hexadecimal(scanner.take(/(?:0x)?([0-9a-fA-F]+)/y)?.[1] ?? "")
})

/** `exp-tarr 4`: how often the peer is to acknowledge (draft-gomez-tcpm-ack-rate-request), by its experiment's number. */
const parseAckRate = (scanner: Scanner): TcpOption => {
  const rate = scanner.take(/\d+/y)
  return { _tag: "Raw", kind: 253, value: Uint8Array.from([0, 0xac, ...(rate === undefined ? [] : [Number(rate[0])])]) }
}

const parsers: Readonly<Record<string, (scanner: Scanner) => TcpOption>> = {
  nop: () => ({ _tag: "Nop" }),
  noop: () => ({ _tag: "Nop" }),
  eol: () => ({ _tag: "Eol" }),
  sackok: () => ({ _tag: "SackPermitted" }),
  mss: (scanner) => ({ _tag: "Mss", value: integer(scanner, "a segment size") }),
  wscale: (scanner) => ({ _tag: "WindowScale", value: integer(scanner, "a shift") }),
  uto: (scanner) => ({ _tag: "UserTimeout", value: integer(scanner, "a time") }),
  sack: (scanner) => ({ _tag: "Sack", blocks: parseBlocks(scanner) }),
  ts: parseTimestamps,
  fo: (scanner) => parseFastOpen(scanner, false),
  foexp: (scanner) => parseFastOpen(scanner, true),
  "exp-fo": (scanner) => parseFastOpen(scanner, true),
  "exp-tarr": parseAckRate,
  ecn: parseAccurateEcn,
  accecn: parseAccurateEcn,
  md5: parseSignature,
  raw: parseRaw,
  gen: parseRaw
}

const parseOption = (scanner: Scanner): TcpOption => {
  const [word] = scanner.expect(/[A-Za-z][\w-]*/y, "a TCP option")
  const parse = parsers[word.toLowerCase()]
  if (parse === undefined) throw new Unsupported(`the TCP option ${word}`)
  return parse(scanner)
}

/** Reads the options, if there are any. */
export const parseOptions = (scanner: Scanner): Listed => {
  if (scanner.take(/</y) === undefined) return { options: [], hasMore: false }
  const options: Array<TcpOption> = []
  if (scanner.take(/>/y) !== undefined) return { options, hasMore: false }
  let hasMore = false
  do {
    if (scanner.take(/\.\.\./y) !== undefined) hasMore = true
    else options.push(parseOption(scanner))
  } while (scanner.take(/,/y) !== undefined)
  scanner.expect(/>/y, "> behind the options")
  return hasMore && options.length === 0 ? { options: "any", hasMore } : { options, hasMore }
}
