/**
 * The two worlds that the contracts are held against: Node's network, on the kernel's loopback, and two stacks on a wire. A
 * contract sees Effect's services and nothing else.
 */
import * as NodeDatagramSocket from "@effect/platform-node/NodeDatagramSocket"
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as NodeSocket from "@effect/platform-node/NodeSocket"
import * as NodeSocketServer from "@effect/platform-node/NodeSocketServer"
import * as NodeWS from "@effect/platform-node/NodeWS"
import * as Effect from "effect/Effect"
import type * as HttpClient from "effect/http/HttpClient"
import type * as HttpServer from "effect/http/HttpServer"
import * as Layer from "effect/Layer"
import * as NetAddress from "effect/net/NetAddress"
import type * as Scope from "effect/Scope"
import type * as DatagramSocket from "effect/socket/DatagramSocket"
import * as Socket from "effect/socket/Socket"
import type * as SocketServer from "effect/socket/SocketServer"
import type * as Https from "node:https"
import type * as Net from "node:net"
import * as NetstackDatagramSocket from "../../../layers/NetstackDatagramSocket.ts"
import * as NetstackHttpClient from "../../../layers/NetstackHttpClient.ts"
import * as NetstackHttpServer from "../../../layers/NetstackHttpServer.ts"
import * as NetstackNodeServer from "../../../layers/NetstackNodeServer.ts"
import * as NetstackSocket from "../../../layers/NetstackSocket.ts"
import * as NetstackSocketServer from "../../../layers/NetstackSocketServer.ts"
import { Netstack } from "../../../src/sockets/Netstack.ts"
import { addressOne, addressTwo, on, pair } from "../../workers/Hosts.ts"
import type * as Certificate from "../Certificate.ts"
import { event } from "../Events.ts"

const http = process.getBuiltinModule("node:http")
const https = process.getBuiltinModule("node:https")

/** What is common to the options of both kinds of datagram sockets. */
export interface DatagramOptions {
  readonly port?: number
  /** The host's own address if absent; what is sent to groups comes to sockets that are bound to any address. */
  readonly address?: "0.0.0.0"
  readonly multicast?: {
    readonly interface?: NetAddress.Ipv4Address
    readonly ttl?: number
    readonly loopback?: boolean
  }
  readonly connect?: NetAddress.InetAddress
  readonly peer?: NetAddress.InetAddress
  readonly capacity?: number
  readonly strategy?: "dropping" | "sliding"
  readonly onError?: (error: DatagramSocket.DatagramSocketError) => void
}

type Clients = Readonly<Record<"undici" | "node:http", Layer.Layer<HttpClient.HttpClient>>>

export interface Environment {
  /** Where servers are found, and clients come from. */
  readonly serverHost: string
  readonly clientHost: string
  readonly socketServer: Effect.Effect<
    SocketServer.SocketServer["Service"],
    SocketServer.SocketServerError,
    Scope.Scope
  >
  readonly socket: (port: number) => Effect.Effect<Socket.Socket>
  readonly serverDatagrams: (options?: DatagramOptions) => Effect.Effect<DatagramSocket.DatagramSocket>
  readonly clientDatagrams: (options?: DatagramOptions) => Effect.Effect<DatagramSocket.DatagramSocket>
  readonly httpServer: Layer.Layer<HttpServer.HttpServer>
  readonly httpsServer: (certificate: Certificate.Certificate) => Layer.Layer<HttpServer.HttpServer>
  readonly httpClients: Clients
  readonly webSockets: Layer.Layer<Socket.WebSocketConstructor>
  /** The same, trusting this certificate. */
  readonly httpsClients: (ca: string) => Clients
  readonly secureWebSockets: (ca: string) => Layer.Layer<Socket.WebSocketConstructor>
  /** A client by undici that trusts this certificate. */
  readonly trusting: (ca: string, allowH2: boolean) => Layer.Layer<HttpClient.HttpClient>
  /** Has a server of Node listen here; answers its port. */
  readonly listen: (server: Net.Server) => Effect.Effect<number, never, Scope.Scope>
}

const loopback = "127.0.0.1"

/** Options of both kinds are named alike. */
const datagramOptions = (options: DatagramOptions, host: string) => {
  const { address = host, capacity, connect, multicast, onError, peer, port = 0, strategy } = options
  return {
    bind: { address, port },
    receiveBuffer: { capacity, strategy },
    multicast,
    onError,
    ...(connect === undefined ? { peer } : { connect })
  }
}

