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
  /** What a router says of the way to the peer, though it ends nothing (RFC 9293 §3.9.1.8); or why the connection has ended. */
  readonly lastError: Failure.Any | undefined
}

export const of = (info: Info): TcpInfo => {
  const { lastError, local, localPort, remote, remotePort, ...rest } = info
  const { ackDelay, minimumRtt, rto, rttVariation, sinceHeard, sinceSent, sinceText, smoothedRtt } = info
  return {
    ...rest,
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
