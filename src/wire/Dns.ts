/**
 * DNS messages (RFC 1035 §4.1), with the extension record of EDNS (RFC 6891 §6.1). Names: `DnsName.ts`, data: `DnsData.ts`.
 *
 *      0                              15
 *     +-------------------------------+
 *     | identifier                    |  0
 *     | QR opcode AA TC RD RA z AD CD rcode
 *     | questions                     |  4
 *     | answers                       |
 *     | authorities                   |
 *     | additionals                   | 10
 *     +-------------------------------+
 *     | question: name type class     | 12
 *     | record:   name type class TTL |
 *     |           length data         |
 *     +-------------------------------+
 */
import * as DnsData from "./DnsData.ts"
import * as DnsName from "./DnsName.ts"
import * as Malformed from "./Malformed.ts"
import * as Word from "./Word.ts"

export const port = 53
export const headerLength = 12
/** What fits a datagram unless EDNS says otherwise (RFC 1035 §4.2.1, RFC 6891 §6.2.3). */
export const minimumPayload = 512

/** The Internet's (RFC 1035 §3.2.4). */
export const internet = 1

/** RFC 1035 §4.1.1, RFC 6891 §9. */
export const ResponseCode = {
  noError: 0,
  formatError: 1,
  serverFailure: 2,
  nameError: 3,
  notImplemented: 4,
  refused: 5,
  badVersion: 16
} as const

export interface Question {
  readonly name: string
  readonly type: number
  readonly class: number
}

export interface Record {
  readonly name: string
  readonly class: number
  /** Seconds, as unsigned 32 bits; extended code and flags in an OPT record. */
  readonly ttl: number
  readonly data: DnsData.Data
}

/** The first twelve octets but for the counts. */
export interface Header {
  readonly id: number
  readonly isResponse: boolean
  readonly opcode: number
  readonly isAuthoritative: boolean
  readonly isTruncated: boolean
  readonly recursionDesired: boolean
  readonly recursionAvailable: boolean
  readonly isAuthenticData: boolean
  readonly checkingDisabled: boolean
  /** The lower four bits; see {@link responseCode}. */
  readonly code: number
}

export interface Message extends Header {
  readonly questions: ReadonlyArray<Question>
  readonly answers: ReadonlyArray<Record>
  readonly authorities: ReadonlyArray<Record>
  readonly additionals: ReadonlyArray<Record>
}

const truncated = Malformed.make("Dns", "Truncated", "the message ends before its last record")

/** A part of a message, and where the next one begins. */
interface Parsed<A> {
  readonly value: A
  readonly next: number
}

type Part<A> = (message: DnsName.Message, at: number) => Parsed<A> | Malformed.Malformed

const readQuestion: Part<Question> = (message, at) => {
  const name = DnsName.read(message, at)
  if (Malformed.isMalformed(name)) return name
  const { next } = name
  if (next + 4 > message.end) return truncated
  const { bytes } = message
  return {
    value: { name: name.name, type: Word.read16(bytes, next), class: Word.read16(bytes, next + 2) },
    next: next + 4
  }
}

const readRecord: Part<Record> = (message, at) => {
  const name = DnsName.read(message, at)
  if (Malformed.isMalformed(name)) return name
  const { next } = name
  const start = next + 10
  if (start > message.end) return truncated
  const { bytes } = message
  const end = start + Word.read16(bytes, next + 8)
  if (end > message.end) return truncated
  const data = DnsData.read(message, Word.read16(bytes, next), start, end)
  if (Malformed.isMalformed(data)) return data
  return {
    value: { name: name.name, class: Word.read16(bytes, next + 2), ttl: Word.read32(bytes, next + 4) >>> 0, data },
    next: end
  }
}

const readList = <A>(
  message: DnsName.Message,
  at: number,
  count: number,
  part: Part<A>
): Parsed<ReadonlyArray<A>> | Malformed.Malformed => {
  const value: Array<A> = []
  let next = at
  for (let i = 0; i < count; i++) {
    const one = part(message, next)
    if (Malformed.isMalformed(one)) return one
    value.push(one.value)
    next = one.next
  }
  return { value, next }
}

const headerOf = (bytes: Uint8Array, start: number): Header => {
  const flags = Word.read16(bytes, start + 2)
  return {
    id: Word.read16(bytes, start),
    isResponse: (flags & 0x8000) !== 0,
    opcode: (flags >> 11) & 0x0f,
    isAuthoritative: (flags & 0x0400) !== 0,
    isTruncated: (flags & 0x0200) !== 0,
    recursionDesired: (flags & 0x0100) !== 0,
    recursionAvailable: (flags & 0x0080) !== 0,
    isAuthenticData: (flags & 0x0020) !== 0,
    checkingDisabled: (flags & 0x0010) !== 0,
    code: flags & 0x0f
  }
}

/** Reads the header alone, of a message whose rest may be cut off. */
export const parseHeader = (bytes: Uint8Array, start: number, end: number): Header | Malformed.Malformed =>
  end - start < headerLength ? truncated : headerOf(bytes, start)

