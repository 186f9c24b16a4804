/**
 * Which frames of one direction a faulty link loses: alone at random, in bursts, by number, by time, by length, or as a test decides.
 *
 * ```
 *   lose(frame, n) ─┐
 *   lostFrames ─────┤
 *   outage ─────────┼─▶ any of them: the frame is lost
 *   largestFrame ───┤
 *   bursts ─────────┤    Each draws from a generator of its own, and draws for every frame, so that changing one does not
 *   loss ───────────┘    change what the others decide.
 * ```
 */
import * as Duration from "effect/Duration"
import * as Frame from "../wire/Frame.ts"
import type { Nanos } from "./Delay.ts"
import type { Random } from "./Random.ts"

/**
 * Loss in bursts (Gilbert and Elliott): a good and a bad state, which change before each frame. Bursts last `1 / leave`
 * frames on average; the share of the bad state is `enter / (enter + leave)`.
 */
export interface Bursts {
  /** Probability to go from the good to the bad state. */
  readonly enter: number
  /** Probability to go back. */
  readonly leave: number
  /** Probability of loss in the good state; 0 if absent. */
  readonly lossInGood?: number
  /** Probability of loss in the bad state; 1 if absent. */
  readonly lossInBad?: number
}

/** A link that fails again and again: for `length` at the end of each `every`, by a clock that starts with the run. */
export interface Outage {
  readonly every: Duration.Input
  readonly length: Duration.Input
}

/** Whatever is absent does not happen. */
export interface Settings {
  /** Probability for each frame. */
  readonly loss?: number
  readonly bursts?: Bursts
  /** Frames by their numbers, counted from 1 from these settings on. */
  readonly lostFrames?: ReadonlyArray<number>
  readonly outage?: Outage
  /**
   * Frames of more octets are lost, and nobody is told: a black hole of path MTU discovery (RFC 2923 §2.1). An Ethernet header has 14 of
   * them.
   */
  readonly largestFrame?: number
  /** Loses the frames for which it answers true, which are numbered as in {@link lostFrames}. It gets a copy. */
  readonly lose?: (frame: Uint8Array, number: number) => boolean
}

const nanos = (duration: Duration.Input): Nanos => Duration.toMillis(duration) * 1e6

/** What loses the frames of one direction. */
export class Loss {
  /** No frame is ever lost. */
  readonly isNone: boolean
  private readonly settings: Settings
  private readonly lostFrames: ReadonlySet<number>
  private readonly period: Nanos
  private readonly outageFrom: Nanos
  private readonly random: Readonly<Record<"loss" | "bursts", Random>>
  private inBadState = false
  private number = 0

  constructor(settings: Settings, random: Readonly<Record<"loss" | "bursts", Random>>, inBadState = false) {
    const { bursts, largestFrame, lose, loss = 0, lostFrames, outage } = settings
    this.settings = settings
    this.isNone = loss <= 0 &&
      [bursts, largestFrame, lose, lostFrames, outage].every((each) => each === undefined)
    this.lostFrames = new Set(lostFrames)
    this.period = outage === undefined ? 0 : nanos(outage.every)
    this.outageFrom = outage === undefined ? 0 : this.period - nanos(outage.length)
    this.random = random
    this.inBadState = inBadState
  }

  /** The same chances go on under other settings; frames are counted anew. */
  with(settings: Settings): Loss {
    return new Loss(settings, this.random, settings.bursts !== undefined && this.inBadState)
  }

  /** Whether the next frame is lost. Every cause looks at it, so that none changes what another decides. */
  isLost(frame: Frame.Frame, now: Nanos): boolean {
    this.number++
    const alone = this.random.loss.chance(this.settings.loss ?? 0)
    const inBurst = this.isLostInBurst()
    return this.isLostByRule(frame, now) || inBurst || alone
  }

  private isLostByRule(frame: Frame.Frame, now: Nanos): boolean {
    const { largestFrame = Infinity, lose } = this.settings
    const chosen = lose?.(Frame.copy(frame), this.number) === true
    const isTooLong = frame.end - frame.start > largestFrame
    const isOut = this.period > 0 && now % this.period >= this.outageFrom
    return chosen || isTooLong || isOut || this.lostFrames.has(this.number)
  }

  private isLostInBurst(): boolean {
    const { bursts } = this.settings
    if (bursts === undefined) return false
    const random = this.random.bursts
    if (random.chance(this.inBadState ? bursts.leave : bursts.enter)) this.inBadState = !this.inBadState
    return random.chance(this.inBadState ? bursts.lossInBad ?? 1 : bursts.lossInGood ?? 0)
  }
}
