/**
 * One question to one name server, and its answer: over UDP, and over TCP when the answer is too long for that (RFC 1035 §4.2, RFC 7766 §5).
 *
 * Each question has an identifier and a port that nobody can guess, and only what comes from the server, with that identifier and the
 * question itself, is taken for its answer; anything else is left lying, as if it had not come.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as NetAddress from "effect/net/NetAddress"
import * as Schema from "effect/Schema"
import * as Semaphore from "effect/Semaphore"
import type { Netstack } from "../sockets/Netstack.ts"
import * as Tcp from "../sockets/Tcp.ts"
import * as Udp from "../sockets/Udp.ts"
import * as Wire from "../wire/Dns.ts"
import * as DnsName from "../wire/DnsName.ts"
import * as Malformed from "../wire/Malformed.ts"
import * as ByteReader from "./ByteReader.ts"

/** In the place of a server where there is none. */
export const noServer = "none"

/** A name server gave no answer that could be used. */
export class DnsExchangeError extends Schema.TaggedError<DnsExchangeError>()("DnsExchangeError", {
  server: Schema.String,
  reason: Schema.Literals([
    "Timeout",
    "Unreachable",
    "Malformed",
    "FormatError",
    "ServerFailure",
    "NotImplemented",
    "Refused",
    "UnknownCode"
  ]),
  cause: Schema.optional(Schema.Defect())
}) {
  override get message(): string {
    return this.server === noServer
      ? "no name server: none is configured, and the network has told of none"
      : `name server ${this.server}: ${this.reason}`
  }
}

export interface Settings {
  /** Octets of the largest answer over UDP; what fits one Ethernet frame, so that none comes in fragments (RFC 6891 §6.2.3). */
  readonly payload: number
  /** Unpredictable octets. */
  readonly generate: (length: number) => Uint8Array
  readonly connections: Connections
}

/** A server that is asked over TCP, and by how many questions at this time. */
interface Asked {
  readonly turn: Semaphore.Semaphore
  questions: number
}

/** The servers that are asked over TCP, each by one connection at a time (RFC 7766 §6.2.2); at most as many as there are questions. */
export type Connections = Map<string, Asked>

const come = (connections: Connections, server: string): Asked => {
  const asked = connections.get(server) ?? { turn: Semaphore.makeUnsafe(1), questions: 0 }
  connections.set(server, asked)
  asked.questions++
  return asked
}

const leave = (connections: Connections, server: string, asked: Asked): void => {
  asked.questions--
  if (asked.questions === 0) connections.delete(server)
}

/** Waits until no other question has a connection to the server; other servers do not matter. */
const inTurn =
  (connections: Connections, server: string) => <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.acquireUseRelease(
      Effect.sync(() => come(connections, server)),
      ({ turn }) => turn.withPermit(self),
      (asked) => Effect.sync(() => leave(connections, server, asked))
    )

/** An answer, and the octets of its message. */
export interface Response {
  readonly message: Wire.Message
  readonly size: number
}

type Question = Pick<Wire.Question, "name" | "type">

interface Query extends Question {
  readonly id: number
  readonly bytes: Uint8Array
}

const failure = (server: NetAddress.InetAddress, reason: DnsExchangeError["reason"], cause?: unknown) =>
  new DnsExchangeError({ server: String(server), reason, ...(cause === undefined ? {} : { cause }) })

const queryOf = (question: Question, settings: Settings, withEdns: boolean): Query => {
  const [high, low] = settings.generate(2)
  const id = (high! << 8) | low!
  const edns = { payload: settings.payload, extendedCode: 0, version: 0, dnssecOk: false, options: [] }
  const message: Wire.Message = {
    id,
    isResponse: false,
    opcode: 0,
    isAuthoritative: false,
    isTruncated: false,
    recursionDesired: true,
    recursionAvailable: false,
    isAuthenticData: false,
    checkingDisabled: false,
    code: 0,
    questions: [{ ...question, class: Wire.internet }],
    answers: [],
    authorities: [],
    additionals: withEdns ? [Wire.fromEdns(edns)] : []
  }
  const bytes = new Uint8Array(Wire.size(message))
  Wire.emit(message, bytes, 0)
  return { ...question, id, bytes }
}

/** Whether a server repeats the question; one that could not read it may leave it out. */
const isAbout = (message: Wire.Message, query: Query): boolean => {
  const [question] = message.questions
  if (question === undefined) return message.code === Wire.ResponseCode.formatError
  return question.type === query.type && question.class === Wire.internet && DnsName.equals(question.name, query.name)
}

/** What a message is to a query: nothing, malformed, too long for UDP, or its answer. */
const match = (bytes: Uint8Array, query: Query): Wire.Message | Malformed.Malformed | "Truncated" | undefined => {
  const header = Wire.parseHeader(bytes, 0, bytes.length)
  if (Malformed.isMalformed(header) || !header.isResponse || header.id !== query.id || header.opcode !== 0) {
    return undefined
  }
  if (header.isTruncated) return "Truncated"
  const message = Wire.parse(bytes, 0, bytes.length)
  return Malformed.isMalformed(message) || isAbout(message, query) ? message : undefined
}

