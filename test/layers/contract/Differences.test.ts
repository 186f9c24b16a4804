/**
 * What Node's network does otherwise than the stack: each row of the table in `docs/compose.md`, shown on both sides. What is not
 * listed there is the same, as the contracts beside this file hold.
 */
import * as NodeDns from "@effect/platform-node/NodeDns"
import * as NodeSocketServer from "@effect/platform-node/NodeSocketServer"
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Dns from "effect/net/Dns"
import * as Host from "effect/net/Host"
import * as Scope from "effect/Scope"
import type * as DatagramSocket from "effect/socket/DatagramSocket"
import type * as Socket from "effect/socket/Socket"
import { readFileSync } from "node:fs"
import * as Net from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as NetstackDns from "../../../layers/NetstackDns.ts"
import * as NetstackSocket from "../../../layers/NetstackSocket.ts"
import * as NetstackSocketServer from "../../../layers/NetstackSocketServer.ts"
import * as NodeDuplex from "../../../layers/NodeDuplex.ts"
import { Netstack } from "../../../src/sockets/Netstack.ts"
import * as Network from "../../../src/sockets/Network.ts"
import * as Tcp from "../../../src/sockets/Tcp.ts"
import type * as TcpConnection from "../../../src/sockets/TcpConnection.ts"
import * as Udp from "../../../src/sockets/Udp.ts"
import * as DnsZone from "../../services/DnsZone.ts"
import { addressTwo, on, pair } from "../../workers/Hosts.ts"
import { event, settle } from "../Events.ts"
import { type Environment, environments, portOf } from "./Environments.ts"

type Shown = Effect.Effect<void, unknown, Scope.Scope>

interface Difference {
  readonly kernel: Shown
  readonly stack: Shown
}

const loopback = "127.0.0.1"

/** Shows one side in its world. */
const inWorld = (name: "Node's network" | "the stack", show: (world: Environment) => Shown): Shown =>
  Effect.flatMap(environments[name]!, show)

const kernel = (show: (world: Environment) => Shown): Shown => inWorld("Node's network", show)
const stack = (show: (world: Environment) => Shown): Shown => inWorld("the stack", show)

/** Addresses to listen on: a name and a path. */
const listening: Difference = {
  kernel: Effect.gen(function*() {
    const named = yield* NodeSocketServer.make({ port: 0, host: "localhost" })
    assert.isAbove(portOf(named.address), 0)
    const path = join(tmpdir(), `netstack-${process.pid}.socket`)
    const service = yield* NodeSocketServer.make({ path })
    assert.strictEqual(String(service.address), path)
  }),
  stack: Effect.gen(function*() {
    const { two } = yield* pair()
    const listen = (address: string) => Effect.scoped(on(two)(NetstackSocketServer.make({ address: address as "::" })))
    yield* listen(addressTwo)
    assert.strictEqual((yield* Effect.flip(listen("localhost"))).reason._tag, "SocketServerOpenError")
  })
}

/** How the far side sees the end of a reader's scope that fails. */
const seenByPeer = (
  { socket, socketServer }: Environment,
  open: (port: number) => Effect.Effect<unknown, unknown, Scope.Scope> = (port) =>
    Effect.flatMap(socket(port), ({ reader }) => reader)
) =>
  Effect.gen(function*() {
    const service = yield* socketServer
    const end = yield* Deferred.make<string>()
    const watch = (far: Socket.Socket) =>
      Effect.scoped(Effect.gen(function*() {
        const { pull } = yield* far.reader
        const { reason } = yield* Effect.flip(pull)
        yield* Deferred.succeed(end, reason._tag)
      }))
    yield* Effect.forkScoped(service.run(watch), { startImmediately: true })
    const scope = yield* Scope.make()
    yield* Scope.provide(open(portOf(service.address)), scope)
    yield* settle
    yield* Scope.close(scope, Exit.fail("why"))
    return yield* Deferred.await(end)
  })

