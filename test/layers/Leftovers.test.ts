/**
 * Nothing is left of any layer that was opened and closed, as often as that may be, nor of one that was interrupted anywhere.
 */
import { assert, describe, it } from "@effect/vitest"
import { RunnerAddress, Runners, ShardingConfig } from "effect/cluster"
import * as Effect from "effect/Effect"
import * as HttpClient from "effect/http/HttpClient"
import * as Layer from "effect/Layer"
import * as Dns from "effect/net/Dns"
import * as NetAddress from "effect/net/NetAddress"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import { Rpc, RpcClient, RpcGroup, RpcSerialization, RpcServer } from "effect/rpc"
import * as Schema from "effect/Schema"
import { makeWebSocket } from "effect/socket/Socket"
import type * as Socket from "effect/socket/Socket"
import * as Stream from "effect/Stream"
import { mkdtempSync, rmSync } from "node:fs"
import * as Http2 from "node:http2"
import * as Net from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as NetstackClusterSocket from "../../layers/NetstackClusterSocket.ts"
import * as NetstackDatagramSocket from "../../layers/NetstackDatagramSocket.ts"
import * as NetstackDns from "../../layers/NetstackDns.ts"
import * as NetstackHttpClient from "../../layers/NetstackHttpClient.ts"
import * as NetstackHttpServer from "../../layers/NetstackHttpServer.ts"
import * as NetstackNodeServer from "../../layers/NetstackNodeServer.ts"
import * as NetstackSocket from "../../layers/NetstackSocket.ts"
import * as NetstackSocketServer from "../../layers/NetstackSocketServer.ts"
import * as NodeDuplex from "../../layers/NodeDuplex.ts"
import * as PcapSink from "../../layers/PcapSink.ts"
import * as Telemetry from "../../layers/Telemetry.ts"
import * as WebStreams from "../../layers/WebStreams.ts"
import * as Capture from "../../src/link/Capture.ts"
import { Links } from "../../src/link/Links.ts"
import * as MemoryLink from "../../src/link/MemoryLink.ts"
import * as Netstack from "../../src/Netstack.ts"
import * as Network from "../../src/sockets/Network.ts"
import * as Ping from "../../src/sockets/Ping.ts"
import * as Raw from "../../src/sockets/Raw.ts"
import * as Tcp from "../../src/sockets/Tcp.ts"
import type { TcpConnection } from "../../src/sockets/TcpConnection.ts"
import * as Udp from "../../src/sockets/Udp.ts"
import * as TestNetwork from "../../src/testing/TestNetwork.ts"
import * as DhcpScript from "../services/DhcpScript.ts"
import * as DnsZone from "../services/DnsZone.ts"
import { addressOne, addressTwo, host, type Hosts, on } from "../workers/Hosts.ts"
import * as Certificate from "./Certificate.ts"
import { bytes, event, pattern, text, writeTo } from "./Events.ts"
import * as HttpApp from "./HttpApp.ts"
import * as Leftovers from "./Leftovers.ts"
import * as Resources from "./Resources.ts"

const port = 80
const server = `${addressTwo}:${port}`

const echo = (connection: TcpConnection) => Stream.run(connection.stream, connection.sink)

/** Both directions carry some data, and both ends close. */
const tcp: Leftovers.Cycle["run"] = ({ one, two }) =>
  Effect.gen(function*() {
    const listener = yield* on(two)(Tcp.listen({ port }))
    yield* Effect.forkScoped(listener.serve(echo))
    const connection = yield* on(one)(Tcp.connect(server))
    yield* connection.write(pattern(3000))
    yield* connection.end
    assert.strictEqual((yield* connection.readAll).length, 3000)
  })

