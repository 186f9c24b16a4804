/**
 * A service as it might stand in any repository: it asks another one for a price and adds the tax. It knows Effect's HTTP and nothing of the network.
 */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientResponse from "effect/http/HttpClientResponse"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Schema from "effect/Schema"

const Item = Schema.Struct({ name: Schema.String, price: Schema.Number })

/** How the service asks: for how long, and how often. */
export interface Patience {
  readonly timeout: Duration.Input
  readonly tries: number
}

/** The bug: nobody waits for 300 ms on a healthy network, and nobody asks again on one that is not. */
export const impatient: Patience = { timeout: "300 millis", tries: 1 }
/** What to do about it: wait until TCP has had time to send a lost SYN again, twice, and then ask anew. */
export const patient: Patience = { timeout: "4 seconds", tries: 4 }

const ask = (url: string, { timeout, tries }: Patience) =>
  Effect.gen(function*() {
    const response = yield* HttpClient.get(url)
    return yield* HttpClientResponse.schemaBodyJson(Item)(response)
  }).pipe(Effect.timeout(timeout), Effect.retry({ times: tries - 1 }))

/** `GET /price/ITEM` with the tax, as JSON; `shop` is the URL of the shop. */
export const routes = (shop: string, patience: Patience) =>
  HttpRouter.add(
    "GET",
    "/price/:item",
    Effect.gen(function*() {
      const { item = "" } = yield* HttpRouter.params
      const { name, price } = yield* ask(`${shop}/items/${item}`, patience)
      return HttpServerResponse.jsonUnsafe({ name, total: Math.round(price * 119) / 100 })
    }).pipe(Effect.catch(() => Effect.succeed(HttpServerResponse.text("the shop does not answer", { status: 503 }))))
  )

/** The shop that it asks. */
export const shop = HttpRouter.add(
  "GET",
  "/items/:item",
  Effect.map(HttpRouter.params, ({ item = "" }) => HttpServerResponse.jsonUnsafe({ name: item, price: item.length }))
)
