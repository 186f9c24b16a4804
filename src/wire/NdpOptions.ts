/**
 * Options of neighbour discovery (RFC 4861 §4.6; routes RFC 4191 §2.3, DNS RFC 8106 §5, nonce RFC 3971 §5.3.2).
 *
 *     +------+--------+---------- - -
 *     | type | length | value           length counts units of eight octets, type and length included
 *     +------+--------+---------- - -
 *
 * One flat record says what a message carries; where several make sense it holds lists. Options that are unknown are
 * skipped (rfc: 4861 §4.6 MUST), and so are those whose content makes no sense, but a length of zero spoils the message
 * (rfc: 4861 §4.6 MUST).
 */
import * as Address from "./Address.ts"
import * as DomainName from "./DomainName.ts"
import * as Mac from "./Mac.ts"
import * as Malformed from "./Malformed.ts"
import * as Piece from "./Piece.ts"
import * as Word from "./Word.ts"

export const Type = {
  sourceLinkLayer: 1,
  targetLinkLayer: 2,
  prefixInformation: 3,
  redirectedHeader: 4,
  mtu: 5,
  nonce: 14,
  routeInformation: 24,
  dnsServers: 25,
  dnsSearchList: 31
} as const

/** Lifetimes are in seconds; this one never ends. */
export const infiniteLifetime = 0xffff_ffff

/** rfc: 4861 §4.6.2 */
export interface Prefix {
  readonly prefix: Address.Ipv6
  readonly length: number
  readonly onLink: boolean
  readonly autonomous: boolean
  readonly validLifetime: number
  readonly preferredLifetime: number
}

/** A router's preference (RFC 4191 §2.1): 1 is high, -1 low; the reserved value reads as 0, medium. */
export type Preference = -1 | 0 | 1

/** rfc: 4191 §2.3 */
export interface Route {
  readonly prefix: Address.Ipv6
  readonly length: number
  readonly preference: Preference
  readonly lifetime: number
}

/** rfc: 8106 §5.1 */
export interface DnsServers {
  readonly lifetime: number
  readonly servers: ReadonlyArray<Address.Ipv6>
}

/** rfc: 8106 §5.2 */
export interface DnsSearchList {
  readonly lifetime: number
  readonly domains: ReadonlyArray<string>
}

export interface Options {
  readonly sourceLinkLayer: Mac.Mac | undefined
  readonly targetLinkLayer: Mac.Mac | undefined
  readonly mtu: number | undefined
  readonly prefixes: ReadonlyArray<Prefix>
  readonly routes: ReadonlyArray<Route>
  readonly dnsServers: ReadonlyArray<DnsServers>
  readonly dnsSearchLists: ReadonlyArray<DnsSearchList>
  /** Of a redirect: the start of the packet that caused it, perhaps with padding behind it. */
  readonly redirected: Piece.Piece | undefined
  readonly nonce: Piece.Piece | undefined
}

const empty: ReadonlyArray<never> = Object.freeze([])

/** No option at all. */
export const none: Options = Object.freeze({
  sourceLinkLayer: undefined,
  targetLinkLayer: undefined,
  mtu: undefined,
  prefixes: empty,
  routes: empty,
  dnsServers: empty,
  dnsSearchLists: empty,
  redirected: undefined,
  nonce: undefined
})

/** The given options and nothing else. */
export const make = (given: Partial<Options>): Options => ({ ...none, ...given })

const truncated = Malformed.make("Ndp", "Truncated", "shorter than its options")
const zeroLength = Malformed.make("Ndp", "BadOption", "an option of length zero")

const reservedPreference = 2

/** RFC 4191 §2.1: two bits, signed; 10 is reserved and reads as medium (rfc: 4191 §2.2 MUST). */
export const preferenceOf = (bits: number): Preference => bits === 1 ? 1 : bits === 3 ? -1 : 0

const unit = 8
const units = (length: number): number => (length + unit - 1) & ~(unit - 1)

interface Building {
  sourceLinkLayer: Mac.Mac | undefined
  targetLinkLayer: Mac.Mac | undefined
  mtu: number | undefined
  readonly prefixes: Array<Prefix>
  readonly routes: Array<Route>
  readonly dnsServers: Array<DnsServers>
  readonly dnsSearchLists: Array<DnsSearchList>
  redirected: Piece.Piece | undefined
  nonce: Piece.Piece | undefined
}