const datagrams: Leftovers.Cycle["run"] = ({ one, two }) =>
  Effect.gen(function*() {
    const far = yield* on(two)(Udp.bind({ port }))
    yield* Effect.forkScoped(Stream.runForEach(far.stream, ({ bytes, source }) => far.send(bytes, source)))
    const near = yield* on(one)(Udp.connect(server))
    const raw = yield* on(one)(Raw.open({ protocol: 17 }))
    yield* near.send(bytes("hello"))
    yield* near.receive
    yield* raw.receive()
    yield* on(one)(Ping.ping(addressTwo))
  })

const ipv4 = (host: string) => NetAddress.ipFromStringUnsafe(host) as NetAddress.Ipv4Address
const group = ipv4("239.1.2.3") as NetAddress.MulticastAddress<NetAddress.Ipv4Address>

/** A group is joined from anybody, and another one from one source, and both are heard of. */
const groups: Leftovers.Cycle["run"] = ({ one, two }) =>
  Effect.gen(function*() {
    const far = yield* on(two)(NetstackDatagramSocket.make({ bind: { port } }))
    const { joinMulticast, pull } = yield* far.reader
    yield* joinMulticast({ group })
    const other = ipv4("239.1.2.4") as typeof group
    yield* joinMulticast({ group: other, interface: ipv4(addressTwo), source: ipv4(addressOne) })
    const near = yield* on(one)(NetstackDatagramSocket.make({}))
    yield* near.reader
    const { write } = yield* near.writer
    for (const address of [group, other]) {
      yield* write({ payload: "hello", address: NetAddress.inetAddressUnsafe(address, port) })
      yield* pull
    }
  })

/** Sends everything back. */
const repeat = (socket: Socket.Socket) =>
  Effect.scoped(Effect.gen(function*() {
    const { pull } = yield* socket.reader
    const { write } = yield* socket.writer
    while (true) for (const chunk of yield* pull) yield* write(chunk)
  })).pipe(Effect.catchTag("SocketError", () => Effect.void))

const textOf = ([chunk]: readonly [Uint8Array | string, ...Array<unknown>]): string =>
  typeof chunk === "string" ? chunk : text(chunk)

const sockets: Leftovers.Cycle["run"] = ({ one, two }) =>
  Effect.gen(function*() {
    const serving = yield* on(two)(NetstackSocketServer.make({ port }))
    yield* Effect.forkScoped(serving.run(repeat))
    const socket = yield* on(one)(NetstackSocket.make(server))
    const { pull } = yield* socket.reader
    const { write } = yield* socket.writer
    yield* write("hello")
    yield* pull
  })

const datagramSockets: Leftovers.Cycle["run"] = ({ one, two }) =>
  Effect.gen(function*() {
    const far = yield* on(two)(NetstackDatagramSocket.make({ bind: { port } }))
    const heard = yield* far.reader
    const connect = NetAddress.inetAddressUnsafe(NetAddress.ipFromStringUnsafe(addressTwo), port)
    const near = yield* on(one)(NetstackDatagramSocket.make({ connect }))
    yield* near.reader
    const { write } = yield* near.writer
    yield* write({ payload: "hello" })
    yield* heard.pull
  })

const duplexes: Leftovers.Cycle["run"] = ({ one, two }) =>
  Effect.gen(function*() {
    const listening = yield* on(two)(NetstackNodeServer.attach(Net.createServer((socket) => socket.pipe(socket))))
    listening.listen(port)
    yield* event(listening, "listening")
    const duplex = yield* on(one)(NodeDuplex.connect(server))
    yield* writeTo(duplex, pattern(1000))
    yield* event(duplex, "data")
  })

const webStreams: Leftovers.Cycle["run"] = ({ one, two }) =>
  Effect.gen(function*() {
    const listener = yield* on(two)(Tcp.listen({ port }))
    yield* Effect.forkScoped(listener.serve(echo))
    const { readable, writable } = yield* WebStreams.make(yield* on(one)(Tcp.connect(server)))
    const writer = writable.getWriter()
    const reader = readable.getReader()
    yield* Effect.promise(async () => {
      await writer.write(bytes("hello"))
      await reader.read()
    })
  })

