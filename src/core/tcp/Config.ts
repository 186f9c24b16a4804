/**
 * The knobs of TCP: one record, with a default, a unit and a source for each. A stack has one; a connection has its own, which is
 * the stack's but for the {@link Options} that its program gave.
 */
import * as Time from "../Time.ts"

/**
 * Whether and how congestion is marked instead of dropped: `passive` agrees when the peer asks, `active` asks, `accurate` asks for AccECN (RFC 9768) and falls
 * back. `accuratePassive` and `accurateActive` agree to AccECN when the peer asks, and themselves ask for nothing or for classic marks.
 */
export type EcnMode = "off" | "passive" | "active" | "accurate" | "accuratePassive" | "accurateActive"

export interface Config {
  // What is offered to the peer; in force only when it offers the same

  /** Timestamps (RFC 7323 §3). Default on. */
  readonly timestamps: boolean
  /** Window scaling (RFC 7323 §2). Default on. */
  readonly windowScaling: boolean
  /** Selective acknowledgements (RFC 2018). Default on. */
  readonly sack: boolean
  /** Duplicate SACK blocks (RFC 2883). Default on. */
  readonly dsack: boolean
  /** Where ranges are reported, a FIN that came ahead or twice is too, since it has a number of its own (RFC 9293 §3.4). Default on; FreeBSD reports text alone. */
  readonly reportsFins: boolean
  /** A segment without the timestamp that was agreed on is taken all the same (RFC 7323 §3.2 SHOULD drop it), as Linux does. Default on. */
  readonly bearsMissingTimestamps: boolean
  /** Explicit congestion notification (RFC 3168, RFC 9768). Default `passive`, as deployed stacks have it. */
  readonly ecn: EcnMode
  /** When segments of an accurate connection carry the AccECN option: never, when a counter changes and as a beacon, or always. Default `always`. */
  readonly ecnOption: "never" | "changes" | "always"
  /** At least so many segments of a round trip carry the option where changes alone would not (RFC 9768 §3.2.3.3). Default 3. */
  readonly ecnOptionBeacons: number
  /** What an accurate connection sends as capable of marks: new text, or every segment (draft-ietf-tcpm-generalized-ecn, as Linux does). Default `text`. */
  readonly ecnPackets: "text" | "all"
  /** TCP Fast Open (RFC 7413): data in the SYN as client, as server, both or neither. Default `off`. */
  readonly fastOpen: "off" | "client" | "server" | "both"
  /** A Fast Open server takes the text of a SYN without a cookie too, where forged addresses can't come from (RFC 7413 §6.1). Default off. */
  readonly fastOpenWithoutCookie: boolean

  // Sizes

  /** Upper limit of the MSS offered and used, in bytes; 0 for what the path carries (RFC 9293 §3.7.1). Default 0. */
  readonly maxSegment: number
  /** Our SYN tells its MSS (rfc: 9293 §3.7.1 SHLD-5); without, the peer sends what its default is. Default on. */
  readonly tellsSegment: boolean
  /** What a peer's MSS counts for at least, in bytes: tiny segments cost this side most (CVE-2019-11479). Linux has 48, FreeBSD 216. Default 1, which is none. */
  readonly leastSegment: number
  /** Receive buffer in bytes: the window offered when nothing waits to be read; where auto-tuning starts. Default 256 KiB. */
  readonly receiveBuffer: number
  /**
   * How the window follows the buffer: `doubling` tells of a window that has at least doubled, as Linux does, and opens it by full segments; `segments` does so too and offers whole segments at first; `quarters` tells of a quarter of
   * the buffer that was freed, with every ACK of all that is free, and makes the buffer a whole number of segments, as FreeBSD does. Default `doubling`.
   */
  readonly windowSteps: "doubling" | "segments" | "quarters"
  /** How far auto-tuning may grow the receive buffer, in bytes; equal to `receiveBuffer` switches it off. Default 6 MiB. */
  readonly receiveBufferLimit: number
  /** Send buffer in bytes: written but not acknowledged; where auto-sizing starts. Default 256 KiB. */
  readonly sendBuffer: number
  /** How far auto-sizing may grow the send buffer, in bytes; equal to `sendBuffer` switches it off. Default 4 MiB. */
  readonly sendBufferLimit: number
  /** A write is taken only while fewer bytes than this wait unsent, beside the limit of the send buffer. Default no limit. */
  readonly notSentLowWater: number
  /** Bytes that one connection may have in a link's transmit queue. Default 256 KiB. */
  readonly transmitCreditBytes: number

