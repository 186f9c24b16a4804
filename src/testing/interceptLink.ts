/**
 * Lets a test look into every frame of a running link, change it or lose it, before the faults do.
 */
import * as Effect from "effect/Effect"
import type { Link, Port } from "../link/Link.ts"
import * as Frame from "../wire/Frame.ts"

/** What it answers goes on in place of the frame; `undefined` loses it. Frames of a direction are counted from 1. */
export type Interceptor = (frame: Uint8Array, number: number) => Uint8Array | undefined

/** One direction: who looks, if anybody does. */
class Gate {
  private interceptor: Interceptor | undefined
  private count = 0

  set(interceptor: Interceptor | undefined): void {
    this.interceptor = interceptor
    this.count = 0
  }

  get isOpen(): boolean {
    return this.interceptor === undefined
  }

  /** What is left of frames, changed or not. All are given to `done`, and those that are taken away to `lost` before. */
  pass(
    frames: ReadonlyArray<Frame.Frame>,
    done: (frame: Frame.Frame) => void,
    lost: (frame: Frame.Frame) => void
  ): ReadonlyArray<Frame.Frame> {
    return frames.flatMap((frame) => {
      this.count++
      const bytes = this.interceptor?.(Frame.copy(frame), this.count)
      if (bytes === undefined) lost(frame)
      done(frame)
      return bytes === undefined ? [] : [Frame.plain(bytes)]
    })
  }
}

const ignore = (): void => {}

const release = (frame: Frame.Frame): void => frame.slab?.release()

/** What a slow link does not take is lost: whoever looks into frames is not after speed. */
const through = (port: Port, gate: Gate, lost: (frame: Frame.Frame) => void): Port => ({
  ...port,
  send: (frames, from) => {
    if (gate.isOpen) return port.send(frames, from)
    port.send(gate.pass(frames.slice(from), ignore, lost), 0)
    return frames.length - from
  }
})

export interface Intercepted {
  readonly link: Link
  /** As the opener of the link sees it. */
  readonly intercept: (direction: "send" | "receive", interceptor: Interceptor | undefined) => Effect.Effect<void>
}

/** `lost` hears of what the interceptors take away; the frame is borrowed. */
export const interceptLink = (
  link: Link,
  lost: (frame: Frame.Frame, direction: "send" | "receive") => void = ignore
): Intercepted => {
  const gates = { send: new Gate(), receive: new Gate() }
  const sent = (frame: Frame.Frame) => lost(frame, "send")
  const received = (frame: Frame.Frame) => lost(frame, "receive")
  return {
    link: {
      ...link,
      open: (sink) =>
        Effect.map(
          link.open({
            frames: (batch) => sink.frames(gates.receive.isOpen ? batch : gates.receive.pass(batch, release, received)),
            changed: sink.changed
          }),
          (port) => through(port, gates.send, sent)
        )
    },
    intercept: (direction, interceptor) => Effect.sync(() => gates[direction].set(interceptor))
  }
}
