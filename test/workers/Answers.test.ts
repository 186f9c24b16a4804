/**
 * What leaves when a program answers at once, and when it does not: the bare ACK gives way to a segment that tells as much
 * (RFC 9293 §3.8.6.3), and to nothing else.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Queue from "effect/Queue"
import * as Scope from "effect/Scope"
import { TestClock } from "effect/testing"
import type { Event } from "../../src/core/Event.ts"
import type { Ticket } from "../../src/core/Request.ts"
import * as Network from "../../src/sockets/Network.ts"
import * as Tcp from "../../src/sockets/Tcp.ts"
import type * as TcpConnection from "../../src/sockets/TcpConnection.ts"
import * as Requests from "../../src/workers/Requests.ts"
import type { News, Stack } from "../../src/workers/Stack.ts"
import { hostTwo, on, pair } from "./Hosts.ts"

const text = new TextEncoder().encode("question")

/** Segments that a stack has sent and its link has got, after everything under way has arrived. */
const settled = TestClock.adjust("10 millis")

const yieldedOf = (stack: Stack) =>
  Effect.map(stack.links, (links) => links.reduce((sum, { yielded }) => sum + yielded, 0))

/** A server whose connections are handled so, and a client's connection to it. */
const serving = (handler: (connection: TcpConnection.TcpConnection) => Effect.Effect<unknown, unknown>) =>
  Effect.gen(function*() {
    const hosts = yield* pair()
    const listener = yield* on(hosts.two)(Tcp.listen({ port: 7 }))
    yield* Effect.forkScoped(listener.serve(handler), { startImmediately: true })
    const connection = yield* on(hosts.one)(Tcp.connect(`${hostTwo}:7`))
    yield* settled
    return { ...hosts, connection }
  })

describe("an ACK and an answer", () => {
  it.effect("leave as one segment when the program answers at once", () =>
    Effect.gen(function*() {
      const { connection, two } = yield* serving((served) =>
        Effect.flatMap(served.read(), (chunks) => Effect.andThen(served.write(chunks[0]!), Effect.never))
      )
      yield* connection.write(text)
      yield* settled
      assert.deepStrictEqual(Buffer.concat(yield* connection.read()), Buffer.from(text))
      assert.strictEqual(yield* yieldedOf(two), 1)
    }))

  it.effect("leave apart when the program only reads: nobody waits for a timer", () =>
    Effect.gen(function*() {
      const { connection, two } = yield* serving((served) => Effect.andThen(served.read(), Effect.never))
      yield* connection.write(text)
      yield* settled
      assert.strictEqual((yield* connection.info).inFlight, 0)
      assert.strictEqual(yield* yieldedOf(two), 0)
    }))

  it.effect("leave as one segment at the end too: the FIN tells of the peer's", () =>
    Effect.gen(function*() {
      const { connection, one, two } = yield* serving((served) => served.readAll)
      yield* connection.end
      assert.deepStrictEqual(yield* connection.readAll, new Uint8Array(0))
      assert.strictEqual(yield* yieldedOf(two), 1)
      yield* settled
      assert.deepStrictEqual(yield* on(two)(Network.connections), [])
      assert.lengthOf(yield* on(one)(Network.connections), 1)
    }))
})

const isDetached = (news: News): news is Extract<News, { readonly _tag: "Notice" }> =>
  news._tag === "Notice" && news.change._tag === "LinkDetached"

describe("Stack.watch", () => {
  it.effect("wakes a watcher only for what it wants", () =>
    Effect.gen(function*() {
      const { one } = yield* pair()
      const news = yield* one.watch(isDetached)
      const reading = yield* Effect.forkChild(Queue.take(news), { startImmediately: true })
      yield* Effect.ignore(on(one)(Tcp.connect(`${hostTwo}:7`)))
      yield* settled
      assert.strictEqual(Queue.sizeUnsafe(news), 0)
      assert.isUndefined(reading.pollUnsafe())
      yield* Fiber.interrupt(reading)
    }))
})