  /** What belongs to nothing is answered with a reset (RFC 9293 §3.10.7.1); `syns` leaves SYNs unanswered, `all` everything, which hides closed ports. Default `nothing`. */
  readonly blackHole: "nothing" | "syns" | "all"

  // Opening

  /** Retransmissions of a SYN before a connect fails (rfc: 9293 §3.8.3 MUST-22 MUST-23: at least 3 minutes). Default 7, which is four minutes. */
  readonly synRetries: number
  /** Retransmissions of a SYN/ACK before a half-open connection is forgotten. Default 5. */
  readonly synAckRetries: number
  /** A connect fails with `TimedOut` after this time, whatever `synRetries` says; `Time.never`-long when infinite. Default none (`Infinity`). */
  readonly connectTimeout: Time.Span
  /** Ephemeral ports, first and last (RFC 6335 §6). Default 49152 to 65535. */
  readonly firstEphemeralPort: number
  readonly lastEphemeralPort: number

  // Retransmission

  /** Before the first measurement (RFC 6298 §2.1). Default 1 s. */
  readonly initialRto: Time.Span
  /** Lower limit of the RTO (RFC 6298 §2.4 SHOULD 1 s; deployed stacks 200 ms). Default 200 ms. */
  readonly minRto: Time.Span
  /** Upper limit of the RTO (RFC 6298 §2.5: at least 60 s). Default 120 s. */
  readonly maxRto: Time.Span
  /** Least that the variance adds to the RTO (G of RFC 6298 §2.3). Default 200 ms, as deployed stacks have it, which spares delayed ACKs. */
  readonly granularity: Time.Span
  /** Added to every RTO that follows from a measurement, and to every one behind a timeout, as FreeBSD does for peers that are slow to answer. Default 0. */
  readonly rtoSlop: Time.Span
  /** Without timestamps too a listener's connection measures the round trip by its SYN/ACK (RFC 6298 §3). Default on; FreeBSD begins with `initialRto` instead. */
  readonly measuresSynAck: boolean
  /** Unanswered retransmissions until a connection is given up (RFC 9293 §3.8.3 R2, at least 100 s). Default 15. */
  readonly retries: number
  /** Duplicate ACKs that mean a loss (RFC 5681 §3.2). Default 3. */
  readonly reordering: number
  /** Loss detection by time (RFC 8985). Default on; needs SACK. */
  readonly rack: boolean
  /** Tail loss probes (RFC 8985 §7). Default on; needs SACK. */
  readonly tailLossProbe: boolean
  /** Detection of spurious timeouts by new data (RFC 5682). Default on. */
  readonly frto: boolean
  /** Undo of a congestion response that was for nothing, by timestamps (RFC 4015) and D-SACK (RFC 3708). Default on. */
  readonly undo: boolean

  // Congestion

  /** Name of a controller in `congestion/table.ts`. Default `cubic`. */
  readonly congestionControl: string
  /** By what the window is cut and grows: `deployed` is Linux's (cut from cwnd, all that is acknowledged counts after a timeout, a pause halves). Default `strict`. */
  readonly windowRules: "strict" | "deployed"
  /** Initial window in segments (RFC 6928). Default 10. */
  readonly initialWindow: number
  /** Restart from the initial window after an idle RTO (RFC 5681 §4.1). Default on. */
  readonly slowStartAfterIdle: boolean
  /** Spread segments over the round trip by a timer. Default off; controllers that need pacing pace in any case. */
  readonly pacing: boolean

  // Acknowledging

  /** How long an ACK may wait for company (rfc: 9293 §3.8.6.3 MUST-40: under 500 ms). Default 40 ms. */
  readonly delayedAck: Time.Span
  /** Segments at the start of a connection, and after a gap or idle time, that are acknowledged at once. Default 16. */
  readonly quickAcks: number
  /** Every second segment with text is acknowledged at once however short it is, and reading hastens no ACK, as FreeBSD has it. Default off: every second full one (RFC 9293 §3.8.6.3). */
  readonly acksPairs: boolean

