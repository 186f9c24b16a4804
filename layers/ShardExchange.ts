/**
 * Frames from one shard's thread to another's. Each is copied once, and its memory moves over.
 *
 * ```
 *   shard 0 ── HandedOver, HandedOver … ──▶ shard 1
 *           ◀── Taken: so many more ──────
 * ```
 *
 * A shard that is busy takes nothing, and a port between threads has no bound of its own. So at most {@link handedOverFrames} are on their way to
 * each; further ones are dropped, as by the ring of a network card, and the link counts them.
 */
import type { Exchange } from "../src/link/Steering.ts"
import * as Frame from "../src/wire/Frame.ts"
import type { HandedOver, Taken } from "./ShardProtocol.ts"

/** Frames on their way from one shard to another, at most. */
export const handedOverFrames = 1024
/** So many are taken before it is told. */
const tellEvery = 64

/** What of a `MessagePort` is used. */
export interface Channel {
  readonly postMessage: (value: HandedOver | Taken, transfer: ReadonlyArray<ArrayBuffer>) => void
  readonly on: (event: "message", listener: (value: HandedOver | Taken) => void) => unknown
  readonly off: (event: "message", listener: (value: HandedOver | Taken) => void) => unknown
}

type Listener = (frame: Frame.Frame) => void

/** One shard's side of the channel to another. */
class Side {
  private readonly channel: Channel
  private underway = 0
  private untold = 0

  constructor(channel: Channel) {
    this.channel = channel
  }

  hand(frame: Frame.Frame): boolean {
    if (this.underway >= handedOverFrames) return false
    this.underway += 1
    const { checksum, checksumOffset, checksumStart, gso } = frame
    const bytes = Frame.copy(frame)
    const handed: HandedOver = { bytes, checksum, checksumStart, checksumOffset, gso }
    this.channel.postMessage(handed, [bytes.buffer as ArrayBuffer])
    return true
  }

  listen(listener: Listener): () => void {
    const hear = (message: HandedOver | Taken): void => {
      if ("taken" in message) this.underway -= message.taken
      else this.take(message, listener)
    }
    this.channel.on("message", hear)
    return () => this.channel.off("message", hear)
  }

  private take(handed: HandedOver, listener: Listener): void {
    listener({ ...handed, start: 0, end: handed.bytes.length, slab: undefined })
    this.untold += 1
    if (this.untold < tellEvery) return
    this.channel.postMessage({ taken: this.untold }, [])
    this.untold = 0
  }
}

/** The channels to the other shards by their number; there is none to itself. */
export const make = (channels: ReadonlyArray<Channel | undefined>): Exchange => {
  const sides = channels.map((channel) => channel === undefined ? undefined : new Side(channel))
  return {
    hand: (shard, frame) => sides[shard]?.hand(frame) ?? false,
    receive: (listener) => {
      const stops = sides.flatMap((side) => side === undefined ? [] : [side.listen(listener)])
      return () => {
        for (const stop of stops) stop()
      }
    }
  }
}
