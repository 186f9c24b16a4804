/**
 * Connecting to a name with several addresses so that a broken one costs a moment and not a timeout (RFC 8305).
 *
 * ```
 *   AAAA ─┐                                                  ┌ attempt ┐
 *         ├─ sorted (RFC 6724), families in turn ─ 250 ms ───┼ attempt ┼─ the first that connects; the others are aborted
 *   A ────┘  A alone waits 50 ms for AAAA                    └ attempt ┘
 * ```
 *
 * One fiber decides, from a queue of what lookups and attempts have to tell; time is that of the `Clock`.
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Queue from "effect/Queue"
import * as Scope from "effect/Scope"
import type { AnswerOf, Request } from "../core/Request.ts"

type RankDestinations = Extract<Request, { readonly _tag: "RankDestinations" }>
type Address = AnswerOf<RankDestinations>[number]

/** The knobs, with RFC 8305 §8's values as their defaults. */
export interface Options {
  /** How long an attempt may take before the next one begins beside it; 250 ms if absent, never less than 10 ms. */
  readonly attemptDelay?: Duration.Input
  /** How long IPv4 addresses wait for IPv6 ones that are still looked up; 50 ms if absent. */
  readonly resolutionDelay?: Duration.Input
  /** Addresses of the preferred family that are tried before one of the other; 1 if absent. */
  readonly firstFamilyCount?: number
}

export const defaultAttemptDelay = Duration.millis(250)
export const defaultResolutionDelay = Duration.millis(50)
export const defaultFirstFamilyCount = 1
/** rfc: 8305 §5 MUST: the delay is at least 10 ms. */
const leastAttemptDelayMillis = 10

export type Family = 4 | 6

/** What stands around the race. */
export interface Surroundings<A, E> {
  /** The addresses of one family. */
  readonly lookUp: (family: Family) => Effect.Effect<ReadonlyArray<Address>, E>
  /** Those families that are worth a look-up; both if the stack can't tell. */
  readonly families: ReadonlyArray<Family>
  /** Addresses in the order of RFC 6724 §6. */
  readonly rank: (addresses: ReadonlyArray<Address>) => Effect.Effect<ReadonlyArray<Address>>
  /** What its scope holds is given up when another attempt wins. */
  readonly attempt: (address: Address) => Effect.Effect<A, E, Scope.Scope>
  /** Says that no family has an address. */
  readonly noAddress: E
}

type Event<A, E> =
  | { readonly _tag: "Resolved"; readonly family: Family; readonly addresses: ReadonlyArray<Address> }
  | { readonly _tag: "Unresolved"; readonly family: Family; readonly error: E }
  | { readonly _tag: "Connected"; readonly value: A; readonly scope: Scope.Closeable }
  | { readonly _tag: "Failed"; readonly error: E; readonly scope: Scope.Closeable }

const familyOf = (address: Address): Family => typeof address === "number" ? 4 : 6

/** Sorted addresses with their families in turn, the first `count` ones of the first family (rfc: 8305 §4 SHOULD). */
export const interleave = (sorted: ReadonlyArray<Address>, count: number): ReadonlyArray<Address> => {
  const [head] = sorted
  if (head === undefined) return sorted
  const first = sorted.filter((address) => familyOf(address) === familyOf(head))
  const second = sorted.filter((address) => familyOf(address) !== familyOf(head))
  const mixed = first.slice(0, count)
  const rest = first.slice(count)
  for (let i = 0; i < Math.max(rest.length, second.length); i++) {
    mixed.push(...second.slice(i, i + 1), ...rest.slice(i, i + 1))
  }
  return mixed
}

/** A race under way. Times are in milliseconds of the clock. */
class Race<A, E> {
  readonly events: Queue.Queue<Event<A, E>>
  private readonly around: Surroundings<A, E>
  private readonly attemptDelay: number
  private readonly resolutionDelay: number
  private readonly firstFamilyCount: number
  private readonly scope: Scope.Scope
  private readonly scopes = new Set<Scope.Closeable>()
  private unresolved: ReadonlyArray<Family>
  private untried: ReadonlyArray<Address> = []
  /** The families of the attempts so far. */
  private readonly tried: Array<Family> = []
  private running = 0
  /** When the next attempt may begin beside those that run, and until when IPv4 waits for IPv6. */
  private nextAt = -Infinity
  private heldUntil = -Infinity
  private lastError: E | undefined = undefined

  constructor(around: Surroundings<A, E>, options: Options, scope: Scope.Scope, events: Queue.Queue<Event<A, E>>) {
    this.around = around
    this.scope = scope
    this.events = events
    this.unresolved = around.families
    this.attemptDelay = Math.max(
      leastAttemptDelayMillis,
      Duration.toMillis(options.attemptDelay ?? defaultAttemptDelay)
    )
    this.resolutionDelay = Duration.toMillis(options.resolutionDelay ?? defaultResolutionDelay)
    this.firstFamilyCount = Math.max(1, options.firstFamilyCount ?? defaultFirstFamilyCount)
  }

  /** Asks for all families at once, IPv6 first (rfc: 8305 §3 SHOULD). */
  readonly lookUpAll: Effect.Effect<void, never, Scope.Scope> = Effect.suspend(() =>
    Effect.forEach(this.around.families, (family) =>
      this.around.lookUp(family).pipe(
        Effect.match({
          onSuccess: (addresses): Event<A, E> => ({ _tag: "Resolved", family, addresses }),
          onFailure: (error): Event<A, E> => ({ _tag: "Unresolved", family, error })
        }),
        Effect.flatMap((event) => Queue.offer(this.events, event)),
        Effect.forkScoped({ startImmediately: true })
      ), { discard: true })
  )

