/**
 * The table of TCP's knobs: for each what values it takes, where it may be set, what it does and who says so. `Config.ts` has their types and defaults.
 *
 * The table is code: requests are checked against it, programs' configurations are decoded by it, and `docs/tcp-knobs.md` is made from it.
 */
import * as Time from "../Time.ts"
import type { Config, Knob as PerSocket } from "./Config.ts"
import * as Controllers from "./congestion/table.ts"

/** The values that a knob takes; limits are included. */
export type Values =
  | { readonly kind: "switch" }
  | { readonly kind: "choice"; readonly among: ReadonlyArray<string> }
  | { readonly kind: "number"; readonly unit: string; readonly least: number; readonly most: number }
  /** `isOptional`: `undefined` is a value as well. */
  | { readonly kind: "time"; readonly least: Time.Span; readonly most: Time.Span; readonly isOptional: boolean }

/** Where a knob may be set: for the stack alone, for a connection or listener until it opens, or at any time. */
export type Place = "stack" | "opening" | "always"

export interface Knob<P extends Place = Place> {
  readonly values: Values
  readonly place: P
  readonly what: string
  readonly source: string
}

type Table = { readonly [K in keyof Config]: Knob<K extends PerSocket ? "opening" | "always" : "stack"> }

const knob = <P extends Place>(place: P, values: Values, source: string, what: string): Knob<P> => ({
  values,
  place,
  what,
  source
})

const toggle: Values = { kind: "switch" }
const choice = (...among: ReadonlyArray<string>): Values => ({ kind: "choice", among })
const number = (unit: string, least: number, most: number): Values => ({ kind: "number", unit, least, most })
const time = (least: number, most: number = Infinity): Values => ({
  kind: "time",
  least: Time.millis(least),
  most: Time.millis(most),
  isOptional: false
})

/** RFC 7323 §2.3: no window is larger. */
const largestWindow = 0xffff * 2 ** 14
/** No deadline is set for later than this, in milliseconds: a day. */
const day = 86_400_000

