import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Logger from "effect/Logger"
import * as References from "effect/References"
import * as Stream from "effect/Stream"
import { TestClock } from "effect/testing"
import * as Http from "../../src/services/Http.ts"
import * as HttpGet from "../../src/services/HttpGet.ts"
import * as Service from "../../src/services/Service.ts"
import * as StatusSite from "../../src/services/StatusSite.ts"
import * as Tcp from "../../src/sockets/Tcp.ts"
import { addressTwo, on, pair } from "../workers/Hosts.ts"

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const text = (data: Uint8Array): string => new TextDecoder().decode(data)

const echoTarget: Http.Handler = ({ headers, method, target }) =>
  Effect.succeed(Http.text(200, `${method} ${target} ${headers.get("x-test") ?? ""}`))

const serving = (service: Service.Service = Http.service(echoTarget)) =>
  Effect.gen(function*() {
    const { one, two } = yield* pair()
    yield* Effect.forkScoped(on(two)(Service.serve(service, 80)))
    yield* Effect.yieldNow
    return { one, two, connect: on(one)(Tcp.connect(`${addressTwo}:80`)) }
  })

/** What the server says to these lines, up to the end of the connection. */
const say = (lines: ReadonlyArray<string>) =>
  Effect.gen(function*() {
    const { connect } = yield* serving()
    const connection = yield* connect
    yield* connection.write(bytes(lines.join("\r\n")))
    yield* connection.end
    return text(yield* connection.readAll)
  })

const statusOf = (response: string): string => response.split(" ", 2)[1] ?? ""

describe("Http", () => {
  it.effect("tells of a peer that leaves early in a line for debugging, by service and peer", () => {
    const lines: Array<unknown> = []
    const logger = Logger.make(({ logLevel, message }) => void lines.push([logLevel, String(message)]))
    return Effect.gen(function*() {
      yield* say(["GET / HTTP/1.1", "Host"]).pipe(Effect.exit)
      assert.strictEqual(lines.length, 1)
      assert.match(String(lines[0]), /^Debug,http: .*:\d+: the peer ended in mid-message$/)
    }).pipe(Effect.provide(Logger.layer([logger])), Effect.provideService(References.MinimumLogLevel, "All"))
  })

  it.effect("answers a request with its length (RFC 9112 §6.3)", () =>
    Effect.gen(function*() {
      const response = yield* say([
        "GET /path?q=1 HTTP/1.1",
        "Host: x",
        "X-Test:  padded  ",
        "Connection: close",
        "",
        ""
      ])
      const [head, body] = response.split("\r\n\r\n")
      assert.strictEqual(body, "GET /path?q=1 padded")
      assert.match(head!, /^HTTP\/1\.1 200 OK\r\n/)
      assert.match(head!, /Content-Length: 20\r\nConnection: close$/)
    }))

  it.effect("answers several requests on one connection, in order (RFC 9112 §9.3)", () =>
    Effect.gen(function*() {
      const lines = ["/1", "/2", "/3"].flatMap((target) => [`GET ${target} HTTP/1.1`, "Host: x", ""])
      const response = yield* say([...lines, ""])
      assert.deepStrictEqual(response.match(/GET \/\d /g), ["GET /1 ", "GET /2 ", "GET /3 "])
    }))

  it.effect("sends no body to HEAD, and closes after a request of HTTP/1.0", () =>
    Effect.gen(function*() {
      const head = yield* say(["HEAD / HTTP/1.0", "", ""])
      assert.match(head, /Content-Length: 7\r\nConnection: close\r\n\r\n$/)
    }))

  it.effect("refuses what it can't make sense of", () =>
    Effect.gen(function*() {
      assert.strictEqual(statusOf(yield* say(["GET", "", ""])), "400")
      assert.strictEqual(statusOf(yield* say(["GET / HTTP/3.0", "", ""])), "505")
      assert.strictEqual(statusOf(yield* say(["GET / HTTP/1.1", "no colon", "", ""])), "431")
      assert.strictEqual(statusOf(yield* say(["GET / HTTP/1.1", " folded: x", "", ""])), "431")
      assert.strictEqual(statusOf(yield* say(["POST / HTTP/1.1", "Content-Length: 5", "", "hello"])), "411")
      assert.strictEqual(statusOf(yield* say(["DELETE / HTTP/1.1", "", ""])), "405")
      const many = Array.from({ length: 101 }, (_, i) => `h${i}: x`)
      assert.strictEqual(statusOf(yield* say(["GET / HTTP/1.1", ...many, "", ""])), "431")
    }))

  it.effect("resets a client that sends an endless line, and closes on one that says nothing", () =>
    Effect.gen(function*() {
      const { connect } = yield* serving()
      const endless = yield* connect
      yield* endless.write(new Uint8Array(20_000).fill(65))
      assert.strictEqual((yield* Effect.exit(endless.readAll))._tag, "Failure")
      const silent = yield* connect
      const reading = yield* Effect.forkChild(silent.readAll)
      yield* TestClock.adjust("31 seconds")
      assert.strictEqual((yield* Fiber.join(reading)).length, 0)
    }))
})

