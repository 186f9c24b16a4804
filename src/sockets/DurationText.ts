/**
 * Durations as configurations and files write them: a number with its unit, such as `10 seconds`.
 */
import * as Duration from "effect/Duration"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"

const isDuration = (text: string): boolean => Option.isSome(Duration.fromInput(text as Duration.Input))

/** `Schema.DurationFromString`, which shows what it expects where it gets something else. */
export const codec: Schema.Codec<Duration.Duration, string> = Schema.String.check(
  Schema.makeFilter((text: string) =>
    isDuration(text) || `expected a number with a unit, such as "10 seconds" or "200 millis"`
  )
).pipe(Schema.decodeTo(Schema.DurationFromString))