describe("Requests", () => {
  it.effect("gives an answer back that nobody took, also when its queue is full", () =>
    Effect.gen(function*() {
      const requests = yield* Requests.make
      const scope = yield* Scope.make()
      const fork = (effect: Effect.Effect<unknown, unknown>) =>
        Scope.provide(Effect.forkScoped(effect, { startImmediately: true }), scope)
      const asking = yield* fork(requests.ask({ _tag: "TcpAccept", listener: 1, block: true }))
      const interrupting = yield* fork(Fiber.interrupt(asking))
      for (let i = 2; i < Requests.queueCapacity; i++) yield* fork(requests.ask({ _tag: "TcpList" }))
      const told: Array<Event> = []
      requests.deliver({ _tag: "Reply", ticket: 1, reason: undefined, value: "a connection", isPart: false })
      requests.flush()
      const heard = yield* Deferred.make<void>()
      const run = (events: ReadonlyArray<Event>, done?: () => void) =>
        Effect.suspend(() => {
          told.push(...events)
          done?.()
          requests.flush()
          return told.length > Requests.queueCapacity ? Deferred.succeed(heard, undefined) : Effect.void
        })
      yield* fork(
        requests.worker({ run, giveBack: () => {}, read: () => Effect.die("nobody reads"), now: () => 0 as never })
      )
      yield* Deferred.await(heard)
      yield* Fiber.join(interrupting)
      const returned = told.filter((event) => event._tag === "Request" && event.request._tag === "Returned")
      assert.lengthOf(returned, 1)
      yield* Scope.close(scope, Exit.void)
    }))

  it.effect("makes one batch of what callers ask for when they are resumed together", () =>
    Effect.gen(function*() {
      const requests = yield* Requests.make
      const scope = yield* Scope.make()
      const fork = (effect: Effect.Effect<unknown, unknown>) =>
        Scope.provide(Effect.forkScoped(effect, { startImmediately: true }), scope)
      const batches: Array<number> = []
      const tickets: Array<Ticket> = []
      const run = (events: ReadonlyArray<Event>) =>
        Effect.sync(() => {
          batches.push(events.length)
          for (const event of events) if (event._tag === "Request") tickets.push(event.ticket)
          if (tickets.length < 5) return
          for (const ticket of tickets.splice(0)) {
            requests.deliver({ _tag: "Reply", ticket, reason: undefined, value: [], isPart: false })
          }
          requests.flush()
        })
      yield* fork(
        requests.worker({ run, giveBack: () => {}, read: () => Effect.die("nobody reads"), now: () => 0 as never })
      )
      const ask = requests.ask({ _tag: "TcpList" })
      const callers = []
      for (let caller = 0; caller < 5; caller++) callers.push(yield* Effect.forkChild(Effect.andThen(ask, ask)))
      yield* Fiber.joinAll(callers)
      // The last one is answered inside its own call, and goes on after it.
      assert.deepStrictEqual(batches, [1, 1, 1, 1, 1, 4, 1])
      yield* Scope.close(scope, Exit.void)
    }))

  it.effect("gives parts of an answer back that nobody took, each before those that came after it", () =>
    Effect.gen(function*() {
      const requests = yield* Requests.make
      const scope = yield* Scope.make()
      const returned: Array<unknown> = []
      const run = (events: ReadonlyArray<Event>, done?: () => void) =>
        Effect.sync(() => {
          for (const event of events) {
            if (event._tag === "Request" && event.request._tag === "Returned") returned.push(event.request.value)
          }
          done?.()
          requests.flush()
        })
      const worker = requests.worker({
        run,
        giveBack: () => {},
        read: () => Effect.die("nobody"),
        now: () => 0 as never
      })
      yield* Scope.provide(Effect.forkScoped(worker, { startImmediately: true }), scope)
      const taken: Array<unknown> = []
      const ticket = requests.post(
        { _tag: "TcpRead", connection: 1, max: 100, block: true, goesOn: true },
        ({ value }) => {
          taken.push(value)
          requests.abandon(ticket)
        }
      )
      const part = (value: string) =>
        requests.deliver({ _tag: "Reply", ticket, reason: undefined, value, isPart: true })
      for (const value of ["first", "second", "third"]) part(value)
      requests.flush()
      assert.deepStrictEqual([taken, returned, requests.waiting()], [["first"], ["third", "second"], 0])
      yield* Scope.close(scope, Exit.void)
    }))
})
