/**
 * A stack that gets its address by DHCP and tells of its leases: the first as JSON, the dhcp routes, and that one was renewed.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as Network from "../../../src/sockets/Network.ts"
import { run } from "./onTap.ts"

const say = (line: string) =>
  Effect.sync(() => {
    process.stdout.write(`${line}\n`)
  })

run(
  Effect.gen(function*() {
    yield* say("ready")
    const [lease] = yield* Network.leases
    yield* say(`lease ${yield* Schema.encodeEffect(Schema.fromJsonString(Network.Lease))(lease!)}`)
    const routes = (yield* Network.routes).filter(({ origin }) => origin === "dhcp")
    yield* say(`routes ${routes.map(({ gateway, to }) => `${to} via ${gateway}`).toSorted().join(", ")}`)
    const isRenewed = Stream.filter(Network.leaseChanges, ([now]) => String(now?.renewAt) !== String(lease!.renewAt))
    yield* Stream.runHead(isRenewed)
    yield* say("renewed")
    return yield* Effect.never
  }),
  { ipv4: "dhcp", dhcp: { probe: false, hostName: "stack" } }
)
