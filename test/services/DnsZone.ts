/**
 * A small authoritative name server, and the zone that it serves, for tests of resolvers: on a stack, or wherever its bytes are
 * carried.
 */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import * as ByteReader from "../../src/services/ByteReader.ts"
import * as Tcp from "../../src/sockets/Tcp.ts"
import * as Udp from "../../src/sockets/Udp.ts"
import * as Address from "../../src/wire/Address.ts"
import * as Wire from "../../src/wire/Dns.ts"
import * as DnsData from "../../src/wire/DnsData.ts"
import * as DnsName from "../../src/wire/DnsName.ts"
import * as Malformed from "../../src/wire/Malformed.ts"

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

export const record = (name: string, data: DnsData.Data, ttl = 60): Wire.Record => ({
  name,
  class: Wire.internet,
  ttl,
  data
})

export const a = (name: string, ...octets: readonly [number, number, number, number]): Wire.Record =>
  record(name, { _tag: "A", address: Address.v4(...octets) })

export const soa = record("test.", {
  _tag: "SOA",
  primary: "ns.test.",
  mailbox: "john\\.doe.test.",
  serial: 4_000_000_000,
  refresh: 7200,
  retry: 600,
  expire: 3_600_000,
  minimum: 30
})

/** One of everything. */
export const zone: ReadonlyArray<Wire.Record> = [
  soa,
  a("www.test.", 192, 0, 2, 1),
  a("www.test.", 192, 0, 2, 2),
  record("www.test.", { _tag: "AAAA", address: Address.v6(0x20010db8, 0, 0, 1) }),
  record("alias.test.", { _tag: "CNAME", name: "middle.test." }, 40),
  record("middle.test.", { _tag: "CNAME", name: "WWW.test." }, 20),
  record("loop.test.", { _tag: "CNAME", name: "pool.test." }),
  record("pool.test.", { _tag: "CNAME", name: "loop.test." }),
  record("test.", { _tag: "NS", name: "ns.test." }),
  record("test.", { _tag: "MX", preference: 10, exchange: "mail.test." }),
  record("test.", { _tag: "TXT", strings: [bytes("v=spf1 "), bytes("größe")] }),
  record("test.", { _tag: "CAA", flags: 0x80, property: bytes("issue"), value: bytes("ca.test") }),
  record("_http._tcp.test.", { _tag: "SRV", priority: 1, weight: 2, port: 8080, target: "www.test." }),
  record("_443._tcp.test.", { _tag: "TLSA", usage: 3, selector: 1, matching: 1, data: Uint8Array.of(1, 2, 3) }),
  record("naptr.test.", {
    _tag: "NAPTR",
    order: 100,
    preference: 10,
    flags: bytes("u"),
    service: bytes("E2U+sip"),
    regexp: bytes("!^.*$!sip:info@test!"),
    replacement: "."
  }),
  record("1.2.0.192.in-addr.arpa.", { _tag: "PTR", name: "www.test." }),
  record("_ipp._tcp.test.", { _tag: "PTR", name: "My\\032Printer\\.v2._ipp._tcp.test." }),
  record("bad.test.", { _tag: "MX", preference: 1, exchange: "not\\032a\\032host.test." }),
  record("large.test.", {
    _tag: "TXT",
    strings: Array.from({ length: 12 }, (_, i) => new Uint8Array(200).fill(97 + i))
  })
]

/** The records for a question, aliases first, as servers follow them. */
const answersOf = (records: ReadonlyArray<Wire.Record>, name: string, type: number): ReadonlyArray<Wire.Record> => {
  const answers: Array<Wire.Record> = []
  let target = name
  for (let i = 0; i < 4; i++) {
    const owned = records.filter((each) => DnsName.equals(each.name, target))
    const found = owned.filter(({ data }) => DnsData.typeOf(data) === type)
    const alias = owned.find(({ data }) => data._tag === "CNAME")
    if (found.length > 0) return [...answers, ...found]
    if (alias?.data._tag !== "CNAME") return answers
    answers.push(alias)
    target = alias.data.name
  }
  return answers
}

