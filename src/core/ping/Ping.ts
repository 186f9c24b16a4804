/**
 * Echo requests and their answers (RFC 792, RFC 4443 §4): each is a record of its own that ends with an answer, an
 * ICMP error or its time.
 *
 * The identifier hangs on the destination by a key, so that who is not asked can't answer.
 */
import * as Address from "../../wire/Address.ts"
import * as Checksum from "../../wire/Checksum.ts"
import * as Icmpv4 from "../../wire/Icmpv4.ts"
import * as Icmpv6 from "../../wire/Icmpv6.ts"
import * as IpProtocol from "../../wire/IpProtocol.ts"
import * as Piece from "../../wire/Piece.ts"
import type { Context } from "../Context.ts"
import * as Counter from "../Counter.ts"
import * as Demux from "../Demux.ts"
import { isBroadcast } from "../Device.ts"
import * as Family from "../Family.ts"
import { type Head, type IcmpError, noPieces, type Packet, type Path } from "../Ip.ts"
import * as Reason from "../Reason.ts"
import type { Ticket } from "../Request.ts"
import * as Time from "../Time.ts"
import * as Timer from "../Timer.ts"
import type { Ping, Pong } from "./Requests.ts"
import type { Echo, State } from "./State.ts"

const keyOf = (identifier: number, sequence: number): number => identifier * 0x1_0000 + sequence

const identifierFor = (ctx: Context, destination: Address.Address): number =>
  Demux.hash(ctx.keys.transaction, destination, 0, Address.unspecified(Address.versionOf(destination)), 0) & 0xffff

/** IPv4's length field counts the header, IPv6's does not; the ICMP header of both is equally long. */
const largestPayload = (destination: Address.Address): number =>
  65_535 - (Address.isV4(destination) ? Family.v4.headerLength : 0) - Icmpv4.headerLength

export const start = (ctx: Context, state: State, ticket: Ticket, request: Ping): void => {
  const { destination, payload } = request
  const limit = largestPayload(destination)
  if (payload.length > limit) return ctx.fail(ticket, Reason.messageTooLarge(limit))
  if (!(request.timeout > 0)) return ctx.fail(ticket, Reason.invalidArgument("timeout must be positive"))
  const path = ctx.ip.path(ctx, destination, request.source, request.link)
  if ("_tag" in path) return ctx.fail(ticket, path)
  const echo = begin(ctx, state, ticket, request)
  if (!ctx.park(ticket, { owner: "Ping", id: echo.id })) return ctx.fail(ticket, Reason.limitReached("parkedRequests"))
  ctx.put(state.echoes, echo.id, echo)
  ctx.put(state.index, keyOf(echo.identifier, echo.sequence), echo.id)
  const refusal = send(ctx, path, echo, request)
  if (refusal === undefined) return
  const isTooLarge = refusal._tag === "MessageTooLarge"
  end(ctx, state, echo, isTooLarge ? Reason.messageTooLarge(refusal.limit - Icmpv4.headerLength) : refusal)
}

const begin = (ctx: Context, state: State, ticket: Ticket, request: Ping): Echo => {
  const identifier = identifierFor(ctx, request.destination)
  let sequence = (state.sequence.value + 1) & 0xffff
  while (state.index.has(keyOf(identifier, sequence))) sequence = (sequence + 1) & 0xffff
  ctx.set(state.sequence, sequence)
  const id = ctx.nextId()
  return {
    id,
    ticket,
    destination: request.destination,
    identifier,
    sequence,
    payload: request.payload.slice(),
    sentAt: ctx.at,
    timer: Timer.arm(ctx, { _tag: "Ping", key: id }, Timer.idle, Time.plus(ctx.at, request.timeout))
  }
}

const send = (ctx: Context, path: Path, echo: Echo, request: Ping): Reason.Reason | undefined => {
  const { payload } = echo
  const length = Icmpv4.headerLength + payload.length
  const head = ctx.reserve(length)
  const at = emit(path, echo, length, head)
  ctx.count(Counter.index.icmpSent)
  return ctx.ip.send(ctx, {
    path,
    protocol: ctx.families[path.version].icmpProtocol,
    head,
    headEnd: Piece.copyRange(payload, 0, payload.length, head.bytes, at),
    pieces: noPieces,
    checksumOffset: Icmpv4.checksumOffset,
    hopLimit: request.hopLimit ?? ctx.ip.hopLimit(ctx, path),
    trafficClass: 0,
    dontFragment: request.dontFragment,
    gso: undefined,
    credit: undefined
  })
}

