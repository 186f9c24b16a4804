/**
 * The data of DNS resource records, by type: RFC 1035 §3.3 (NS, CNAME, SOA, PTR, MX, TXT, A), RFC 3596 §2.2 (AAAA), RFC 2782 (SRV),
 * RFC 6891 §6.1.2 (OPT). NAPTR (RFC 3403), TLSA (RFC 6698) and CAA (RFC 8659) are read as their RFCs have them too, though the texts of
 * those are not among this project's sources. Data of any other type stays bytes.
 */
import * as Address from "./Address.ts"
import * as DnsName from "./DnsName.ts"
import * as Malformed from "./Malformed.ts"
import * as Word from "./Word.ts"

/** The numbers of the types that are read. */
export const Type = {
  A: 1,
  NS: 2,
  CNAME: 5,
  SOA: 6,
  PTR: 12,
  MX: 15,
  TXT: 16,
  AAAA: 28,
  SRV: 33,
  NAPTR: 35,
  OPT: 41,
  TLSA: 52,
  CAA: 257
} as const

/** Times are in seconds. Character strings are octets, of which no RFC says what they mean. */
export type Data =
  | { readonly _tag: "A"; readonly address: Address.Ipv4 }
  | { readonly _tag: "AAAA"; readonly address: Address.Ipv6 }
  | { readonly _tag: "NS" | "CNAME" | "PTR"; readonly name: string }
  | {
    readonly _tag: "SOA"
    readonly primary: string
    /** The mailbox as a name: its first label is the local part. */
    readonly mailbox: string
    readonly serial: number
    readonly refresh: number
    readonly retry: number
    readonly expire: number
    readonly minimum: number
  }
  | { readonly _tag: "MX"; readonly preference: number; readonly exchange: string }
  | { readonly _tag: "TXT"; readonly strings: ReadonlyArray<Uint8Array> }
  | {
    readonly _tag: "SRV"
    readonly priority: number
    readonly weight: number
    readonly port: number
    readonly target: string
  }
  | {
    readonly _tag: "NAPTR"
    readonly order: number
    readonly preference: number
    readonly flags: Uint8Array
    readonly service: Uint8Array
    readonly regexp: Uint8Array
    readonly replacement: string
  }
  | { readonly _tag: "OPT"; readonly options: ReadonlyArray<Option> }
  | {
    readonly _tag: "TLSA"
    readonly usage: number
    readonly selector: number
    readonly matching: number
    readonly data: Uint8Array
  }
  | { readonly _tag: "CAA"; readonly flags: number; readonly property: Uint8Array; readonly value: Uint8Array }
  | { readonly _tag: "Other"; readonly type: number; readonly bytes: Uint8Array }

/** An option of EDNS. */
export interface Option {
  readonly code: number
  readonly data: Uint8Array
}

/** The type's number, as it stands in the record. */
export const typeOf = (data: Data): number => data._tag === "Other" ? data.type : Type[data._tag]

const badData = Malformed.make("Dns", "BadField", "the data of a record is not of its type")

/** Reads on through the data of one record; what does not fit is remembered and reads as nothing. */
class Reader {
  isBad = false
  private at: number
  private readonly message: DnsName.Message
  private readonly end: number

  constructor(message: DnsName.Message, at: number, end: number) {
    this.message = message
    this.at = at
    this.end = end
  }

  /** Moves on by `length` octets and gives their place. */
  private skip(length: number): number {
    const at = this.at
    if (at + length > this.end) this.isBad = true
    else this.at = at + length
    return at
  }

  get isAtEnd(): boolean {
    return this.isBad || this.at >= this.end
  }

  get octet(): number {
    const at = this.skip(1)
    return this.isBad ? 0 : this.message.bytes[at]!
  }

  get word(): number {
    const at = this.skip(2)
    return this.isBad ? 0 : Word.read16(this.message.bytes, at)
  }

  get unsigned32(): number {
    const at = this.skip(4)
    return this.isBad ? 0 : Word.read32(this.message.bytes, at) >>> 0
  }

  get ipv4(): Address.Ipv4 {
    const at = this.skip(4)
    return this.isBad ? 0 : Address.readV4(this.message.bytes, at)
  }

  get ipv6(): Address.Ipv6 {
    const at = this.skip(16)
    return this.isBad ? Address.unspecifiedV6 : Address.readV6(this.message.bytes, at)
  }

  octets(length: number): Uint8Array {
    const at = this.skip(length)
    return this.isBad ? new Uint8Array(0) : this.message.bytes.slice(at, at + length)
  }

  get rest(): Uint8Array {
    return this.octets(this.end - this.at)
  }

  /** A length octet and so many octets (RFC 1035 §3.3). */
  get string(): Uint8Array {
    return this.octets(this.octet)
  }

  get name(): string {
    const read = DnsName.read({ ...this.message, end: this.end }, this.at)
    if (Malformed.isMalformed(read)) {
      this.isBad = true
      return DnsName.root
    }
    this.at = read.next
    return read.name
  }
}

const readStrings = (reader: Reader): ReadonlyArray<Uint8Array> => {
  const strings = [reader.string]
  while (!reader.isAtEnd) strings.push(reader.string)
  return strings
}

const readOptions = (reader: Reader): ReadonlyArray<Option> => {
  const options: Array<Option> = []
  while (!reader.isAtEnd) options.push({ code: reader.word, data: reader.octets(reader.word) })
  return options
}