export type Transport = "udp" | "tcp"

/** What a server does differently with a query; nothing for what is right. */
export type Behaviour = (query: Wire.Message, transport: Transport) => Wire.Message | "silent" | "garbage" | undefined

/** The empty response to a query. */
export const respond = (query: Wire.Message, fields: Partial<Wire.Message> = {}): Wire.Message => ({
  ...query,
  isResponse: true,
  recursionAvailable: true,
  answers: [],
  authorities: [],
  additionals: [],
  ...fields
})

/** The right response. */
export const answer = (records: ReadonlyArray<Wire.Record>, query: Wire.Message): Wire.Message => {
  const [{ name, type } = { name: ".", type: 0 }] = query.questions
  const answers = answersOf(records, name, type)
  const exists = records.some((each) => DnsName.equals(each.name, name))
  const edns = Wire.toEdns(query)
  return respond(query, {
    answers,
    authorities: answers.length > 0 ? [] : [soa],
    code: exists ? Wire.ResponseCode.noError : Wire.ResponseCode.nameError,
    additionals: edns === undefined ? [] : [Wire.fromEdns({ ...edns, payload: 1232, options: [] })]
  })
}

export const encode = (message: Wire.Message): Uint8Array => {
  const encoded = new Uint8Array(Wire.size(message))
  Wire.emit(message, encoded, 0)
  return encoded
}

/** The octets of the response to the octets of a query; nothing when there is none. */
export const reply = (
  records: ReadonlyArray<Wire.Record>,
  question: Uint8Array,
  transport: Transport,
  behave: Behaviour = () => undefined
): Uint8Array | undefined => {
  const query = Wire.parse(question, 0, question.length)
  if (Malformed.isMalformed(query)) return undefined
  const special = behave(query, transport)
  if (special === "silent") return undefined
  if (special === "garbage") return Uint8Array.of(...question.subarray(0, 2), 0x80, 0, 0, 9, 0, 0, 0, 0, 0, 0)
  const response = encode(special ?? answer(records, query))
  const limit = transport === "tcp" ? 0xffff : Wire.toEdns(query)?.payload ?? Wire.minimumPayload
  return response.length <= limit ? response : encode(respond(query, { isTruncated: true }))
}

export interface Asked {
  readonly name: string
  readonly type: number
  readonly transport: Transport
  readonly port: number
  readonly id: number
  readonly hasEdns: boolean
}

/** Serves a zone on port 53 of a stack until the scope closes; `asked` grows by every query. */
export const serve = (behave: Behaviour = () => undefined, records: ReadonlyArray<Wire.Record> = zone) =>
  Effect.gen(function*() {
    const asked: Array<Asked> = []
    const handle = (question: Uint8Array, transport: Transport, port: number): Uint8Array | undefined => {
      const query = Wire.parse(question, 0, question.length)
      if (!Malformed.isMalformed(query)) {
        const { name, type } = query.questions[0]!
        asked.push({ name, type, transport, port, id: query.id, hasEdns: Wire.toEdns(query) !== undefined })
      }
      return reply(records, question, transport, behave)
    }
    const socket = yield* Udp.bind({ port: 53 })
    const datagrams = Stream.runForEach(socket.stream, ({ bytes, source }) => {
      const response = handle(bytes, "udp", source.port)
      return response === undefined ? Effect.void : Effect.ignore(socket.send(response, source))
    })
    const listener = yield* Tcp.listen({ port: 53, options: { noDelay: true } })
    const connections = listener.serve((connection) =>
      Effect.gen(function*() {
        const reader = ByteReader.make(connection)
        const [high, low] = yield* reader.exactly(2)
        const response = handle(yield* reader.exactly((high! << 8) | low!), "tcp", connection.remote.port)
        if (response === undefined) return yield* Effect.never
        yield* connection.write(Uint8Array.of(response.length >> 8, response.length & 0xff, ...response))
        yield* Effect.ignore(connection.read())
      })
    )
    yield* Effect.forkScoped(datagrams, { startImmediately: true })
    yield* Effect.forkScoped(connections, { startImmediately: true })
    return asked
  })
