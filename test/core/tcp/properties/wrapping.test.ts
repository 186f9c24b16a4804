/** Numbers that pass the middle and the end of their range, where a comparison without the modulus goes wrong (RFC 9293 §3.4). */
import { assert, describe, it } from "@effect/vitest"
import * as fs from "node:fs"
import * as path from "node:path"
import * as Entropy from "../../../../src/core/Entropy.ts"
import type * as TcpConfig from "../../../../src/core/tcp/Config.ts"
import type { Connection } from "../../../../src/core/tcp/Connection.ts"
import type * as FourTuple from "../../../../src/core/tcp/FourTuple.ts"
import * as InitialSequence from "../../../../src/core/tcp/InitialSequence.ts"
import { millis } from "../../../../src/core/Time.ts"
import * as Time from "../../../../src/core/Time.ts"
import type { Host } from "../../../../src/testing/Host.ts"
import { make } from "../../../../src/testing/Host.ts"
import { seedBytes } from "../../../../src/testing/HostOptions.ts"
import * as Script from "../../../../src/testing/Script.ts"
import * as Address from "../../../../src/wire/Address.ts"
import * as Family from "../../family.ts"
import { Network } from "../Network.ts"
import { clientAddress, connectRequest, drain, pattern, port, serverAddress, write } from "../Pair.ts"

/** Where numbers change their sign, and where they begin again. */
const turns = { middle: 2 ** 31, end: 2 ** 32 }

const isnOf = (seed: number, tuple: FourTuple.FourTuple): number =>
  InitialSequence.generate(Entropy.derive(seedBytes(seed)).sequence, Time.instantOf(0), tuple) >>> 0

describe("Scripts of listeners whose numbers wrap", () => {
  const root = path.join(import.meta.dirname, "../../../scripts")
  const names = (fs.readdirSync(root, { recursive: true }) as ReadonlyArray<string>)
    .filter((name) => name.endsWith(".pkt") && !/^(?:ipv6|language)\//.test(name))
    .toSorted()
  const tuple: FourTuple.FourTuple = {
    local: Address.v4(192, 168, 0, 1),
    localPort: 8080,
    remote: Address.v4(192, 0, 2, 1),
    remotePort: 53_000
  }
  // Found by trying: the seeds of hosts whose first connection begins 1943 and 1862 below a turn.
  for (const [turn, seed] of [["middle", 2_221_878], ["end", 1_196_684]] as const) {
    it(`pass across the ${turn} of the range (rfc: 9293 §3.4)`, () => {
      assert.closeTo(turns[turn] - isnOf(seed, tuple), 1900, 100)
      for (const name of names) {
        const outcome = Script.run(fs.readFileSync(path.join(root, name), "utf8"), { seed })
        assert.strictEqual(outcome.status, "passed", `${name}: ${Script.render(outcome)}`)
      }
    })
  }
})

/** Octets that each side sends, which reach across the turn. */
const size = 300_000

/** The client, and the server as it sees itself. */
const ends = {
  client: { local: clientAddress, localPort: 5000, remote: serverAddress, remotePort: port },
  server: { local: serverAddress, localPort: port, remote: clientAddress, remotePort: 5000 }
}

/** The seed of a server that begins a little ahead of a client: both ends count by the same clock. */
const seedBeside = (seed: number): number => {
  const isn = isnOf(seed, ends.client)
  for (let other = 1;; other++) {
    if ((isnOf(other, ends.server) - isn) >>> 0 < size / 3) return other
  }
}

/** Two hosts that know each other, whose connection begins `size / 2` below the turn at most. */
const hostsBelow = (turn: number): readonly [Host, Host] => {
  const seed = 1
  const hostOf = (own: number, address: Address.Address, startAt: number): Host =>
    make({
      seed: own,
      startAt: Time.instantOf(startAt),
      interfaces: [{ addresses: [[address, Family.prefixLength]] }]
    })
  // A host has probed for its address when it is made.
  const probed = hostOf(seed, clientAddress, 0).now
  const startAt = ((turn - size / 2 - isnOf(seed, ends.client)) >>> 0) * 4 - probed
  const hosts = [hostOf(seed, clientAddress, startAt), hostOf(seedBeside(seed), serverAddress, startAt)] as const
  const macOf = (host: Host) => host.state.device.interfaces.get(1)!.mac
  hosts[0].call({ _tag: "SetNeighbor", link: 1, address: serverAddress, mac: macOf(hosts[1]) })
  hosts[1].call({ _tag: "SetNeighbor", link: 1, address: clientAddress, mac: macOf(hosts[0]) })
  return hosts
}

const connectionOf = (host: Host): Connection => {
  for (const entry of host.state.tcp.entries.values()) if (entry._tag === "Connection") return entry
  throw new Error("no connection")
}

/** Both directions at once, over a network that loses, doubles and reorders. */
const carries = (turn: number, options: TcpConfig.Options): void => {
  const [client, server] = hostsBelow(turn)
  const listening = { local: undefined, version: undefined, port, backlog: 1, options, link: undefined }
  const { listener } = server.call({ _tag: "TcpListen", ...listening })
  const none = { loss: 0, duplication: 0, reordering: 0, corruption: 0, delay: millis(5) }
  const network = new Network([client, server], [none, none], 7)
  const asked = client.request({ ...connectRequest(options), localPort: ends.client.localPort })
  while (asked.outcome()._tag === "Pending") network.advance(millis(10))
  network.advance(millis(10))
  const faults = { ...none, loss: 0.02, duplication: 0.02, reordering: 0.05 }
  network.faults = [faults, faults]
  const { connection } = server.call({ _tag: "TcpAccept", listener, block: false })
  const sides = [[client, connectionOf(client)], [server, connectionOf(server)]] as const
  assert.strictEqual(sides[1][1].id, connection)
  const text = pattern(size)
  for (const [host, { id, snd }] of sides) {
    const left = (turn - snd.iss) >>> 0
    assert.isTrue(left > 0 && left < size, `${left} octets up to the turn`)
    write(host, id, text)
  }
  const got: ReadonlyArray<Array<Uint8Array>> = [[], []]
  for (let i = 0; i < 600; i++) {
    network.advance(millis(100))
    sides.forEach(([host, { id }], side) => got[side]!.push(drain(host, id).bytes))
  }
  for (const parts of got) assert.isTrue(Buffer.concat(parts).equals(text), `${Buffer.concat(parts).length} octets`)
}

describe("A transfer both of whose directions wrap", () => {
  for (const [name, turn] of Object.entries(turns)) {
    it(`comes whole across the ${name} of the range, with every extension and with none (rfc: 9293 §3.4)`, () => {
      carries(turn, { receiveBuffer: 20_000, receiveBufferLimit: 20_000 })
      carries(turn, { timestamps: false, sack: false, windowScaling: false })
      carries(turn, { ecn: "active", congestionControl: "newReno" })
    })
  }
})
