/**
 * DHCP options (RFC 2132; values beyond 255 octets RFC 3396; classless routes RFC 3442; domain search RFC 3397).
 *
 *     +------+--------+------- - -
 *     | code | length | value            code 0 is padding, 255 the end: single octets
 *     +------+--------+------- - -
 *
 * One flat record says what a message carries, and one table below says how: a row per option. An option that comes in
 * several parts is put together before it is read (rfc: 3396 §7 MUST); unknown ones are skipped, and so are known ones
 * whose value makes no sense.
 */
import * as Address from "./Address.ts"
import * as DnsName from "./DnsName.ts"
import * as Malformed from "./Malformed.ts"
import * as Word from "./Word.ts"

/** rfc: 2132 §9.6 */
export const MessageType = {
  discover: 1,
  offer: 2,
  request: 3,
  decline: 4,
  acknowledge: 5,
  refuse: 6,
  release: 7,
  inform: 8
} as const

/** rfc: 3442; a router of 0 says that the destination is on the link. */
export interface Route {
  readonly destination: Address.Ipv4
  readonly length: number
  readonly router: Address.Ipv4
}

/** Times are in seconds; 0xffffffff never ends (RFC 2131 §3.3). */
export interface Options {
  readonly subnetMask: Address.Ipv4 | undefined
  readonly routers: ReadonlyArray<Address.Ipv4> | undefined
  readonly dnsServers: ReadonlyArray<Address.Ipv4> | undefined
  readonly hostName: string | undefined
  readonly domainName: string | undefined
  readonly interfaceMtu: number | undefined
  readonly broadcastAddress: Address.Ipv4 | undefined
  readonly ntpServers: ReadonlyArray<Address.Ipv4> | undefined
  readonly requestedAddress: Address.Ipv4 | undefined
  readonly leaseTime: number | undefined
  /** See {@link MessageType}; absent in BOOTP. */
  readonly messageType: number | undefined
  readonly serverIdentifier: Address.Ipv4 | undefined
  /** Codes of the options that a client asks for. */
  readonly parameterList: Uint8Array | undefined
  readonly message: string | undefined
  readonly maximumMessageSize: number | undefined
  readonly renewalTime: number | undefined
  readonly rebindingTime: number | undefined
  readonly vendorClass: string | undefined
  /** Type octet and identifier (RFC 4361 §6.1). */
  readonly clientIdentifier: Uint8Array | undefined
  readonly classlessRoutes: ReadonlyArray<Route> | undefined
  /** Domains to try behind names, each with a dot at its end. */
  readonly domainSearch: ReadonlyArray<string> | undefined
}

const code = { pad: 0, overload: 52, end: 255 } as const

const truncated = Malformed.make("Dhcp", "Truncated", "an option is longer than the message")

/** A form that values have. */
interface Form<A> {
  readonly read: (value: Uint8Array) => A | undefined
  readonly write: (value: A) => Uint8Array
}

const octet: Form<number> = {
  read: (value) => value.length === 1 ? value[0] : undefined,
  write: (value) => Uint8Array.of(value)
}

const short: Form<number> = {
  read: (value) => value.length === 2 ? Word.read16(value, 0) : undefined,
  write: (value) => Uint8Array.of(value >>> 8, value)
}

const long: Form<number> = {
  read: (value) => value.length === 4 ? Word.read32(value, 0) >>> 0 : undefined,
  write: (value) => Uint8Array.of(value >>> 24, value >>> 16, value >>> 8, value)
}

const address: Form<Address.Ipv4> = {
  read: (value) => value.length === 4 ? Address.readV4(value, 0) : undefined,
  write: long.write
}

const addresses: Form<ReadonlyArray<Address.Ipv4>> = {
  read: (value) =>
    value.length === 0 || value.length % 4 !== 0
      ? undefined
      : Array.from({ length: value.length / 4 }, (_, i) => Address.readV4(value, i * 4)),
  write: (list) => Uint8Array.from(list.flatMap((one) => [...long.write(one)]))
}

const decoder = new TextDecoder()
const encoder = new TextEncoder()

/** rfc: 2132 §2: zeros at the end are not part of the text. */
const text: Form<string> = {
  read: (value) => {
    let end = value.length
    while (end > 0 && value[end - 1] === 0) end--
    return decoder.decode(value.subarray(0, end))
  },
  write: (value) => encoder.encode(value)
}

const raw: Form<Uint8Array> = { read: (value) => value, write: (value) => value }

/** Only the octets of the destination that its length reaches are there. */
const routes: Form<ReadonlyArray<Route>> = {
  read: (value) => {
    const found: Array<Route> = []
    for (let at = 0; at < value.length;) {
      const length = value[at]!
      const octets = (length + 7) >>> 3
      const router = at + 1 + octets
      if (length > 32 || router + 4 > value.length) return undefined
      let destination = 0
      for (let i = 0; i < octets; i++) destination |= value[at + 1 + i]! << (24 - 8 * i)
      // rfc: 3442 DHCP Client Behavior MUST: bits behind the length do not count.
      destination &= Address.mask32(length)
      found.push({ destination, length, router: Address.readV4(value, router) })
      at = router + 4
    }
    return found
  },
  write: (list) =>
    Uint8Array.from(list.flatMap(({ destination, length, router }) => [
      length,
      ...long.write(destination).subarray(0, (length + 7) >>> 3),
      ...long.write(router)
    ]))
}

