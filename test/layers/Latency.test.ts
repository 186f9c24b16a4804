/** An idle stack answers at once: what a frame leads to is written before the device's word of the frame has come back. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { vi } from "vitest"
import * as TunTapLink from "../../layers/TunTapLink.ts"
import * as Links from "../../src/link/Links.ts"
import * as Netstack from "../../src/Netstack.ts"
import * as Udp from "../../src/sockets/Udp.ts"
import * as Arp from "../../src/wire/Arp.ts"
import * as Lan from "../core/Lan.ts"
import * as Collector from "../link/Collector.ts"
import * as ScriptedDevice from "./ScriptedDevice.ts"

const port = 7

/** A stack on a scripted device, which knows the station and answers it on a port of UDP. */
const host = Effect.gen(function*() {
  const reads: Array<number> = []
  const device: ScriptedDevice.Scripted = ScriptedDevice.make({}, () => reads.push(device.written.length))
  const link = TunTapLink.make(device, Lan.hereMac, {})
  const stack = yield* Effect.provide(Netstack.make({ ipv4: "10.0.0.1/24" }), Links.layer(link))
  const socket = yield* Effect.provideService(Udp.bind({ port }), Netstack.Netstack, stack)
  const answers = Effect.forever(
    Effect.flatMap(socket.receive, ({ bytes, source }) => socket.send(bytes, source))
  )
  yield* Effect.forkScoped(answers, { startImmediately: true })
  /** What was written when the call came back, and how much of it before each read. */
  const hear = (frame: Uint8Array) => {
    device.written.length = 0
    reads.length = 0
    device.incoming.push(frame)
    device.tell({ readable: true })
    return { answers: device.written.map(Lan.read), reads: [...reads] }
  }
  hear(Lan.arp(Arp.request(Lan.thereMac, Lan.there, Lan.here), { from: Lan.thereMac }))
  return hear
})

describe("An idle stack", () => {
  it.effect("answers a ping before the device's call comes back", () =>
    Effect.gen(function*() {
      const hear = yield* host
      assert.deepStrictEqual(hear(Lan.ethernet(Lan.ip(Lan.echo()))).answers.map(({ icmp }) => icmp?._tag), [
        "EchoReply"
      ])
    }))

  it.effect("lets its programs answer before the device's call comes back", () =>
    Effect.gen(function*() {
      const hear = yield* host
      const { answers } = hear(Lan.datagram(5000, port, Uint8Array.of(1, 2, 3)))
      assert.deepStrictEqual(answers.map(({ payload }) => Array.from(payload)), [[1, 2, 3]])
    }))

  it.effect("does not ask for more frames before it has answered one that came alone", () =>
    Effect.gen(function*() {
      const hear = yield* host
      hear(Lan.ethernet(Lan.ip(Lan.echo())))
      assert.deepStrictEqual(hear(Lan.datagram(5000, port, Uint8Array.of(1))).reads, [0, 1])
    }))

  it.effect("lets the loop sleep between frames, unless it is to spin", () =>
    Effect.gen(function*() {
      const turns = (spin: number) =>
        Effect.scoped(Effect.gen(function*() {
          const device = ScriptedDevice.make()
          yield* TunTapLink.make(device, undefined, { spin }).open(Collector.make())
          const soon = vi.spyOn(globalThis, "setImmediate")
          yield* Effect.addFinalizer(() => Effect.sync(() => soon.mockRestore()))
          for (let i = 0; i < 2; i++) {
            device.incoming.push(Collector.frame(i).bytes)
            device.tell({ readable: true })
          }
          return soon.mock.calls.length
        }))
      assert.deepStrictEqual([yield* turns(0), yield* turns(10_000)], [0, 1])
    }))
})