const readData = (reader: Reader, type: number): Data => {
  switch (type) {
    case Type.A:
      return { _tag: "A", address: reader.ipv4 }
    case Type.AAAA:
      return { _tag: "AAAA", address: reader.ipv6 }
    case Type.NS:
      return { _tag: "NS", name: reader.name }
    case Type.CNAME:
      return { _tag: "CNAME", name: reader.name }
    case Type.PTR:
      return { _tag: "PTR", name: reader.name }
    case Type.MX:
      return { _tag: "MX", preference: reader.word, exchange: reader.name }
    case Type.TXT:
      return { _tag: "TXT", strings: readStrings(reader) }
    case Type.OPT:
      return { _tag: "OPT", options: readOptions(reader) }
    case Type.CAA:
      return { _tag: "CAA", flags: reader.octet, property: reader.string, value: reader.rest }
    default:
      return readLongData(reader, type)
  }
}

/** Those with many fields. */
const readLongData = (reader: Reader, type: number): Data => {
  switch (type) {
    case Type.SOA:
      return {
        _tag: "SOA",
        primary: reader.name,
        mailbox: reader.name,
        serial: reader.unsigned32,
        refresh: reader.unsigned32,
        retry: reader.unsigned32,
        expire: reader.unsigned32,
        minimum: reader.unsigned32
      }
    case Type.SRV:
      return { _tag: "SRV", priority: reader.word, weight: reader.word, port: reader.word, target: reader.name }
    case Type.NAPTR:
      return {
        _tag: "NAPTR",
        order: reader.word,
        preference: reader.word,
        flags: reader.string,
        service: reader.string,
        regexp: reader.string,
        replacement: reader.name
      }
    case Type.TLSA:
      return { _tag: "TLSA", usage: reader.octet, selector: reader.octet, matching: reader.octet, data: reader.rest }
    default:
      return { _tag: "Other", type, bytes: reader.rest }
  }
}

/** Reads the data in `[start, end)` of a message, all of it. */
export const read = (
  message: DnsName.Message,
  type: number,
  start: number,
  end: number
): Data | Malformed.Malformed => {
  const reader = new Reader(message, start, end)
  const data = readData(reader, type)
  return reader.isBad || !reader.isAtEnd ? badData : data
}

const stringSize = (string: Uint8Array): number => 1 + Math.min(string.length, 0xff)

const sum = (sizes: ReadonlyArray<number>): number => sizes.reduce((total, size) => total + size, 0)

/** Octets of the data on the wire. */
export const size = (data: Data): number => {
  switch (data._tag) {
    case "A":
      return 4
    case "AAAA":
      return 16
    case "NS":
    case "CNAME":
    case "PTR":
      return DnsName.size(data.name)
    case "SOA":
      return DnsName.size(data.primary) + DnsName.size(data.mailbox) + 20
    case "MX":
      return 2 + DnsName.size(data.exchange)
    case "TXT":
      return sum(data.strings.map(stringSize))
    case "SRV":
      return 6 + DnsName.size(data.target)
    case "NAPTR":
      return 4 + sum([data.flags, data.service, data.regexp].map(stringSize)) + DnsName.size(data.replacement)
    case "OPT":
      return sum(data.options.map((option) => 4 + option.data.length))
    case "TLSA":
      return 3 + data.data.length
    case "CAA":
      return 1 + stringSize(data.property) + data.value.length
    case "Other":
      return data.bytes.length
  }
}

/** Writes on through the data of one record. */
class Writer {
  private readonly bytes: Uint8Array
  at: number

  constructor(bytes: Uint8Array, at: number) {
    this.bytes = bytes
    this.at = at
  }

  octet(value: number): this {
    this.bytes[this.at++] = value
    return this
  }

  word(value: number): this {
    Word.write16(value, this.bytes, this.at)
    this.at += 2
    return this
  }

  unsigned32(value: number): this {
    Word.write32(value, this.bytes, this.at)
    this.at += 4
    return this
  }

  octets(value: Uint8Array): this {
    this.bytes.set(value, this.at)
    this.at += value.length
    return this
  }

  address(value: Address.Address): this {
    this.at = Address.write(value, this.bytes, this.at)
    return this
  }

  /** At most 255 octets have room in one. */
  string(value: Uint8Array): this {
    const fitting = value.subarray(0, 0xff)
    return this.octet(fitting.length).octets(fitting)
  }

  name(value: string): this {
    this.at = DnsName.emit(value, this.bytes, this.at)
    return this
  }
}

const write = (data: Data, writer: Writer): Writer => {
  switch (data._tag) {
    case "A":
    case "AAAA":
      return writer.address(data.address)
    case "NS":
    case "CNAME":
    case "PTR":
      return writer.name(data.name)
    case "SOA":
      writer.name(data.primary).name(data.mailbox).unsigned32(data.serial)
      return writer.unsigned32(data.refresh).unsigned32(data.retry).unsigned32(data.expire).unsigned32(data.minimum)
    case "MX":
      return writer.word(data.preference).name(data.exchange)
    case "TXT":
      return data.strings.reduce((written, string) => written.string(string), writer)
    case "SRV":
      return writer.word(data.priority).word(data.weight).word(data.port).name(data.target)
    case "NAPTR":
      writer.word(data.order).word(data.preference).string(data.flags).string(data.service)
      return writer.string(data.regexp).name(data.replacement)
    case "OPT":
      for (const option of data.options) writer.word(option.code).word(option.data.length).octets(option.data)
      return writer
    case "TLSA":
      return writer.octet(data.usage).octet(data.selector).octet(data.matching).octets(data.data)
    case "CAA":
      return writer.octet(data.flags).string(data.property).octets(data.value)
    case "Other":
      return writer.octets(data.bytes)
  }
}

/** Writes the data, names without compression, and returns the offset behind it. */
export const emit = (data: Data, bytes: Uint8Array, at: number): number => write(data, new Writer(bytes, at)).at