  /** Between two ACKs of a connection that answer what is not acceptable and brings no text (RFC 5961 §7); 0 for no limit but the stack's. Default 500 ms. */
  readonly challengeInterval: Time.Span
  /** An open connection answers an ACK of what it never sent (RFC 9293 §3.10.7.4) instead of dropping it in silence, as Linux does. Default on. */
  readonly answersUnsentAcks: boolean

  // Listening

  /** SYN cookies (RFC 4987 §3.6): when the table of half-open connections is full, for every SYN, or never. Default `whenFull`. */
  readonly synCookies: "whenFull" | "always" | "never"
  /** SYN cookies keep SACK and window scaling without timestamps too, as FreeBSD's do: a guess hits once in 2^23 times then, not in 2^28. Default off. */
  readonly cookiesKeepOptions: boolean
  /** A listener takes a SYN with a FIN for a SYN, as FreeBSD does, instead of dropping it. Default off. */
  readonly takesSynFin: boolean
  /**
   * What another SYN in the window means to a half-open connection of a listener: it is forgotten (RFC 9293 §3.10.7.4, fourth check), with a reset on Linux, or its SYN/ACK
   * leaves again, whatever the number of the SYN, on FreeBSD. Default `forgets`.
   */
  readonly otherSyn: "forgets" | "resets" | "repeats"
  /**
   * Of a segment that reaches beyond the window the text inside is taken (RFC 9293 §3.10.7.4). Default on; Linux takes all of it if the program has read all there was, and
   * none if not.
   */
  readonly trimsText: boolean
  /** The ACK of a FIN waits for the program's own FIN as one of text waits for an answer (RFC 9293 §3.8.6.3), as on Linux. Default off: it leaves at once. */
  readonly delaysFins: boolean
  /** A SYN is answered though the accept queue is full: there may be room by the time of its ACK, as FreeBSD has it. Default off: it is dropped. */
  readonly answersWhenFull: boolean
  /**
   * A listener ignores ACKs that complete a handshake and bring nothing for so long, up to the timeout of the SYN/ACK behind it: the program gets connections that have text to read,
   * and those that have none when that time is over (TCP_DEFER_ACCEPT). Default none.
   */
  readonly deferAccept: Time.Span
  /** Reset a connection whose handshake completes while the accept queue is full, instead of ignoring the ACK. Default off. */
  readonly abortOnOverflow: boolean

  // Paths

  /** Path MTU discovery: don't fragment, obey "too big" (RFC 1191, RFC 8201). Default on. */
  readonly pathMtuDiscovery: boolean
  /** Probing for the path MTU without ICMP (RFC 4821): never, after a black hole is suspected, or from the start. Default `blackHole`. */
  readonly mtuProbing: "off" | "blackHole" | "always"
  /** A hard ICMP error ends a connect (RFC 5461 §4.1); errors never end established connections. Default on. */
  readonly icmpMayAbort: boolean
  /**
   * An ICMP error that may pass ends a connect as well, as on Linux (RFC 5461 §4.1). Default off: the SYN is sent again, and the error tells why should nobody answer
   * (rfc: 9293 §3.9.2.2 MUST-56).
   */
  readonly softErrorsEndConnects: boolean
  /** Hop limit of segments; 0 for the stack's (rfc: 9293 §3.9.2 MUST-49). Default 0. */
  readonly hopLimit: number
  /** rfc: 9293 §3.9.2 MUST-48 SHLD-21 SHLD-22. DSCP of segments in its place in the traffic class (the two ECN bits belong to TCP). Default 0. */
  readonly trafficClass: number

  // Closing