const certificate = Certificate.make("netstack.test", addressTwo)
const trust: Socket.TlsUpgradeOptions = { ca: certificate.cert, servername: "netstack.test" }
const proof: Socket.TlsUpgradeOptions = { cert: certificate.cert, key: Redacted.make(certificate.key) }

/** TLS from the first byte. */
const tls: Leftovers.Cycle["run"] = ({ one, two }) =>
  Effect.gen(function*() {
    const serving = yield* on(two)(NetstackSocketServer.make({ port, tls: proof }))
    yield* Effect.forkScoped(serving.run(repeat))
    const socket = yield* on(one)(NetstackSocket.make(server, { tls: trust }))
    const { pull } = yield* socket.reader
    const { write } = yield* socket.writer
    yield* write("secret")
    yield* pull
  })

/** TLS in the middle. */
const upgrades: Leftovers.Cycle["run"] = ({ one, two }) =>
  Effect.gen(function*() {
    const serving = yield* on(two)(NetstackSocketServer.make({ port }))
    const startTls = (socket: Socket.Socket) =>
      Effect.scoped(Effect.gen(function*() {
        const { pull, upgrade } = yield* socket.reader
        const { write } = yield* socket.writer
        yield* pull
        yield* write("go ahead")
        yield* upgrade(proof)
        yield* write(textOf(yield* pull))
      })).pipe(Effect.catchTag("SocketError", () => Effect.void))
    yield* Effect.forkScoped(serving.run(startTls))
    const socket = yield* on(one)(NetstackSocket.make(server))
    const { pull, upgrade } = yield* socket.reader
    const { write } = yield* socket.writer
    yield* write("STARTTLS")
    yield* pull
    yield* upgrade(trust)
    yield* write("secret")
    yield* pull
  })

/** The service of `HttpApp` on the second host, and the base of its URLs; with TLS if `isSecure`. */
const serving = ({ two }: Hosts, isSecure: boolean) =>
  Effect.gen(function*() {
    const options = isSecure ? { port: 443, tls: certificate } : { port }
    yield* Layer.build(
      Layer.effectDiscard(HttpApp.serve).pipe(
        Layer.provide(NetstackHttpServer.layerServer(options)),
        Layer.provide(Layer.succeed(Netstack.Netstack, two))
      )
    )
    return isSecure ? `s://${addressTwo}` : `://${server}`
  })

const ca = { tls: { ca: certificate.cert } }

const webSockets = (isSecure: boolean): Leftovers.Cycle["run"] => (hosts) =>
  Effect.gen(function*() {
    const base = yield* serving(hosts, isSecure)
    const dialled = NetstackHttpClient.layerWebSocketConstructor(isSecure ? ca : {})
    const context = yield* Layer.build(Layer.provide(dialled, Layer.succeed(Netstack.Netstack, hosts.one)))
    const socket = yield* Effect.provideContext(makeWebSocket(`ws${base}/socket`), context)
    const { pull } = yield* socket.reader
    const { write } = yield* socket.writer
    yield* write("hello")
    assert.deepStrictEqual(yield* pull, ["HELLO"])
  })

/** HTTP/2 over TLS. */
const http2: Leftovers.Cycle["run"] = ({ one, two }) =>
  Effect.gen(function*() {
    const { cert, key } = certificate
    const node = Http2.createSecureServer({ cert, key }, (_, response) => void response.end("hello"))
    const listening = yield* on(two)(NetstackNodeServer.attach(node as unknown as Net.Server))
    listening.listen(443)
    yield* event(listening, "listening")
    const client = NetstackHttpClient.layerUndici({ tls: { ca: cert } })
    const context = yield* Layer.build(Layer.provide(client, Layer.succeed(Netstack.Netstack, one)))
    const response = yield* Effect.provideContext(HttpClient.get(`https://${addressTwo}/`), context)
    assert.strictEqual(yield* response.text, "hello")
  })

