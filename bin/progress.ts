/**
 * A line that shows how far a transfer is: drawn again and again on a terminal, a few lines elsewhere.
 */
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"

export interface Progress {
  /** Bytes so far. */
  readonly done: () => number
  readonly total: number
  /** Seconds since the start. */
  readonly elapsed: () => number
}

const width = 30
const frame = "120 millis"

const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`

/** `[#########---------]  50 %   4.2 MB of 8.4 MB   6.1 MB/s` */
export const line = ({ done, elapsed, total }: Progress): string => {
  const bytes = done()
  const share = total === 0 ? 1 : Math.min(1, bytes / total)
  const filled = Math.round(share * width)
  const bar = "#".repeat(filled) + "-".repeat(width - filled)
  const rate = elapsed() > 0 ? `${(bytes / 1e6 / elapsed()).toFixed(1)} MB/s` : ""
  return `[${bar}] ${String(Math.floor(share * 100)).padStart(3)} %   ${megabytes(bytes)} of ${
    megabytes(total)
  }   ${rate}`
}

const draw = (progress: Progress): Effect.Effect<void> =>
  Effect.sync(() => process.stdout.write(`\r${line(progress)}\x1b[K`))

/** Shows the progress of `self` while it runs. */
export const during = (progress: Progress) => <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> => {
  if (!process.stdout.isTTY) return Effect.ensuring(self, Effect.suspend(() => Console.log(line(progress))))
  const drawing = Effect.forever(Effect.andThen(draw(progress), Effect.sleep(frame)), { disableYield: true })
  const last = Effect.andThen(draw(progress), Effect.sync(() => process.stdout.write("\n")))
  return Effect.scoped(Effect.andThen(Effect.forkScoped(drawing), self)).pipe(Effect.ensuring(last))
}
