/**
 * A small site that shows a stack from the inside: interfaces, neighbours, routes, connections, counters, drops.
 *
 * ```
 *   /             all of it as a page, which keeps itself up to date
 *   /status.json  the same as data (`Status.ts`), also for `netstack watch`
 *   /metrics      what it counts, for Prometheus
 * ```
 */
import * as Effect from "effect/Effect"
import type { Netstack } from "../sockets/Netstack.ts"
import * as NetworkMetrics from "../sockets/NetworkMetrics.ts"
import * as Http from "./Http.ts"
import type { Service } from "./Service.ts"
import * as Status from "./Status.ts"
import * as StatusPage from "./StatusPage.ts"

export type { Status } from "./Status.ts"

const show = (
  self: Effect.Effect<Http.Response, { readonly message: string }, Netstack>
): Effect.Effect<Http.Response, never, Netstack> =>
  Effect.catch(self, (error) => Effect.succeed(Http.text(503, `${error.message}\n`)))

/** The answer to a request, whoever brought it. */
export const respond: Http.Handler = ({ target }) => {
  switch (target.split("?", 1)[0]) {
    case "/":
      return show(Effect.map(Status.read, (self) => Http.text(200, StatusPage.page(self), "text/html; charset=utf-8")))
    case "/status.json":
      return show(Effect.map(
        Status.read,
        (self) => Http.text(200, `${JSON.stringify(self, undefined, 2)}\n`, "application/json")
      ))
    case "/metrics":
      return Effect.map(NetworkMetrics.prometheus, (text) => Http.text(200, text, NetworkMetrics.prometheusType))
    default:
      return Effect.succeed(Http.text(404, "not found\n"))
  }
}

/** The site as a service. */
export const service: Service = Http.service(respond)
