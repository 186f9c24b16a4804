/**
 * The edge between programs and the core: programs speak of addresses as `effect/net` has them and of times as `Duration`,
 * the core of packed integers and microseconds.
 */
import type * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as NetAddress from "effect/net/NetAddress"
import type * as Tcp from "../core/tcp/Config.ts"
import * as Time from "../core/Time.ts"
import * as Address from "../wire/Address.ts"
import * as Mac from "../wire/Mac.ts"
import * as Core from "./Core.ts"

/** The core's form of an address. The mapped form means the IPv4 address in it (RFC 3493 §3.7); no packet has it (RFC 4942 §2.2). */
export const addressOf = (address: NetAddress.IpAddress): Address.Address => {
  const own = Address.fromNet(address)
  if (typeof own === "number") return own
  return own.w0 === 0 && own.w1 === 0 && own.w2 === 0xffff ? own.w3 : own
}

/** The program's form of an address. */
export const ipOf: (address: Address.Address) => NetAddress.IpAddress = Address.toNet

/** The program's form of an address and a port that the core has checked. */
export const inetOf = (address: Address.Address, port: number): NetAddress.InetAddress =>
  NetAddress.inetAddressUnsafe(Address.toNet(address), port)

/** Any address of a version, as the local end of what is bound to none. */
export const anyOf = (version: Address.Version, port: number): NetAddress.InetAddress =>
  inetOf(Address.unspecified(version), port)

export const macOf: (mac: NetAddress.MacAddress) => Mac.Mac = Mac.fromNet

/** The program's form of a link-layer address; none on links without. */
export const macAddressOf = (mac: Mac.Mac): NetAddress.MacAddress | undefined =>
  mac === Mac.zero ? undefined : Mac.toNet(mac)

export const spanOf = (duration: Duration.Input): Time.Span => Time.millis(Duration.toMillis(duration))

export const durationOf = (span: Time.Span): Duration.Duration => Duration.millis(Time.toMillis(span))

/** How long it is until an instant of the core; nothing for one that never comes. */
export const durationUntil = (clock: Clock.Clock, at: Time.Instant): Duration.Duration | undefined =>
  at === Time.never ? undefined : durationOf(Time.max(Time.zero, Time.between(Core.instantOf(clock), at)))

/** The core's form of the time that a duration from now will be. */
export const instantAfter = (clock: Clock.Clock, duration: Duration.Input): Time.Instant =>
  Time.plus(Core.instantOf(clock), spanOf(duration))

/** IP's version of an address. */
export const familyOf: (address: Address.Address) => Address.Version = Address.versionOf

export const isLinkLocal: (address: Address.Address) => boolean = Address.isLinkLocal

/** The bits of IP's version that an address family stands for. */
export const versionOf = (family: NetAddress.IpFamily): Address.Version => family === "IPv4" ? 4 : 6

/** A record of the core with spans as durations. */
export type WithDurations<A> = {
  readonly [K in keyof A]: A[K] extends Time.Span | undefined ? Duration.Input | Extract<A[K], undefined> : A[K]
}

/** TCP's knobs for one connection or listener (`core/tcp/Config.ts` tells what each does), with times as durations. */
export type TcpOptions = WithDurations<Tcp.Options>

/** All of TCP's knobs, for a stack. */
export type TcpDefaults = Partial<WithDurations<Tcp.Config>>

type SpanKnob = { [K in keyof Tcp.Config]: Tcp.Config[K] extends Time.Span | undefined ? K : never }[keyof Tcp.Config]

/** The knobs that are times. Complete by its type. */
const spanKnobs: { readonly [K in SpanKnob]: true } = {
  connectTimeout: true,
  initialRto: true,
  minRto: true,
  maxRto: true,
  delayedAck: true,
  deferAccept: true,
  finWait2Timeout: true,
  timeWait: true,
  linger: true,
  granularity: true,
  rtoSlop: true,
  minProbeInterval: true,
  maxProbeInterval: true,
  keepAliveIdle: true,
  keepAliveInterval: true,
  userTimeout: true,
  challengeInterval: true,
  userTimeoutAdvertised: true,
  userTimeoutLeast: true,
  userTimeoutMost: true
}

const knobOf = ([name, value]: readonly [string, unknown]): readonly [string, unknown] =>
  name in spanKnobs && value !== undefined ? [name, spanOf(value as Duration.Input)] : [name, value]

/** The core's form of knobs. */
export const tcpOptionsOf = (options: TcpOptions): Tcp.Options =>
  Object.fromEntries(Object.entries(options).map(knobOf))

/** The core's form of a stack's knobs. */
export const tcpConfigOf = (options: TcpDefaults): Partial<Tcp.Config> =>
  Object.fromEntries(Object.entries(options).map(knobOf))
