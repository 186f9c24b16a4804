/**
 * A connection between the host under test and the script, and the way between the numbers of the one and of the other.
 *
 * The script counts sequence numbers of the host from 0, and invents timestamps for it: what the host really chose is learnt from
 * its segments. The numbers of the far side are the script's own.
 */
import * as Tcp from "../../wire/Tcp.ts"
import type { Segment } from "./Segment.ts"
import type { TcpOption } from "./Syntax.ts"

export class Flow {
  readonly localPort: number
  readonly remotePort: number
  /** The host's number minus the script's; unknown until the host has sent a SYN. */
  private offset: number | undefined
  /** From the script's timestamps to the host's. */
  private readonly timestamps: Map<number, number> = new Map()
  private first: readonly [number, number] | undefined
  /** The SYN with text that was seen last: behind its text, and whether the host sent it. */
  private early: { readonly end: number; readonly isHosts: boolean } | undefined
  /** Behind the last text that the host has sent. */
  private sentTo: number | undefined
  /** Text of a SYN was acknowledged with it (RFC 7413). */
  hasEarlyText = false

  constructor(localPort: number, remotePort: number) {
    this.localPort = localPort
    this.remotePort = remotePort
  }

  get isKnown(): boolean {
    return this.offset !== undefined
  }

  /** The host's initial sequence number is `live`, which the script calls `written`. */
  learn(live: number, written: number): void {
    this.offset = live - written
  }

  /** The host stamped a segment `live`, which the script calls `written`. */
  learnTimestamp(live: number, written: number): void {
    this.timestamps.set(written, live)
    this.first ??= [written, live]
  }

  /** Sees a segment pass, from the host or to it. */
  observe(segment: Segment, isHosts: boolean): void {
    const { acknowledgment, flags, length, sequence } = segment
    if (isHosts && length > 0 && !this.isSentAgain(segment)) this.sentTo = (sequence + length) | 0
    if ((flags & Tcp.SYN) === 0) return
    if ((flags & Tcp.ACK) === 0) this.early = length === 0 ? undefined : { end: (sequence + 1 + length) >>> 0, isHosts }
    else if (this.early?.isHosts === !isHosts && this.early.end === acknowledgment) this.hasEarlyText = true
  }

  /** Whether a segment of the host has nothing but text that it has sent before. */
  isSentAgain({ length, sequence }: Segment): boolean {
    return length > 0 && this.sentTo !== undefined && ((sequence + length - this.sentTo) | 0) <= 0
  }

  /** One of the host's sequence numbers as the script counts. */
  toScript(live: number): number {
    return (live - (this.offset ?? 0)) >>> 0
  }

  /** One of the host's sequence numbers as the host counts. */
  toLive(written: number): number {
    return (written + (this.offset ?? 0)) >>> 0
  }

  private echoOf(written: number): number {
    const known = this.timestamps.get(written)
    if (known !== undefined || this.first === undefined || written === 0) return known ?? written
    return (this.first[1] + written - this.first[0]) >>> 0
  }

  /** A segment's options on their way to the host: what echoes the host is in the host's numbers. */
  inbound(options: ReadonlyArray<TcpOption>): ReadonlyArray<TcpOption> {
    return options.map((option) => {
      if (option._tag === "Timestamps") return { ...option, echo: this.echoOf(option.echo) }
      if (option._tag !== "Sack") return option
      return {
        ...option,
        blocks: option.blocks.map(([left, right]) => [this.toLive(left), this.toLive(right)] as const)
      }
    })
  }

  /** A segment of the host in the script's numbers; timestamps stay the host's. A RST in answer to what has no ACK has the number 0 itself (RFC 9293 §3.5.2). */
  outbound(segment: Segment): Segment {
    const isOfNothing = (segment.flags & (Tcp.RST | Tcp.ACK)) === (Tcp.RST | Tcp.ACK) && segment.sequence === 0
    return isOfNothing ? segment : { ...segment, sequence: this.toScript(segment.sequence) }
  }
}
