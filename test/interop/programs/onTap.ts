/**
 * Puts the stack on the TAP device of `Machine.ts`, or on another, and runs a program on it until the test ends it.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as Tap from "../../../layers/Tap.ts"
import { TunTapDevice } from "../../../layers/TunTapDevice.ts"
import * as Links from "../../../src/link/Links.ts"
import * as Netstack from "../../../src/Netstack.ts"
import { device, prefixLength, stackAddress } from "../Machine.ts"

const stackWith = (name: string, options: Netstack.Options) =>
  Netstack.layer({ ipv4: `${stackAddress}/${prefixLength}`, ...options }).pipe(
    Layer.provide(Links.layerEffect(Tap.make({ name }))),
    Layer.provide(TunTapDevice.layer)
  )

/** Runs a program with the stack; one that fails is reported, and so is a stack that does. */
export const run = <E>(
  program: Effect.Effect<unknown, E, Netstack.Netstack | Scope.Scope>,
  options: Netstack.Options = {},
  name = device
): void => {
  const whole = Effect.gen(function*() {
    const { failure } = yield* Netstack.Netstack
    yield* Effect.raceFirst(program, failure)
  })
  Effect.runPromise(Effect.provide(Effect.scoped(whole), stackWith(name, options))).catch((error: unknown) => {
    console.error(error)
    process.exitCode = 1
  })
}