type Client = Layer.Layer<HttpClient.HttpClient, never, Netstack.Netstack>

const http = (client: Client, isSecure = false): Leftovers.Cycle["run"] => (hosts) =>
  Effect.gen(function*() {
    const base = yield* serving(hosts, isSecure)
    const context = yield* Layer.build(Layer.provide(client, Layer.succeed(Netstack.Netstack, hosts.one)))
    const response = yield* Effect.provideContext(HttpClient.get(`http${base}/hello`), context)
    assert.strictEqual(yield* response.text, "hello")
  })

const names: Leftovers.Cycle["run"] = ({ one, two }) =>
  Effect.gen(function*() {
    yield* on(two)(DnsZone.serve())
    const context = yield* Layer.build(
      Layer.provide(NetstackDns.layer({ nameServers: [addressTwo] }), Layer.succeed(Netstack.Netstack, one))
    )
    yield* Effect.provideContext(Effect.flatMap(Dns.Dns, (dns) => dns.lookup("www.test")), context)
  })

const Greeter = RpcGroup.make(Rpc.make("Greet", { payload: { name: Schema.String }, success: Schema.String }))

/** A call from one runner's protocol to another's server. */
const clusters: Leftovers.Cycle["run"] = ({ one, two }) =>
  Effect.gen(function*() {
    const address = RunnerAddress.make(addressTwo, port)
    const serving = RpcServer.layer(Greeter).pipe(
      Layer.provide(Greeter.toLayer({ Greet: ({ name }) => Effect.succeed(`hello, ${name}`) })),
      Layer.provide(RpcServer.layerProtocolSocketServer),
      Layer.provide(NetstackClusterSocket.layerSocketServer),
      Layer.provide(ShardingConfig.layer({ runnerAddress: Option.some(address) })),
      Layer.provide(Layer.succeed(Netstack.Netstack, two))
    )
    const calling = Layer.provide(NetstackClusterSocket.layerClientProtocol, Layer.succeed(Netstack.Netstack, one))
    const context = yield* Layer.build(
      Layer.provide(Layer.mergeAll(serving, calling), RpcSerialization.layerSchemaBinary())
    )
    const greeting = Effect.gen(function*() {
      const protocol = yield* Effect.flatMap(Runners.RpcClientProtocol, ({ make }) => make(address))
      const client = yield* RpcClient.make(Greeter).pipe(Effect.provideService(RpcClient.Protocol, protocol))
      return yield* client.Greet({ name: "runner" })
    })
    assert.strictEqual(yield* Effect.provideContext(greeting, context), "hello, runner")
  })

/** A whole stack on a wire of its own, with a lease that it gives back, and spans and metrics that are kept nowhere. */
const stacks: Leftovers.Cycle["run"] = () =>
  Effect.gen(function*() {
    const [near, far] = MemoryLink.pair({ latency: "1 millis" })
    const server = yield* host([far], { ipv4: "10.0.0.1/24" }, 2)
    yield* on(server)(DhcpScript.serve())
    const stack = yield* Netstack.make({ ipv4: "dhcp" }).pipe(
      Effect.provideService(Links, { links: [near] }),
      Effect.provide(Telemetry.layer())
    )
    assert.strictEqual((yield* on(stack)(Network.leases)).length, 1)
    yield* on(stack)(Ping.ping("10.0.0.1"))
  })

/** A network of its own with loss, which is cut and healed. */
const networks: Leftovers.Cycle["run"] = () =>
  Effect.gen(function*() {
    const listener = yield* Tcp.listen({ port })
    yield* Effect.forkScoped(listener.serve(echo))
    yield* TestNetwork.on("remote")(Effect.gen(function*() {
      const connection = yield* Tcp.connect(`10.0.0.1:${port}`)
      yield* TestNetwork.partition("remote")
      yield* connection.write(pattern(3000))
      yield* connection.end
      yield* Effect.sleep("100 millis")
      yield* TestNetwork.heal("remote")
      assert.strictEqual((yield* connection.readAll).length, 3000)
    }))
  }).pipe(Effect.provide(TestNetwork.layer({ faults: { delay: "2 millis", loss: 0.05 }, seed: 7 }), { local: true }))

