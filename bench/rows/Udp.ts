/**
 * Two stacks and a wire in memory: how many datagrams a second go from program to program, one a call and many a call.
 */
import * as Effect from "effect/Effect"
import * as Links from "../../src/link/Links.ts"
import * as MemoryLink from "../../src/link/MemoryLink.ts"
import * as Netstack from "../../src/Netstack.ts"
import * as Udp from "../../src/sockets/Udp.ts"
import type { Row } from "../Row.ts"

const datagrams = 200_000
/** Sent before the receiver is waited for: as much as its queue surely holds. */
const round = 64
const payload = new Uint8Array(512).fill(0x61)

const host = (link: ReturnType<typeof MemoryLink.pair>[0], ipv4: `${string}/${number}`) =>
  Effect.provide(Netstack.make({ ipv4 }), Links.layer(link))

/** How a round is sent and received. */
type Way = (client: Udp.UdpSocket, server: Udp.UdpSocket) => Effect.Effect<void, Udp.UdpError>

const oneByOne: Way = (client, server) =>
  Effect.gen(function*() {
    for (let i = 0; i < round; i++) yield* client.send(payload)
    for (let i = 0; i < round; i++) yield* server.receive
  })

const batch = Array.from({ length: round }, () => ({ bytes: payload }))

const together: Way = (client, server) =>
  Effect.gen(function*() {
    yield* client.sendMany(batch)
    for (let received = 0; received < round;) received += (yield* server.receiveMany(round)).length
  })

/** Datagrams a second. */
const rate = (way: Way, count: number) =>
  Effect.scoped(Effect.gen(function*() {
    const [left, right] = MemoryLink.pair()
    const one = yield* host(left, "10.99.0.1/24")
    const two = yield* host(right, "10.99.0.2/24")
    const server = yield* Effect.provideService(Udp.bind({ port: 9 }), Netstack.Netstack, two)
    const client = yield* Effect.provideService(Udp.connect("10.99.0.2:9"), Netstack.Netstack, one)
    // Compilers settle, and the neighbours get to know each other.
    for (let sent = 0; sent < count / 4; sent += round) yield* way(client, server)
    const begin = performance.now()
    let sent = 0
    for (; sent < count; sent += round) yield* way(client, server)
    return sent / (performance.now() - begin) * 1000
  }))

export const rows: ReadonlyArray<Row> = [{
  name: "udp-many",
  about: "datagrams of 512 bytes between two stacks in memory, 64 a call against one a call",
  measure: ({ runs, scale }) => {
    const count = Math.ceil(datagrams / scale)
    const turn = Effect.all([rate(together, count), rate(oneByOne, count)])
    return Effect.map(Effect.replicateEffect(turn, runs), (turns) => [{
      name: "datagrams",
      unit: "/s",
      values: turns.map(([many]) => many),
      against: { name: "one a call", values: turns.map(([, single]) => single) }
    }])
  }
}]
