/**
 * What every `net.Socket` and `net.Server` of Node do, on Node's network and, as `NodeDuplex` and `NetstackNodeServer`, on the stack.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import { EventEmitter } from "node:events"
import * as Net from "node:net"
import * as NetstackNodeServer from "../../../layers/NetstackNodeServer.ts"
import * as NodeDuplex from "../../../layers/NodeDuplex.ts"
import { addressTwo, on, pair } from "../../workers/Hosts.ts"
import { errorCode, event, pattern, readToEnd, text } from "../Events.ts"

interface World {
  readonly host: string
  /** Starts a server; answers its port. */
  readonly listen: (
    options: Net.ServerOpts,
    onConnection: (socket: Net.Socket) => void
  ) => Effect.Effect<number, never, Scope.Scope>
  readonly connect: (port: number, options?: { readonly allowHalfOpen?: boolean }) => Net.Socket
}

const listening = (server: Net.Server, host?: string) =>
  Effect.gen(function*() {
    server.listen(0, host)
    yield* event(server, "listening")
    const address = server.address()
    return typeof address === "object" && address !== null ? address.port : 0
  })

const worlds: Readonly<Record<string, Effect.Effect<World, never, Scope.Scope>>> = {
  "Node's network": Effect.gen(function*() {
    const sockets = new Set<Net.Socket>()
    yield* Effect.addFinalizer(() => Effect.sync(() => sockets.forEach((socket) => socket.destroy())))
    const kept = (socket: Net.Socket): Net.Socket => {
      sockets.add(socket)
      return socket
    }
    const host = "127.0.0.1"
    return {
      host,
      listen: (options, onConnection) =>
        Effect.gen(function*() {
          const server = Net.createServer(options, (socket) => onConnection(kept(socket)))
          yield* Effect.addFinalizer(() => Effect.sync(() => server.close()))
          return yield* listening(server, host)
        }),
      connect: (port, options) => kept(Net.connect({ host, port, ...options }))
    }
  }),
  "the stack": Effect.gen(function*() {
    const { one, two } = yield* pair()
    const dial = yield* on(one)(NodeDuplex.dialer)
    return {
      host: addressTwo,
      listen: (options, onConnection) =>
        Effect.flatMap(
          on(two)(NetstackNodeServer.attach(Net.createServer(options, onConnection))),
          (server) => listening(server)
        ),
      connect: (port, options) => dial({ host: addressTwo, port }, options) as unknown as Net.Socket
    }
  })
}

/** What a socket tells of its end, up to and with "close" and its argument. */
const ending = (socket: Net.Socket): Effect.Effect<ReadonlyArray<string>> =>
  Effect.callback((resume) => {
    const seen: Array<string> = []
    socket.on("end", () => seen.push("end"))
    socket.on("error", (error: NodeJS.ErrnoException) => seen.push(`error ${error.code ?? error.message}`))
    socket.on("close", (...told: ReadonlyArray<unknown>) => {
      seen.push(`close ${told.join()}`)
      resume(Effect.succeed(seen))
    })
    socket.resume()
  })

/** How both ends of a connection come to their end when the one that dialled is closed like this. */
const endings = ({ connect, listen }: World, close: (socket: Net.Socket) => void) =>
  Effect.gen(function*() {
    const door = new EventEmitter()
    const coming = yield* Effect.forkChild(event<Net.Socket>(door, "in"), { startImmediately: true })
    const socket = connect(yield* listen({}, (accepted) => void door.emit("in", accepted)))
    const near = yield* Effect.forkChild(ending(socket), { startImmediately: true })
    const far = yield* Effect.forkChild(ending(yield* Fiber.join(coming)), { startImmediately: true })
    if (socket.connecting) yield* event(socket, "connect")
    close(socket)
    return { near: yield* Fiber.join(near), far: yield* Fiber.join(far) }
  })