const overUdp = (
  server: NetAddress.InetAddress,
  query: Query
): Effect.Effect<Response | "Truncated", DnsExchangeError, Netstack> =>
  Effect.scoped(Effect.gen(function*() {
    const socket = yield* Udp.connect(server)
    yield* socket.send(query.bytes)
    for (;;) {
      const { bytes } = yield* socket.receive
      const found = match(bytes, query)
      if (found === "Truncated") return found
      if (Malformed.isMalformed(found)) return yield* failure(server, "Malformed", found)
      if (found !== undefined) return { message: found, size: bytes.length }
    }
  })).pipe(Effect.catchTag("UdpError", (error) => Effect.fail(failure(server, "Unreachable", error))))

/** RFC 1035 §4.2.2: two octets of length before each message; one write, so that they leave together (RFC 7766 §8). */
const framed = ({ bytes }: Query): Uint8Array => {
  const whole = new Uint8Array(2 + bytes.length)
  whole[0] = bytes.length >> 8
  whole[1] = bytes.length
  whole.set(bytes, 2)
  return whole
}

const overTcp = (
  server: NetAddress.InetAddress,
  query: Query
): Effect.Effect<Response, DnsExchangeError, Netstack> =>
  Effect.scoped(Effect.gen(function*() {
    const connection = yield* Tcp.connect(server, { options: { noDelay: true } })
    yield* connection.writeOwned(framed(query))
    const reader = ByteReader.make(connection)
    const [high, low] = yield* reader.exactly(2)
    const bytes = yield* reader.exactly((high! << 8) | low!)
    const found = match(bytes, query)
    if (found === undefined || found === "Truncated" || Malformed.isMalformed(found)) {
      return yield* failure(server, "Malformed", found)
    }
    return { message: found, size: bytes.length }
  })).pipe(
    Effect.catchTags({
      TcpError: (error) => Effect.fail(failure(server, "Unreachable", error)),
      InputError: (error) => Effect.fail(failure(server, "Malformed", error))
    })
  )

const within =
  (server: NetAddress.InetAddress, timeout: Duration.Duration) => <A, R>(self: Effect.Effect<A, DnsExchangeError, R>) =>
    Effect.timeoutOrElse(self, { duration: timeout, orElse: () => Effect.fail(failure(server, "Timeout")) })

const { ResponseCode } = Wire

/** Codes that say that a server does not know EDNS (RFC 6891 §7, §6.1.3). */
const refusesEdns: ReadonlySet<number> = new Set([
  ResponseCode.formatError,
  ResponseCode.notImplemented,
  ResponseCode.badVersion
])

const reasons: ReadonlyMap<number, DnsExchangeError["reason"]> = new Map([
  [ResponseCode.formatError, "FormatError"],
  [ResponseCode.serverFailure, "ServerFailure"],
  [ResponseCode.notImplemented, "NotImplemented"],
  [ResponseCode.refused, "Refused"]
])

/** An answer is one that says what there is, or that there is nothing; any other code is the server's failure. */
const checked = (
  server: NetAddress.InetAddress,
  response: Response
): Effect.Effect<Response, DnsExchangeError> => {
  const code = Wire.responseCode(response.message)
  return code === ResponseCode.noError || code === ResponseCode.nameError
    ? Effect.succeed(response)
    : Effect.fail(failure(server, reasons.get(code) ?? "UnknownCode"))
}

/** Asks once, over UDP first; each transport has `timeout`, TCP with the wait for its turn. */
const once = (
  server: NetAddress.InetAddress,
  question: Question,
  timeout: Duration.Duration,
  settings: Settings,
  withEdns: boolean
): Effect.Effect<Response, DnsExchangeError, Netstack> =>
  Effect.gen(function*() {
    const answer = yield* within(server, timeout)(overUdp(server, queryOf(question, settings, withEdns)))
    if (answer !== "Truncated") return answer
    const again = overTcp(server, queryOf(question, settings, withEdns))
    return yield* within(server, timeout)(inTurn(settings.connections, String(server))(again))
  })

/** Asks a server; one that does not know EDNS is asked again without (RFC 6891 §6.2.2). */
export const ask = (
  server: NetAddress.InetAddress,
  question: Question,
  timeout: Duration.Duration,
  settings: Settings,
  withEdns: boolean
): Effect.Effect<Response, DnsExchangeError, Netstack> =>
  Effect.gen(function*() {
    const first = yield* once(server, question, timeout, settings, withEdns)
    if (!withEdns || !refusesEdns.has(Wire.responseCode(first.message))) return yield* checked(server, first)
    return yield* checked(server, yield* once(server, question, timeout, settings, false))
  })
