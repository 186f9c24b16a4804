/**
 * The service of `kernel/bulk.ts` on a stack with knobs of the test's choice, behind a router that marks packets; and its opposite, which asks a server for its words.
 *
 *     extensions.ts serve KNOBS MARKS                   port 7; says `ready`
 *     extensions.ts ask KNOBS MARKS PORT TIMES          opens connections one after the other, says "hello N" on each, and prints what each heard
 *
 * KNOBS are those of `core/tcp/Config.ts`, MARKS `{ "sent": N, "received": N }`: each so many-th packet is marked, none for 0. When its input ends it prints, as
 * JSON, what the router has seen and what the connections were (`Info`).
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { once } from "node:events"
import * as Tap from "../../../layers/Tap.ts"
import { TunTapDevice } from "../../../layers/TunTapDevice.ts"
import * as Links from "../../../src/link/Links.ts"
import * as Netstack from "../../../src/Netstack.ts"
import * as Tcp from "../../../src/sockets/Tcp.ts"
import type { TcpConnection } from "../../../src/sockets/TcpConnection.ts"
import { device, kernelAddress, prefixLength, stackAddress } from "../Machine.ts"
import { handle } from "./bulkService.ts"
import * as Marker from "./marker.ts"

const [verb = "serve", knobs = "{}", marks = "{}", port = "7", times = "1"] = process.argv.slice(2)
const every = { sent: 0, received: 0, ...(JSON.parse(marks) as object) }
const options = JSON.parse(knobs) as Tcp.ListenOptions["options"] & object

const told: Array<object> = []
const heard: Array<string> = []

const remember = (connection: TcpConnection) =>
  Effect.map(connection.info, (info) => {
    const { congestionWindow, ecnUse, hadTextInSyn, marksReceived, marksTold, sendMss } = info
    told.push({ congestionWindow, ecnUse, hadTextInSyn, marksReceived, marksTold, sendMss })
  })

const serve = Effect.gen(function*() {
  const listener = yield* Tcp.listen({ port: 7, closePolicy: "orderly", options })
  process.stdout.write("ready\n")
  return yield* listener.serve((connection) => Effect.ensuring(handle(connection), Effect.ignore(remember(connection))))
})

const ask = (words: string) =>
  Effect.gen(function*() {
    const connection = yield* Tcp.connect({ host: kernelAddress, port: Number(port) }, {
      closePolicy: "orderly",
      options
    })
    yield* connection.write(Buffer.from(words))
    yield* connection.end
    let answer = ""
    for (let parts = yield* connection.read(); parts.length > 0; parts = yield* connection.read()) {
      answer += Buffer.concat(parts).toString("latin1")
    }
    heard.push(answer)
    yield* remember(connection)
  })

const askAll = Effect.gen(function*() {
  for (let i = 0; i < Number(times); i++) yield* Effect.scoped(ask(`hello ${i}`))
  process.stdout.write("ready\n")
  return yield* Effect.never
})

const program = Effect.gen(function*() {
  const marker = Marker.make(yield* Tap.make({ name: device, vnetHeader: false }), every)
  const stack = Netstack.layer({ ipv4: `${stackAddress}/${prefixLength}` }).pipe(
    Layer.provide(Links.layerEffect(Effect.succeed(marker.link)))
  )
  process.stdin.resume()
  const ended = Effect.promise(() => once(process.stdin, "end"))
  yield* Effect.raceFirst(Effect.scoped(verb === "serve" ? serve : askAll), ended).pipe(Effect.provide(stack))
  process.stdout.write(`told ${JSON.stringify({ ...marker.seen, connections: told, heard })}\n`)
})

await Effect.runPromise(Effect.provide(Effect.scoped(program), TunTapDevice.layer))
