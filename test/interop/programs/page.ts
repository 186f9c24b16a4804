/**
 * A stack without numbers: gets its lease, looks names up where the lease says, and prints the page of each URL of the command line.
 */
import * as Effect from "effect/Effect"
import * as HttpClient from "effect/http/HttpClient"
import * as Layer from "effect/Layer"
import * as NetstackDns from "../../../layers/NetstackDns.ts"
import * as NetstackHttpClient from "../../../layers/NetstackHttpClient.ts"
import { run } from "./onTap.ts"

const page = (url: string) =>
  Effect.gen(function*() {
    const response = yield* HttpClient.get(url)
    const body = yield* response.text
    process.stdout.write(`${url} ${response.status} ${body.length} ${body.slice(0, 40).trim()}\n`)
  })

run(
  Effect.forEach(process.argv.slice(2), page, { discard: true }).pipe(
    Effect.provide(Layer.provideMerge(NetstackHttpClient.layer(), NetstackDns.layer()))
  ),
  { ipv4: "dhcp", dhcp: { probe: false } }
)
