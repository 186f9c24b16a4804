/**
 * A router on the way of a link: of the IPv4 packets that may be marked, each so many-th is. It counts what it sees of marks and of TCP's answers to them.
 */
import * as Effect from "effect/Effect"
import type { Link } from "../../../src/link/Link.ts"
import type { Frame } from "../../../src/wire/Frame.ts"

/** What went one way: packets capable of marks, those that were marked, and segments with ECE and with CWR after the handshake. */
export interface Seen {
  capable: number
  marked: number
  echoes: number
  answers: number
}

export interface Marker {
  readonly link: Link
  readonly seen: { readonly sent: Seen; readonly received: Seen }
}

const ethernetLength = 14
const congested = 3
const SYN = 2
const ECE = 0x40
const CWR = 0x80

const checksum = (bytes: Uint8Array, from: number, to: number): number => {
  let sum = 0
  for (let at = from; at < to; at += 2) sum += (bytes[at]! << 8) | bytes[at + 1]!
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16)
  return ~sum & 0xffff
}

/** Sets both ECN bits, and the header's checksum anew. */
const mark = (bytes: Uint8Array, ip: number, end: number): void => {
  bytes[ip + 1]! |= congested
  bytes[ip + 10] = 0
  bytes[ip + 11] = 0
  const sum = checksum(bytes, ip, end)
  bytes[ip + 10] = sum >>> 8
  bytes[ip + 11] = sum & 0xff
}

const look = ({ bytes, start }: Frame, seen: Seen, every: number): void => {
  const ip = start + ethernetLength
  if (bytes[ip]! >>> 4 !== 4 || bytes[ip + 9] !== 6) return
  const tcp = ip + (bytes[ip]! & 15) * 4
  const flags = bytes[tcp + 13]!
  if ((flags & SYN) === 0) {
    if ((flags & ECE) !== 0) seen.echoes++
    if ((flags & CWR) !== 0) seen.answers++
  }
  if ((bytes[ip + 1]! & congested) === 0) return
  seen.capable++
  if (every === 0 || seen.capable % every !== 0) return
  mark(bytes, ip, tcp)
  seen.marked++
}

const nothing = (): Seen => ({ capable: 0, marked: 0, echoes: 0, answers: 0 })

/** The link with the router before it; 0 marks nothing. */
export const make = (link: Link, every: { readonly sent: number; readonly received: number }): Marker => {
  const seen = { sent: nothing(), received: nothing() }
  const looked = new WeakSet<Frame>()
  return {
    seen,
    link: {
      ...link,
      open: (sink) =>
        Effect.map(
          link.open({
            ...sink,
            frames: (batch) => {
              for (const frame of batch) look(frame, seen.received, every.received)
              sink.frames(batch)
            }
          }),
          (port) => ({
            ...port,
            send: (frames, from) => {
              for (const frame of frames.slice(from)) {
                // What the device did not take comes again.
                if (!looked.has(frame)) look(frame, seen.sent, every.sent)
                looked.add(frame)
              }
              return port.send(frames, from)
            }
          })
        )
    }
  }
}
