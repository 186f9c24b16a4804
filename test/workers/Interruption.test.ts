import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import { TestClock } from "effect/testing"
import { noTicket } from "../../src/core/Request.ts"
import * as Network from "../../src/sockets/Network.ts"
import * as Ping from "../../src/sockets/Ping.ts"
import * as Tcp from "../../src/sockets/Tcp.ts"
import * as Udp from "../../src/sockets/Udp.ts"
import * as EntropySource from "../../src/workers/EntropySource.ts"
import * as Readings from "../../src/workers/Readings.ts"
import * as Requests from "../../src/workers/Requests.ts"
import type { Stack } from "../../src/workers/Stack.ts"
import { addressTwo, hostOne, on, pair } from "./Hosts.ts"

/** What interrupted calls must not leave behind. */
const leftovers = (stack: Stack) =>
  Effect.gen(function*() {
    const { waiting } = yield* stack.census
    return { waiting, parked: yield* stack.read(Readings.parkedRequests) }
  })

const nothing = { waiting: 0, parked: 0 }

describe("interrupting a request", () => {
  it.effect("takes back what it has parked", () =>
    Effect.gen(function*() {
      const { one } = yield* pair()
      const socket = yield* on(one)(Udp.bind({ port: 9 }))
      const waiting = yield* Effect.forkChild(socket.receive)
      yield* Effect.yieldNow
      assert.deepStrictEqual(yield* leftovers(one), { waiting: 1, parked: 1 })
      yield* Fiber.interrupt(waiting)
      assert.deepStrictEqual(yield* leftovers(one), nothing)
    }))

  it.effect("loses nothing when the answer is already on its way: the value goes back", () =>
    Effect.gen(function*() {
      const { one, two } = yield* pair({ latency: "1 millis" })
      const first = yield* on(two)(Udp.bind({ port: 1 }))
      const second = yield* on(two)(Udp.bind({ port: 2 }))
      const sender = yield* on(one)(Udp.bind())
      // The neighbour is known before, so that both datagrams arrive at the same time, and both answers are one batch.
      yield* Effect.forkChild(on(one)(Ping.ping(addressTwo)))
      yield* TestClock.adjust("1 second")
      const loser = yield* Effect.forkChild(second.receive)
      const winner = yield* Effect.forkChild(
        Effect.andThen(first.receive, Effect.sync(() => loser.interruptUnsafe()))
      )
      yield* Effect.yieldNow
      yield* sender.send(Uint8Array.of(1), `${addressTwo}:1`)
      yield* sender.send(Uint8Array.of(2), `${addressTwo}:2`)
      yield* TestClock.adjust("1 millis")
      assert.isTrue(Exit.isSuccess(yield* Fiber.await(winner)))
      assert.isTrue(Exit.isFailure(yield* Fiber.await(loser)))
      const again = yield* second.tryReceive
      assert.deepStrictEqual(Option.map(again, ({ bytes }) => Array.from(bytes)), Option.some([2]))
      assert.deepStrictEqual(yield* leftovers(two), nothing)
    }))

  it.effect("leaves nothing parked, whenever it happens", () =>
    Effect.gen(function*() {
      const { one, two } = yield* pair({ latency: "1 millis" })
      const server = yield* on(two)(Udp.bind({ port: 7 }))
      const client = yield* on(one)(Udp.bind())
      const choices = EntropySource.seeded(11)(2000)
      const calls: ReadonlyArray<Effect.Effect<unknown, unknown>> = [
        client.receive,
        server.receive,
        client.send(Uint8Array.of(1), `${addressTwo}:7`),
        on(one)(Ping.ping(addressTwo)),
        on(one)(Ping.ping("10.0.0.77"))
      ]
      for (let i = 0; i < choices.length; i += 4) {
        const call = calls[choices[i]! % calls.length]!
        const fiber = yield* Effect.forkChild(Effect.exit(call), { startImmediately: (choices[i + 1]! & 1) === 0 })
        for (let hops = choices[i + 2]! & 3; hops > 0; hops--) yield* Effect.yieldNow
        if ((choices[i + 3]! & 1) === 0) yield* TestClock.adjust(choices[i + 3]! & 7)
        yield* Fiber.interrupt(fiber)
      }
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual(yield* leftovers(one), nothing)
      assert.deepStrictEqual(yield* leftovers(two), nothing)
    }))

  it.effect("leaves no connection, no waiting call and no memory, whenever it happens to programs over TCP", () =>
    Effect.gen(function*() {
      const { one, two } = yield* pair({ latency: "1 millis" })
      const listener = yield* on(two)(Tcp.listen({ port: 7 }))
      const choices = EntropySource.seeded(12)(1200)
      const talk = Effect.scoped(Effect.gen(function*() {
        const connection = yield* on(one)(Tcp.connect(`${addressTwo}:7`))
        yield* connection.write(new Uint8Array(400_000))
        yield* connection.end
        return yield* connection.readAll
      }))
      const serve = Effect.scoped(Effect.gen(function*() {
        const connection = yield* listener.accept
        yield* connection.read()
        yield* connection.write(new Uint8Array(400_000))
        return yield* connection.readAll
      }))
      for (let i = 0; i < choices.length; i += 4) {
        const first = yield* Effect.forkChild(Effect.exit(talk))
        const second = yield* Effect.forkChild(Effect.exit(serve))
        for (let hops = choices[i]! & 7; hops > 0; hops--) yield* Effect.yieldNow
        yield* TestClock.adjust(choices[i + 1]! & 15)
        yield* Fiber.interrupt((choices[i + 2]! & 1) === 0 ? first : second)
        for (let hops = choices[i + 3]! & 3; hops > 0; hops--) yield* Effect.yieldNow
        yield* Fiber.interruptAll([first, second])
      }
      yield* listener.close
      yield* TestClock.adjust("5 minutes")
      for (const stack of [one, two]) {
        assert.deepStrictEqual(yield* leftovers(stack), nothing)
        assert.deepStrictEqual(yield* on(stack)(Network.connections), [])
        assert.strictEqual((yield* on(stack)(Network.memory)).total, 0)
      }
    }))
})