/** Only in IPv6 does the checksum cover the addresses (RFC 4443 §2.3). */
const emit = (path: Path, { identifier, sequence }: Echo, length: number, head: Head): number => {
  const message = { _tag: "EchoRequest", identifier, sequence } as const
  if (path.version === 4) return Icmpv4.emit(message, head.bytes, head.at)
  const pseudo = Checksum.pseudo(path.source, path.destination, IpProtocol.icmpv6, length)
  return Icmpv6.emit(message, head.bytes, head.at, Checksum.fold(pseudo))
}

const forget = (ctx: Context, state: State, echo: Echo): void => {
  ctx.remove(state.echoes, echo.id)
  ctx.remove(state.index, keyOf(echo.identifier, echo.sequence))
  ctx.unpark(echo.ticket)
}

const end = (ctx: Context, state: State, echo: Echo, reason: Reason.Reason): void => {
  forget(ctx, state, echo)
  ctx.fail(echo.ticket, reason)
}

const find = (state: State, identifier: number, sequence: number): Echo | undefined => {
  const id = state.index.get(keyOf(identifier, sequence))
  return id === undefined ? undefined : state.echoes.get(id)
}

/** Where an echo message's data lies in its packet. */
interface Answer {
  readonly identifier: number
  readonly sequence: number
  readonly payloadStart: number
  readonly payloadEnd: number
}

/** An answer came; false if nobody waits for it. */
export const answered = (ctx: Context, state: State, packet: Packet, answer: Answer): boolean => {
  const echo = find(state, answer.identifier, answer.sequence)
  if (echo === undefined || !mayAnswer(ctx, echo, packet.source)) return false
  forget(ctx, state, echo)
  const back: Piece.Piece = { bytes: packet.bytes, start: answer.payloadStart, end: answer.payloadEnd }
  const pong: Pong = {
    from: packet.source,
    roundTrip: Time.max(Time.zero, Time.between(echo.sentAt, packet.receivedAt)),
    hopLimit: packet.hopLimit,
    bytes: packet.end - packet.start,
    isIntact: Piece.equals(back, Piece.make(echo.payload))
  }
  ctx.reply(echo.ticket, pong)
  return true
}

/** Only who was asked may answer; of a group, anybody. */
const mayAnswer = (ctx: Context, echo: Echo, from: Address.Address): boolean =>
  Address.equals(from, echo.destination) || Address.isMulticast(echo.destination) ||
  isBroadcastOnAnyLink(ctx, echo.destination)

const isBroadcastOnAnyLink = (ctx: Context, address: Address.Address): boolean => {
  for (const self of ctx.links.all()) if (isBroadcast(self, address)) return true
  return false
}

/** An ICMP error about a request; false if nobody waits for its answer. */
export const failed = (
  ctx: Context,
  state: State,
  error: IcmpError,
  identifier: number,
  sequence: number
): boolean => {
  const echo = find(state, identifier, sequence)
  if (echo === undefined || !Address.equals(echo.destination, error.destination)) return false
  const { destination } = echo
  if (error.kind === "tooBig") {
    const path = ctx.ip.path(ctx, destination, error.source, undefined)
    if (!("_tag" in path)) ctx.ip.learnMtu(ctx, path, error.mtu)
  }
  end(ctx, state, echo, Reason.ofIcmp(error, error.mtu - Family.of(destination).headerLength - Icmpv4.headerLength))
  return true
}

export const alarm = (ctx: Context, state: State, id: number, due: Time.Instant): void => {
  const echo = state.echoes.get(id)
  if (echo === undefined) return
  const { armed, isDue } = Timer.fired(ctx, { _tag: "Ping", key: id }, echo.timer, due)
  if (!isDue) return ctx.put(state.echoes, id, { ...echo, timer: armed })
  end(ctx, state, echo, Reason.timedOut("ping"))
}

/** Who waited is gone. */
export const abandon = (ctx: Context, state: State, id: number): void => {
  const echo = state.echoes.get(id)
  if (echo !== undefined) forget(ctx, state, echo)
}

/** The alarm of this echo threw: it ends here. */
export const lost = (ctx: Context, state: State, id: number): void => {
  const echo = state.echoes.get(id)
  if (echo !== undefined) end(ctx, state, echo, Reason.timedOut("ping"))
}