export const table: Table = {
  timestamps: knob("opening", toggle, "RFC 7323 §3", "Offers timestamps"),
  windowScaling: knob("opening", toggle, "RFC 7323 §2", "Offers window scaling"),
  sack: knob("opening", toggle, "RFC 2018", "Offers selective acknowledgements"),
  dsack: knob("always", toggle, "RFC 2883", "Reports text that came twice"),
  reportsFins: knob("stack", toggle, "RFC 2018 §4, RFC 2883 §4", "Reports FINs that came ahead or twice as text is"),
  bearsMissingTimestamps: knob(
    "stack",
    toggle,
    "RFC 7323 §3.2",
    "Takes segments without the timestamps that were agreed on"
  ),
  ecn: knob(
    "opening",
    choice("off", "passive", "active", "accurate", "accuratePassive", "accurateActive"),
    "RFC 3168, RFC 9768",
    "Congestion marks: agrees when asked, asks, or asks for accurate ones and falls back; the last two agree to accurate ones"
  ),
  ecnOption: knob(
    "opening",
    choice("never", "changes", "always"),
    "RFC 9768 §3.2.3",
    "Which segments tell the bytes that came with each mark, where marks are accurate"
  ),
  ecnOptionBeacons: knob(
    "opening",
    number("segments", 0, 100),
    "RFC 9768 §3.2.3.3",
    "At least so many of a round trip's do, where only changes are told"
  ),
  ecnPackets: knob(
    "opening",
    choice("text", "all"),
    "draft-ietf-tcpm-generalized-ecn",
    "What may be marked where marks are accurate: new text, or every segment"
  ),
  fastOpen: knob(
    "opening",
    choice("off", "client", "server", "both"),
    "RFC 7413",
    "Text in the SYN: sent, taken, or both"
  ),
  fastOpenWithoutCookie: knob("opening", toggle, "RFC 7413 §6.1", "Takes the text of a SYN without a cookie too"),
  maxSegment: knob(
    "always",
    number("bytes", 0, 65_495),
    "RFC 9293 §3.7.1",
    "The most text of a segment, offered and used; 0: what the path carries"
  ),
  tellsSegment: knob("opening", toggle, "RFC 9293 §3.7.1", "The SYN tells the MSS"),
  leastSegment: knob("stack", number("bytes", 1, 1220), "CVE-2019-11479", "What a peer's MSS counts for at least"),
  receiveBuffer: knob(
    "always",
    number("bytes", 1, largestWindow),
    "RFC 9293 §3.8.6",
    "The receive buffer, where auto-tuning starts"
  ),
  windowSteps: knob(
    "stack",
    choice("doubling", "segments", "quarters"),
    "RFC 9293 §3.8.6.2.2",
    "The peer hears of a window that has doubled (`segments`: of whole segments at first), or of a quarter of the buffer that was freed"
  ),
  receiveBufferLimit: knob(
    "always",
    number("bytes", 0, largestWindow),
    "RFC 7323 §2",
    "How far auto-tuning may grow the receive buffer"
  ),
  sendBuffer: knob(
    "always",
    number("bytes", 1, largestWindow),
    "RFC 9293 §3.10.2",
    "The send buffer, where auto-sizing starts"
  ),
  sendBufferLimit: knob(
    "always",
    number("bytes", 0, largestWindow),
    "RFC 9293 §3.10.2",
    "How far auto-sizing may grow the send buffer"
  ),
  notSentLowWater: knob(
    "always",
    number("bytes", 1, Infinity),
    "Linux: TCP_NOTSENT_LOWAT",
    "Writes are taken while less than this waits unsent"
  ),
  transmitCreditBytes: knob(
    "stack",
    number("bytes", 1, largestWindow),
    "this stack",
    "What one connection may have in a link's transmit queue; always a segment"
  ),
  blackHole: knob(
    "stack",
    choice("nothing", "syns", "all"),
    "FreeBSD: blackhole",
    "What for closed ports is left unanswered instead of reset"
  ),
  synRetries: knob("always", number("times", 0, 127), "RFC 9293 §3.8.3", "How often a SYN goes again"),
  synAckRetries: knob("always", number("times", 0, 127), "RFC 9293 §3.8.3", "How often a SYN/ACK goes again"),
  connectTimeout: knob("always", time(0), "RFC 9293 §3.8.3", "A connect fails after this"),
  firstEphemeralPort: knob(
    "stack",
    number("port", 1, 0xffff),
    "RFC 6335 §6",
    "The first port that connects choose from"
  ),
  lastEphemeralPort: knob("stack", number("port", 1, 0xffff), "RFC 6335 §6", "The last port that connects choose from"),
  initialRto: knob(
    "opening",
    time(1, day),
    "RFC 6298 §2.1",
    "The retransmission timeout before a round trip is measured"
  ),
  minRto: knob("always", time(1, day), "RFC 6298 §2.4", "The least retransmission timeout"),
  maxRto: knob("always", time(1, day), "RFC 6298 §2.5", "The largest retransmission timeout"),
  granularity: knob("stack", time(0, day), "RFC 6298 §2.3", "The least that the variance adds to the timeout"),
  rtoSlop: knob(
    "stack",
    time(0, day),
    "FreeBSD: rexmit_slop",
    "Added to every timeout but the first without a measurement"
  ),
  measuresSynAck: knob(
    "stack",
    toggle,
    "RFC 6298 §3",
    "Without timestamps too the SYN/ACK of a listener measures the round trip"
  ),
  retries: knob(
    "always",
    number("times", 0, 255),
    "RFC 9293 §3.8.3",
    "Unanswered retransmissions that end a connection"
  ),
  reordering: knob("stack", number("segments", 1, 300), "RFC 5681 §3.2", "Duplicate ACKs that mean a loss"),
  rack: knob("stack", toggle, "RFC 8985 §6", "Finds losses by time; needs SACK"),
  tailLossProbe: knob("stack", toggle, "RFC 8985 §7", "Probes for lost tails; needs SACK"),
  frto: knob("stack", toggle, "RFC 5682", "Finds out whether a timeout was for nothing"),
  undo: knob("stack", toggle, "RFC 4015, RFC 3708", "Takes back a response to congestion that was for nothing"),
  congestionControl: knob("always", choice(...Controllers.names), "docs/congestion.md", "The congestion controller"),
  windowRules: knob("stack", choice("strict", "deployed"), "RFC 9438 §4.6", "By what the window is cut and grows"),
  initialWindow: knob("opening", number("segments", 1, 100), "RFC 6928", "The initial congestion window"),
  slowStartAfterIdle: knob("always", toggle, "RFC 5681 §4.1", "Begins with the initial window again after a pause"),
  pacing: knob("always", toggle, "RFC 9002 §7.7", "Spreads segments over the round trip"),
  delayedAck: knob("always", time(0, 500), "RFC 9293 §3.8.6.3", "How long an ACK waits for company"),
  quickAcks: knob(
    "always",
    number("segments", 0, Infinity),
    "RFC 5681 §4.2",
    "Segments that are acknowledged at once, at the start and after gaps"
  ),
  acksPairs: knob(
    "stack",
    toggle,
    "FreeBSD: delayed_ack",
    "Acknowledges every second segment at once, however short; reading hastens no ACK"
  ),
  challengeInterval: knob(
    "stack",
    time(0, 60_000),
    "RFC 5961 §7",
    "Between two answers of a connection to what is not acceptable and brings no text"
  ),
  answersUnsentAcks: knob("stack", toggle, "RFC 9293 §3.10.7.4", "Answers an ACK of what was never sent"),
  synCookies: knob(
    "stack",
    choice("whenFull", "always", "never"),
    "RFC 4987 §3.6",
    "When SYNs are answered by cookies"
  ),
  cookiesKeepOptions: knob(
    "stack",
    toggle,
    "RFC 4987 §3.6",
    "SYN cookies keep SACK and scaling without timestamps too, and are easier to guess for that"
  ),
  takesSynFin: knob("stack", toggle, "RFC 9293 §3.10.7.2", "A SYN with a FIN opens a connection as a SYN does"),
  otherSyn: knob(
    "stack",
    choice("forgets", "resets", "repeats"),
    "RFC 9293 §3.10.7.4",
    "Another SYN for a half-open connection forgets it, resets it, or brings its SYN/ACK again"
  ),
  delaysFins: knob("stack", toggle, "RFC 9293 §3.8.6.3", "The ACK of a FIN waits for an answer as that of text does"),
  trimsText: knob(
    "stack",
    toggle,
    "RFC 9293 §3.10.7.4",
    "Text beyond the window is cut off; off: all of it is taken or none"
  ),
  answersWhenFull: knob(
    "stack",
    toggle,
    "FreeBSD: the SYN cache",
    "Answers a SYN though the accept queue is full: its ACK may find room"
  ),
  deferAccept: knob("opening", time(0, day), "Linux: TCP_DEFER_ACCEPT", "How long accepts wait for first text"),
  abortOnOverflow: knob(
    "opening",
    toggle,
    "Linux: tcp_abort_on_overflow",
    "Resets who completes a handshake when the accept queue is full"
  ),
  pathMtuDiscovery: knob("always", toggle, "RFC 1191, RFC 8201", "Forbids fragmentation and obeys \"too big\""),
  mtuProbing: knob(
    "opening",
    choice("off", "blackHole", "always"),
    "RFC 4821, RFC 8899",
    "Finds the path MTU by probes: never, when large packets seem to vanish, from the start"
  ),
  icmpMayAbort: knob("always", toggle, "RFC 5461 §4.1", "A hard ICMP error ends a connect"),
  softErrorsEndConnects: knob("stack", toggle, "RFC 5461 §4.1", "An ICMP error that may pass ends a connect as well"),
  hopLimit: knob("always", number("hops", 0, 255), "RFC 9293 §3.9.2", "Hop limit of segments; 0: the stack's"),
  trafficClass: knob(
    "always",
    number("octet", 0, 255),
    "RFC 9293 §3.9.2",
    "DSCP of segments, in its place in the traffic class"
  ),
  finWait2Timeout: knob(
    "always",
    time(0, day),
    "Linux: tcp_fin_timeout",
    "How long a closed connection waits for the peer's FIN"
  ),
  timeWait: knob("always", time(0, day), "RFC 9293 §3.4.2", "How long TIME-WAIT lasts"),
  timeWaitNeedsAck: knob(
    "stack",
    toggle,
    "RFC 9293 §3.10.7.4",
    "TIME-WAIT drops what has no ACK, and answers whatever is not the ACK that is due"
  ),
  timeWaitBearsResets: knob("stack", toggle, "RFC 1337 §3", "A RST does not end TIME-WAIT"),
  linger: knob(
    "always",
    { kind: "time", least: Time.zero, most: Time.millis(day), isOptional: true },
    "SO_LINGER",
    "`close` waits so long for all to be acknowledged, then resets; 0 resets at once; absent: closes in the background"
  ),
  resetsUnread: knob("stack", toggle, "RFC 9293 §3.6.1", "`close` resets a connection whose text was not all read"),
  resetsUnanswered: knob(
    "stack",
    toggle,
    "RFC 9293 §3.8.3",
    "A connection that is given up because nothing was acknowledged is reset"
  ),
  keepAlive: knob("always", toggle, "RFC 9293 §3.8.4", "Probes silent peers"),
  keepAliveIdle: knob("always", time(1, 365 * day), "RFC 9293 §3.8.4", "Silence before the first probe"),
  keepAliveInterval: knob("always", time(1, 365 * day), "RFC 9293 §3.8.4", "Time between probes"),
  keepAliveCount: knob("always", number("times", 1, 127), "RFC 9293 §3.8.4", "Unanswered probes that end a connection"),
  probesWithText: knob("stack", toggle, "RFC 9293 §3.8.6.1", "Probes of a closed window bring the next octet"),
  minProbeInterval: knob(
    "stack",
    time(0, day),
    "RFC 9293 §3.8.6.1",
    "The least time between probes of a closed window"
  ),
  maxProbeInterval: knob(
    "stack",
    time(1, day),
    "RFC 9293 §3.8.6.1",
    "The most time between probes of a closed window; no more than `maxRto`"
  ),
  userTimeout: knob(
    "always",
    time(0, 365 * day),
    "RFC 5482",
    "A SYN or text unacknowledged for so long ends the connection; 0: `synRetries` and `retries` decide"
  ),
  userTimeoutOption: knob("opening", toggle, "RFC 5482 §3", "Tells the peer the user timeout, and hears the peer's"),
  userTimeoutAdvertised: knob(
    "always",
    time(0, 0x7fff * 60_000),
    "RFC 5482 §3",
    "The user timeout that is told; 0: the one in force, or five minutes"
  ),
  userTimeoutChangeable: knob(
    "always",
    choice("unlessSet", "yes", "no"),
    "RFC 5482 §3",
    "Whether the peer's word changes the user timeout: unless the program has set one, in any case, or never"
  ),
  userTimeoutLeast: knob("stack", time(1, day), "RFC 5482 §3.1", "The least that the peer's word changes it to"),
  userTimeoutMost: knob("stack", time(1, 365 * day), "RFC 5482 §3.1", "The most that the peer's word changes it to"),
  noDelay: knob("always", toggle, "RFC 9293 §3.7.4", "Small segments leave at once, without Nagle's algorithm"),
  nagle: knob(
    "stack",
    choice("all", "small"),
    "RFC 9293 §3.7.4",
    "What a small segment waits for: the acknowledgement of all before it, or of the small ones only"
  ),
  cork: knob("always", toggle, "Linux: TCP_CORK", "Only full segments leave, for up to 200 ms")
}