const lifetimeAt = (bytes: Uint8Array, at: number): number => Word.read32(bytes, at) >>> 0

const readPrefix = (into: Building, bytes: Uint8Array, start: number, end: number): void => {
  const length = bytes[start + 2]!
  if (end - start !== 32 || length > 128) return
  into.prefixes.push({
    prefix: Address.readV6(bytes, start + 16),
    length,
    onLink: (bytes[start + 3]! & 0x80) !== 0,
    autonomous: (bytes[start + 3]! & 0x40) !== 0,
    validLifetime: lifetimeAt(bytes, start + 4),
    preferredLifetime: lifetimeAt(bytes, start + 8)
  })
}

/** RFC 4191 §2.3: as many units of the prefix as its length needs may be left out; the reserved preference makes the option invalid (MUST). */
const readRoute = (into: Building, bytes: Uint8Array, start: number, end: number): void => {
  const length = bytes[start + 2]!
  const held = (end - start - unit) * 8
  const preference = (bytes[start + 3]! >>> 3) & 3
  if (length > 128 || held > 128 || length > held || preference === reservedPreference) return
  const word = (i: number): number => start + unit + i * 4 < end ? Word.read32(bytes, start + unit + i * 4) : 0
  into.routes.push({
    prefix: Address.v6(word(0), word(1), word(2), word(3)),
    length,
    preference: preferenceOf(preference),
    lifetime: lifetimeAt(bytes, start + 4)
  })
}

/** An even length, one below 3, or a group among the addresses makes the option invalid (rfc: 8106 §5.3.1 MUST). */
const readDnsServers = (into: Building, bytes: Uint8Array, start: number, end: number): void => {
  if (end - start < 24 || (end - start) % 16 !== unit) return
  const servers: Array<Address.Ipv6> = []
  for (let at = start + unit; at < end; at += 16) {
    const server = Address.readV6(bytes, at)
    if (Address.isMulticast(server)) return
    servers.push(server)
  }
  into.dnsServers.push({ lifetime: lifetimeAt(bytes, start + 4), servers })
}

/** rfc: 8106 §5.3.1 MUST: a length below 2 makes the option invalid. */
const readDnsSearchList = (into: Building, bytes: Uint8Array, start: number, end: number): void => {
  if (end - start < 16) return
  const domains = DomainName.readList(bytes, start + unit, end)
  if (domains !== undefined) into.dnsSearchLists.push({ lifetime: lifetimeAt(bytes, start + 4), domains })
}

const read = (into: Building, bytes: Uint8Array, start: number, end: number): void => {
  switch (bytes[start]) {
    case Type.sourceLinkLayer:
      if (end - start === unit) into.sourceLinkLayer = Mac.read(bytes, start + 2)
      return
    case Type.targetLinkLayer:
      if (end - start === unit) into.targetLinkLayer = Mac.read(bytes, start + 2)
      return
    case Type.prefixInformation:
      return readPrefix(into, bytes, start, end)
    case Type.redirectedHeader:
      into.redirected = { bytes, start: start + unit, end }
      return
    case Type.mtu:
      if (end - start === unit) into.mtu = Word.read32(bytes, start + 4) >>> 0
      return
    case Type.nonce:
      into.nonce = { bytes, start: start + 2, end }
      return
    case Type.routeInformation:
      return readRoute(into, bytes, start, end)
    case Type.dnsServers:
      return readDnsServers(into, bytes, start, end)
    case Type.dnsSearchList:
      return readDnsSearchList(into, bytes, start, end)
  }
}

export const parse = (bytes: Uint8Array, start: number, end: number): Options | Malformed.Malformed => {
  if (start === end) return none
  const options: Building = { ...none, prefixes: [], routes: [], dnsServers: [], dnsSearchLists: [] }
  for (let at = start; at < end;) {
    if (end - at < 2) return truncated
    const length = bytes[at + 1]! * unit
    if (length === 0) return zeroLength
    if (length > end - at) return truncated
    read(options, bytes, at, at + length)
    at += length
  }
  return options
}

