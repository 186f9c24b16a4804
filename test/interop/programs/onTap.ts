/**
 * Puts the stack on the TAP device of `Machine.ts` and runs a program on it until the test ends it.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Tap from "../../../layers/Tap.ts"
import { TunTapDevice } from "../../../layers/TunTapDevice.ts"
import * as Config from "../../../src/core/Config.ts"
import { Netstack } from "../../../src/sockets/Netstack.ts"
import * as Address from "../../../src/wire/Address.ts"
import * as Stack from "../../../src/workers/Stack.ts"
import { device, prefixLength } from "../Machine.ts"

/** As `Machine.stackAddress`. */
const address = Address.v4(10, 99, 0, 2)

const stack = Effect.gen(function*() {
  const made = yield* Stack.make({ config: Config.defaults })
  const link = yield* made.attach(yield* Tap.make({ name: device }))
  yield* made.ask({ _tag: "AddAddress", link, address, prefixLength, origin: "static" })
  return made
})

/** Runs a program with the stack; one that fails is reported, and so is a stack that does. */
export const run = <E>(program: Effect.Effect<unknown, E, Netstack | Scope.Scope>): void => {
  const whole = Effect.gen(function*() {
    const made = yield* stack
    yield* Effect.raceFirst(Effect.provideService(program, Netstack, made), made.failure)
  })
  Effect.runPromise(Effect.scoped(Effect.provide(whole, TunTapDevice.layer))).catch((error: unknown) => {
    console.error(error)
    process.exitCode = 1
  })
}
