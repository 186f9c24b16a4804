import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { TestClock } from "effect/testing"
import * as classic from "../../src/services/classic.ts"
import * as Service from "../../src/services/Service.ts"
import * as Tcp from "../../src/sockets/Tcp.ts"
import * as Udp from "../../src/sockets/Udp.ts"
import { addressOne, addressTwo, on, pair } from "../workers/Hosts.ts"

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const text = (data: Uint8Array): string => new TextDecoder().decode(data)

/** A service on a port of the second host. */
const serving = (service: Service.Service, port: number) =>
  Effect.gen(function*() {
    const { one, two } = yield* pair()
    yield* Effect.forkScoped(on(two)(Service.serve(service, port)))
    yield* Effect.yieldNow
    const connect = on(one)(Tcp.connect(`${addressTwo}:${port}`))
    const datagram = (data: Uint8Array) =>
      Effect.gen(function*() {
        const socket = yield* on(one)(Udp.bind())
        yield* socket.send(data, `${addressTwo}:${port}`)
        const answer = yield* Effect.forkChild(Effect.timeoutOption(socket.receive, "1 second"))
        yield* TestClock.adjust("1 second")
        return yield* Fiber.join(answer)
      })
    return { one, two, connect, datagram }
  })

const answerOf = (answer: { readonly _tag: "None" } | { readonly _tag: "Some"; readonly value: Udp.Datagram }) =>
  answer._tag === "None" ? undefined : text(answer.value.bytes)

describe("the classic services", () => {
  it.effect("echo sends back what comes, over TCP and UDP (RFC 862)", () =>
    Effect.gen(function*() {
      const { connect, datagram } = yield* serving(classic.echo, 7)
      const connection = yield* connect
      yield* connection.write(bytes("once "))
      yield* connection.write(bytes("more"))
      yield* connection.end
      assert.strictEqual(text(yield* connection.readAll), "once more")
      assert.strictEqual(answerOf(yield* datagram(bytes("again"))), "again")
    }))

  it.effect("echo does not answer another host's echo, which would never end (RFC 862)", () =>
    Effect.gen(function*() {
      const { one } = yield* serving(classic.echo, 7)
      const socket = yield* on(one)(Udp.bind({ port: 7 }))
      yield* socket.send(bytes("ping-pong"), `${addressTwo}:7`)
      yield* TestClock.adjust("1 second")
      assert.strictEqual((yield* socket.info).datagramsWaiting, 0)
    }))

  it.effect("discard reads to the end and says nothing (RFC 863)", () =>
    Effect.gen(function*() {
      const { connect, datagram } = yield* serving(classic.discard, 9)
      const connection = yield* connect
      yield* connection.write(new Uint8Array(100_000))
      yield* connection.end
      assert.strictEqual((yield* connection.readAll).length, 0)
      assert.isUndefined(answerOf(yield* datagram(bytes("nothing"))))
    }))

  it.effect("chargen sends lines of 72 characters, each one further, until the client has enough (RFC 864)", () =>
    Effect.gen(function*() {
      const { connect, datagram } = yield* serving(classic.chargen, 19)
      const connection = yield* connect
      let received = ""
      while (received.length < 30_000) received += (yield* connection.read(1000)).map(text).join("")
      const lines = received.split("\r\n").slice(0, -1)
      assert.isTrue(lines.every((line) => line.length === 72))
      assert.strictEqual(lines[1]!.slice(0, 71), lines[0]!.slice(1))
      assert.isTrue(lines[96]!.startsWith("!\"#$%&'()"))
      yield* connection.end
      assert.match(answerOf(yield* datagram(bytes("?"))) ?? "", /^ !"#.*\r\n$/)
    }))

  it.effect("daytime sends the date and closes (RFC 867)", () =>
    Effect.gen(function*() {
      const { connect, datagram } = yield* serving(classic.daytime, 13)
      yield* TestClock.setTime(Date.UTC(2026, 1, 3))
      const connection = yield* connect
      assert.match(text(yield* connection.readAll), /^2026-02-03T00:00:00\.\d+Z\r\n$/)
      assert.match(answerOf(yield* datagram(bytes("?"))) ?? "", /^2026-02-03T/)
    }))

  it.effect("source sends as many bytes as the client asks for", () =>
    Effect.gen(function*() {
      const { connect } = yield* serving(classic.source, 99)
      const connection = yield* connect
      const count = 700_001
      yield* connection.write(Uint8Array.of(0, 0, 0, 0, 0, count >> 16, (count >> 8) & 0xff, count & 0xff))
      const data = yield* connection.readAll
      assert.strictEqual(data.length, count)
      assert.isTrue(data.every((byte, i) => byte === (i & 0xff)))
    }))

  it.effect("source closes on a client that ends before it has said how much", () =>
    Effect.gen(function*() {
      const { connect } = yield* serving(classic.source, 99)
      const connection = yield* connect
      yield* connection.write(Uint8Array.of(0, 0, 0))
      yield* connection.end
      const seen = yield* Effect.exit(connection.readAll)
      assert.strictEqual(seen._tag, "Failure")
    }))

  it.effect("goes on when an answer can't be delivered", () =>
    Effect.gen(function*() {
      const { datagram, one } = yield* serving(classic.echo, 7)
      const gone = yield* Effect.scoped(Effect.gen(function*() {
        const socket = yield* on(one)(Udp.bind({ address: addressOne }))
        yield* socket.send(bytes("and away"), `${addressTwo}:7`)
        return socket.address.port
      }))
      assert.isAbove(gone, 0)
      yield* TestClock.adjust("1 second")
      assert.strictEqual(answerOf(yield* datagram(bytes("still here"))), "still here")
    }))
})