const listening = (server: Net.Server, host?: string): Effect.Effect<number> =>
  Effect.gen(function*() {
    server.listen(0, host)
    yield* event(server, "listening")
    const address = server.address()
    return typeof address === "object" && address !== null ? address.port : 0
  })

const nodeDatagrams = (options: DatagramOptions = {}) =>
  NodeDatagramSocket.make(datagramOptions(options, loopback) as NodeDatagramSocket.Options)

const onLoopback = { port: 0, host: loopback }

const nodeClients = (undici: Clients["undici"], agent: Https.AgentOptions = {}): Clients => ({
  undici,
  "node:http": Layer.provide(
    NodeHttpClient.layerNodeHttpNoAgent,
    NodeHttpClient.layerAgentOptions({ keepAlive: true, ...agent })
  )
})

const kernel: Environment = {
  serverHost: loopback,
  clientHost: loopback,
  socketServer: NodeSocketServer.make({ port: 0, host: loopback }),
  socket: (port) => NodeSocket.makeNet({ host: loopback, port }),
  serverDatagrams: nodeDatagrams,
  clientDatagrams: nodeDatagrams,
  httpServer: Layer.orDie(NodeHttpServer.layerServer(() => http.createServer(), onLoopback)),
  httpsServer: (certificate) =>
    Layer.orDie(NodeHttpServer.layerServer(() => https.createServer(certificate), onLoopback)),
  httpClients: nodeClients(NodeHttpClient.layerUndici),
  httpsClients: (ca) => nodeClients(NodeHttpClient.layerUndiciOptions({ connect: { ca } }), { ca }),
  webSockets: NodeWS.layerWebSocketConstructor,
  secureWebSockets: (ca) =>
    Layer.succeed(
      Socket.WebSocketConstructor,
      (url) => new NodeWS.WebSocket(url, { ca }) as unknown as globalThis.WebSocket
    ),
  trusting: (ca, allowH2) => NodeHttpClient.layerUndiciOptions({ allowH2, connect: { ca } }),
  listen: (server) =>
    Effect.andThen(
      Effect.addFinalizer(() => Effect.sync(() => server.close())),
      listening(server, loopback)
    )
}

const stacks: Effect.Effect<Environment, never, Scope.Scope> = Effect.map(pair(), ({ one, two }) => {
  const client = Layer.succeed(Netstack, one)
  const server = Layer.succeed(Netstack, two)
  const clients = (tls: NetstackHttpClient.ConnectOptions["tls"] = {}): Clients => ({
    undici: Layer.provide(NetstackHttpClient.layerUndici({ tls }), client),
    "node:http": Layer.provide(NetstackHttpClient.layerNodeHttp({ tls }), client)
  })
  const datagrams = (stack: typeof one, host: string) => (options: DatagramOptions = {}) =>
    on(stack)(NetstackDatagramSocket.make(datagramOptions(options, host) as NetstackDatagramSocket.Options))
  return {
    serverHost: addressTwo,
    clientHost: addressOne,
    socketServer: on(two)(NetstackSocketServer.make({ address: addressTwo })),
    socket: (port) => on(one)(NetstackSocket.make({ host: addressTwo, port })),
    serverDatagrams: datagrams(two, addressTwo),
    clientDatagrams: datagrams(one, addressOne),
    httpServer: Layer.orDie(Layer.provide(NetstackHttpServer.layerServer({ port: 0 }), server)),
    httpsServer: (tls) => Layer.orDie(Layer.provide(NetstackHttpServer.layerServer({ port: 0, tls }), server)),
    httpClients: clients(),
    httpsClients: (ca) => clients({ ca }),
    webSockets: Layer.provide(NetstackHttpClient.layerWebSocketConstructor(), client),
    secureWebSockets: (ca) => Layer.provide(NetstackHttpClient.layerWebSocketConstructor({ tls: { ca } }), client),
    trusting: (ca, allowH2) => Layer.provide(NetstackHttpClient.layer({ tls: { ca }, agent: { allowH2 } }), client),
    listen: (plain) => Effect.flatMap(on(two)(NetstackNodeServer.attach(plain)), (server) => listening(server))
  }
})

/** Each world by its name, made afresh for each test. */
export const environments: Readonly<Record<string, Effect.Effect<Environment, never, Scope.Scope>>> = {
  "Node's network": Effect.succeed(kernel),
  "the stack": stacks
}

export const portOf = (address: NetAddress.SocketAddress): number =>
  NetAddress.isInetAddress(address) ? address.port : 0
