/**
 * Effect's `HttpClient` over the stack: `NodeHttpClient` with connections that the stack dials, by undici or by node:http.
 * Names are looked up with the service `Dns` of `effect/net`, if the program has one (`NetstackDns`).
 *
 * @example
 * ```ts
 * const response = HttpClient.get("http://10.0.0.2/").pipe(Effect.provide(NetstackHttpClient.layer()))
 * ```
 */
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import * as NodeWS from "@effect/platform-node/NodeWS"
import type * as Undici from "@effect/platform-node/Undici"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as HttpClient from "effect/http/HttpClient"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as Socket from "effect/socket/Socket"
import type * as Http from "node:http"
import type * as Https from "node:https"
import * as Net from "node:net"
import type { Duplex } from "node:stream"
import * as Tls from "node:tls"
import type { Netstack } from "../src/sockets/Netstack.ts"
import * as NodeDuplex from "./NodeDuplex.ts"
import * as SystemError from "./SystemError.ts"

// Not by `import`, which would evaluate the lazy parts of node:http too, a whole client among them.
const http = process.getBuiltinModule("node:http")
const https = process.getBuiltinModule("node:https")

export interface ConnectOptions {
  /** How long a far side may be silent while the connection is opened, TLS included; 10 seconds if absent. */
  readonly connectTimeout?: Duration.Input
  /** How the stack connects. Small requests leave at once (`noDelay`) unless it says otherwise. */
  readonly dial?: NodeDuplex.DialOptions
  /** Certificates to trust, say. */
  readonly tls?: Tls.ConnectionOptions
}

/** Where the parts of Node's world want to go, in their words. */
interface Target {
  readonly host?: string | null | undefined
  readonly port?: number | string | null | undefined
}

const defaultTimeout = Duration.seconds(10)
const httpPort = 80
const httpsPort = 443
const http1 = "http/1.1"

const dialFor = (dial: NodeDuplex.Dial, { host, port }: Target, defaultPort: number, options: ConnectOptions) =>
  dial({ host: host ?? "localhost", port: Number(port) || defaultPort }, {
    ...options.dial,
    options: { noDelay: true, ...options.dial?.options }
  })

/** Ends a connection that is not there in time; `established` is the event that it waits for. */
const limited = <D extends Duplex>(
  raw: NodeDuplex.NodeDuplex,
  socket: D,
  established: "connect" | "secureConnect",
  { connectTimeout = defaultTimeout }: ConnectOptions
): D => {
  const giveUp = () => void raw.destroy(SystemError.make("ETIMEDOUT", "connect"))
  raw.setTimeout(Duration.toMillis(connectTimeout), giveUp)
  socket.once(established, () => raw.setTimeout(0, giveUp))
  return socket
}

const connectPlainly = (dial: NodeDuplex.Dial, target: Target, options: ConnectOptions): NodeDuplex.NodeDuplex => {
  const raw = dialFor(dial, target, httpPort, options)
  return limited(raw, raw, "connect", options)
}

/** TLS on top; a name goes to the server (RFC 6066 §3), an address does not. */
const connectSecurely = (
  dial: NodeDuplex.Dial,
  target: Target & { readonly servername?: string | undefined },
  options: ConnectOptions,
  protocols: ReadonlyArray<string> = [http1]
): Tls.TLSSocket => {
  const raw = dialFor(dial, target, httpsPort, options)
  const host = target.host ?? "localhost"
  const servername = target.servername ?? options.tls?.servername ?? (Net.isIP(host) === 0 ? host : "")
  const socket = Tls.connect({ ...options.tls, host, servername, ALPNProtocols: [...protocols], socket: raw })
  return limited(raw, socket, "secureConnect", options)
}

/** undici's way to get connections; it speaks what TLS has agreed on (RFC 7301). */
const connector =
  (dial: NodeDuplex.Dial, options: UndiciOptions): Undici.buildConnector.connector => (to, callback) => {
    const isSecure = to.protocol === "https:"
    const target = { host: to.hostname, port: to.port, servername: to.servername }
    const protocols = options.agent?.allowH2 === false ? [http1] : ["h2", http1]
    const socket: Duplex = isSecure
      ? connectSecurely(dial, target, options, protocols)
      : connectPlainly(dial, target, options)
    const fail = (error: Error) => callback(error, null)
    socket.once("error", fail).once(isSecure ? "secureConnect" : "connect", () => {
      socket.off("error", fail)
      callback(null, socket as Net.Socket)
    })
  }

