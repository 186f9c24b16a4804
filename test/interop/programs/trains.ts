/**
 * Takes as many datagrams as it is told from one sender, sends them back in one call, and prints how many frames that were.
 */
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Network from "../../../src/sockets/Network.ts"
import * as Udp from "../../../src/sockets/Udp.ts"
import { run } from "./onTap.ts"

const [port, count] = process.argv.slice(2).map(Number) as [number, number]

run(Effect.gen(function*() {
  const socket = yield* Udp.bind({ port })
  yield* Console.log("ready")
  const datagrams: Array<Udp.Datagram> = []
  const before = yield* Network.counters
  while (datagrams.length < count) datagrams.push(...yield* socket.receiveMany(count - datagrams.length))
  yield* socket.sendMany(datagrams.map(({ bytes, source }) => ({ bytes, to: source })))
  const after = yield* Network.counters
  const grown = (name: "framesReceived" | "ipSent" | "udpReceived" | "udpSent") => after[name] - before[name]
  yield* Console.log(JSON.stringify({
    framesReceived: grown("framesReceived"),
    ipSent: grown("ipSent"),
    udpReceived: grown("udpReceived"),
    udpSent: grown("udpSent")
  }))
  return yield* Effect.never
}))
