/**
 * The urgent octet as programs of both systems know it: the last one in front of the pointer is taken out of the stream, to be read by itself, and a read in line stops in
 * front of it. The stack leaves all in line (RFC 6093 §6), as programs may ask of the systems too (`SO_OOBINLINE`).
 */
import type { Info } from "../../core/tcp/Info.ts"
import { failed, type Returned, returned, type TcpSocket } from "./Descriptor.ts"
import type { Kernel } from "./Kernel.ts"

const isInLine = ({ stored }: TcpSocket): boolean => Number(stored.get("SO_OOBINLINE") ?? 0) !== 0

/** Where the urgent octet stands in the stream, by which it is known from others; `undefined` without one. */
const markOf = (info: Info | undefined): number | undefined =>
  info === undefined || info.urgent === 0 ? undefined : info.bytesReceived - info.unread + info.urgent

/** `recv` with `MSG_OOB`: the octet, once. */
export const readUrgent = (kernel: Kernel, self: TcpSocket, isPeek: boolean): Returned => {
  const info = kernel.info(self)
  const mark = markOf(info)
  if (self.connection === undefined || info === undefined) return failed("ENOTCONN")
  if (isInLine(self) || mark === undefined || mark === self.urgentTaken) return failed("EINVAL")
  if (info.unread < info.urgent) return failed("EAGAIN")
  if (!isPeek) self.urgentTaken = mark
  return returned(1)
}

/** How much of `max` a read in line takes: it stops in front of the urgent octet, and passes over it if that comes first and is none of the line. */
export const untilMark = (kernel: Kernel, self: TcpSocket, connection: number, max: number): number => {
  const info = kernel.info(self)
  if (info === undefined || info.urgent === 0) return max
  if (info.urgent > 1) return Math.min(max, info.urgent - 1)
  if (info.unread > 0 && !isInLine(self)) kernel.host.request({ _tag: "TcpRead", connection, max: 1, block: false })
  return max
}

/** Whether an urgent octet has come that was not read by itself (`POLLPRI`). */
export const hasUrgent = (self: TcpSocket, info: Info): boolean => {
  const mark = markOf(info)
  return mark !== undefined && mark !== self.urgentTaken && info.unread >= info.urgent
}

/** Whether the next octet is the urgent one (`SIOCATMARK`). */
export const isAtMark = (info: Info | undefined): boolean => info?.urgent === 1
