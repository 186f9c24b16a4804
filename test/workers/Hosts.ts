/**
 * Two running stacks on a wire in memory, with known keys, for tests of the workers and of what stands on them.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Link } from "../../src/link/Link.ts"
import { Links } from "../../src/link/Links.ts"
import * as MemoryLink from "../../src/link/MemoryLink.ts"
import * as Netstack from "../../src/Netstack.ts"
import * as EntropySource from "../../src/workers/EntropySource.ts"
import type { Stack } from "../../src/workers/Stack.ts"
import * as Family from "../core/family.ts"

export interface Hosts {
  readonly one: Stack
  readonly two: Stack
}

export const addressOne = Family.choose("10.0.0.1", "2001:db8::1")
export const addressTwo = Family.choose("10.0.0.2", "2001:db8::2")
/** As they stand before a port. */
export const hostOne = Family.choose(addressOne, `[${addressOne}]`)
export const hostTwo = Family.choose(addressTwo, `[${addressTwo}]`)

/** An interface with an address of the family of the run. */
const interfaceOf = (address: string): Netstack.InterfaceOptions =>
  Family.version === 4 ? { ipv4: `${address}/24` } : { addresses: [`${address}/64`] }

/** One stack over these links; it does not outlive its scope by trying to deliver. */
export const host = (
  links: ReadonlyArray<Link>,
  options: Netstack.Options = {},
  seed = 1
): Effect.Effect<Stack, never, Scope.Scope> =>
  Netstack.make({ closeTimeout: 0, ...options }).pipe(
    Effect.provideService(Links, { links }),
    Effect.provideService(EntropySource.EntropySource, EntropySource.seeded(seed)),
    Effect.orDie
  )

/** Two stacks, 10.0.0.1 and 10.0.0.2, at the ends of one wire. */
export const pair = (
  wire: MemoryLink.Options = {},
  options: Netstack.Options = {},
  seed = 1
): Effect.Effect<Hosts, never, Scope.Scope> =>
  Effect.gen(function*() {
    const [first, second] = MemoryLink.pair(wire)
    return {
      one: yield* host([first], { ...interfaceOf(addressOne), ...options }, seed),
      two: yield* host([second], { ...interfaceOf(addressTwo), ...options }, seed + 1)
    }
  })

/** Runs what a program does on one of the stacks. */
export const on = (stack: Stack) => <A, E, R>(self: Effect.Effect<A, E, R>) =>
  Effect.provideService(self, Netstack.Netstack, stack)
