/**
 * Datagrams of one call that travel as one: to the same destination, all as long as the first but for the last, which may be shorter. The link cuts them
 * apart again, each with headers of its own (VIRTIO 1.2 §5.1.6, UDP segmentation), so that everything up to there is done once.
 *
 *     [ip udp|first|second|third|last]  ──▶  [ip udp|first][ip udp|second][ip udp|third][ip udp|last]
 */
import * as Address from "../../wire/Address.ts"
import type { Gso } from "../../wire/Frame.ts"
import * as Wire from "../../wire/Udp.ts"
import type { Context } from "../Context.ts"
import { isBroadcast } from "../Device.ts"
import type { Path } from "../Ip.ts"
import type { Message } from "./Requests.ts"
import type { Socket } from "./State.ts"

export interface Train {
  readonly messages: ReadonlyArray<Pick<Message, "bytes">>
  /** Bytes of all of them. */
  readonly size: number
}

/** Linux cuts no more out of one. */
const most = 64

/** One datagram alone. */
export const of = (message: Pick<Message, "bytes">): Train => ({ messages: [message], size: message.bytes.length })

const areSame = (one: Address.Address | undefined, other: Address.Address | undefined): boolean =>
  one === other || (one !== undefined && other !== undefined && Address.equals(one, other))

const goesWith = (first: Message, other: Message): boolean =>
  other.bytes.length > 0 && other.bytes.length <= first.bytes.length && other.remotePort === first.remotePort &&
  other.link === first.link && areSame(other.remote, first.remote) && areSame(other.source, first.source)

/** The longest train from a message on, for which the socket has room. */
export const from = (ctx: Context, socket: Socket, all: ReadonlyArray<Message>, at: number): Train => {
  const first = all[at]!
  const messages: Array<Message> = [first]
  const room = ctx.config.limits.datagramSendBytes - socket.unsentBytes
  let size = first.bytes.length
  for (let next = at + 1; next < all.length && messages.length < most; next++) {
    const message = all[next]!
    if (!goesWith(first, message) || size + message.bytes.length > room) break
    messages.push(message)
    size += message.bytes.length
    if (message.bytes.length < first.bytes.length) break
  }
  return { messages, size }
}

/** Whether the link cuts the train, and each datagram is a packet of the path. */
export const fits = (ctx: Context, path: Path, { messages, size }: Train): boolean => {
  if (messages.length === 1) return true
  const out = ctx.links.get(path.link)
  const headers = ctx.families[path.version].headerLength + Wire.headerLength
  return out !== undefined && out.segmentation.has("udp") && !isBroadcast(out, path.destination) &&
    headers + size <= out.maxSegmentBytes && headers + messages[0]!.bytes.length <= path.mtu
}

/** How the link is to cut it; nothing for a datagram alone. */
export const cutting = ({ messages }: Train): Gso | undefined =>
  messages.length === 1
    ? undefined
    : { kind: "udp", size: messages[0]!.bytes.length, headerLength: Wire.headerLength }