const endings: Difference = {
  kernel: kernel((world) =>
    Effect.gen(function*() {
      assert.strictEqual(yield* seenByPeer(world), "SocketCloseError")
    })
  ),
  stack: stack((world) =>
    Effect.gen(function*() {
      assert.strictEqual(yield* seenByPeer(world), "SocketCloseError")
      const { one, two } = yield* pair()
      const other = { ...world, socketServer: on(two)(NetstackSocketServer.make({ address: addressTwo })) }
      const dial = (closePolicy?: TcpConnection.ClosePolicy) => (port: number) =>
        Effect.flatMap(
          on(one)(NetstackSocket.make({ host: addressTwo, port }, closePolicy === undefined ? {} : { closePolicy })),
          ({ reader }) => reader
        )
      assert.strictEqual(yield* seenByPeer(other, dial()), "SocketCloseError")
      assert.strictEqual(yield* seenByPeer(other, dial("byExit")), "SocketReadError")
      const connect = (port: number) => on(one)(Tcp.connect({ host: addressTwo, port }))
      assert.strictEqual(yield* seenByPeer(other, connect), "SocketReadError")
    })
  )
}

const written = 6
const piece = new Uint8Array(10_000)

/** How many chunks the largest of all pulls gave, of data that was written piece by piece and waits. */
const largestPull = ({ socket, socketServer }: Environment) =>
  Effect.gen(function*() {
    const service = yield* socketServer
    const speak = (far: Socket.Socket) =>
      Effect.scoped(Effect.gen(function*() {
        yield* far.reader
        const { write } = yield* far.writer
        for (let i = 0; i < written; i++) {
          yield* write(piece)
          yield* settle
        }
        return yield* Effect.never
      }))
    yield* Effect.forkScoped(service.run(speak), { startImmediately: true })
    const { pull } = yield* (yield* socket(portOf(service.address))).reader
    for (let i = 0; i < written; i++) yield* Effect.andThen(settle, settle)
    let largest = 0
    for (let length = 0; length < written * piece.length;) {
      const chunks = yield* pull
      largest = Math.max(largest, chunks.length)
      length += chunks.reduce((sum, chunk) => sum + chunk.length, 0)
    }
    return largest
  })

/** Before Node 26 a stream gives all that waits as one buffer. */
const hasJoinedReads = Number(process.versions.node.split(".")[0]) < 26

const chunks: Difference = {
  kernel: kernel((world) =>
    Effect.map(largestPull(world), (largest) => {
      if (hasJoinedReads) assert.strictEqual(largest, 1)
    })
  ),
  stack: stack((world) => Effect.map(largestPull(world), (largest) => assert.isAbove(largest, 1)))
}

const sockets = (): number => process.getActiveResourcesInfo().filter((each) => each === "TCPSocketWrap").length

/** How many resources keep the process alive less when a stream is let go. */
const letGo = (socket: Net.Socket): number => {
  const before = sockets()
  socket.unref()
  const after = sockets()
  socket.ref()
  return before - after
}

const openOnKernel = (world: Environment) =>
  Effect.gen(function*() {
    const port = yield* world.listen(Net.createServer((socket) => void socket.resume()))
    return yield* Effect.acquireRelease(
      Effect.sync(() => Net.connect(port, loopback)),
      (socket) => Effect.sync(() => socket.destroy())
    ).pipe(Effect.tap((socket) => event(socket, "connect")))
  })

const openOnStack = Effect.gen(function*() {
  const { one, two } = yield* pair()
  yield* on(two)(Tcp.listen({ port: 80 }))
  return yield* on(one)(NodeDuplex.connect(`${addressTwo}:80`))
})

const references: Difference = {
  kernel: kernel((world) => Effect.map(openOnKernel(world), (socket) => assert.strictEqual(letGo(socket), 1))),
  stack: Effect.map(openOnStack, (duplex) => {
    assert.strictEqual(letGo(duplex as unknown as Net.Socket), 0)
  })
}

