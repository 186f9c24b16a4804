/**
 * Effect's `HttpServer` on the stack: `NodeHttpServer` over a server of node:http, or node:https, that listens on the stack.
 *
 * @example
 * ```ts
 * const Server = HttpRouter.serve(routes).pipe(Layer.provide(NetstackHttpServer.layer({ port: 80 })))
 * ```
 */
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as NodeHttpServerRequest from "@effect/platform-node/NodeHttpServerRequest"
import type * as NodeServices from "@effect/platform-node/NodeServices"
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import type * as Etag from "effect/http/Etag"
import type * as HttpPlatform from "effect/http/HttpPlatform"
import * as HttpServer from "effect/http/HttpServer"
import { ServeError } from "effect/http/HttpServerError"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import type { HttpServerResponse } from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import type * as Tracer from "effect/Tracer"
import type * as Http from "node:http"
import type * as Https from "node:https"
import { Netstack } from "../src/sockets/Netstack.ts"
import * as NetstackNodeServer from "./NetstackNodeServer.ts"

// Not by `import`, which would evaluate the lazy parts of node:http too, a whole client among them.
const http = process.getBuiltinModule("node:http")
const https = process.getBuiltinModule("node:https")

/** What `NodeHttpServer` is told about closing and WebSockets. */
type Behaviour = Pick<
  NodeHttpServer.Options,
  "disablePreemptiveShutdown" | "gracefulShutdownTimeout" | "websocket"
>

export interface Options extends Behaviour {
  readonly port: number
  /** One of the stack's addresses, as text; any of them if absent. */
  readonly host?: string
  /** Established connections that may wait to be accepted. */
  readonly backlog?: number
  /** Speaks HTTPS, with this key and certificate. */
  readonly tls?: Https.ServerOptions
  /** Timeouts and limits of node:http. */
  readonly node?: Http.ServerOptions
  /** How the stack listens. */
  readonly listen?: NetstackNodeServer.Options
}

type Service = Effect.Success<ReturnType<typeof NodeHttpServer.make>>

type Probe = NonNullable<Netstack["Service"]["probe"]>

/** The span of the connection that a request came by. */
const spanBelow = (probe: Probe, request: HttpServerRequest.HttpServerRequest): Tracer.Span | undefined => {
  const connection = NetstackNodeServer.connectionOf(NodeHttpServerRequest.toIncomingMessage(request).socket)
  return connection === undefined ? undefined : probe.spanOf(connection.id)
}

/**
 * Links the span of each request to that of its connection. The one is not below the other: a request's parent is the client's span where that is known,
 * and a connection lives for many requests, of which its span keeps no list.
 */
const linked = <E, R>(
  probe: Probe,
  app: Effect.Effect<HttpServerResponse, E, R>
): Effect.Effect<HttpServerResponse, E, R | HttpServerRequest.HttpServerRequest> =>
  Effect.flatMap(HttpServerRequest.HttpServerRequest, (request) => {
    const connection = spanBelow(probe, request)
    if (connection === undefined) return app
    return Effect.flatMap(Effect.option(Effect.currentSpan), (span) => {
      if (Option.isSome(span)) span.value.addLinks([{ span: connection, attributes: {} }])
      return app
    })
  })

/** The service with spans that know of their connections; itself where nobody looks. */
const traced = (service: Service, { probe }: Netstack["Service"]): Service =>
  probe === undefined ? service : HttpServer.make({
    address: service.address,
    serve: (app, middleware) => service.serve(linked(probe, app), middleware!)
  })

/** The error with its cause's message, of its own it has none. The message is given to a new one because a stack trace begins with it. */
const explained = ({ cause }: ServeError): ServeError => {
  const fields = { cause, message: cause instanceof Error ? cause.message : "" }
  return new ServeError(fields)
}

/** A server, listening until the scope closes. */
export const make = (options: Options): Effect.Effect<Service, ServeError, Netstack | Scope.Scope> =>
  Effect.gen(function*() {
    const { listen, node, tls, ...place } = options
    const plain = tls === undefined
      ? http.createServer({ ...node })
      : https.createServer({ ...node, ...tls }) as Http.Server
    const server = yield* NetstackNodeServer.attach(plain, listen)
    const service = yield* Effect.mapError(NodeHttpServer.make(() => server, place), explained)
    return traced(service, yield* Netstack)
  })

export const layerServer = (options: Options): Layer.Layer<HttpServer.HttpServer, ServeError, Netstack> =>
  Layer.effect(HttpServer.HttpServer)(make(options))

type Services =
  | HttpServer.HttpServer
  | NodeServices.NodeServices
  | HttpPlatform.HttpPlatform
  | Etag.Generator

/** The server with what else HTTP services of Effect need, as `NodeHttpServer.layer` provides it. */
export const layer = (options: Options): Layer.Layer<Services, ServeError, Netstack> =>
  Layer.merge(layerServer(options), NodeHttpServer.layerHttpServices)

/** {@link layer} with options from the program's configuration. */
export const layerConfig = (
  options: Config.Wrap<Options>
): Layer.Layer<Services, ServeError | Config.ConfigError, Netstack> =>
  Layer.merge(
    Layer.effect(HttpServer.HttpServer)(Effect.flatMap(Config.unwrap(options), make)),
    NodeHttpServer.layerHttpServices
  )
