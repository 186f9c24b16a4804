/**
 * A segment for a listener (RFC 9293 §3.10.7.2): its three checks in their order.
 */
import * as Address from "../../../wire/Address.ts"
import * as Tcp from "../../../wire/Tcp.ts"
import type { Context } from "../../Context.ts"
import * as Cookies from "../Cookies.ts"
import * as EarlyData from "../EarlyData.ts"
import * as Emit from "../Emit.ts"
import * as Listener from "../Listener.ts"
import * as Segment from "../Segment.ts"
import type * as State from "../State.ts"
import * as SynReceived from "./SynReceived.ts"

/** A SYN is only taken from one host, to one host (rfc: 9293 §3.9.2.3 MUST-57 MUST-63). */
const isBetweenHosts = (segment: Segment.Segment): boolean => {
  const { packet } = segment
  return !packet.isGroup && !Address.isMulticast(packet.source) && !Address.isUnspecified(packet.source) &&
    packet.source !== Address.broadcastV4
}

/**
 * The ACK that brought a cookie back. When there is no room for the connection nothing is kept of it, as of its SYN: the peer sends the cookie again
 * with its text.
 */
const establish = (ctx: Context, state: State.State, recalled: State.HalfOpen, segment: Segment.Segment): void => {
  SynReceived.arrives(ctx, state, recalled, segment)
  const left = state.entries.get(recalled.id)
  if (left?._tag === "HalfOpen") Listener.forget(ctx, state, left)
}

export const arrives = (
  ctx: Context,
  state: State.State,
  listener: State.Listener,
  segment: Segment.Segment
): void => {
  const { link } = segment.packet
  // First: a RST can't be about anything of this incarnation.
  if (Segment.has(segment, Tcp.RST)) return ctx.drop("TcpBadReset", link)
  // Second: whatever it acknowledges, nothing has been sent, unless it was a cookie.
  if (Segment.has(segment, Tcp.ACK)) {
    const recalled = Segment.has(segment, Tcp.SYN) ? undefined : Cookies.recall(ctx, state, listener, segment)
    if (recalled !== undefined) return establish(ctx, state, recalled, segment)
    Emit.reset(ctx, segment)
    return ctx.drop("TcpNoListener", link)
  }
  // Third: a SYN begins a connection.
  if (!Segment.has(segment, Tcp.SYN)) return ctx.drop("TcpNoAck", link)
  // No program opens and ends in one segment; what does is a scan, and is dropped, as deployed stacks do (RFC 9293 §3.10.7.2 would queue the FIN).
  if (Segment.has(segment, Tcp.FIN) && !ctx.config.tcp.takesSynFin) return ctx.drop("TcpUnexpectedFin", link)
  if (!isBetweenHosts(segment)) return ctx.drop("TcpBadSource", link)
  Listener.syn(ctx, state, listener, segment, EarlyData.accept)
}