const reconnecting: Difference = {
  kernel: kernel((world) =>
    Effect.gen(function*() {
      const socket = yield* openOnKernel(world)
      const { port } = { port: socket.remotePort! }
      socket.destroy()
      yield* event(socket, "close")
      yield* event(socket.connect(port, loopback), "connect")
    })
  ),
  stack: Effect.map(openOnStack, (duplex) => assert.isFalse("connect" in duplex))
}

const failing = (socket: NodeJS.EventEmitter) => event<NodeJS.ErrnoException>(socket, "error")

const causes: Difference = {
  kernel: kernel(({ socketServer }) =>
    Effect.gen(function*() {
      const port = yield* Effect.scoped(Effect.map(socketServer, ({ address }) => portOf(address)))
      const error = yield* Effect.suspend(() => failing(Net.connect(port, loopback)))
      assert.deepInclude(error, { code: "ECONNREFUSED", errno: -111, syscall: "connect" })
      assert.isUndefined(error.cause)
    })
  ),
  stack: Effect.gen(function*() {
    const { one } = yield* pair()
    const dial = yield* on(one)(NodeDuplex.dialer)
    const error = yield* Effect.suspend(() => failing(dial({ host: addressTwo, port: 9 })))
    assert.deepInclude(error, { code: "ECONNREFUSED", errno: -111, syscall: "connect" })
    assert.instanceOf(error.cause, Tcp.TcpError)
  })
}

/** Writes to a closed port by a socket that is not connected, twice. */
const writesToNobody = ({ clientDatagrams, serverDatagrams }: Environment) =>
  Effect.gen(function*() {
    const address = yield* Effect.scoped(
      Effect.flatMap(serverDatagrams(), ({ reader }) => Effect.map(reader, (reader) => reader.address))
    )
    const socket = yield* clientDatagrams()
    yield* socket.reader
    const { write } = yield* socket.writer
    yield* write({ payload: "x", address })
    yield* settle
    return yield* Effect.exit(write({ payload: "x", address }))
  })

const unconnectedErrors: Difference = {
  kernel: kernel((world) =>
    Effect.gen(function*() {
      assert.isTrue(Exit.isSuccess(yield* writesToNobody(world)))
    })
  ),
  stack: stack((world) =>
    Effect.gen(function*() {
      assert.isTrue(Exit.isFailure(yield* writesToNobody(world)))
    })
  )
}

const burst = 1500
const datagram = new Uint8Array(8000)

/** Far more at once than any socket holds; how many were received or counted by the reader, and how many were neither. */
const flood = ({ clientDatagrams, serverDatagrams }: Environment) =>
  Effect.gen(function*() {
    const far = yield* (yield* serverDatagrams({ capacity: 2 * burst })).reader
    const client = yield* clientDatagrams({ peer: far.address })
    yield* client.reader
    const { write, writeAll } = yield* client.writer
    // The neighbour is known by then: nothing waits for it.
    yield* write({ payload: "first" })
    yield* far.pull
    const all = Array.from({ length: burst }, (): DatagramSocket.OutgoingDatagram => ({ payload: datagram }))
    yield* writeAll(all as [DatagramSocket.OutgoingDatagram])
    yield* write({ payload: "end" })
    let received = 0
    for (let isOver = false; !isOver;) {
      const datagrams = yield* far.pull
      received += datagrams.filter(({ payload }) => payload.length === datagram.length).length
      isOver = datagrams.some(({ payload }) => payload.length !== datagram.length)
    }
    return burst - received - far.dropped()
  })