describe("a request that is posted", () => {
  it.effect("is answered inside the call when the answer is there, and later when it is not", () =>
    Effect.gen(function*() {
      const { one } = yield* pair()
      const socket = yield* on(one)(Udp.bind({ port: 9 }))
      const heard: Array<string> = []
      const listed = one.post({ _tag: "TcpList" }, ({ reason }) => heard.push(reason?._tag ?? "told"))
      assert.deepStrictEqual([listed, heard], [noTicket, ["told"]])
      const ticket = one.post(
        { _tag: "UdpReceive", socket: socket.id, block: true, max: 1 },
        ({ reason }) => heard.push(reason?._tag ?? "told")
      )
      assert.notStrictEqual(ticket, noTicket)
      assert.deepStrictEqual(yield* leftovers(one), { waiting: 1, parked: 1 })
      const sender = yield* on(one)(Udp.bind())
      yield* sender.send(Uint8Array.of(1), `${hostOne}:9`)
      yield* TestClock.adjust("1 millis")
      assert.deepStrictEqual(heard, ["told", "told"])
      assert.deepStrictEqual(yield* leftovers(one), nothing)
    }))

  it.effect("is not answered any more once it is abandoned, and leaves nothing", () =>
    Effect.gen(function*() {
      const { one } = yield* pair()
      const socket = yield* on(one)(Udp.bind({ port: 9 }))
      const heard: Array<string> = []
      const ticket = one.post(
        { _tag: "UdpReceive", socket: socket.id, block: true, max: 1 },
        ({ reason }) => heard.push(reason?._tag ?? "told")
      )
      one.abandon(ticket)
      assert.deepStrictEqual(yield* leftovers(one), nothing)
      const sender = yield* on(one)(Udp.bind())
      yield* sender.send(Uint8Array.of(1), `${hostOne}:9`)
      yield* TestClock.adjust("1 millis")
      assert.deepStrictEqual(heard, [])
      assert.isTrue(Option.isSome(yield* socket.tryReceive))
    }))

  it.effect("finds a place beside a queue that is full, and is abandoned behind it", () =>
    Effect.gen(function*() {
      const { one } = yield* pair()
      const socket = yield* on(one)(Udp.bind({ port: 9 }))
      const count = 3 * Requests.queueCapacity
      const tickets: Array<number> = []
      let answers = 0
      // Inside an answer the worker is busy, so that the rest piles up.
      one.post({ _tag: "TcpList" }, () => {
        for (let i = 0; i < count; i++) {
          tickets.push(one.post({ _tag: "UdpReceive", socket: socket.id, block: true, max: 1 }, () => answers++))
        }
        for (const ticket of tickets) one.abandon(ticket)
        one.post({ _tag: "TcpList" }, () => answers++)
      })
      yield* Effect.yieldNow
      assert.strictEqual(answers, 1)
      assert.deepStrictEqual(yield* leftovers(one), nothing)
    }))

  it.effect("fails at once when the stack is closed", () =>
    Effect.gen(function*() {
      const { one } = yield* Effect.scoped(pair())
      const heard: Array<string> = []
      assert.strictEqual(one.post({ _tag: "TcpList" }, ({ reason }) => heard.push(reason?._tag ?? "told")), noTicket)
      assert.deepStrictEqual(heard, ["StackClosed"])
    }))
})
