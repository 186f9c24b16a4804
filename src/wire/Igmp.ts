/**
 * IGMP, versions 1 to 3 (RFC 1112 appendix I, RFC 2236 §2, RFC 3376 §4).
 *
 *     query, v1/v2 report, leave   | type | max resp | checksum | group |
 *     v3 query, behind that        | S, QRV | QQIC | sources | source ... |
 *     v3 report                    | 0x22 | 0 | checksum | 0 | records |  record ...
 *     record                       | type | aux length | sources | group | source ... | aux |
 *
 * IGMP has no pseudo-header. The checksum is verified in parsing, since no link vouches for IGMP.
 */
import * as Address from "./Address.ts"
import * as Checksum from "./Checksum.ts"
import * as Malformed from "./Malformed.ts"
import * as Membership from "./Membership.ts"
import * as Word from "./Word.ts"

export const Type = {
  query: 0x11,
  reportV1: 0x12,
  reportV2: 0x16,
  leave: 0x17,
  reportV3: 0x22
} as const

export type Message = Membership.Message<Address.Ipv4>
export type GroupRecord = Membership.GroupRecord<Address.Ipv4>

const truncated = Malformed.make("Igmp", "Truncated", "shorter than it says")
const badChecksum = Malformed.make("Igmp", "BadChecksum", "checksum")
const badType = Malformed.make("Igmp", "BadField", "unknown type")
const badLength = Malformed.make("Igmp", "BadLength", "a query between two versions")

const shortLength = 8
const queryLength = 12

const readSources = (bytes: Uint8Array, start: number, count: number): ReadonlyArray<Address.Ipv4> =>
  Array.from({ length: count }, (_, i) => Address.readV4(bytes, start + i * 4))

/** The length tells the version: 8 octets are version 1 or 2, 12 and more version 3 (rfc: 3376 §7.1). */
const readQuery = (bytes: Uint8Array, start: number, end: number): Message | Malformed.Malformed => {
  const length = end - start
  const code = bytes[start + 1]!
  const group = Address.readV4(bytes, start + 4)
  if (length === shortLength) {
    return {
      _tag: "Query",
      version: code === 0 ? 1 : 2,
      maximumResponseMillis: code * 100,
      group,
      suppress: false,
      robustness: 0,
      queryIntervalSeconds: 0,
      sources: []
    }
  }
  if (length < queryLength) return badLength
  const count = Word.read16(bytes, start + 10)
  if (length < queryLength + count * 4) return truncated
  return {
    _tag: "Query",
    version: 3,
    maximumResponseMillis: Membership.fromCode(code, 8) * 100,
    group,
    suppress: (bytes[start + 8]! & 8) !== 0,
    robustness: bytes[start + 8]! & 7,
    queryIntervalSeconds: Membership.fromCode(bytes[start + 9]!, 8),
    sources: readSources(bytes, start + queryLength, count)
  }
}

const readRecords = (bytes: Uint8Array, start: number, end: number): Message | Malformed.Malformed => {
  const records: Array<GroupRecord> = []
  let at = start + 8
  for (let left = Word.read16(bytes, start + 6); left > 0; left--) {
    if (end - at < 8) return truncated
    const count = Word.read16(bytes, at + 2)
    const next = at + 8 + (count + bytes[at + 1]!) * 4
    if (next > end) return truncated
    records.push({
      type: bytes[at]!,
      group: Address.readV4(bytes, at + 4),
      sources: readSources(bytes, at + 8, count)
    })
    at = next
  }
  return { _tag: "Records", records }
}

/** Reads a message that fills `bytes[start..end)`, the payload of the IP packet. */
export const parse = (bytes: Uint8Array, start: number, end: number): Message | Malformed.Malformed => {
  if (end - start < shortLength) return truncated
  if (!Checksum.verify(bytes, start, end, 0)) return badChecksum
  switch (bytes[start]) {
    case Type.query:
      return readQuery(bytes, start, end)
    case Type.reportV1:
    case Type.reportV2:
      return {
        _tag: "Report",
        version: bytes[start] === Type.reportV1 ? 1 : 2,
        group: Address.readV4(bytes, start + 4)
      }
    case Type.leave:
      return { _tag: "Leave", group: Address.readV4(bytes, start + 4) }
    case Type.reportV3:
      return readRecords(bytes, start, end)
    default:
      return badType
  }
}

export const size = (message: Message): number => {
  switch (message._tag) {
    case "Query":
      return message.version === 3 ? queryLength + message.sources.length * 4 : shortLength
    case "Report":
    case "Leave":
      return shortLength
    case "Records":
      return message.records.reduce((length, { sources }) => length + 8 + sources.length * 4, 8)
  }
}

const writeSources = (sources: ReadonlyArray<Address.Ipv4>, bytes: Uint8Array, at: number): number => {
  let end = at
  for (const source of sources) end = Address.write(source, bytes, end)
  return end
}

const writeRecord = (record: GroupRecord, bytes: Uint8Array, at: number): number => {
  bytes[at] = record.type
  bytes[at + 1] = 0
  Word.write16(record.sources.length, bytes, at + 2)
  Address.writeV4(record.group, bytes, at + 4)
  return writeSources(record.sources, bytes, at + 8)
}

const writeMessage = (message: Message, bytes: Uint8Array, at: number): number => {
  switch (message._tag) {
    case "Query": {
      const tenths = Math.floor(message.maximumResponseMillis / 100)
      bytes[at] = Type.query
      bytes[at + 1] = message.version === 3 ? Membership.toCode(tenths, 8) : Math.min(tenths, 255)
      Address.writeV4(message.group, bytes, at + 4)
      if (message.version !== 3) return at + shortLength
      bytes[at + 8] = (message.suppress ? 8 : 0) | message.robustness
      bytes[at + 9] = Membership.toCode(message.queryIntervalSeconds, 8)
      Word.write16(message.sources.length, bytes, at + 10)
      return writeSources(message.sources, bytes, at + queryLength)
    }
    case "Report":
      bytes[at] = message.version === 1 ? Type.reportV1 : Type.reportV2
      Address.writeV4(message.group, bytes, at + 4)
      return at + shortLength
    case "Leave":
      bytes[at] = Type.leave
      Address.writeV4(message.group, bytes, at + 4)
      return at + shortLength
    case "Records": {
      bytes[at] = Type.reportV3
      Word.write16(message.records.length, bytes, at + 6)
      let end = at + 8
      for (const record of message.records) end = writeRecord(record, bytes, end)
      return end
    }
  }
}

/** Writes the message with its checksum. */
export const emit = (message: Message, bytes: Uint8Array, at: number): number => {
  bytes.fill(0, at, at + shortLength)
  const end = writeMessage(message, bytes, at)
  Checksum.complete(bytes, at, end, at + 2)
  return end
}
