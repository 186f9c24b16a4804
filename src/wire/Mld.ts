/**
 * Multicast listener discovery, versions 1 and 2 (RFC 2710 §3, RFC 3810 §5): ICMPv6 messages.
 *
 *     query, v1 report, done   | type | 0 | checksum | max response | 0 | group, four words |
 *     v2 query, behind that    | S, QRV | QQIC | sources | source ... |
 *     v2 report                | 143 | 0 | checksum | 0 | records |  record ...
 *     record                   | type | aux length | sources | group, four words | source ... | aux |
 *
 * Reads whole ICMPv6 messages, whose checksum `Icmpv6.verify` has confirmed.
 */
import * as Address from "./Address.ts"
import { Type } from "./Icmpv6.ts"
import * as Malformed from "./Malformed.ts"
import * as Membership from "./Membership.ts"
import * as Word from "./Word.ts"

export type Message = Membership.Message<Address.Ipv6>
export type GroupRecord = Membership.GroupRecord<Address.Ipv6>

const truncated = Malformed.make("Mld", "Truncated", "shorter than it says")
const badType = Malformed.make("Mld", "BadField", "not a message of listener discovery")
const badLength = Malformed.make("Mld", "BadLength", "a query between two versions")

const shortLength = 24
const queryLength = 28
const recordLength = 20

const readSources = (bytes: Uint8Array, start: number, count: number): ReadonlyArray<Address.Ipv6> =>
  Array.from({ length: count }, (_, i) => Address.readV6(bytes, start + i * 16))

/** The length tells the version: 24 octets are version 1, 28 and more version 2 (rfc: 3810 §8.1). */
const readQuery = (bytes: Uint8Array, start: number, end: number): Message | Malformed.Malformed => {
  const length = end - start
  const code = Word.read16(bytes, start + 4)
  const group = Address.readV6(bytes, start + 8)
  if (length === shortLength) {
    return {
      _tag: "Query",
      version: 1,
      maximumResponseMillis: code,
      group,
      suppress: false,
      robustness: 0,
      queryIntervalSeconds: 0,
      sources: []
    }
  }
  if (length < queryLength) return badLength
  const count = Word.read16(bytes, start + 26)
  if (length < queryLength + count * 16) return truncated
  return {
    _tag: "Query",
    version: 2,
    maximumResponseMillis: Membership.fromCode(code, 16),
    group,
    suppress: (bytes[start + 24]! & 8) !== 0,
    robustness: bytes[start + 24]! & 7,
    queryIntervalSeconds: Membership.fromCode(bytes[start + 25]!, 8),
    sources: readSources(bytes, start + queryLength, count)
  }
}

const readRecords = (bytes: Uint8Array, start: number, end: number): Message | Malformed.Malformed => {
  const records: Array<GroupRecord> = []
  let at = start + 8
  for (let left = Word.read16(bytes, start + 6); left > 0; left--) {
    if (end - at < recordLength) return truncated
    const count = Word.read16(bytes, at + 2)
    const next = at + recordLength + count * 16 + bytes[at + 1]! * 4
    if (next > end) return truncated
    records.push({
      type: bytes[at]!,
      group: Address.readV6(bytes, at + 4),
      sources: readSources(bytes, at + recordLength, count)
    })
    at = next
  }
  return { _tag: "Records", records }
}

/** Reads a message that fills `bytes[start..end)`. */
export const parse = (bytes: Uint8Array, start: number, end: number): Message | Malformed.Malformed => {
  if (end - start < 8) return truncated
  const type = bytes[start]
  if (type === Type.listenerReportV2) return readRecords(bytes, start, end)
  if (type !== Type.listenerQuery && type !== Type.listenerReport && type !== Type.listenerDone) return badType
  if (end - start < shortLength) return truncated
  switch (type) {
    case Type.listenerQuery:
      return readQuery(bytes, start, end)
    case Type.listenerReport:
      return { _tag: "Report", version: 1, group: Address.readV6(bytes, start + 8) }
    case Type.listenerDone:
      return { _tag: "Leave", group: Address.readV6(bytes, start + 8) }
  }
}

export const size = (message: Message): number => {
  switch (message._tag) {
    case "Query":
      return message.version === 2 ? queryLength + message.sources.length * 16 : shortLength
    case "Report":
    case "Leave":
      return shortLength
    case "Records":
      return message.records.reduce((length, { sources }) => length + recordLength + sources.length * 16, 8)
  }
}

const writeSources = (sources: ReadonlyArray<Address.Ipv6>, bytes: Uint8Array, at: number): number => {
  let end = at
  for (const source of sources) end = Address.write(source, bytes, end)
  return end
}

const writeRecord = (record: GroupRecord, bytes: Uint8Array, at: number): number => {
  bytes[at] = record.type
  bytes[at + 1] = 0
  Word.write16(record.sources.length, bytes, at + 2)
  Address.writeV6(record.group, bytes, at + 4)
  return writeSources(record.sources, bytes, at + recordLength)
}

const writeShort = (type: number, code: number, group: Address.Ipv6, bytes: Uint8Array, at: number): number => {
  bytes[at] = type
  Word.write16(code, bytes, at + 4)
  Address.writeV6(group, bytes, at + 8)
  return at + shortLength
}

const writeMessage = (message: Message, bytes: Uint8Array, at: number): number => {
  switch (message._tag) {
    case "Query": {
      const millis = message.maximumResponseMillis
      const code = message.version === 2 ? Membership.toCode(millis, 16) : Math.min(millis, 0xffff)
      const end = writeShort(Type.listenerQuery, code, message.group, bytes, at)
      if (message.version !== 2) return end
      bytes[end] = (message.suppress ? 8 : 0) | message.robustness
      bytes[end + 1] = Membership.toCode(message.queryIntervalSeconds, 8)
      Word.write16(message.sources.length, bytes, end + 2)
      return writeSources(message.sources, bytes, at + queryLength)
    }
    case "Report":
      return writeShort(Type.listenerReport, 0, message.group, bytes, at)
    case "Leave":
      return writeShort(Type.listenerDone, 0, message.group, bytes, at)
    case "Records": {
      bytes[at] = Type.listenerReportV2
      Word.write16(message.records.length, bytes, at + 6)
      let end = at + 8
      for (const record of message.records) end = writeRecord(record, bytes, end)
      return end
    }
  }
}

/** Writes the message; `checksum` stands in its field, as in `Icmpv6.emit`. */
export const emit = (message: Message, bytes: Uint8Array, at: number, checksum = 0): number => {
  bytes.fill(0, at, at + 8)
  Word.write16(checksum, bytes, at + 2)
  return writeMessage(message, bytes, at)
}