  /** Goes on until an attempt has won or nothing is left to wait for. */
  readonly run: Effect.Effect<A, E> = Effect.gen({ self: this }, function*() {
    while (true) {
      const now = yield* Clock.currentTimeMillis
      if (this.untried.length > 0 && now >= this.startsAt()) {
        yield* this.start(now)
        continue
      }
      if (this.untried.length === 0 && this.unresolved.length === 0 && this.running === 0) {
        return yield* Effect.fail(this.lastError ?? this.around.noAddress)
      }
      const event = yield* this.next(now)
      if (event?._tag === "Connected") return yield* this.win(event)
      if (event !== undefined) yield* this.take(event, yield* Clock.currentTimeMillis)
    }
  })

  /** Gives up every attempt but the one that has won. */
  abandon(winner?: Scope.Closeable): Effect.Effect<void> {
    const others = [...this.scopes].filter((scope) => scope !== winner)
    return Effect.forEach(others, (scope) => Scope.close(scope, Exit.interrupt()), { discard: true })
  }

  /** When the next attempt begins: at once if none runs, else after the delay; not before IPv6 had its chance. */
  private startsAt(): number {
    const nextAt = this.running === 0 ? -Infinity : this.nextAt
    return this.unresolved.includes(6) ? Math.max(nextAt, this.heldUntil) : nextAt
  }

  /** What happens next, or nothing when it is time for an attempt. */
  private next(now: number): Effect.Effect<Event<A, E> | undefined> {
    const take = Queue.take(this.events)
    if (this.untried.length === 0) return take
    return Effect.map(Effect.timeoutOption(take, Duration.millis(this.startsAt() - now)), Option.getOrUndefined)
  }

  private take(event: Exclude<Event<A, E>, { readonly _tag: "Connected" }>, now: number): Effect.Effect<void> {
    switch (event._tag) {
      case "Resolved":
        return this.add(event.family, event.addresses, now)
      case "Unresolved":
        this.unresolved = this.unresolved.filter((family) => family !== event.family)
        this.lastError ??= event.error
        return Effect.void
      case "Failed":
        this.running -= 1
        this.lastError = event.error
        this.scopes.delete(event.scope)
        return Scope.close(event.scope, Exit.interrupt())
    }
  }

  /** rfc: 8305 §5: addresses that come later are sorted among those that have not been tried. */
  private add(family: Family, addresses: ReadonlyArray<Address>, now: number): Effect.Effect<void> {
    this.unresolved = this.unresolved.filter((other) => other !== family)
    // rfc: 8305 §3 SHOULD: a moment for AAAA when A comes first
    if (family === 4 && this.untried.length === 0 && this.tried.length === 0) {
      this.heldUntil = now + this.resolutionDelay
    }
    return Effect.map(this.around.rank([...this.untried, ...addresses]), (sorted) => {
      this.untried = this.inTurn(sorted)
    })
  }

  /** Before the first attempt the best family begins; later it is the turn of the other, once the first has had its count. */
  private inTurn(sorted: ReadonlyArray<Address>): ReadonlyArray<Address> {
    const [first] = this.tried
    if (first === undefined) return interleave(sorted, this.firstFamilyCount)
    const isFirstsTurn = this.tried.length < this.firstFamilyCount && this.tried.every((family) => family === first)
    const next = isFirstsTurn ? first : this.tried.at(-1) === 4 ? 6 : 4
    const ordered = [
      ...sorted.filter((address) => familyOf(address) === next),
      ...sorted.filter((address) => familyOf(address) !== next)
    ]
    return interleave(ordered, isFirstsTurn ? this.firstFamilyCount - this.tried.length : 1)
  }

  private start(now: number): Effect.Effect<void> {
    const [address, ...untried] = this.untried
    if (address === undefined) return Effect.void
    this.untried = untried
    this.tried.push(familyOf(address))
    this.running += 1
    this.nextAt = now + this.attemptDelay
    return Effect.gen({ self: this }, function*() {
      const scope = yield* Scope.fork(this.scope)
      this.scopes.add(scope)
      yield* this.around.attempt(address).pipe(
        Scope.provide(scope),
        Effect.match({
          onSuccess: (value): Event<A, E> => ({ _tag: "Connected", value, scope }),
          onFailure: (error): Event<A, E> => ({ _tag: "Failed", error, scope })
        }),
        Effect.flatMap((event) => Queue.offer(this.events, event)),
        Effect.forkIn(scope, { startImmediately: true })
      )
    })
  }

  private win({ scope, value }: Extract<Event<A, E>, { readonly _tag: "Connected" }>): Effect.Effect<A> {
    return Effect.as(this.abandon(scope), value)
  }
}

/**
 * The first attempt that succeeds; its scope is a child of the caller's. Fails with what the last attempt failed with, or with why no
 * address was found.
 */
export const connect = <A, E>(
  around: Surroundings<A, E>,
  options: Options = {}
): Effect.Effect<A, E, Scope.Scope> =>
  Effect.gen(function*() {
    const events = yield* Queue.unbounded<Event<A, E>>()
    const race = new Race(around, options, yield* Effect.scope, events)
    return yield* Effect.scoped(Effect.andThen(race.lookUpAll, race.run)).pipe(
      Effect.onExit((exit) => Exit.isSuccess(exit) ? Effect.void : race.abandon())
    )
  })