/** A server that answers anything with these bytes, in pieces, and closes. */
const answering = (...pieces: ReadonlyArray<string>): Service.Service => ({
  name: "fixed",
  connection: (connection) =>
    Effect.gen(function*() {
      yield* connection.read()
      for (const piece of pieces) {
        yield* connection.write(bytes(piece))
        yield* Effect.yieldNow
      }
    })
})

const fetch = (service: Service.Service) =>
  Effect.gen(function*() {
    const { one } = yield* serving(service)
    const response = yield* on(one)(HttpGet.get(`${addressTwo}:80`, addressTwo, "/"))
    return { status: response.status, body: yield* Stream.mkString(Stream.decodeText(response.body)) }
  })

describe("HttpGet", () => {
  it.effect("reads bodies of a known length, in chunks, and to the end of the connection (RFC 9112 §6.3)", () =>
    Effect.gen(function*() {
      const counted = answering("HTTP/1.1 200 OK\r\nContent-Le", "ngth: 5\r\n\r\nhel", "lo and more")
      assert.deepStrictEqual(yield* fetch(counted), { status: 200, body: "hello" })
      const chunked = answering(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;ext=1\r\nhel",
        "lo\r\n6\r\n world\r\n0\r\nTrailer: x\r\n\r\n"
      )
      assert.deepStrictEqual(yield* fetch(chunked), { status: 200, body: "hello world" })
      assert.deepStrictEqual(yield* fetch(answering("HTTP/1.0 404 Nope\r\n\r\n", "to the ", "end")), {
        status: 404,
        body: "to the end"
      })
    }))

  it.effect("fails where the server breaks off or speaks something else", () =>
    Effect.gen(function*() {
      const tags = []
      for (
        const service of [answering("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel"), answering("SSH-2.0-x\r\n")]
      ) {
        tags.push((yield* Effect.flip(fetch(service)))._tag)
      }
      assert.deepStrictEqual(tags, ["HttpGetError", "HttpGetError"])
    }))
})

describe("StatusSite", () => {
  it.effect("shows the stack as a page and as data", () =>
    Effect.gen(function*() {
      const { one } = yield* serving(StatusSite.service)
      const get = (target: string) =>
        Effect.gen(function*() {
          const response = yield* on(one)(HttpGet.get(`${addressTwo}:80`, addressTwo, target))
          const body = yield* Stream.mkString(Stream.decodeText(response.body))
          return { body, status: response.status, type: response.headers.get("content-type") }
        })
      const page = yield* get("/")
      assert.strictEqual(page.type, "text/html; charset=utf-8")
      assert.include(page.body, `${addressTwo}/24 (preferred)`)
      const data = yield* get("/status.json")
      const status: StatusSite.Status = JSON.parse(data.body)
      assert.deepStrictEqual(status.interfaces.map(({ name }) => name), ["lo", "memory1"])
      assert.isTrue(status.connections.some(({ state }) => state === "ESTABLISHED"))
      assert.strictEqual((yield* get("/other")).status, 404)
    }))
})
