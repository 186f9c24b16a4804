/**
 * Two of Node's clients over the stack, unchanged but for where their connections come from: `redis ADDRESS` and `mqtt ADDRESS`.
 */
import * as Effect from "effect/Effect"
import { Redis } from "ioredis"
import mqtt from "mqtt"
import type * as Net from "node:net"
import * as NodeDuplex from "../../../layers/NodeDuplex.ts"
import { run } from "./onTap.ts"

const say = (line: string): void => void process.stdout.write(`${line}\n`)

/** The clients' types ask for a `net.Socket`, of which they use what a `NodeDuplex` has. */
const socketOf = (duplex: NodeDuplex.NodeDuplex): Net.Socket => duplex as unknown as Net.Socket

const redis = async (dial: NodeDuplex.Dial, host: string): Promise<void> => {
  class Connector {
    private stream: NodeDuplex.NodeDuplex | undefined

    check(): boolean {
      return true
    }

    connect(): Promise<Net.Socket> {
      this.stream = dial({ host, port: 6379 })
      return Promise.resolve(socketOf(this.stream))
    }

    disconnect(): void {
      this.stream?.end()
    }
  }
  const client = new Redis({ Connector: Connector as never })
  const large = "x".repeat(3_000_000)
  await client.set("greeting", "hello")
  say(`get ${await client.get("greeting")}`)
  await client.set("large", large)
  say(`large ${(await client.get("large")) === large}`)
  const pipeline = client.pipeline()
  for (let i = 0; i < 1000; i++) pipeline.incr("count")
  await pipeline.exec()
  say(`count ${await client.get("count")}`)
  const subscriber = client.duplicate()
  await subscriber.subscribe("news")
  const heard = new Promise<string>((resolve) => subscriber.on("message", (_, message) => resolve(message)))
  await client.publish("news", "it works")
  say(`news ${await heard}`)
  subscriber.disconnect()
  await client.quit()
}

const broker = async (dial: NodeDuplex.Dial, host: string): Promise<void> => {
  const client = new mqtt.MqttClient(() => dial({ host, port: 1883 }) as never, { clientId: "stack", keepalive: 30 })
  await new Promise<void>((resolve) => client.on("connect", () => resolve()))
  await client.subscribeAsync("stack/#", { qos: 2 })
  const heard: Array<string> = []
  const all = new Promise<void>((resolve) =>
    client.on("message", (topic, payload) => {
      heard.push(`${topic} ${payload.length}`)
      if (heard.length === 3) resolve()
    })
  )
  const publish = (qos: 0 | 1 | 2) => client.publishAsync(`stack/${qos}`, Buffer.alloc(10 ** (2 * qos + 1)), { qos })
  await publish(0)
  await publish(1)
  await publish(2)
  await all
  say(heard.join(", "))
  await client.endAsync()
}

const [, , kind, host = ""] = process.argv

run(Effect.gen(function*() {
  const dial = yield* NodeDuplex.dialer
  yield* Effect.promise(() => kind === "redis" ? redis(dial, host) : broker(dial, host))
  say("done")
}))