/** Every knob's name, in the order of the table. */
export const names: ReadonlyArray<keyof Config> = Object.keys(table) as Array<keyof Config>

const isWithin = (value: unknown, least: number, most: number): boolean =>
  typeof value === "number" && value >= least && value <= most

/** Whether a knob takes a value. */
export const takes = (values: Values, value: unknown): boolean => {
  switch (values.kind) {
    case "switch":
      return typeof value === "boolean"
    case "choice":
      return values.among.includes(value as string)
    case "number":
      return isWithin(value, values.least, values.most) && (Number.isInteger(value) || value === Infinity)
    case "time":
      return isWithin(value, values.least, values.most) || (values.isOptional && value === undefined)
  }
}

const numbers = (least: number, most: number): string => most === Infinity ? `at least ${least}` : `${least} to ${most}`

/** The values in words, for messages and for the documentation. */
export const describe = (values: Values): string => {
  switch (values.kind) {
    case "switch":
      return "true or false"
    case "choice":
      return values.among.join(", ")
    case "number":
      return `${numbers(values.least, values.most)} ${values.unit}`
    case "time":
      return `${numbers(Time.toMillis(values.least), Time.toMillis(values.most))} ms${
        values.isOptional ? ", or absent" : ""
      }`
  }
}

/** Why knobs can't be set so; `undefined` when they can. Names that are no knobs are no matter. */
export const refusal = (given: Partial<Config>): string | undefined => {
  for (const name of names) {
    if (!Object.hasOwn(given, name)) continue
    const { values } = table[name]
    if (!takes(values, given[name])) return `${name}: ${String(given[name])} is not ${describe(values)}`
  }
  return undefined
}

/** The first of the knobs that would change what a connection was opened with; `undefined` if there is none. */
export const fixed = (before: Config, given: Partial<Config>): keyof Config | undefined =>
  names.find((name) =>
    Object.hasOwn(given, name) && table[name].place !== "always" && !Object.is(given[name], before[name])
  )