const layers: Readonly<Record<string, Leftovers.Cycle>> = {
  "Tcp": { run: tcp },
  "Udp, Raw and Ping": { run: datagrams },
  "NetstackSocket and NetstackSocketServer": { run: sockets },
  "NetstackClusterSocket": { run: clusters },
  "NetstackDatagramSocket": { run: datagramSockets },
  "NetstackDatagramSocket and groups": { run: groups, share: 0.5 },
  "NetstackDns": { run: names },
  "NodeDuplex and NetstackNodeServer": { run: duplexes, turns: 8 },
  "WebStreams": { run: webStreams, turns: 4 },
  "NetstackHttpServer and undici": { run: http(NetstackHttpClient.layerUndici()), turns: 8 },
  "NetstackHttpServer and node:http": { run: http(NetstackHttpClient.layerNodeHttp()), turns: 8 },
  "NetstackHttpServer and WebSockets": { run: webSockets(false), turns: 8 },
  "NetstackHttpServer and undici, with TLS": {
    run: http(NetstackHttpClient.layerUndici({ ...ca, agent: { allowH2: false } }), true),
    turns: 12,
    share: 0.1
  },
  "NetstackHttpServer and node:https": { run: http(NetstackHttpClient.layerNodeHttp(ca), true), turns: 12, share: 0.1 },
  "NetstackHttpServer and WebSockets over TLS": { run: webSockets(true), turns: 12, share: 0.1 },
  "NetstackNodeServer and undici, with HTTP/2": { run: http2, turns: 12, share: 0.5 },
  "NetstackSocket with TLS": { run: tls, turns: 12, share: 0.5 },
  "NetstackSocket that is upgraded to TLS": { run: upgrades, turns: 12, share: 0.5 },
  "Netstack, with DHCP and Telemetry": { run: stacks, share: 0.1 },
  "TestNetwork": { run: networks, share: 0.1 }
}

/** Cycles of what writes files, in the time of the wall. */
const files = Number(process.env["NETSTACK_CYCLES"] ?? 100)

describe("nothing is left", () => {
  for (const [name, cycle] of Object.entries(layers)) {
    it.live(`of ${name}, opened and closed, and interrupted at random points`, () =>
      Effect.gen(function*() {
        const { after, before, bound, done, growth, interrupted } = yield* Leftovers.measure(cycle)
        assert.deepStrictEqual(after, before)
        assert.isAbove(done, 0)
        assert.isAbove(interrupted, 0)
        assert.isBelow(growth, bound)
      }), 600_000)
  }

  it.live("of PcapSink, opened and closed, and interrupted", () =>
    Effect.gen(function*() {
      const folder = yield* Effect.acquireRelease(
        Effect.sync(() => mkdtempSync(join(tmpdir(), "netstack-"))),
        (path) => Effect.sync(() => rmSync(path, { recursive: true }))
      )
      const run = Effect.gen(function*() {
        const sink = yield* PcapSink.make({ path: join(folder, "capture.pcapng") })
        const [near, far] = MemoryLink.pair()
        const one = yield* host([Capture.make(near, sink)], { ipv4: "10.0.0.1/24" })
        yield* host([far], { ipv4: "10.0.0.2/24" }, 2)
        yield* on(one)(Ping.ping("10.0.0.2"))
        assert.isAbove(sink.counters().written, 3)
      })
      const { after, before, done, interrupted } = yield* Resources.measure({ run, within: 10, times: files })
      assert.deepStrictEqual(after, before)
      assert.isAtLeast(done, files / 2)
      assert.isAbove(interrupted, 0)
    }), 600_000)
})
