/**
 * What a program may know about a TCP connection: the stack's record with addresses and times as programs have them.
 */
import type * as Duration from "effect/Duration"
import type * as NetAddress from "effect/net/NetAddress"
import type { AnswerOf, Request } from "../core/Request.ts"
import * as Edge from "../workers/Edge.ts"
import * as Failure from "./Failure.ts"

type Info = AnswerOf<Extract<Request, { readonly _tag: "TcpGetInfo" }>>

type Ends = "local" | "localPort" | "remote" | "remotePort"
type Spans =
  | "rto"
  | "smoothedRtt"
  | "rttVariation"
  | "minimumRtt"
  | "ackDelay"
  | "sinceSent"
  | "sinceText"
  | "sinceHeard"
  | "busyTime"
  | "windowLimitedTime"
  | "bufferLimitedTime"
  | "timeoutTime"
  | "receiveRtt"
  | "userTimeout"

/** Sizes are in bytes, totals count payload; see `core/tcp/Info.ts` for each field. */
export interface TcpInfo extends Omit<Info, Ends | Spans | "lastError"> {
  readonly local: NetAddress.InetAddress
  readonly remote: NetAddress.InetAddress
  /** How long an acknowledgement may take before data is sent again (RFC 6298). */
  readonly rto: Duration.Duration
  readonly smoothedRtt: Duration.Duration
  readonly rttVariation: Duration.Duration
  readonly minimumRtt: Duration.Duration
  readonly ackDelay: Duration.Duration
  readonly sinceSent: Duration.Duration
  readonly sinceText: Duration.Duration
  readonly sinceHeard: Duration.Duration
  /** For how long something was sent or waited to be, and of that, for how long the peer's window and the own send buffer were what limited it. */
  readonly busyTime: Duration.Duration
  readonly windowLimitedTime: Duration.Duration
  readonly bufferLimitedTime: Duration.Duration
  /** How long periods of timeouts have lasted that are over. */
  readonly timeoutTime: Duration.Duration
  /** The round trip as the receiver measures it; zero before it could. */
  readonly receiveRtt: Duration.Duration
  /** Text unacknowledged for so long ends the connection, as the program or the peer's advice has it (RFC 5482); zero leaves it to `retries`. */
  readonly userTimeout: Duration.Duration
  /** What a router says of the way to the peer, though it ends nothing (RFC 9293 §3.9.1.8); or why the connection has ended. */
  readonly lastError: Failure.Any | undefined
}

export const of = (info: Info): TcpInfo => {
  const { lastError, local, localPort, remote, remotePort, ...rest } = info
  const { ackDelay, minimumRtt, rto, rttVariation, sinceHeard, sinceSent, sinceText, smoothedRtt } = info
  const { bufferLimitedTime, busyTime, receiveRtt, timeoutTime, userTimeout, windowLimitedTime } = info
  return {
    ...rest,
    busyTime: Edge.durationOf(busyTime),
    windowLimitedTime: Edge.durationOf(windowLimitedTime),
    bufferLimitedTime: Edge.durationOf(bufferLimitedTime),
    timeoutTime: Edge.durationOf(timeoutTime),
    receiveRtt: Edge.durationOf(receiveRtt),
    userTimeout: Edge.durationOf(userTimeout),
    lastError: lastError === undefined ? undefined : Failure.of(lastError),
    local: Edge.inetOf(local, localPort),
    remote: Edge.inetOf(remote, remotePort),
    rto: Edge.durationOf(rto),
    smoothedRtt: Edge.durationOf(smoothedRtt),
    rttVariation: Edge.durationOf(rttVariation),
    minimumRtt: Edge.durationOf(minimumRtt),
    ackDelay: Edge.durationOf(ackDelay),
    sinceSent: Edge.durationOf(sinceSent),
    sinceText: Edge.durationOf(sinceText),
    sinceHeard: Edge.durationOf(sinceHeard)
  }
}
