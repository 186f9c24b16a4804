/**
 * Silence on a stream: how long nothing has come or gone, and the word that it has lasted too long (`setTimeout` of Node's sockets).
 *
 * One sleeper serves the whole silence and sleeps on when there was traffic meanwhile, so that traffic costs one look at the clock.
 */
import * as Effect from "effect/Effect"

export interface Options {
  /** Milliseconds of a clock that never goes back. */
  readonly now: () => number
  /** Waits for as long as the stream lives, then tells whether the wait came to its end. */
  readonly start: (wait: Effect.Effect<void>, done: (isOver: boolean) => void) => void
  /** The silence has lasted too long. */
  readonly tell: () => void
}

export class Silence {
  /** How long a silence may last; 0 for ever. */
  milliseconds = 0
  private readonly options: Options
  private activeAt = 0
  private isTiming = false

  constructor(options: Options) {
    this.options = options
  }

  /** From now on a silence may last so long; 0 for ever. */
  limit(milliseconds: number): void {
    this.milliseconds = milliseconds
    this.broken()
  }

  /** Something came or went. */
  broken(): void {
    if (this.milliseconds === 0) return
    this.activeAt = this.options.now()
    this.watch()
  }

  private watch(): void {
    if (this.isTiming) return
    this.isTiming = true
    const { now, start, tell } = this.options
    const silence = Effect.gen({ self: this }, function*() {
      for (;;) {
        const left = this.activeAt + this.milliseconds - now()
        if (this.milliseconds === 0 || left <= 0) return
        yield* Effect.sleep(left)
      }
    })
    start(silence, (isOver) => {
      this.isTiming = false
      if (isOver && this.milliseconds > 0) tell()
    })
  }
}
