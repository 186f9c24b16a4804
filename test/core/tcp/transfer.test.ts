import { assert, describe, it } from "@effect/vitest"
import * as TcpConfig from "../../../src/core/tcp/Config.ts"
import { millis, seconds } from "../../../src/core/Time.ts"
import * as Time from "../../../src/core/Time.ts"
import { connected, drain, pair, pattern, stateOf, write } from "./Pair.ts"

describe("A transfer (RFC 9293 §3.10)", () => {
  it("opens by three segments and is established on both sides (rfc: 9293 §3.5)", () => {
    const hosts = pair()
    const [client, server] = connected(hosts)
    assert.strictEqual(stateOf(hosts.client, client.connection), "ESTABLISHED")
    assert.strictEqual(stateOf(hosts.server, server.connection), "ESTABLISHED")
    assert.strictEqual(client.remotePort, server.localPort)
    assert.strictEqual(client.localPort, server.remotePort)
    assert.strictEqual(hosts.wire.carried.length, 3)
  })

  it("carries a byte stream unchanged, in order, and ends it", () => {
    const hosts = pair()
    const [client, server] = connected(hosts)
    const sent = pattern(1_000_000)
    const asked = write(hosts.client, client.connection, sent)
    hosts.client.call({ _tag: "TcpGetInfo", connection: client.connection })
    const parts: Array<Uint8Array> = []
    for (let i = 0; i < 200 && asked.outcome()._tag === "Pending"; i++) {
      hosts.wire.advance(millis(10))
      parts.push(drain(hosts.server, server.connection).bytes)
    }
    assert.deepStrictEqual(asked.outcome(), { _tag: "Done", value: sent.length })
    hosts.client.call({ _tag: "TcpClose", connection: client.connection })
    let isEnd = false
    for (let i = 0; i < 10 && !isEnd; i++) {
      hosts.wire.advance(seconds(1))
      const rest = drain(hosts.server, server.connection)
      parts.push(rest.bytes)
      isEnd = rest.end
    }
    assert.isTrue(isEnd)
    assert.deepStrictEqual(Buffer.concat(parts), Buffer.from(sent))
    hosts.server.call({ _tag: "TcpClose", connection: server.connection })
    hosts.wire.advance(seconds(1))
    assert.strictEqual(hosts.server.state.tcp.entries.size, 0)
    hosts.wire.advance(Time.seconds(61))
    assert.strictEqual(hosts.client.state.tcp.entries.size, 0)
    assert.strictEqual(hosts.client.memory(), 0)
    assert.strictEqual(hosts.server.memory(), 0)
  })

  it("goes on one segment at a time over a link that may hold less than a segment of it", () => {
    const hosts = pair({
      interface: { mtu: 9000 },
      client: { config: { tcp: { ...TcpConfig.defaults, transmitCreditBytes: 2000 } } }
    })
    const [client, server] = connected(hosts)
    write(hosts.client, client.connection, pattern(40_000))
    hosts.wire.advance(seconds(1))
    assert.deepStrictEqual(drain(hosts.server, server.connection).bytes, Buffer.from(pattern(40_000)))
  })
})
