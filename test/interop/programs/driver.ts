/**
 * A program on the stack that does what it is told, line by line, and tells what came of it. Each line is done by a fiber of its own,
 * so one that waits does not hold up the next.
 *
 *     NAME connect ADDRESS PORT    NAME connected                    A name stands for a connection, a listener or a socket
 *     NAME listen PORT             NAME listening                    from then on.
 *     NAME accept LISTENER         NAME accepted
 *     NAME write COUNT             NAME wrote COUNT
 *     NAME read [MOST]             NAME read COUNT, or NAME read the end
 *     NAME end | close | abort     NAME ended, closed, aborted
 *     NAME closed                  NAME is closed
 *     NAME bind PORT               NAME bound                        a UDP socket
 *     NAME echo PORT               NAME echoes                       one that sends everything back
 *     NAME dial ADDRESS PORT       NAME dialled                      one with a far side
 *     NAME send COUNT [ADDRESS PORT]  NAME sent COUNT
 *     NAME receive                 NAME received COUNT
 *
 * What fails says `NAME failed REASON`.
 */
import * as Effect from "effect/Effect"
import * as Scope from "effect/Scope"
import { createInterface } from "node:readline"
import type { Netstack } from "../../../src/sockets/Netstack.ts"
import * as Tcp from "../../../src/sockets/Tcp.ts"
import type { TcpConnection } from "../../../src/sockets/TcpConnection.ts"
import type { TcpListener } from "../../../src/sockets/TcpListener.ts"
import * as Udp from "../../../src/sockets/Udp.ts"
import { run } from "./onTap.ts"

interface Objects {
  readonly scope: Scope.Scope
  readonly connections: Map<string, TcpConnection>
  readonly listeners: Map<string, TcpListener>
  readonly sockets: Map<string, Udp.UdpSocket>
}

type Done = Effect.Effect<string, { readonly reason: { readonly _tag: string } }, Netstack>
type Verb = (objects: Objects, name: string, ...args: ReadonlyArray<string>) => Done

const held = <A>(table: Map<string, A>, name: string): A => {
  const found = table.get(name)
  if (found === undefined) throw new Error(`nothing is called ${name}`)
  return found
}

const on = (what: (connection: TcpConnection) => Effect.Effect<string, Tcp.TcpError>): Verb => (objects, name) =>
  what(held(objects.connections, name))

const noise = (count: string | undefined): Uint8Array => new Uint8Array(Number(count)).fill(0x61)

const bind = ({ scope, sockets }: Objects, name: string, port: string | undefined) =>
  Effect.tap(
    Scope.provide(Udp.bind({ port: Number(port) }), scope),
    (socket) => Effect.sync(() => sockets.set(name, socket))
  )

const datagramVerbs: Readonly<Record<string, Verb>> = {
  bind: (objects, name, port) => Effect.as(bind(objects, name, port), "bound"),
  echo: (objects, name, port) =>
    Effect.gen(function*() {
      const socket = yield* bind(objects, name, port)
      const answer = Effect.flatMap(socket.receive, ({ bytes, source }) => socket.send(bytes, source))
      yield* Effect.forkIn(Effect.forever(answer), objects.scope)
      return "echoes"
    }),
  dial: ({ scope, sockets }, name, host, port) =>
    Effect.map(Scope.provide(Udp.connect({ host: host!, port: Number(port) }), scope), (socket) => {
      sockets.set(name, socket)
      return "dialled"
    }),
  send: ({ sockets }, name, count, host, port) => {
    const to = host === undefined ? undefined : { host, port: Number(port) }
    return Effect.as(held(sockets, name).send(noise(count), to), `sent ${count}`)
  },
  receive: ({ sockets }, name) => Effect.map(held(sockets, name).receive, ({ bytes }) => `received ${bytes.length}`)
}

const verbs: Readonly<Record<string, Verb>> = {
  ...datagramVerbs,
  connect: ({ connections, scope }, name, host, port) =>
    Effect.map(Scope.provide(Tcp.connect({ host: host!, port: Number(port) }), scope), (connection) => {
      connections.set(name, connection)
      return "connected"
    }),
  listen: ({ listeners, scope }, name, port) =>
    Effect.map(Scope.provide(Tcp.listen({ port: Number(port) }), scope), (listener) => {
      listeners.set(name, listener)
      return "listening"
    }),
  accept: ({ connections, listeners, scope }, name, listener) =>
    Effect.map(Scope.provide(held(listeners, listener!).accept, scope), (connection) => {
      connections.set(name, connection)
      return "accepted"
    }),
  write: ({ connections }, name, count) => Effect.as(held(connections, name).write(noise(count)), `wrote ${count}`),
  read: ({ connections }, name, most) =>
    Effect.map(held(connections, name).read(most === undefined ? undefined : Number(most)), (chunks) => {
      const count = chunks.reduce((sum, chunk) => sum + chunk.length, 0)
      return count === 0 ? "read the end" : `read ${count}`
    }),
  end: on((connection) => Effect.as(connection.end, "ended")),
  close: on((connection) => Effect.as(connection.close, "closed")),
  abort: on((connection) => Effect.as(connection.abort, "aborted")),
  closed: on((connection) => Effect.as(connection.closed, "is closed"))
}

const obey = (objects: Objects, line: string) =>
  Effect.gen(function*() {
    const [name = "", verb = "", ...args] = line.trim().split(" ")
    const act = verbs[verb]
    const said = act === undefined
      ? `does not know ${verb}`
      : yield* Effect.catch(
        Effect.suspend(() => act(objects, name, ...args)),
        (error) => Effect.succeed(`failed ${error.reason._tag}`)
      )
    process.stdout.write(`${name} ${said}\n`)
  })

run(Effect.gen(function*() {
  const objects: Objects = {
    scope: yield* Effect.scope,
    connections: new Map(),
    listeners: new Map(),
    sockets: new Map()
  }
  const runFork = Effect.runForkWith(yield* Effect.context<Netstack>())
  createInterface({ input: process.stdin }).on("line", (line) => void runFork(obey(objects, line)))
  process.stdout.write("ready\n")
  return yield* Effect.never
}))