export interface UndiciOptions extends ConnectOptions {
  /** undici's own: keep-alive, pipelining, limits, and whether HTTP/2 may be spoken (`allowH2`, true if absent). */
  readonly agent?: Omit<Undici.Agent.Options, "connect">
}

/** A client by undici. */
export const layerUndici = (options: UndiciOptions = {}): Layer.Layer<HttpClient.HttpClient, never, Netstack> =>
  Layer.unwrap(
    Effect.map(
      NodeDuplex.dialer,
      (dial) => NodeHttpClient.layerUndiciOptions({ ...options.agent, connect: connector(dial, options) })
    )
  )

/** The quicker of the two: {@link layerUndici}. */
export const layer: typeof layerUndici = layerUndici

export interface AgentOptions extends ConnectOptions {
  /** node:http's own: keep-alive (on if absent), limits. */
  readonly agent?: Https.AgentOptions
}

class PlainAgent extends http.Agent {
  private readonly dial: NodeDuplex.Dial
  private readonly connection: ConnectOptions

  constructor(dial: NodeDuplex.Dial, options: AgentOptions) {
    super({ keepAlive: true, ...options.agent })
    this.dial = dial
    this.connection = options
  }

  override createConnection(target: Http.ClientRequestArgs): Duplex {
    return connectPlainly(this.dial, target, this.connection)
  }
}

class SecureAgent extends https.Agent {
  private readonly dial: NodeDuplex.Dial
  private readonly connection: ConnectOptions

  constructor(dial: NodeDuplex.Dial, options: AgentOptions) {
    super({ keepAlive: true, ...options.agent, ...options.tls })
    this.dial = dial
    this.connection = options
  }

  /** node:https keeps TLS sessions for later connections; it is only told what to put TLS on. */
  override createConnection(
    target: Https.RequestOptions,
    callback?: (error: Error | null, stream: Duplex) => void
  ): Duplex | null | undefined {
    const socket = dialFor(this.dial, target, httpsPort, this.connection)
    const secure = super.createConnection({ ...target, socket } as Https.RequestOptions, callback)
    return secure == null ? secure : limited(socket, secure, "secureConnect", this.connection)
  }
}

/** Agents of node:http and node:https for anything that takes one; the scope destroys them. */
export const agents = (
  options: AgentOptions = {}
): Effect.Effect<NodeHttpClient.HttpAgent["Service"], never, Netstack | Scope.Scope> =>
  Effect.flatMap(NodeDuplex.dialer, (dial) =>
    Effect.acquireRelease(
      Effect.sync(() => ({ http: new PlainAgent(dial, options), https: new SecureAgent(dial, options) })),
      (both) =>
        Effect.sync(() => {
          both.http.destroy()
          both.https.destroy()
        })
    ))

export const layerAgents = (options?: AgentOptions): Layer.Layer<NodeHttpClient.HttpAgent, never, Netstack> =>
  Layer.effect(NodeHttpClient.HttpAgent, agents(options))

/** A client by node:http. */
export const layerNodeHttp = (options?: AgentOptions): Layer.Layer<HttpClient.HttpClient, never, Netstack> =>
  Layer.provide(NodeHttpClient.layerNodeHttpNoAgent, layerAgents(options))

/** WebSockets (RFC 6455) over the stack, for `Socket.makeWebSocket`. */
export const layerWebSocketConstructor = (
  options: ConnectOptions = {}
): Layer.Layer<Socket.WebSocketConstructor, never, Netstack> =>
  Layer.effect(
    Socket.WebSocketConstructor,
    Effect.map(NodeDuplex.dialer, (dial) => (url, given) => {
      const { headers, protocols } = given === undefined || typeof given === "string" || Array.isArray(given)
        ? { headers: undefined, protocols: given }
        : given
      const connect = url.startsWith("wss:") ? connectSecurely : connectPlainly
      const createConnection = (target: Http.ClientRequestArgs) => connect(dial, target as Target, options)
      return new NodeWS.WebSocket(url, protocols, {
        ...(headers === undefined ? {} : { headers }),
        createConnection: createConnection as unknown as typeof Net.createConnection
      })
    })
  )