for (const [name, world] of Object.entries(worlds)) {
  describe(`net on ${name}`, () => {
    it.live("opens, speaks and closes by the same events in the same order", () =>
      Effect.gen(function*() {
        const { connect, listen } = yield* world
        const port = yield* listen({}, (socket) => void socket.pipe(socket))
        const socket = connect(port)
        const seen: Array<string> = []
        for (const each of ["connect", "ready", "end", "finish", "close"]) socket.on(each, () => seen.push(each))
        const closed = yield* Effect.forkChild(event(socket, "close"), { startImmediately: true })
        assert.deepStrictEqual([socket.connecting, socket.pending, socket.readyState], [true, true, "opening"])
        yield* event(socket, "ready")
        assert.deepStrictEqual([socket.connecting, socket.pending, socket.readyState], [false, false, "open"])
        socket.end("hello")
        assert.strictEqual(text(yield* readToEnd(socket)), "hello")
        yield* Fiber.join(closed)
        assert.deepStrictEqual(seen, ["connect", "ready", "finish", "end", "close"])
        assert.deepStrictEqual([socket.bytesRead, socket.bytesWritten, socket.readyState], [5, 5, "closed"])
      }))

    it.live("knows both ends", () =>
      Effect.gen(function*() {
        const { connect, host, listen } = yield* world
        const door = new EventEmitter()
        const coming = yield* Effect.forkChild(event<Net.Socket>(door, "in"), { startImmediately: true })
        const port = yield* listen({}, (socket) => void door.emit("in", socket.resume()))
        const socket = connect(port)
        yield* event(socket, "connect")
        const accepted = yield* Fiber.join(coming)
        assert.deepStrictEqual([socket.remoteAddress, socket.remotePort, socket.remoteFamily], [host, port, "IPv4"])
        const { address, family, port: own } = socket.address() as Net.AddressInfo
        assert.deepStrictEqual([address, own, family], [socket.localAddress, socket.localPort, "IPv4"])
        assert.deepStrictEqual([accepted.remotePort, accepted.localPort], [own, port])
      }))

    it.live("ends this direction when the peer has ended its own, unless it may stay half open", () =>
      Effect.gen(function*() {
        const { connect, listen } = yield* world
        const port = yield* listen({ allowHalfOpen: true }, (socket) => void socket.end("bye"))
        const whole = connect(port)
        assert.strictEqual(text(yield* readToEnd(whole)), "bye")
        if (!whole.closed) yield* event(whole, "close")
        const half = connect(port, { allowHalfOpen: true })
        half.resume()
        yield* event(half, "end")
        assert.deepStrictEqual([half.writable, half.readyState], [true, "writeOnly"])
        half.end("so long")
        yield* event(half, "close")
      }))

    it.live("tells of a port where nobody listens by an error with the system's words", () =>
      Effect.gen(function*() {
        const { connect, host } = yield* world
        const error = yield* event<NodeJS.ErrnoException & { readonly address?: string; readonly port?: number }>(
          connect(9),
          "error"
        )
        assert.strictEqual(error.message, `connect ECONNREFUSED ${host}:9`)
        const { address, code, errno, port, syscall } = error
        assert.deepStrictEqual({ address, code, errno, port, syscall }, {
          address: host,
          code: "ECONNREFUSED",
          errno: -111,
          port: 9,
          syscall: "connect"
        })
      }))

    it.live("hears of a reset", () =>
      Effect.gen(function*() {
        const { connect, listen } = yield* world
        const port = yield* listen({}, (socket) => void socket.on("data", () => socket.resetAndDestroy()))
        const socket = connect(port)
        socket.write("go away")
        assert.strictEqual(yield* errorCode(socket.resume()), "ECONNRESET")
      }))

    it.live("is closed in good order, also with an error, and reset by resetAndDestroy alone", () =>
      Effect.gen(function*() {
        const here = yield* world
        assert.deepStrictEqual(yield* endings(here, (socket) => void socket.destroy()), {
          near: ["close false"],
          far: ["end", "close false"]
        })
        assert.deepStrictEqual(yield* endings(here, (socket) => void socket.destroy(new Error("why"))), {
          near: ["error why", "close true"],
          far: ["end", "close false"]
        })
        assert.deepStrictEqual(yield* endings(here, (socket) => void socket.resetAndDestroy()), {
          near: ["close false"],
          far: ["error ECONNRESET", "close true"]
        })
        assert.deepStrictEqual(yield* endings(here, (socket) => void socket.end()), {
          near: ["end", "close false"],
          far: ["end", "close false"]
        })
      }))

    it.live("tells by \"close\" that it never got through", () =>
      Effect.gen(function*() {
        const { connect } = yield* world
        assert.deepStrictEqual(yield* ending(connect(9)), ["error ECONNREFUSED", "close true"])
      }))

    it.live("refuses to write what comes after the end", () =>
      Effect.gen(function*() {
        const { connect, listen } = yield* world
        const socket = connect(yield* listen({ allowHalfOpen: true }, (each) => void each.resume()))
        yield* event(socket, "connect")
        socket.end()
        const failed = errorCode(socket)
        const code = yield* Effect.map(
          Effect.all([failed, Effect.sync(() => socket.write("late"))], { concurrency: 2 }),
          ([first]) => first
        )
        assert.strictEqual(code, "ERR_STREAM_WRITE_AFTER_END")
      }))

    it.live("holds a fast writer back, and tells it when to go on", () =>
      Effect.gen(function*() {
        const { connect, listen } = yield* world
        const door = new EventEmitter()
        const coming = yield* Effect.forkChild(event<Net.Socket>(door, "in"), { startImmediately: true })
        const port = yield* listen({}, (socket) => void door.emit("in", socket.pause()))
        const socket = connect(port)
        yield* event(socket, "connect")
        const accepted = yield* Fiber.join(coming)
        const piece = pattern(1 << 20)
        let pieces = 0
        while (socket.write(piece) || pieces < 24) pieces++
        assert.isTrue(socket.writableNeedDrain)
        const read = yield* Effect.forkChild(readToEnd(accepted), { startImmediately: true })
        yield* event(socket, "drain")
        socket.end()
        assert.strictEqual((yield* Fiber.join(read)).length, (pieces + 1) * piece.length)
      }))

    it.live("says when it was silent for long", () =>
      Effect.gen(function*() {
        const { connect, listen } = yield* world
        const socket = connect(yield* listen({}, (each) => void each.resume()))
        yield* event(socket, "connect")
        socket.setTimeout(20)
        yield* event(socket, "timeout")
        assert.deepStrictEqual([socket.timeout, socket.destroyed], [20, false])
      }))
  })
}