/** Reads a message that begins at `start`; what lies behind its last record does not count. */
export const parse = (bytes: Uint8Array, start: number, end: number): Message | Malformed.Malformed => {
  if (end - start < headerLength) return truncated
  const message = { bytes, start, end }
  const questions = readList(message, start + headerLength, Word.read16(bytes, start + 4), readQuestion)
  if (Malformed.isMalformed(questions)) return questions
  const answers = readList(message, questions.next, Word.read16(bytes, start + 6), readRecord)
  if (Malformed.isMalformed(answers)) return answers
  const authorities = readList(message, answers.next, Word.read16(bytes, start + 8), readRecord)
  if (Malformed.isMalformed(authorities)) return authorities
  const additionals = readList(message, authorities.next, Word.read16(bytes, start + 10), readRecord)
  if (Malformed.isMalformed(additionals)) return additionals
  return {
    ...headerOf(bytes, start),
    questions: questions.value,
    answers: answers.value,
    authorities: authorities.value,
    additionals: additionals.value
  }
}

const recordSize = ({ data, name }: Record): number => DnsName.size(name) + 10 + DnsData.size(data)

const recordsOf = ({ additionals, answers, authorities }: Message): ReadonlyArray<Record> => [
  ...answers,
  ...authorities,
  ...additionals
]

export const size = (message: Message): number => {
  const questions = message.questions.reduce((length, { name }) => length + DnsName.size(name) + 4, headerLength)
  return recordsOf(message).reduce((length, record) => length + recordSize(record), questions)
}

const bit = (isSet: boolean, mask: number): number => isSet ? mask : 0

const flagsOf = (message: Header): number =>
  bit(message.isResponse, 0x8000) |
  ((message.opcode & 0x0f) << 11) |
  bit(message.isAuthoritative, 0x0400) |
  bit(message.isTruncated, 0x0200) |
  bit(message.recursionDesired, 0x0100) |
  bit(message.recursionAvailable, 0x0080) |
  bit(message.isAuthenticData, 0x0020) |
  bit(message.checkingDisabled, 0x0010) |
  (message.code & 0x0f)

const emitRecord = ({ class: recordClass, data, name, ttl }: Record, bytes: Uint8Array, at: number): number => {
  const fixed = DnsName.emit(name, bytes, at)
  const end = DnsData.emit(data, bytes, fixed + 10)
  Word.write16(DnsData.typeOf(data), bytes, fixed)
  Word.write16(recordClass, bytes, fixed + 2)
  Word.write32(ttl, bytes, fixed + 4)
  Word.write16(end - fixed - 10, bytes, fixed + 8)
  return end
}

/** Writes a message without compression (RFC 1035 §4.1.4: it is a writer's choice). */
export const emit = (message: Message, bytes: Uint8Array, at: number): number => {
  Word.write16(message.id, bytes, at)
  Word.write16(flagsOf(message), bytes, at + 2)
  Word.write16(message.questions.length, bytes, at + 4)
  Word.write16(message.answers.length, bytes, at + 6)
  Word.write16(message.authorities.length, bytes, at + 8)
  Word.write16(message.additionals.length, bytes, at + 10)
  let end = at + headerLength
  for (const question of message.questions) {
    end = DnsName.emit(question.name, bytes, end)
    Word.write16(question.type, bytes, end)
    Word.write16(question.class, bytes, end + 2)
    end += 4
  }
  for (const record of recordsOf(message)) end = emitRecord(record, bytes, end)
  return end
}

/** What an OPT record says (RFC 6891 §6.1.3). */
export interface Edns {
  /** What the sender can take in a datagram. */
  readonly payload: number
  /** The upper eight bits of the response code. */
  readonly extendedCode: number
  readonly version: number
  readonly dnssecOk: boolean
  readonly options: ReadonlyArray<DnsData.Option>
}

export const fromEdns = (edns: Edns): Record => ({
  name: DnsName.root,
  class: edns.payload,
  ttl: (((edns.extendedCode & 0xff) << 24) | ((edns.version & 0xff) << 16) | bit(edns.dnssecOk, 0x8000)) >>> 0,
  data: { _tag: "OPT", options: edns.options }
})

/** The extension of a message, if it has one. */
export const toEdns = ({ additionals }: Message): Edns | undefined => {
  for (const { class: payload, data, ttl } of additionals) {
    if (data._tag !== "OPT") continue
    return {
      // rfc: 6891 §6.2.3 MUST: lower values count as 512
      payload: Math.max(payload, minimumPayload),
      extendedCode: ttl >>> 24,
      version: (ttl >> 16) & 0xff,
      dnssecOk: (ttl & 0x8000) !== 0,
      options: data.options
    }
  }
  return undefined
}

/** The whole response code, with the bits that EDNS adds. */
export const responseCode = (message: Message): number => ((toEdns(message)?.extendedCode ?? 0) << 4) | message.code
