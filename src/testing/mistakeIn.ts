/**
 * What makes no sense in the faults of a link: a loss of 5 that was meant as five percent would cut the link without a word.
 */
import * as Duration from "effect/Duration"
import * as Option from "effect/Option"
import type { Faults } from "./Topology.ts"

const probabilityIn = (name: string, value: number | undefined): string | undefined =>
  value === undefined || (value >= 0 && value <= 1)
    ? undefined
    : `${name} is a probability, from 0 to 1, and not ${value}`

const positiveIn = (name: string, value: number | undefined): string | undefined =>
  value === undefined || value > 0 ? undefined : `${name} is more than 0, and not ${value}`

const durationIn = (name: string, value: Duration.Input | undefined): string | undefined => {
  if (value === undefined) return undefined
  const duration = Duration.fromInput(value)
  if (Option.isNone(duration)) return `${name} is no duration: ${String(value)}`
  return Duration.toMillis(duration.value) < 0
    ? `${name} is no time to wait: ${Duration.format(duration.value)}`
    : undefined
}

/** The first mistake in faults; `undefined` if they make sense. */
export const mistakeIn = (faults: Faults): string | undefined => {
  const { bursts, corruption, delay, duplication, jitter, loss, outage, queueBytes, rate, reordering } = faults
  return probabilityIn("loss", loss) ??
    probabilityIn("corruption", corruption) ??
    probabilityIn("duplication", duplication) ??
    probabilityIn("reordering", reordering) ??
    probabilityIn("bursts.enter", bursts?.enter) ??
    probabilityIn("bursts.leave", bursts?.leave) ??
    probabilityIn("bursts.lossInGood", bursts?.lossInGood) ??
    probabilityIn("bursts.lossInBad", bursts?.lossInBad) ??
    durationIn("delay", delay) ??
    durationIn("jitter", jitter) ??
    durationIn("reorderingDelay", faults.reorderingDelay) ??
    durationIn("outage.every", outage?.every) ??
    durationIn("outage.length", outage?.length) ??
    positiveIn("rate", rate) ??
    positiveIn("queueBytes", queueBytes)
}
