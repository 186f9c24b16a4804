/**
 * TCP Fast Open (RFC 7413): text in the SYN, for clients that have shown before that they are where they say.
 *
 *     client                                   server
 *       │── SYN, cookie asked for ──────────────▶ │
 *       │ ◀──────────────── SYN/ACK, a cookie ────│      once
 *       │
 *       │── SYN, the cookie, text ──────────────▶ │ ─▶ the program reads at once
 *       │ ◀──────── SYN/ACK of SYN and text ──────│
 *
 * A client that has a cookie sends its SYN with the first write; its connect answers at once. What a path or a server does not like is not tried there
 * again for an hour.
 */
import * as Address from "../../wire/Address.ts"
import type * as Piece from "../../wire/Piece.ts"
import * as Sequence from "../../wire/Sequence.ts"
import type { Options as WireOptions } from "../../wire/TcpOptions.ts"
import type { Context } from "../Context.ts"
import * as Fifo from "../data/Fifo.ts"
import * as SipHash from "../data/SipHash.ts"
import type { Key } from "../Entropy.ts"
import * as Time from "../Time.ts"
import type { Config } from "./Config.ts"
import type { Connection, Tuple } from "./Connection.ts"
import * as Segment from "./Segment.ts"
import type { State } from "./State.ts"

/**
 * What a connection does with it: ask for a cookie, wait for the first write, have text in its SYN, have taken text with the peer's; and when it is established, that a
 * SYN's text was taken.
 */
export type Phase = "no" | "asks" | "waits" | "sent" | "accepted" | "taken"

/** What a client knows of a server: its cookie, or that it does not want any for now. */
export interface Memory {
  readonly cookie: Uint8Array | undefined
  /** The cookie travels in the experimental option. */
  readonly experimental: boolean
  /** What the server's SYN/ACK said, at most what an ordinary packet carries (RFC 7413 §4.1.3). */
  readonly mss: number
  readonly disabledUntil: Time.Instant
}

/** Says what the hash is for, so that no other cookie is one of these. */
const forFastOpen = 5
/** RFC 7413 §4.1.1 allows 4 to 16 bytes. */
const cookieLength = 8
/** rfc: 7413 §4.1.3.1 SHOULD: at least for a while. */
const disabledFor = Time.seconds(3600)
/** rfc: 7413 §4.1.3 MAY */
const largestMss = 1460

export const isServer = (config: Config): boolean => config.fastOpen === "server" || config.fastOpen === "both"

export const isClient = (config: Config): boolean => config.fastOpen === "client" || config.fastOpen === "both"

const wordsOf = (address: Address.Address): Array<number> =>
  typeof address === "number" ? [address] : [address.w0, address.w1, address.w2, address.w3]

/** GetCookie (rfc: 7413 §4.1.2 SHOULD): a MAC of the client's address. */
export const cookieFor = (key: Key, client: Address.Address): Uint8Array => {
  const { high, low } = SipHash.hashWords(key, [forFastOpen, ...wordsOf(client)])
  const bytes = new Uint8Array(cookieLength)
  Address.writeV4(low, bytes, 0)
  Address.writeV4(high, bytes, 4)
  return bytes
}

/** IsCookieValid (RFC 7413 §4.1.2). */
const isValid = (key: Key, client: Address.Address, cookie: Piece.Piece): boolean => {
  if (cookie.end - cookie.start !== cookieLength) return false
  const ours = cookieFor(key, client)
  let difference = 0
  for (let i = 0; i < cookieLength; i++) difference |= ours[i]! ^ cookie.bytes[cookie.start + i]!
  return difference === 0
}

/** What a SYN asks of a listener: nothing, a cookie, or that its text be taken. */
export const wishOf = (
  ctx: Context,
  state: State,
  config: Config,
  segment: Segment.Segment
): "no" | "cookie" | "accept" => {
  const cookie = segment.options.fastOpenCookie
  const isTrusted = config.fastOpenWithoutCookie && Segment.textLength(segment) > 0
  if (!isServer(config) || (cookie === undefined && !isTrusted)) return "no"
  const isPending = state.fastOpens.value >= ctx.config.limits.tcpFastOpens
  const mayAccept = !isPending && state.connections.value < ctx.config.limits.tcpConnections
  if (isTrusted && mayAccept) return "accept"
  if (cookie === undefined) return "no"
  return mayAccept && isValid(ctx.keys.cookie, segment.packet.source, cookie) ? "accept" : "cookie"
}