  /** How long a closed connection waits for the peer's FIN in FIN-WAIT-2. Default 60 s. */
  readonly finWait2Timeout: Time.Span
  /** How long TIME-WAIT lasts (RFC 9293 §3.4.2: 2 MSL, 4 minutes; deployed stacks 60 s). Default 60 s. */
  readonly timeWait: Time.Span
  /** In TIME-WAIT what has no ACK is dropped, and whatever is not the ACK that is due is answered, as on FreeBSD. Default off: numbers decide (RFC 9293 §3.10.7.4). */
  readonly timeWaitNeedsAck: boolean
  /** A RST does not end TIME-WAIT (RFC 1337 §3, F1), as on FreeBSD. Default off, as on Linux: one with the next number does. */
  readonly timeWaitBearsResets: boolean
  /** `close` waits for so long until all data is acknowledged, then resets (0: resets at once, losing data). Default none (`undefined`: closes in the background). */
  readonly linger: Time.Span | undefined
  /** `close` resets a connection whose text was not all read (rfc: 9293 §3.6.1 SHLD-3). Default on; FreeBSD drops that text and sends its FIN. */
  readonly resetsUnread: boolean
  /** A connection that is given up because nothing of its text was acknowledged for too long is reset. Default on; Linux forgets it in silence. */
  readonly resetsUnanswered: boolean

  // Watching

  /** Probe silent peers (rfc: 9293 §3.8.4 MAY-5 MUST-25: off by default). */
  readonly keepAlive: boolean
  /** Silence before the first probe (rfc: 9293 §3.8.4 MUST-27 MUST-28: at least 2 h by default). Default 2 h. */
  readonly keepAliveIdle: Time.Span
  /** Between probes. Default 75 s. */
  readonly keepAliveInterval: Time.Span
  /** Unanswered probes that end a connection. Default 9. */
  readonly keepAliveCount: number
  /** A probe of a closed window brings the next octet (RFC 9293 §3.8.6.1 leaves open what it brings) instead of an old number. Default off. */
  readonly probesWithText: boolean
  /** Limits of the time between probes of a closed window, which begin with the RTO (rfc: 9293 §3.8.6.1 SHLD-29). Default 0 and 120 s. */
  readonly minProbeInterval: Time.Span
  readonly maxProbeInterval: Time.Span
  /** A SYN or data unacknowledged for so long ends the connection (RFC 9293 §3.9.1, RFC 5482); 0 leaves it to `synRetries` and `retries`. Default 0. */
  readonly userTimeout: Time.Span
  /** The user timeout option is sent and read (RFC 5482 §3, ENABLED). Default off. */
  readonly userTimeoutOption: boolean
  /** The user timeout that the option tells (ADV_UTO); 0 for `userTimeout`, or five minutes if that is 0 too. Default 0. */
  readonly userTimeoutAdvertised: Time.Span
  /** Whether the peer's option may change the user timeout (CHANGEABLE): default unless the program has set one. */
  readonly userTimeoutChangeable: "unlessSet" | "yes" | "no"
  /** Limits of what the peer's option may change it to (rfc: 5482 §3.1 MUST; L_LIMIT SHOULD be at least 100 s). Default 100 s and a day. */
  readonly userTimeoutLeast: Time.Span
  readonly userTimeoutMost: Time.Span

  // Sending

  /** Small segments leave at once (rfc: 9293 §3.7.4 MUST-17: Nagle's algorithm can be switched off). Default off: Nagle is in force. */
  readonly noDelay: boolean
  /** What a small segment waits for: that all before it is acknowledged (Nagle's algorithm), or all small ones (Minshall's variant of it, as Linux has it). Default `all`. */
  readonly nagle: "all" | "small"
  /** Only full segments leave, for up to 200 ms. Default off. */
  readonly cork: boolean
}

