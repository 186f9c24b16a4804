/**
 * One span for each TCP connection, from its SYN to its end, out of the notices of the core (`core/Notice.ts`).
 *
 * ```
 *   program's span ─▶ Tcp.connect ─▶ TCP connection          the opener: below the call that opened it
 *   Tcp.accept ◀────── links ──────▶ TCP connection          the called one: a trace of its own, that begins with the peer's SYN
 *                                     · established · first-byte-sent · retransmission · … · end
 * ```
 *
 * A handshake that a peer never completes makes no span: a flood of SYNs costs one small record each, of which the stack has a bounded
 * number. The events of a span are bounded as well (`eventLimit`).
 */
import * as Context from "effect/Context"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import type * as Tracer from "effect/Tracer"
import type { Change, ConnectionEvent } from "../src/core/Notice.ts"
import type { Reason } from "../src/core/Reason.ts"
import type { Ticket } from "../src/core/Request.ts"
import type { Instant } from "../src/core/Time.ts"
import * as Failure from "../src/sockets/Failure.ts"
import * as Traced from "../src/sockets/Traced.ts"
import * as Edge from "../src/workers/Edge.ts"

/** The name of the spans. */
export const name = "TCP connection"

type Opening = Extract<Change, { readonly _tag: "ConnectionOpening" }>
type Ended = Extract<Change, { readonly _tag: "ConnectionEnded" }>

/** What an event of a connection is called in its span, and what its detail is. */
const events: { readonly [K in ConnectionEvent]: readonly [name: string, detail: string | undefined] } = {
  firstByteSent: ["first-byte-sent", undefined],
  firstByteReceived: ["first-byte-received", undefined],
  retransmission: ["retransmission", "netstack.tcp.segments"],
  timeout: ["retransmission-timeout", "netstack.tcp.backoff"],
  recovery: ["recovery", "netstack.tcp.in_flight"],
  recovered: ["recovered", undefined],
  spurious: ["spurious-recovery", "netstack.tcp.in_flight"],
  windowClosed: ["window-closed", "netstack.tcp.unsent"],
  windowOpened: ["window-opened", "netstack.tcp.unsent"],
  urgent: ["urgent", "netstack.tcp.urgent"],
  userTimeoutAdvised: ["user-timeout-advised", "netstack.tcp.user_timeout"],
  unreachable: ["unreachable", "netstack.icmp.code"]
}

export interface Options {
  readonly tracer: Tracer.Tracer
  /** Nanoseconds of the tracer's clock at an instant of the stack. */
  readonly nanosOf: (at: Instant) => bigint
  /** Attributes of every span. */
  readonly attributes: Readonly<Record<string, unknown>>
  readonly eventLimit: number
}

/** A connection that lives; one that a peer opens has no span before the handshake is complete. */
interface Live {
  readonly opening: Opening
  readonly openedAt: Instant
  span: Tracer.Span | undefined
  events: number
}

/** Ends that are nobody's fault. */
const isFailure = (reason: Reason): boolean => reason._tag !== "ConnectionAborted" && reason._tag !== "Closed"

export class Connections {
  private readonly options: Options
  private readonly live: Map<number, Live> = new Map()
  /** Spans below which the connections of requests that are on their way belong. */
  private readonly claims: Map<Ticket, Tracer.AnySpan> = new Map()

  constructor(options: Options) {
    this.options = options
  }

  claim(ticket: Ticket, span: Tracer.AnySpan): void {
    this.claims.set(ticket, span)
  }

  disclaim(ticket: Ticket): void {
    this.claims.delete(ticket)
  }

  spanOf(connection: number): Tracer.Span | undefined {
    return this.live.get(connection)?.span
  }

  /** Connections without an end yet. */
  get size(): number {
    return this.live.size
  }

  changed(at: Instant, change: Change): void {
    switch (change._tag) {
      case "ConnectionOpening":
        return this.open(at, change)
      case "ConnectionState":
        return this.become(at, change.connection, change.to)
      case "ConnectionEvent": {
        const [event, detail] = events[change.event]
        return this.event(at, change.connection, event, detail === undefined ? {} : { [detail]: change.detail })
      }
      case "ConnectionEnded":
        return this.end(at, change)
    }
  }

  private open(at: Instant, opening: Opening): void {
    const live: Live = { opening, openedAt: at, span: undefined, events: 0 }
    this.live.set(opening.connection, live)
    if (opening.listener === 0) live.span = this.start(live)
  }

  private start({ opening, openedAt }: Live): Tracer.Span {
    const { attributes, nanosOf, tracer } = this.options
    const parent = Option.fromUndefinedOr(this.claims.get(opening.ticket))
    const role = opening.listener === 0 ? "client" : "server"
    const span = tracer.span({
      name,
      parent,
      annotations: Context.empty(),
      links: [],
      startTime: nanosOf(openedAt),
      kind: role,
      root: Option.isNone(parent),
      sampled: Option.isNone(parent) || parent.value.sampled
    })
    const local = Edge.inetOf(opening.local, opening.localPort)
    const peer = Edge.inetOf(opening.remote, opening.remotePort)
    const all = { ...attributes, ...Traced.ends(local, peer, role), "netstack.connection.id": opening.connection }
    for (const [key, value] of Object.entries(all)) span.attribute(key, value)
    return span
  }

  private become(at: Instant, connection: number, state: string): void {
    const live = this.live.get(connection)
    if (live === undefined) return
    if (state === "ESTABLISHED") live.span ??= this.start(live)
    if (state !== "SYN-SENT" && state !== "CLOSED") this.event(at, connection, state.toLowerCase(), {})
  }

  private event(at: Instant, connection: number, event: string, attributes: Record<string, unknown>): void {
    const live = this.live.get(connection)
    if (live?.span === undefined) return
    live.events += 1
    if (live.events <= this.options.eventLimit) live.span.event(event, this.options.nanosOf(at), attributes)
  }

  private end(at: Instant, { connection, reason, totals }: Ended): void {
    const live = this.live.get(connection)
    this.live.delete(connection)
    if (live?.span === undefined) return
    const { span } = live
    span.attribute("netstack.tcp.bytes_acked", totals.bytesAcked)
    span.attribute("netstack.tcp.bytes_received", totals.bytesReceived)
    span.attribute("netstack.tcp.retransmissions", totals.segmentsRetransmitted)
    span.attribute("netstack.tcp.timeouts", totals.timeouts)
    if (totals.smoothedRtt !== undefined) span.attribute("netstack.tcp.smoothed_rtt", totals.smoothedRtt / 1e6)
    const dropped = live.events - this.options.eventLimit
    if (dropped > 0) span.attribute("netstack.events.dropped", dropped)
    const endTime = this.options.nanosOf(at)
    if (reason?._tag === "ConnectionReset") span.event("reset", endTime)
    if (reason?._tag === "ConnectionAborted") span.event("abort", endTime)
    if (reason === undefined || !isFailure(reason)) return span.end(endTime, Exit.void)
    span.attribute("error.type", reason._tag)
    span.end(endTime, Exit.fail(Failure.of(reason)))
  }

  /** The stack closes: what lives still ends with it. */
  close(at: Instant): void {
    for (const { span } of this.live.values()) {
      span?.event("stack-closed", this.options.nanosOf(at))
      span?.end(this.options.nanosOf(at), Exit.void)
    }
    this.live.clear()
    this.claims.clear()
  }
}
