/**
 * HTTP on the kernel's sockets and on the stack, by the same server, and the client that counts.
 *
 *     http.ts serve kernel|stack node|effect ADDRESS        port 80; on the stack over the device tap0
 *     http.ts ask ADDRESS CONNECTIONS COUNT                 keeps so many connections busy with one request each; prints one line of JSON
 */
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as Effect from "effect/Effect"
import * as HttpServer from "effect/http/HttpServer"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import koffi from "koffi"
import { connect, type Server, type Socket } from "node:net"
import * as NetstackHttpServer from "../../layers/NetstackHttpServer.ts"
import * as NetstackNodeServer from "../../layers/NetstackNodeServer.ts"
import * as Tap from "../../layers/Tap.ts"
import { TunTapDevice } from "../../layers/TunTapDevice.ts"
import * as Links from "../../src/link/Links.ts"
import * as Netstack from "../../src/Netstack.ts"

const http = process.getBuiltinModule("node:http")

const port = 80
const body = "hello, world\n"

const IPPROTO_TCP = 6
const TCP_CONGESTION = 13
const setsockopt = koffi.load(null).func("int setsockopt(int fd, int level, int name, const char *value, uint length)")

/** As every socket of the kernel in a benchmark; Node has no word for it. A kernel whose default is BBR paces what it sends. */
const useCubic = (socket: Socket): void => {
  const { _handle: handle } = socket as Socket & { readonly _handle: { readonly fd: number } | null }
  if (handle === null || setsockopt(handle.fd, IPPROTO_TCP, TCP_CONGESTION, "cubic", 5) !== 0) {
    throw new Error("this socket can't have CUBIC")
  }
}

const withCubic = <S extends Server>(server: S): S => server.on("connection", useCubic)

const stackAt = (address: string) =>
  Netstack.layer({ ipv4: `${address}/24` as `${string}/${number}` }).pipe(
    Layer.provide(Links.layerEffect(Tap.make({ name: "tap0" }))),
    Layer.provide(TunTapDevice.layer)
  )

const plainServer = () =>
  http.createServer((_, response) => {
    response.setHeader("content-type", "text/plain")
    response.end(body)
  })

const app = Effect.succeed(HttpServerResponse.text(body))

const ready = Effect.sync(() => {
  process.stdout.write("ready\n")
})

const plain = (where: string, address: string) =>
  where === "kernel"
    ? Effect.callback((resume) => {
      withCubic(plainServer()).listen(port, address, () => resume(Effect.void))
    })
    : Effect.flatMap(
      NetstackNodeServer.attach(plainServer()),
      (server) =>
        Effect.callback((resume) => {
          server.listen(port, () => resume(Effect.void))
        })
    )

const ofEffect = (where: string, host: string) => {
  const server = where === "kernel"
    ? NodeHttpServer.layerServer(() => withCubic(http.createServer()), { port, host })
    : NetstackHttpServer.layerServer({ port })
  return Effect.asVoid(Layer.build(Layer.provide(Layer.effectDiscard(HttpServer.serveEffect(app)), server)))
}

const serve = (where: string, kind: string, address: string) => {
  const serving = kind === "node" ? plain(where, address) : ofEffect(where, address)
  const whole = Effect.scoped(Effect.andThen(Effect.andThen(serving, ready), Effect.never))
  return Effect.provide(whole, where === "kernel" ? Netstack.layerMemory() : stackAt(address))
}

/** Asks, waits for the whole answer, and asks again, until there is nothing left to ask. */
const ask = (address: string, connections: number, count: number): void => {
  const request = Buffer.from(`GET / HTTP/1.1\r\nhost: ${address}\r\n\r\n`)
  const started = process.hrtime.bigint()
  let left = count
  let answered = 0
  const sockets: Array<Socket> = []
  const next = (socket: Socket): void => {
    if (left-- > 0) socket.write(request)
  }
  const done = (): void => {
    const nanos = Number(process.hrtime.bigint() - started)
    process.stdout.write(`${JSON.stringify({ count, nanos })}\n`)
    for (const socket of sockets) socket.destroy()
  }
  for (let i = 0; i < connections; i++) {
    const socket = connect({ host: address, port, noDelay: true }, () => {
      useCubic(socket)
      next(socket)
    })
    let received = ""
    socket.setEncoding("latin1").on("data", (text) => {
      received += text
      if (!received.endsWith(body)) return
      received = ""
      if (++answered === count) return done()
      next(socket)
    })
    sockets.push(socket)
  }
}

const [command, ...args] = process.argv.slice(2)
if (command === "serve") {
  await Effect.runPromise(serve(args[0]!, args[1]!, args[2]!) as Effect.Effect<never, unknown>)
} else {
  ask(args[0]!, Number(args[1]), Number(args[2]))
}