const overflows: Difference = {
  kernel: kernel((world) => Effect.map(flood(world), (lost) => assert.isAbove(lost, 0))),
  stack: Effect.gen(function*() {
    const { one, two } = yield* pair()
    const far = yield* on(two)(Udp.bind({ port: 7 }))
    const near = yield* on(one)(Udp.connect(`${addressTwo}:7`))
    for (let i = 0; i < burst; i++) {
      yield* near.send(datagram)
      // The first one waits for the neighbour's address.
      if (i === 0) yield* settle
    }
    yield* settle
    const { datagramsDropped, datagramsWaiting } = yield* far.info
    assert.isAbove(datagramsDropped, 0)
    assert.strictEqual(datagramsWaiting + datagramsDropped, burst)
    assert.strictEqual((yield* on(two)(Network.drops)).UdpReceiveQueueFull, datagramsDropped)
  })
}

/** Names of the hosts file that every resolver does not know by itself (RFC 6761 §6.3). */
const namesOfFile = readFileSync("/etc/hosts", "utf8").split("\n")
  .flatMap((line) => line.replace(/#.*/, "").trim().split(/\s+/).slice(1))
  .filter((name) => name !== "" && !name.includes("localhost"))

/** Which of these names are found. */
const found = (names: ReadonlyArray<string>) =>
  Effect.flatMap(Dns.Dns, (dns) => Effect.filter(names, (name) => Effect.isSuccess(dns.lookup(name))))

const names: Difference = {
  kernel: Effect.gen(function*() {
    // The port of discard: whoever asks this server gets no answer.
    const dns = NodeDns.make({ nameServers: [`${loopback}:9`] })
    const known = ["localhost", ...namesOfFile]
    assert.deepStrictEqual(yield* Effect.provide(found(known), Layer.effect(Dns.Dns, dns)), known)
  }),
  stack: Effect.gen(function*() {
    const { one, two } = yield* pair()
    const asked = yield* on(two)(DnsZone.serve())
    const names = (hosts: NonNullable<NetstackDns.Options["hosts"]>) =>
      Layer.provide(NetstackDns.layer({ nameServers: [addressTwo], hosts }), Layer.succeed(Netstack, one))
    const wanted = ["localhost", ...namesOfFile, "www.test"]
    assert.deepStrictEqual(yield* Effect.provide(found(wanted), names({})), ["localhost", "www.test"])
    assert.isTrue(asked.some(({ name }) => name.startsWith("www.test")))
    const file = Host.parseHostsFile("192.0.2.7 of-a-file\n")
    assert.deepStrictEqual(yield* Effect.provide(found(["of-a-file"]), names(file)), ["of-a-file"])
  })
}

/** By the first cell of its row. */
const differences: Readonly<Record<string, Difference>> = {
  "addresses to listen on": listening,
  "a scope that fails": endings,
  "chunks of a `pull`": chunks,
  "`ref` and `unref` of a stream": references,
  "`connect` of a stream": reconnecting,
  "the `cause` of a stream's error": causes,
  "ICMP errors on an unconnected `DatagramSocket`": unconnectedErrors,
  "datagrams that come faster than they are taken": overflows,
  "`lookup` of `Dns`": names
}

/** The first cells of the table below a heading. */
const rowsOf = (page: string, heading: string): ReadonlyArray<string> => {
  const section = page.slice(page.indexOf(`## ${heading}`)).split(/\n## /)[0]!
  const rows = section.split("\n").filter((line) => line.startsWith("| ")).map((line) => line.split(" | ")[0]!.slice(2))
  return rows.slice(2)
}

describe("differences between Node's network and the stack", () => {
  for (const [name, { kernel, stack }] of Object.entries(differences)) {
    it.live(`${name}: Node's network`, () => kernel)
    it.live(`${name}: the stack`, () => stack)
  }

  it("are those that docs/compose.md lists, each shown here", () => {
    const page = readFileSync(new URL("../../../docs/compose.md", import.meta.url), "utf8")
    assert.deepStrictEqual(rowsOf(page, "Beside Node's layers"), Object.keys(differences))
  })
})
