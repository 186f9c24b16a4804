/**
 * A segment that belongs to nothing (RFC 9293 §3.10.7.1): answered with a reset, unless it is one, or closed ports are to be hidden.
 */
import * as Tcp from "../../../wire/Tcp.ts"
import type { Context } from "../../Context.ts"
import * as Emit from "../Emit.ts"
import * as Segment from "../Segment.ts"

// rfc: 9293 §3.10.7.1
export const arrives = (ctx: Context, segment: Segment.Segment): void => {
  if (Segment.has(segment, Tcp.RST)) return ctx.drop("TcpNoListener", segment.packet.link)
  const { blackHole } = ctx.config.tcp
  const isHidden = blackHole === "all" || (blackHole === "syns" && Segment.has(segment, Tcp.SYN))
  if (!isHidden) Emit.reset(ctx, segment)
  ctx.drop("TcpNoListener", segment.packet.link)
}