/** Eight octets per option but for those of variable length. */
export const size = (options: Options): number => {
  let length = 0
  if (options.sourceLinkLayer !== undefined) length += unit
  if (options.targetLinkLayer !== undefined) length += unit
  if (options.mtu !== undefined) length += unit
  length += options.prefixes.length * 32
  length += options.routes.length * 24
  for (const { servers } of options.dnsServers) length += unit + servers.length * 16
  for (const { domains } of options.dnsSearchLists) length += unit + units(DomainName.listSize(domains))
  if (options.nonce !== undefined) length += units(2 + Piece.size(options.nonce))
  if (options.redirected !== undefined) length += unit + units(Piece.size(options.redirected))
  return length
}

/** Writes type and length and clears the rest. */
const begin = (type: number, length: number, bytes: Uint8Array, at: number): void => {
  bytes[at] = type
  bytes[at + 1] = length / unit
  bytes.fill(0, at + 2, at + length)
}

const emitLinkLayer = (type: number, mac: Mac.Mac | undefined, bytes: Uint8Array, at: number): number => {
  if (mac === undefined) return at
  begin(type, unit, bytes, at)
  Mac.write(mac, bytes, at + 2)
  return at + unit
}

const emitMtu = (mtu: number | undefined, bytes: Uint8Array, at: number): number => {
  if (mtu === undefined) return at
  begin(Type.mtu, unit, bytes, at)
  Word.write32(mtu, bytes, at + 4)
  return at + unit
}

const emitPrefix = (prefix: Prefix, bytes: Uint8Array, at: number): number => {
  begin(Type.prefixInformation, 32, bytes, at)
  bytes[at + 2] = prefix.length
  bytes[at + 3] = (prefix.onLink ? 0x80 : 0) | (prefix.autonomous ? 0x40 : 0)
  Word.write32(prefix.validLifetime, bytes, at + 4)
  Word.write32(prefix.preferredLifetime, bytes, at + 8)
  Address.writeV6(prefix.prefix, bytes, at + 16)
  return at + 32
}

const emitRoute = (route: Route, bytes: Uint8Array, at: number): number => {
  begin(Type.routeInformation, 24, bytes, at)
  bytes[at + 2] = route.length
  bytes[at + 3] = (route.preference & 3) << 3
  Word.write32(route.lifetime, bytes, at + 4)
  Address.writeV6(route.prefix, bytes, at + 8)
  return at + 24
}

const emitDnsServers = ({ lifetime, servers }: DnsServers, bytes: Uint8Array, at: number): number => {
  const length = unit + servers.length * 16
  begin(Type.dnsServers, length, bytes, at)
  Word.write32(lifetime, bytes, at + 4)
  servers.forEach((server, i) => Address.writeV6(server, bytes, at + unit + i * 16))
  return at + length
}

const emitDnsSearchList = ({ domains, lifetime }: DnsSearchList, bytes: Uint8Array, at: number): number => {
  const length = unit + units(DomainName.listSize(domains))
  begin(Type.dnsSearchList, length, bytes, at)
  Word.write32(lifetime, bytes, at + 4)
  DomainName.emitList(domains, bytes, at + unit)
  return at + length
}

/** An option whose value begins `offset` octets behind its type. */
const emitPiece = (
  type: number,
  offset: number,
  piece: Piece.Piece | undefined,
  bytes: Uint8Array,
  at: number
): number => {
  if (piece === undefined) return at
  const length = units(offset + Piece.size(piece))
  begin(type, length, bytes, at)
  Piece.into(piece, bytes, at + offset)
  return at + length
}

/** Writes the options; values that don't fill their units are padded with zeros. */
export const emit = (options: Options, bytes: Uint8Array, at: number): number => {
  let end = emitLinkLayer(Type.sourceLinkLayer, options.sourceLinkLayer, bytes, at)
  end = emitLinkLayer(Type.targetLinkLayer, options.targetLinkLayer, bytes, end)
  end = emitMtu(options.mtu, bytes, end)
  for (const prefix of options.prefixes) end = emitPrefix(prefix, bytes, end)
  for (const route of options.routes) end = emitRoute(route, bytes, end)
  for (const servers of options.dnsServers) end = emitDnsServers(servers, bytes, end)
  for (const list of options.dnsSearchLists) end = emitDnsSearchList(list, bytes, end)
  end = emitPiece(Type.nonce, 2, options.nonce, bytes, end)
  return emitPiece(Type.redirectedHeader, unit, options.redirected, bytes, end)
}
