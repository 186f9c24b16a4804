/**
 * How fast the stack is on a bad network, against a kernel on the same one: a relay in user space that loses, delays and reorders frames
 * by seed, with the sender's congestion control chosen on both sides.
 */
import * as Effect from "effect/Effect"
import type * as Faults from "../../src/link/Faults.ts"
import * as Relay from "../../test/interop/Relay.ts"
import type { Figure, Row, Settings } from "../Row.ts"

interface Network {
  /** Of the row. */
  readonly name: string
  readonly about: string
  readonly bytes: number
  readonly faults: Omit<Faults.Options, "seed">
}

/** Slow enough that no processor is what limits it: the rows `tap-…` tell what a byte costs, these what is made of a network. */
const line = { rate: 5e7, queueBytes: 250_000 }

const networks: ReadonlyArray<Network> = [
  {
    name: "relay-clean",
    about: "50 Mbit/s, 40 ms",
    bytes: 25_000_000,
    faults: { ...line, delay: "20 millis" }
  },
  {
    name: "relay-0.01",
    about: "50 Mbit/s, 10 ms, 0.01 % lost, 0.1 % overtaken",
    bytes: 25_000_000,
    faults: { ...line, delay: "5 millis", loss: 0.0001, reordering: 0.001, reorderingDelay: "2 millis" }
  },
  {
    name: "relay-0.1",
    about: "50 Mbit/s, 20 ms, 0.1 % lost, 0.5 % overtaken",
    bytes: 25_000_000,
    faults: { ...line, delay: "10 millis", loss: 0.001, reordering: 0.005, reorderingDelay: "3 millis" }
  },
  {
    name: "relay-1",
    about: "50 Mbit/s, 20 ms, 1 % lost, 1 % overtaken",
    bytes: 5_000_000,
    faults: { ...line, delay: "10 millis", loss: 0.01, reordering: 0.01, reorderingDelay: "3 millis" }
  }
]

const directions = { put: "kernel → peer", get: "peer → kernel" } as const

/** The rates of both directions with one peer, in Mbit/s. */
const rates = (peer: Relay.Peer, congestion: Relay.Congestion, network: Network, seed: number, scale: number) =>
  Effect.scoped(Effect.gen(function*() {
    const relay = yield* Relay.make(peer, congestion, { seed, ...network.faults })
    const rate = (verb: keyof typeof directions) =>
      Effect.map(
        relay.transfer(verb, Math.ceil(network.bytes / scale)),
        ({ bytes, millis }) => bytes * 8 / 1000 / millis
      )
    return { put: yield* rate("put"), get: yield* rate("get") }
  }))

/** Stack and kernel in turns, each turn with a seed of its own that both have. */
const figures = (congestion: Relay.Congestion, network: Network, { runs, scale }: Settings) =>
  Effect.gen(function*() {
    const turns = yield* Effect.forEach(Array.from({ length: runs }, (_, i) => i + 1), (seed) =>
      Effect.gen(function*() {
        const stack = yield* rates("stack", congestion, network, seed, scale)
        return { stack, kernel: yield* rates("kernel", congestion, network, seed, scale) }
      }))
    return (["put", "get"] as const).map((verb): Figure => ({
      name: `${congestion}, ${directions[verb]}`,
      unit: "Mbit/s",
      values: turns.map(({ stack }) => stack[verb]),
      against: { name: "kernel", values: turns.map(({ kernel }) => kernel[verb]) },
      goal: { atLeast: 0.8 }
    }))
  })

export const rows: ReadonlyArray<Row> = networks.map((network) => ({
  name: network.name,
  about: `transfers with CUBIC, Reno and BBR, against kernel to kernel: ${network.about}`,
  measure: (settings) =>
    Effect.map(
      Effect.forEach(Relay.available(), (congestion) => figures(congestion, network, settings)),
      (all) => all.flat()
    )
}))
