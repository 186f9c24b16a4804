import { assert, describe, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Dns from "effect/net/Dns"
import * as Result from "effect/Result"
import * as Scope from "effect/Scope"
import { TestClock } from "effect/testing"
import * as HappyEyeballs from "../../src/sockets/HappyEyeballs.ts"
import * as Network from "../../src/sockets/Network.ts"
import * as Tcp from "../../src/sockets/Tcp.ts"
import * as Address from "../../src/wire/Address.ts"
import { on, pair } from "../workers/Hosts.ts"

const v6 = (last: number): Address.Ipv6 => Address.v6(0x2001_0db8, 0, 0, last)
const v4 = (last: number): Address.Ipv4 => Address.v4(192, 0, 2, last)
const nameOf = (address: Address.Address): string =>
  typeof address === "number" ? `v4.${address & 0xff}` : `v6.${address.w3}`

/** What becomes of an attempt: it connects or fails after some time, or never ends. */
type Fate = readonly ["connects" | "fails", Duration.Input] | "hangs"
/** When a look-up ends, with how many addresses; with none it fails. */
type Answer = readonly [after: Duration.Input, count: number]

interface Play {
  readonly aaaa?: Answer
  readonly a?: Answer
  readonly families?: ReadonlyArray<HappyEyeballs.Family>
  readonly fates?: Readonly<Record<string, Fate>>
  readonly options?: HappyEyeballs.Options
}

/** Runs a race in virtual time: each line is what happened, with its time in milliseconds. */
const play = ({ a, aaaa, families = [6, 4], fates = {}, options }: Play) =>
  Effect.gen(function*() {
    const lines: Array<string> = []
    const note = (text: string) =>
      Effect.map(Clock.currentTimeMillis, (now) => {
        lines.push(`${now} ${text}`)
      })
    const lookUp = (family: HappyEyeballs.Family) =>
      Effect.gen(function*() {
        const [after, count] = (family === 6 ? aaaa : a) ?? [0, 0]
        yield* note(`? ${family === 6 ? "AAAA" : "A"}`)
        yield* Effect.sleep(after)
        if (count === 0) return yield* Effect.fail(`no v${family}`)
        return Array.from({ length: count }, (_, index) => family === 6 ? v6(index + 1) : v4(index + 1))
      })
    const attempt = (address: Address.Address) =>
      Effect.gen(function*() {
        const name = nameOf(address)
        const fate = fates[name] ?? "hangs"
        yield* note(`> ${name}`)
        let isUnderWay = true
        const verb = (exit: Exit.Exit<unknown, unknown>) => Exit.isSuccess(exit) ? "closed" : "aborted"
        yield* Effect.addFinalizer((exit) => isUnderWay ? note(`${verb(exit)} ${name}`) : Effect.void)
        if (fate === "hangs") return yield* Effect.never
        yield* Effect.sleep(fate[1])
        if (fate[0] === "connects") return name
        isUnderWay = false
        return yield* Effect.fail(`refused by ${name}`)
      })
    // As RFC 6724 has it where nothing else tells them apart: IPv6 first.
    const rank = (addresses: ReadonlyArray<Address.Address>) =>
      Effect.succeed(
        addresses.toSorted((x, y) => Address.versionOf(y) - Address.versionOf(x) || Address.compare(x, y))
      )
    const scope = yield* Scope.make()
    const race = HappyEyeballs.connect({ lookUp, families, rank, attempt, noAddress: "no address" }, options)
    const fiber = yield* Effect.forkChild(Effect.exit(Scope.provide(race, scope)), { startImmediately: true })
    yield* TestClock.adjust("10 seconds")
    const exit = fiber.pollUnsafe()
    const ending = exit === undefined || Exit.isFailure(exit) ? undefined : exit.value
    if (ending !== undefined) {
      lines.push(Exit.isSuccess(ending) ? `= ${ending.value}` : `! ${String(yield* Effect.flip(ending))}`)
    }
    yield* Fiber.interrupt(fiber)
    const before = lines.length
    yield* Scope.close(scope, Exit.void)
    return { lines: lines.slice(0, before), closing: lines.slice(before) }
  })

describe("Happy eyeballs (RFC 8305)", () => {
  it.effect("asks for both families at once, AAAA first, and connects to the best address alone when it answers", () =>
    Effect.gen(function*() {
      const { closing, lines } = yield* play({
        aaaa: ["20 millis", 2],
        a: ["10 millis", 1],
        fates: { "v6.1": ["connects", "100 millis"] }
      })
      assert.deepStrictEqual(lines, ["0 ? AAAA", "0 ? A", "20 > v6.1", "= v6.1"])
      assert.deepStrictEqual(closing, ["10000 closed v6.1"])
    }))

  it.effect("begins beside an attempt after 250 ms, with the families in turn; the first that connects aborts the others", () =>
    Effect.gen(function*() {
      const { closing, lines } = yield* play({
        aaaa: [0, 3],
        a: [0, 2],
        fates: { "v6.2": ["connects", "300 millis"] }
      })
      assert.deepStrictEqual(lines.slice(2), [
        "0 > v6.1",
        "250 > v4.1",
        "500 > v6.2",
        "750 > v4.2",
        "800 aborted v6.1",
        "800 aborted v4.1",
        "800 aborted v4.2",
        "= v6.2"
      ])
      assert.deepStrictEqual(closing, ["10000 closed v6.2"])
    }))

  it.effect("goes on at once when no attempt is left that could still succeed", () =>
    Effect.gen(function*() {
      const { lines } = yield* play({
        aaaa: [0, 1],
        a: [0, 1],
        fates: { "v6.1": ["fails", "30 millis"], "v4.1": ["connects", "10 millis"] }
      })
      assert.deepStrictEqual(lines.slice(2), ["0 > v6.1", "30 > v4.1", "= v4.1"])
    }))

  it.effect("keeps the delay while another attempt runs", () =>
    Effect.gen(function*() {
      const { lines } = yield* play({
        aaaa: [0, 2],
        a: [0, 1],
        fates: { "v4.1": ["fails", "10 millis"], "v6.2": ["connects", 1] }
      })
      assert.deepStrictEqual(lines.slice(2), ["0 > v6.1", "250 > v4.1", "500 > v6.2", "501 aborted v6.1", "= v6.2"])
    }))

  it.effect("lets A wait 50 ms for AAAA, and goes on without it", () =>
    Effect.gen(function*() {
      const fates = { "v4.1": ["connects", "100 millis"], "v6.1": ["connects", "100 millis"] } as const
      const soon = yield* play({ a: ["10 millis", 1], aaaa: ["40 millis", 1], fates })
      assert.deepStrictEqual(soon.lines.slice(2), ["40 > v6.1", "= v6.1"])
      const late = yield* play({ a: ["10 millis", 1], aaaa: ["5 seconds", 1], fates })
      assert.deepStrictEqual(late.lines.slice(2), ["10060 > v4.1", "= v4.1"])
    }))

  it.effect("does not wait for AAAA once it is known that there is none, nor for A when AAAA is there", () =>
    Effect.gen(function*() {
      const fates = { "v4.1": ["connects", 0], "v6.1": ["connects", 0] } as const
      const none = yield* play({ a: ["10 millis", 1], aaaa: ["20 millis", 0], fates })
      assert.deepStrictEqual(none.lines.slice(2), ["20 > v4.1", "= v4.1"])
      const first = yield* play({ a: ["5 seconds", 1], aaaa: ["20 millis", 1], fates })
      assert.deepStrictEqual(first.lines.slice(2), ["10020 > v6.1", "= v6.1"])
    }))

  it.effect("takes addresses that come during the race, the other family's first", () =>
    Effect.gen(function*() {
      const { lines } = yield* play({
        a: [0, 3],
        aaaa: ["400 millis", 2],
        fates: { "v6.2": ["connects", 10] }
      })
      assert.deepStrictEqual(lines.slice(2, 7), ["50 > v4.1", "300 > v4.2", "550 > v6.1", "800 > v4.3", "1050 > v6.2"])
    }))

  it.effect("asks only for families that the stack has", () =>
    Effect.gen(function*() {
      const { lines } = yield* play({ a: [0, 1], families: [4], fates: { "v4.1": ["connects", 0] } })
      assert.deepStrictEqual(lines, ["0 ? A", "0 > v4.1", "= v4.1"])
    }))

  it.effect("fails with the last attempt's failure, or with why there is no address", () =>
    Effect.gen(function*() {
      const refused = yield* play({
        a: [0, 1],
        aaaa: [0, 1],
        fates: { "v6.1": ["fails", "300 millis"], "v4.1": ["fails", "20 millis"] }
      })
      assert.strictEqual(refused.lines.at(-1), "! refused by v6.1")
      assert.strictEqual((yield* play({ a: [5, 0], aaaa: [9, 0] })).lines.at(-1), "! no v4")
      assert.strictEqual((yield* play({ families: [] })).lines.at(-1), "! no address")
    }))

  it.effect("takes other delays and another count of the first family; never less than 10 ms (rfc: 8305 §5 MUST)", () =>
    Effect.gen(function*() {
      const answers = { a: [0, 1], aaaa: [0, 3] } as const
      const { lines } = yield* play({ ...answers, options: { attemptDelay: "1 second", firstFamilyCount: 2 } })
      assert.deepStrictEqual(lines.slice(2, 6), ["0 > v6.1", "1000 > v6.2", "2000 > v4.1", "3000 > v6.3"])
      const fast = yield* play({ ...answers, options: { attemptDelay: 1 } })
      assert.deepStrictEqual(fast.lines.slice(2, 4), ["10000 > v6.1", "10010 > v4.1"])
      const patient = yield* play({ a: [0, 1], aaaa: ["5 seconds", 1], options: { resolutionDelay: "300 millis" } })
      assert.strictEqual(patient.lines[2], "20300 > v4.1")
    }))

  it.effect("aborts everything when it is interrupted", () =>
    Effect.gen(function*() {
      const aborted: Array<string> = []
      const race = Effect.scoped(HappyEyeballs.connect<never, string>({
        lookUp: (family) => Effect.succeed(family === 6 ? [v6(1)] : [v4(1)]),
        families: [6, 4],
        rank: Effect.succeed,
        attempt: (address) =>
          Effect.andThen(Effect.addFinalizer(() => Effect.sync(() => aborted.push(nameOf(address)))), Effect.never),
        noAddress: "none"
      }))
      const fiber = yield* Effect.forkChild(race, { startImmediately: true })
      yield* TestClock.adjust("1 second")
      yield* Fiber.interrupt(fiber)
      assert.deepStrictEqual(aborted.toSorted(), ["v4.1", "v6.1"])
    }))
})

describe("interleave (RFC 8305 §4)", () => {
  it("takes families in turn, beginning with as many of the first as asked for, and keeps the order within each", () => {
    const sorted = [v6(1), v6(2), v6(3), v4(1), v4(2)]
    const named = (count: number) => HappyEyeballs.interleave(sorted, count).map(nameOf)
    assert.deepStrictEqual(named(1), ["v6.1", "v4.1", "v6.2", "v4.2", "v6.3"])
    assert.deepStrictEqual(named(2), ["v6.1", "v6.2", "v4.1", "v6.3", "v4.2"])
    assert.deepStrictEqual(HappyEyeballs.interleave([v4(1), v6(1), v4(2)], 1).map(nameOf), ["v4.1", "v6.1", "v4.2"])
    assert.deepStrictEqual(HappyEyeballs.interleave([], 1), [])
  })
})

describe("Tcp.connect by name (RFC 8305)", () => {
  const name = "server.example"
  /** What the name stands for. */
  const named = (...addresses: ReadonlyArray<string>) =>
    Effect.provideService(Dns.Dns, Result.getOrThrow(Dns.makeStatic({ hosts: { [name]: addresses } })))

  /** Two stacks of both families, the second of which listens. */
  const both = Effect.gen(function*() {
    const { one, two } = yield* pair()
    yield* on(one)(Network.addAddress(1, "2001:db8::1/64"))
    yield* on(two)(Network.addAddress(1, "2001:db8::2/64"))
    return { one, listener: yield* on(two)(Tcp.listen({ port: 80 })) }
  })

  /** Connects, and says to whom and when. */
  const dial = (one: Effect.Success<typeof both>["one"], options?: Tcp.ConnectOptions) =>
    Effect.gen(function*() {
      const start = yield* Clock.currentTimeMillis
      const fiber = yield* Effect.forkChild(
        Effect.flatMap(
          Effect.exit(on(one)(Tcp.connect({ host: name, port: 80 }, options))),
          (exit) => Effect.map(Clock.currentTimeMillis, (now) => [exit, now - start] as const)
        ),
        { startImmediately: true }
      )
      yield* TestClock.adjust("5 minutes")
      return yield* Fiber.join(fiber)
    })

  it.effect("prefers IPv6 where there is a way, and goes by IPv4 a quarter of a second later where nobody answers", () =>
    Effect.gen(function*() {
      const { listener, one } = yield* both
      const [good] = yield* dial(one).pipe(named("10.0.0.2", "2001:db8::2"))
      const [fallen, after] = yield* dial(one).pipe(named("10.0.0.2", "2001:db8::77"))
      if (Exit.isFailure(good) || Exit.isFailure(fallen)) assert.fail("no connection")
      assert.strictEqual(String(good.value.remote), "[2001:db8::2]:80")
      assert.strictEqual(String(fallen.value.remote), "10.0.0.2:80")
      assert.deepStrictEqual([after >= 250, after < 260], [true, true])
      yield* listener.accept
      const server = yield* listener.accept
      yield* server.write(new Uint8Array([1, 2, 3]))
      assert.deepStrictEqual(yield* fallen.value.read(), [new Uint8Array([1, 2, 3])])
    }))

  it.effect("leaves nothing of the attempts that have lost", () =>
    Effect.gen(function*() {
      const { one } = yield* both
      yield* Effect.scoped(dial(one).pipe(named("10.0.0.2", "2001:db8::77", "2001:db8::78", "10.0.0.99")))
      const left = yield* on(one)(Network.connections)
      assert.deepStrictEqual(left.filter(({ remote }) => String(remote) !== "10.0.0.2:80"), [])
    }))

  it.effect("asks for the family of the local address alone, and tells of names that are none", () =>
    Effect.gen(function*() {
      const { one } = yield* both
      const [own] = yield* dial(one, { localAddress: "10.0.0.1" }).pipe(named("10.0.0.2", "2001:db8::2"))
      assert.strictEqual(Exit.isSuccess(own) ? String(own.value.remote) : "", "10.0.0.2:80")
      const [none] = yield* dial(one, { localAddress: "10.0.0.1" }).pipe(named("2001:db8::2"))
      const reason = Exit.isFailure(none) ? yield* Effect.flip(none) : undefined
      assert.strictEqual(reason?.reason._tag, "NameNotResolved")
      const without = yield* Effect.flip(on(one)(Tcp.connect({ host: name, port: 80 })))
      assert.strictEqual(without.reason.message.includes("no service Dns"), true)
    }))
})