/** rfc: 3397 §2: names as in DNS messages, where pointers count from the start of the whole value. */
const domains: Form<ReadonlyArray<string>> = {
  read: (value) => {
    const found: Array<string> = []
    const message = { bytes: value, start: 0, end: value.length }
    for (let at = 0; at < value.length;) {
      const one = DnsName.read(message, at)
      if (Malformed.isMalformed(one)) return undefined
      if (one.name !== DnsName.root) found.push(one.name)
      at = one.next
    }
    return found
  },
  write: (list) => Uint8Array.from(list.flatMap((name) => DnsName.encode(name) ?? []))
}

type Table = {
  readonly [K in keyof Options]: readonly [code: number, form: Form<Exclude<Options[K], undefined>>]
}

/** In the order in which they are written: what everybody reads comes first. */
const table: Table = {
  messageType: [53, octet],
  serverIdentifier: [54, address],
  leaseTime: [51, long],
  clientIdentifier: [61, raw],
  requestedAddress: [50, address],
  subnetMask: [1, address],
  // Before the routers, which clients ignore that know these (RFC 3442, DHCP Client Behavior).
  classlessRoutes: [121, routes],
  routers: [3, addresses],
  dnsServers: [6, addresses],
  hostName: [12, text],
  domainName: [15, text],
  domainSearch: [119, domains],
  interfaceMtu: [26, short],
  broadcastAddress: [28, address],
  ntpServers: [42, addresses],
  parameterList: [55, raw],
  message: [56, text],
  maximumMessageSize: [57, short],
  renewalTime: [58, long],
  rebindingTime: [59, long],
  vendorClass: [60, text]
}

const keys = Object.keys(table) as ReadonlyArray<keyof Options>

/** The code of each option, for a parameter list. */
export const codeOf = (key: keyof Options): number => table[key][0]

/** No option at all. */
export const none: Options = Object.freeze(
  Object.fromEntries(keys.map((key) => [key, undefined])) as unknown as Options
)

/** The given options and nothing else. */
export const make = (given: Partial<Options>): Options => ({ ...none, ...given })

/** Parts of options by code, in the order of the message. */
type Parts = Map<number, Uint8Array>

const joined = (a: Uint8Array, b: Uint8Array): Uint8Array => {
  const both = new Uint8Array(a.length + b.length)
  both.set(a)
  both.set(b, a.length)
  return both
}

const collect = (parts: Parts, bytes: Uint8Array, start: number, end: number): Malformed.Malformed | undefined => {
  let at = start
  while (at < end && bytes[at] !== code.end) {
    if (bytes[at] === code.pad) {
      at++
      continue
    }
    const value = at + 2
    const next = value + (at + 1 < end ? bytes[at + 1]! : end)
    if (next > end) return truncated
    const before = parts.get(bytes[at]!)
    const part = bytes.slice(value, next)
    parts.set(bytes[at]!, before === undefined ? part : joined(before, part))
    at = next
  }
  return undefined
}

/** A range of the message. */
interface Field {
  readonly start: number
  readonly end: number
}

/**
 * Reads the options of a message: those of its options field, then of the file and server name fields if the overload
 * option says so (rfc: 2131 §4.1, rfc: 3396 §5).
 */
export const parse = (
  bytes: Uint8Array,
  options: Field,
  file: Field,
  serverName: Field
): Options | Malformed.Malformed => {
  const parts: Parts = new Map()
  const fault = collect(parts, bytes, options.start, options.end)
  if (fault !== undefined) return fault
  const overload = parts.get(code.overload)?.[0] ?? 0
  if ((overload & 1) !== 0) {
    const inFile = collect(parts, bytes, file.start, file.end)
    if (inFile !== undefined) return inFile
  }
  if ((overload & 2) !== 0) {
    const inServerName = collect(parts, bytes, serverName.start, serverName.end)
    if (inServerName !== undefined) return inServerName
  }
  return Object.fromEntries(keys.map((key) => {
    const [number, form] = table[key]
    const value = parts.get(number)
    return [key, value === undefined ? undefined : form.read(value)]
  })) as unknown as Options
}

const valueOf = <K extends keyof Options>(options: Options, key: K): Uint8Array | undefined => {
  const value = options[key]
  // The key ties both together, which the type of a table by key does not tell.
  return value === undefined ? undefined : (table[key][1] as unknown as Form<typeof value>).write(value)
}

const maximumPart = 255

/** A value of any length goes out in parts of at most 255 octets (rfc: 3396 §6), an empty one in one part. */
const partCount = (length: number): number => Math.max(1, Math.ceil(length / maximumPart))

/** With the end mark, in bytes. */
export const size = (options: Options): number => {
  let length = 1
  for (const key of keys) {
    const value = valueOf(options, key)
    if (value !== undefined) length += value.length + 2 * partCount(value.length)
  }
  return length
}

export const emit = (options: Options, bytes: Uint8Array, at: number): number => {
  let end = at
  for (const key of keys) {
    const value = valueOf(options, key)
    if (value === undefined) continue
    for (let part = 0; part < partCount(value.length); part++) {
      const slice = value.subarray(part * maximumPart, (part + 1) * maximumPart)
      bytes[end] = table[key][0]
      bytes[end + 1] = slice.length
      bytes.set(slice, end + 2)
      end += 2 + slice.length
    }
  }
  bytes[end] = code.end
  return end + 1
}
