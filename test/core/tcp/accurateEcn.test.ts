/** Accurate ECN between two hosts, with a router between them that marks and a path that loses ACKs (RFC 9768). */
import { assert, describe, it } from "@effect/vitest"
import type * as Config from "../../../src/core/tcp/Config.ts"
import type { Endpoint } from "../../../src/core/tcp/Requests.ts"
import { millis, seconds } from "../../../src/core/Time.ts"
import type { Host } from "../../../src/testing/Host.ts"
import type { Tap } from "../../../src/testing/Wire.ts"
import * as Checksum from "../../../src/wire/Checksum.ts"
import * as Family from "../family.ts"
import { connected, drain, type Pair, pair, pattern, write } from "./Pair.ts"

const ethernetLength = 14
const congested = 3

const marksOf = (frame: Uint8Array): number =>
  Family.version === 4 ? frame[ethernetLength + 1]! & congested : (frame[ethernetLength + 1]! >>> 4) & congested

/** The frame marked, with the header's checksum anew where there is one. */
const marked = (frame: Uint8Array): Uint8Array => {
  const copy = Uint8Array.from(frame)
  if (Family.version === 6) {
    copy[ethernetLength + 1]! |= congested << 4
    return copy
  }
  copy[ethernetLength + 1]! |= congested
  copy[ethernetLength + 10] = 0
  copy[ethernetLength + 11] = 0
  const sum = Checksum.finish(Checksum.sum(copy, ethernetLength, ethernetLength + 20, 0))
  copy[ethernetLength + 10] = sum >>> 8
  copy[ethernetLength + 11] = sum & 0xff
  return copy
}

interface Path {
  readonly tap: Tap
  /** Frames of the client's that were marked. */
  marks: number
}

/** Each `every`-th packet of the client's that may be marked is; of the server's frames only each `acks`-th arrives. */
const path = (every: number, acks = 1): Path => {
  let [capable, answers] = [0, 0]
  const self: Path = {
    marks: 0,
    tap: (frame, from) => {
      if (from === 1) return ++answers > 8 && answers % acks !== 0 ? undefined : frame
      if (marksOf(frame) === 0 || ++capable % every !== 0) return frame
      self.marks++
      return marked(frame)
    }
  }
  return self
}

const info = (host: Host, { connection }: Endpoint) => host.call({ _tag: "TcpGetInfo", connection })

/** Moves bytes from the client to the server; both ends of the connection once all is acknowledged. */
const moved = (hosts: Pair, bytes: number, options: Config.Options): readonly [Endpoint, Endpoint] => {
  const [client, server] = connected(hosts, options)
  const sent = pattern(bytes)
  write(hosts.client, client.connection, sent)
  const parts: Array<Uint8Array> = []
  for (let i = 0; i < 3000 && info(hosts.client, client).bytesAcked < bytes; i++) {
    hosts.wire.advance(millis(20))
    parts.push(drain(hosts.server, server.connection).bytes)
  }
  hosts.wire.advance(seconds(1))
  parts.push(drain(hosts.server, server.connection).bytes)
  assert.deepStrictEqual(Buffer.concat(parts), Buffer.from(sent))
  return [client, server]
}

const accurate: Config.Options = { ecn: "accurate" }

describe("Accurate ECN between two hosts (RFC 9768)", () => {
  const knobs: ReadonlyArray<Config.Options> = [
    { ecnOption: "always" },
    { ecnOption: "changes" },
    { ecnOption: "always", timestamps: false },
    { ecnOption: "changes", sack: false },
    { ecnOption: "never" }
  ]
  for (const knob of knobs) {
    it(`every mark and every byte is told, with ${JSON.stringify(knob)}`, () => {
      const options = { ...accurate, ...knob }
      const way = path(5)
      const hosts = pair({ tap: way.tap, options })
      const [client, server] = moved(hosts, 400_000, options)
      const [told, came] = [info(hosts.client, client), info(hosts.server, server)]
      assert.isAbove(way.marks, 20)
      assert.strictEqual(came.marksReceived, way.marks)
      assert.strictEqual(told.marksTold, way.marks)
      assert.strictEqual(came.bytesReceivedWith.ect0 + came.bytesReceivedWith.ce, 400_000)
      if (knob.ecnOption !== "never") {
        assert.strictEqual(told.ecnOptionSeen, "counters")
        assert.strictEqual(told.bytesToldWith.ce, came.bytesReceivedWith.ce)
      }
    })
  }
  it("no mark is missed where most ACKs get lost, so that the three bits go round between those that arrive (§3.2.2.5.2)", () => {
    const way = path(2, 7)
    const options: Config.Options = { ...accurate, initialWindow: 100 }
    const hosts = pair({ tap: way.tap, options })
    const [client, server] = moved(hosts, 100_000, options)
    const [told, came] = [info(hosts.client, client), info(hosts.server, server)]
    assert.strictEqual(came.marksReceived, way.marks)
    assert.strictEqual(told.bytesToldWith.ce, came.bytesReceivedWith.ce)
    assert.strictEqual((told.marksTold - came.marksReceived) % 8, 0)
    assert.isAtMost(Math.abs(told.marksTold - came.marksReceived), came.marksReceived / 4)
  })
  it("probes for the path MTU are as long as they say, though they carry the option", () => {
    const hosts = pair({ options: accurate })
    const longest = () => Math.max(...hosts.wire.carried.map((frame) => frame.length)) - ethernetLength
    const [client] = moved(hosts, 2_000_000, { ...accurate, mtuProbing: "always" })
    const { ecnOptionSeen, pathMtu } = info(hosts.client, client)
    assert.strictEqual(ecnOptionSeen, "counters")
    assert.isAtLeast(pathMtu, Family.mtuOf(1400))
    assert.strictEqual(longest(), pathMtu)
  })
  it("a path that marks is used with a smaller window than one that does not", () => {
    const window = (every: number): number => {
      const hosts = pair({ tap: path(every).tap, options: accurate })
      return info(hosts.client, moved(hosts, 400_000, accurate)[0]).congestionWindow
    }
    assert.isBelow(window(20), window(Infinity))
  })
})
