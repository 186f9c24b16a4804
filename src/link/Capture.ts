/**
 * Shows every frame of a link to a recorder, both ways, with the time and the direction; the link itself stays as it is.
 *
 * Frames to send are shown just before the link gets them, so that what they cause comes behind them in a capture.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type { Frame } from "../wire/Frame.ts"
import type { Link, Port } from "./Link.ts"

/** Seen from the opener of the link. */
export type Direction = "in" | "out"

/** Looks at one frame; `at` is in microseconds since 1970. The frame is borrowed: what is kept is copied in the call. */
export type Recorder = (frame: Frame, direction: Direction, at: number) => void

/** Takes captures of several links. */
export interface CaptureSink {
  readonly attach: (link: Pick<Link, "name" | "medium">) => Recorder
}

/** Wall time that never goes back: where the clock of the wall stood at the start, and the monotonic one since. */
const stamps = (clock: Clock.Clock): () => number => {
  const offset = clock.currentTimeNanosUnsafe() - clock.monotonicTimeNanosUnsafe()
  return () => Number((clock.monotonicTimeNanosUnsafe() + offset) / 1000n)
}

const capturing = (port: Port, record: Recorder, now: () => number): Port => {
  // Frames that were shown but not taken; whoever sends them again does not show them twice.
  let shown: ReadonlyArray<Frame> = []
  return {
    ...port,
    send: (frames, from) => {
      const at = now()
      for (let i = from, known = 0; i < frames.length; i++) {
        if (frames[i] === shown[known]) known += 1
        else record(frames[i]!, "out", at)
      }
      const taken = port.send(frames, from)
      shown = from + taken === frames.length ? [] : frames.slice(from + taken)
      return taken
    }
  }
}

export const make = (link: Link, sink: CaptureSink): Link => {
  const record = sink.attach(link)
  return {
    ...link,
    open: (to) =>
      Effect.gen(function*() {
        const now = stamps(yield* Clock.clockWith(Effect.succeed))
        const port = yield* link.open({
          frames: (batch) => {
            const at = now()
            for (const frame of batch) record(frame, "in", at)
            to.frames(batch)
          },
          changed: to.changed
        })
        return capturing(port, record, now)
      })
  }
}

/** As middleware. */
export const apply = (sink: CaptureSink) => (link: Link): Link => make(link, sink)