/** The option that gives a client its cookie. */
export const given = (ctx: Context, client: Address.Address, experimental: boolean): Partial<WireOptions> => {
  const bytes = cookieFor(ctx.keys.cookie, client)
  return { fastOpenCookie: { bytes, start: 0, end: bytes.length }, fastOpenExperimental: experimental }
}

// The client's side

const keyOf = (tuple: Tuple): string => `${Address.key(tuple.local)}>${Address.key(tuple.remote)}:${tuple.remotePort}`

/** How a connect begins. */
export const phaseOf = (ctx: Context, state: State, config: Config, tuple: Tuple): Phase => {
  if (!isClient(config)) return "no"
  const known = state.fastOpenMemory.get(keyOf(tuple))
  if (known === undefined) return "asks"
  if (known.disabledUntil > ctx.at) return "no"
  return known.cookie === undefined ? "asks" : "waits"
}

/** What is known of the server of a connection that waits. */
export const memoryOf = (state: State, tuple: Tuple): Memory | undefined => state.fastOpenMemory.get(keyOf(tuple))

/** The option of a SYN that asks. */
export const asking: Partial<WireOptions> = Object.freeze({
  fastOpenCookie: Object.freeze({ bytes: new Uint8Array(0), start: 0, end: 0 })
})

/** The option that brings a cookie back. */
export const brought = (memory: Memory): Partial<WireOptions> => {
  const { cookie } = memory
  if (cookie === undefined) return asking
  return { fastOpenCookie: { bytes: cookie, start: 0, end: cookie.length }, fastOpenExperimental: memory.experimental }
}

/** Remembers what became of a server; the bound `tcpFastOpenCookies` makes room by forgetting what was learnt first. */
const remember = (ctx: Context, state: State, tuple: Tuple, memory: Memory): void => {
  const key = keyOf(tuple)
  if (!state.fastOpenMemory.has(key)) {
    let order = state.fastOpenOrder.value
    if (Fifo.size(order) >= ctx.config.limits.tcpFastOpenCookies) {
      ctx.remove(state.fastOpenMemory, Fifo.head(order)!)
      order = Fifo.shift(order)
    }
    ctx.set(state.fastOpenOrder, Fifo.push(order, key))
  }
  ctx.put(state.fastOpenMemory, key, memory)
}

/** No answer, an ICMP error, or an answer that ignored the text: not here again for a while (rfc: 7413 §4.1.3.1 MUST). */
export const disable = (ctx: Context, state: State, tuple: Tuple): void =>
  remember(ctx, state, tuple, {
    cookie: undefined,
    experimental: false,
    mss: 0,
    disabledUntil: Time.plus(ctx.at, disabledFor)
  })

/** The SYN/ACK has come: it may bring a cookie, and tells whether the text was taken (`una` behind our SYN's number). */
export const answered = (ctx: Context, state: State, self: Connection, segment: Segment.Segment): void => {
  if (self.fastOpen === "no") return
  const { fastOpenCookie: cookie, fastOpenExperimental } = segment.options
  if (cookie !== undefined && cookie.end > cookie.start) {
    return remember(ctx, state, self.tuple, {
      cookie: cookie.bytes.slice(cookie.start, cookie.end),
      experimental: fastOpenExperimental,
      mss: Math.min(self.snd.peerMss, largestMss),
      disabledUntil: Time.instantOf(0)
    })
  }
  // rfc: 7413 §4.2.1 RECOMMENDED: who gives no cookie is not asked again at once.
  const isIgnored = segment.ack === Sequence.add(self.snd.iss, 1) && self.snd.nxt !== segment.ack
  if (self.fastOpen === "asks" || (self.fastOpen === "sent" && isIgnored)) disable(ctx, state, self.tuple)
}