/** The knobs that a program may set for one connection, or for the connections of one listener. */
export type Knob =
  | "timestamps"
  | "windowScaling"
  | "sack"
  | "dsack"
  | "ecn"
  | "ecnOption"
  | "ecnOptionBeacons"
  | "ecnPackets"
  | "fastOpen"
  | "fastOpenWithoutCookie"
  | "maxSegment"
  | "tellsSegment"
  | "receiveBuffer"
  | "receiveBufferLimit"
  | "sendBuffer"
  | "sendBufferLimit"
  | "notSentLowWater"
  | "synRetries"
  | "synAckRetries"
  | "connectTimeout"
  | "initialRto"
  | "minRto"
  | "maxRto"
  | "retries"
  | "congestionControl"
  | "initialWindow"
  | "slowStartAfterIdle"
  | "pacing"
  | "delayedAck"
  | "quickAcks"
  | "deferAccept"
  | "abortOnOverflow"
  | "pathMtuDiscovery"
  | "mtuProbing"
  | "icmpMayAbort"
  | "hopLimit"
  | "trafficClass"
  | "finWait2Timeout"
  | "timeWait"
  | "linger"
  | "keepAlive"
  | "keepAliveIdle"
  | "keepAliveInterval"
  | "keepAliveCount"
  | "userTimeout"
  | "userTimeoutOption"
  | "userTimeoutAdvertised"
  | "userTimeoutChangeable"
  | "noDelay"
  | "cork"

/** A program's choice for one socket; what it leaves out is the stack's. */
export type Options = { readonly [K in Knob]?: Config[K] }

export const defaults: Config = Object.freeze({
  timestamps: true,
  windowScaling: true,
  sack: true,
  dsack: true,
  reportsFins: true,
  bearsMissingTimestamps: true,
  ecn: "passive",
  ecnOption: "always",
  ecnOptionBeacons: 3,
  ecnPackets: "text",
  fastOpen: "off",
  fastOpenWithoutCookie: false,
  maxSegment: 0,
  tellsSegment: true,
  leastSegment: 1,
  receiveBuffer: 256 * 1024,
  windowSteps: "doubling",
  receiveBufferLimit: 6 * 1024 * 1024,
  sendBuffer: 256 * 1024,
  sendBufferLimit: 4 * 1024 * 1024,
  notSentLowWater: Infinity,
  transmitCreditBytes: 256 * 1024,
  blackHole: "nothing",
  synRetries: 7,
  synAckRetries: 5,
  connectTimeout: Infinity as Time.Span,
  firstEphemeralPort: 49152,
  lastEphemeralPort: 65535,
  initialRto: Time.seconds(1),
  minRto: Time.millis(200),
  maxRto: Time.seconds(120),
  granularity: Time.millis(200),
  rtoSlop: Time.zero,
  measuresSynAck: true,
  retries: 15,
  reordering: 3,
  rack: true,
  tailLossProbe: true,
  frto: true,
  undo: true,
  congestionControl: "cubic",
  windowRules: "strict",
  initialWindow: 10,
  slowStartAfterIdle: true,
  pacing: false,
  delayedAck: Time.millis(40),
  quickAcks: 16,
  acksPairs: false,
  challengeInterval: Time.millis(500),
  answersUnsentAcks: true,
  synCookies: "whenFull",
  cookiesKeepOptions: false,
  takesSynFin: false,
  otherSyn: "forgets",
  trimsText: true,
  delaysFins: false,
  answersWhenFull: false,
  deferAccept: Time.zero,
  abortOnOverflow: false,
  pathMtuDiscovery: true,
  mtuProbing: "blackHole",
  icmpMayAbort: true,
  softErrorsEndConnects: false,
  hopLimit: 0,
  trafficClass: 0,
  finWait2Timeout: Time.seconds(60),
  timeWait: Time.seconds(60),
  timeWaitNeedsAck: false,
  timeWaitBearsResets: false,
  linger: undefined,
  resetsUnread: true,
  resetsUnanswered: true,
  keepAlive: false,
  keepAliveIdle: Time.seconds(7200),
  keepAliveInterval: Time.seconds(75),
  keepAliveCount: 9,
  probesWithText: false,
  minProbeInterval: Time.zero,
  maxProbeInterval: Time.seconds(120),
  userTimeout: Time.zero,
  userTimeoutOption: false,
  userTimeoutAdvertised: Time.zero,
  userTimeoutChangeable: "unlessSet",
  userTimeoutLeast: Time.seconds(100),
  userTimeoutMost: Time.seconds(86_400),
  noDelay: false,
  nagle: "all",
  cork: false
})

/** The stack's knobs with a program's choices; the same record when there are none, so that connections share it. */
export const withOptions = (config: Config, options: Options): Config => {
  for (const _ in options) return { ...config, ...options }
  return config
}
