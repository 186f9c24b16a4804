import { assert, describe, it } from "@effect/vitest"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as CoreConfig from "../../src/core/tcp/Config.ts"
import * as Knobs from "../../src/core/tcp/Knobs.ts"
import * as Time from "../../src/core/Time.ts"
import * as Links from "../../src/link/Links.ts"
import * as MemoryLink from "../../src/link/MemoryLink.ts"
import * as Netstack from "../../src/Netstack.ts"
import * as Tcp from "../../src/sockets/Tcp.ts"
import * as TcpKnobs from "../../src/sockets/TcpKnobs.ts"
import * as Edge from "../../src/workers/Edge.ts"

/** What a configuration of environment variables gives. */
const decoded = (env: Record<string, string>) =>
  TcpKnobs.config("tcp").pipe(
    Effect.provideService(
      ConfigProvider.ConfigProvider,
      ConfigProvider.constantCase(ConfigProvider.fromEnv({ env }))
    )
  )

/** The form that a value has in a configuration. */
const textOf = (name: keyof CoreConfig.Config, value: unknown): string =>
  Knobs.table[name].values.kind === "time" ? `${Time.toMillis(value as Time.Span)} millis` : String(value)

const constant = (name: string): string => name.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()

describe("TCP's knobs in a configuration", () => {
  it.effect("absent ones are the stack's", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(Edge.tcpConfigOf(yield* decoded({ TCP_NO_DELAY: "true" })), { noDelay: true })
    }))

  it.effect("all of them are read by their names, and mean what they mean in a program", () =>
    Effect.gen(function*() {
      const values = {
        ...CoreConfig.defaults,
        linger: Time.seconds(3),
        connectTimeout: Time.seconds(20),
        notSentLowWater: 5
      }
      const env = Object.fromEntries(
        Knobs.names.map((name) => [`TCP_${constant(name)}`, textOf(name, values[name])])
      )
      assert.deepStrictEqual(Edge.tcpConfigOf(yield* decoded(env)) as unknown, values)
    }))

  it.effect("times have units, and may be for ever where that makes sense", () =>
    Effect.gen(function*() {
      const knobs = yield* decoded({
        TCP_MIN_RTO: "50 millis",
        TCP_KEEP_ALIVE_IDLE: "3 minutes",
        TCP_CONNECT_TIMEOUT: "Infinity"
      })
      assert.strictEqual(Duration.toMillis(knobs.keepAliveIdle!), 180_000)
      assert.deepStrictEqual(Edge.tcpConfigOf(knobs), {
        minRto: Time.millis(50),
        keepAliveIdle: Time.seconds(180),
        connectTimeout: Infinity as Time.Span
      })
    }))

  const wrong: ReadonlyArray<readonly [string, string, string]> = [
    ["TCP_ECN", "sometimes", "ecn"],
    ["TCP_CONGESTION_CONTROL", "reno2", "congestionControl"],
    ["TCP_MIN_RTO", "0 millis", "minRto"],
    ["TCP_MIN_RTO", "soon", "minRto"],
    ["TCP_DELAYED_ACK", "600 millis", "delayedAck"],
    ["TCP_RETRIES", "1.5", "retries"],
    ["TCP_RECEIVE_BUFFER", "-1", "receiveBuffer"],
    ["TCP_SACK", "perhaps", "sack"]
  ]
  for (const [name, value, knob] of wrong) {
    it.effect(`${name}=${value} is refused by its name`, () =>
      Effect.gen(function*() {
        const error = yield* Effect.flip(decoded({ [name]: value }))
        assert.include(String(error), knob)
      }))
  }

  it.effect("reach the stack by layerConfig", () =>
    Effect.gen(function*() {
      const [near] = MemoryLink.pair()
      const layer = Netstack.layerConfig({ tcp: TcpKnobs.config("tcp") }).pipe(Layer.provide(Links.layer(near)))
      const provider = ConfigProvider.fromUnknown({ tcp: { congestionControl: "bbr", delayedAck: "25 millis" } })
      const info = yield* Effect.gen(function*() {
        const listener = yield* Tcp.listen({ port: 80 })
        const client = yield* Tcp.connect("127.0.0.1:80")
        yield* listener.accept
        return yield* client.info
      }).pipe(
        Effect.scoped,
        Effect.provide(layer),
        Effect.provideService(ConfigProvider.ConfigProvider, provider)
      )
      assert.strictEqual(info.congestionControl, "bbr")
      assert.strictEqual(Duration.toMillis(info.ackDelay), 25)
    }))
})

describe("TCP's knobs in a program", () => {
  it.effect("that a stack can't have end its start with the reason", () =>
    Effect.gen(function*() {
      const [near] = MemoryLink.pair()
      const start = Netstack.make({ tcp: { retries: -1 } }).pipe(Effect.provide(Links.layer(near)), Effect.scoped)
      const error = yield* Effect.flip(start)
      assert.include(error.message, "retries: -1 is not 0 to 255 times")
    }))

  it.effect("that a connection can't have fail its opening, and those that are agreed on can't be changed later", () =>
    Effect.gen(function*() {
      const listener = yield* Tcp.listen({ port: 80 })
      const refused = yield* Effect.flip(Tcp.connect("10.0.0.1:80", { options: { initialWindow: 0 } }))
      assert.include(refused.message, "initialWindow: 0 is not 1 to 100 segments")
      const client = yield* Tcp.connect("10.0.0.1:80")
      yield* listener.accept
      yield* client.setOptions({ congestionControl: "newReno", keepAliveIdle: "10 seconds" })
      assert.strictEqual((yield* client.info).congestionControl, "newReno")
      const fixed = yield* Effect.flip(client.setOptions({ sack: false }))
      assert.include(fixed.message, "sack is fixed when a connection opens")
      // What it has already may be said again.
      yield* client.setOptions({ sack: true })
    }).pipe(Effect.scoped, Effect.provide(Netstack.layerMemory({ closeTimeout: 0 }))))
})
