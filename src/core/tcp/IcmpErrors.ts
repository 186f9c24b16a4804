/**
 * ICMP errors about our segments (RFC 9293 §3.9.2.2, RFC 5461, RFC 5927): believed only when they quote a number that is in flight, and never
 * the end of a connection that is established.
 */
import * as Sequence from "../../wire/Sequence.ts"
import * as Word from "../../wire/Word.ts"
import type { Context } from "../Context.ts"
import type { IcmpError } from "../Ip.ts"
import * as Reason from "../Reason.ts"
import type { Connection } from "./Connection.ts"
import * as Connections from "./Connection.ts"
import * as FastOpen from "./FastOpen.ts"
import * as Lifecycle from "./Lifecycle.ts"
import * as Listener from "./Listener.ts"
import * as Lookup from "./Lookup.ts"
import * as PathMtu from "./PathMtu.ts"
import type { HalfOpen, State } from "./State.ts"

/** Protocol, port and prohibited are final as far as the network knows (RFC 1122 §4.2.3.9, RFC 5461 §2); a refusal by port is the peer's "no". */
const isHard = (error: IcmpError): boolean =>
  error.kind === "protocol" || error.kind === "port" || error.kind === "prohibited"

/** A soft error is only remembered, and told to who wants to know: it says why, should the connection time out. */
// rfc: 9293 §3.9.2.2 MUST-56 SHLD-25, §3.9.1.8 MUST-47
const remember = (ctx: Context, state: State, self: Connection, error: IcmpError, reason: Reason.Reason): void => {
  ctx.notice({ _tag: "ConnectionEvent", connection: self.id, event: "unreachable", detail: error.code })
  ctx.put(state.entries, self.id, { ...self, error: reason })
}

/**
 * A connect hears of hard errors at once, of soft ones when it gives up, unless a knob says otherwise (RFC 5461 §4.1). That the next hop does not answer is our own
 * finding and nobody's hearsay: it ends a connect as well.
 */
const whileOpening = (ctx: Context, state: State, self: Connection, error: IcmpError): void => {
  const reason = Reason.ofIcmp(error, 0)
  if (self.fastOpen === "sent") FastOpen.disable(ctx, state, self.tuple)
  const final = error.kind === "port" ? Reason.connectionRefused : reason
  const isFinal = error.isLocal || ((isHard(error) || ctx.config.tcp.softErrorsEndConnects) && self.config.icmpMayAbort)
  if (isFinal && self.state === "SYN-SENT") {
    return Lifecycle.end(ctx, state, self, final)
  }
  remember(ctx, state, self, error, reason)
}

/** For a half-open connection only the sequence number counts; it dies by its timer, not by hearsay. */
const forHalfOpen = (ctx: Context, state: State, self: HalfOpen, seq: Sequence.Sequence, error: IcmpError): void => {
  if (seq !== self.iss) return ctx.drop("IcmpErrorNotOurs", error.link)
  if (isHard(error)) Listener.forget(ctx, state, self)
}

/** rfc: 9293 §3.9.2.2 MUST-54 MUST-55 SHLD-25 SHLD-26, 5927 §4.1 */
export const arrives = (ctx: Context, state: State, error: IcmpError): void => {
  if (error.end - error.start < 8) return ctx.drop("IcmpErrorNotOurs", error.link)
  const localPort = Word.read16(error.bytes, error.start)
  const remotePort = Word.read16(error.bytes, error.start + 2)
  const seq = Word.read32(error.bytes, error.start + 4)
  const self = Lookup.find(ctx, state, error.source, localPort, error.destination, remotePort)
  if (self?._tag === "HalfOpen") return forHalfOpen(ctx, state, self, seq, error)
  if (self?._tag !== "Connection" || self.state === "TIME-WAIT") return ctx.drop("IcmpErrorNotOurs", error.link)
  const isInFlight = Sequence.between(self.snd.una, seq, self.snd.nxt)
  if (!isInFlight) return ctx.drop("IcmpErrorNotOurs", error.link)
  if (error.kind === "tooBig") {
    if (self.fastOpen === "sent") FastOpen.disable(ctx, state, self.tuple)
    return PathMtu.tooBig(ctx, state, self, error)
  }
  if (Connections.isOpening(self.state)) return whileOpening(ctx, state, self, error)
  remember(ctx, state, self, error, Reason.ofIcmp(error, 0))
}
