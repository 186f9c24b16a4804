/**
 * Two routers between two links, of which one dies: connections go on by the other (RFC 4861 §6.3.6, §7.3.3; RFC 4191 §3; RFC 1122 §3.3.1.4).
 *
 *     client ─┬─ link 1 ─┬─ first ──┬─ link 2 ─┬─ server
 *             └──────────┴─ second ─┴──────────┘
 */
import { assert, describe, it } from "@effect/vitest"
import * as Time from "../../src/core/Time.ts"
import * as Host from "../../src/testing/Host.ts"
import * as Wire from "../../src/testing/Wire.ts"
import * as Address from "../../src/wire/Address.ts"
import { ip6 } from "./ipv6/address.ts"
import * as Lan from "./Lan.ts"

const families = [
  {
    name: "IPv4",
    length: 24,
    near: [Address.v4(10, 0, 1, 1), Address.v4(10, 0, 1, 2), Address.v4(10, 0, 1, 9)],
    far: [Address.v4(10, 0, 2, 1), Address.v4(10, 0, 2, 2), Address.v4(10, 0, 2, 9)]
  },
  {
    name: "IPv6",
    length: 64,
    near: [ip6("2001:db8:1::1"), ip6("2001:db8:1::2"), ip6("2001:db8:1::9")],
    far: [ip6("2001:db8:2::1"), ip6("2001:db8:2::2"), ip6("2001:db8:2::9")]
  }
] as const

type Family = typeof families[number]

/** The hosts on both links, and how to let time pass and a router die. */
const make = ({ far, length, near }: Family) => {
  const router = (i: 0 | 1): Host.Host =>
    Host.make({
      seed: i + 1,
      config: { forwarding: true },
      interfaces: [{ addresses: [[near[i], length]] }, { addresses: [[far[i], length]] }]
    })
  const end = (seed: number, address: Address.Address, routers: ReadonlyArray<Address.Address>): Host.Host => {
    const host = Host.make({ seed, interfaces: [{ addresses: [[address, length]] }] })
    const prefix = Address.unspecified(Address.versionOf(address))
    routers.slice(0, 2).forEach((gateway, metric) => {
      host.call({ _tag: "AddRoute", prefix, length: 0, gateway, link: 1, metric, source: undefined })
    })
    return host
  }
  const hosts = { first: router(0), second: router(1), client: end(3, near[2], near), server: end(4, far[2], far) }
  const { client, first, second, server } = hosts
  let isDead = false
  const alive = (frame: Uint8Array, from: number): Uint8Array | undefined => from === 0 && isDead ? undefined : frame
  const wires = [
    Wire.make([first, second, client], alive),
    Wire.make([{ host: first, link: 2 }, { host: second, link: 2 }, server], alive)
  ]
  const advance = (seconds: number): void => {
    for (let i = 0; i < seconds * 20; i++) {
      for (const wire of wires) wire.advance(wire === wires[0] ? Time.millis(50) : Time.zero)
    }
  }
  const exchange = (): void => {
    for (let i = 0; i < 8; i++) for (const wire of wires) wire.exchange()
  }
  return { ...hosts, advance, exchange, kill: (dead: boolean) => isDead = dead }
}

type Network = ReturnType<typeof make>

const valueOf = <A>(asked: Host.Asked<A>): A => {
  const outcome = asked.outcome()
  if (outcome._tag !== "Done") throw new Error(JSON.stringify(outcome))
  return outcome.value
}

const connect = ({ client, exchange, server }: Network, remote: Address.Address) => {
  const any = { local: undefined, version: undefined, link: undefined, options: {} } as const
  const { listener } = server.call({ _tag: "TcpListen", ...any, port: 80, backlog: 5 })
  const accepted = server.request({ _tag: "TcpAccept", listener, block: true })
  const request = { _tag: "TcpConnect", ...any, remote, remotePort: 80, localPort: 0, block: true } as const
  const connected = client.request(request)
  exchange()
  return [valueOf(connected).connection, valueOf(accepted).connection] as const
}

/** Sends an octet through a connection, and tells whether it arrived within some seconds. */
const carries = (network: Network, [from, to]: readonly [number, number], seconds: number): boolean => {
  const { advance, client, server } = network
  const bytes = Uint8Array.of(7)
  client.request({ _tag: "TcpWrite", connection: from, bytes, start: 0, end: 1, owned: true, block: true })
  advance(seconds)
  return server.request({ _tag: "TcpRead", connection: to, max: 9, block: false }).outcome()._tag === "Done"
}

for (const family of families) {
  describe(`Two routers of ${family.name}`, () => {
    it("share a connection: when the first dies the second takes over, and gives it back", () => {
      const network = make(family)
      const { client, first, kill, second } = network
      const ends = connect(network, family.far[2])
      assert.isTrue(carries(network, ends, 1))
      assert.strictEqual(second.counter("ipForwarded"), 0)
      kill(true)
      // Stale after 45 s at most, then in doubt for 5 s and asked for 3 s; TCP tries again after 63 s, and the answer goes the same way.
      assert.isTrue(carries(network, ends, 140))
      assert.isTrue(carries(network, ends, 2))
      assert.isAbove(second.counter("ipForwarded"), 2)
      const [info] = client.call({ _tag: "TcpList" })
      assert.strictEqual(info!.state, "ESTABLISHED")
      kill(false)
      for (let i = 0; i < 8; i++) assert.isTrue(carries(network, ends, 10))
      const before = first.counter("ipForwarded")
      assert.isTrue(carries(network, ends, 2))
      assert.isAbove(first.counter("ipForwarded"), before)
    })

    it("make up for a first that was never there: what waits for it goes by the second (rfc: 4861 §6.3.6)", () => {
      const network = make(family)
      const { advance, client, kill } = network
      kill(true)
      const asked = client.request(Lan.ping(family.far[2]))
      advance(8)
      assert.isTrue(valueOf(asked).isIntact)
      const again = client.request(Lan.ping(family.far[2]))
      advance(1)
      assert.strictEqual(again.outcome()._tag, "Done")
    })

    it("that are both dead let a packet fail", () => {
      const network = make(family)
      const { advance, client } = network
      network.kill(true)
      for (const gateway of family.near.slice(0, 2)) {
        client.call({
          _tag: "RemoveRoute",
          prefix: Address.unspecified(Address.versionOf(gateway)),
          length: 0,
          gateway,
          link: 1
        })
        client.call({
          _tag: "AddRoute",
          prefix: Address.unspecified(Address.versionOf(gateway)),
          length: 0,
          gateway: Address.equals(gateway, family.near[1]) ? nobodyOf(family) : gateway,
          link: 1,
          metric: 0,
          source: undefined
        })
      }
      const asked = client.request(Lan.ping(family.far[2]))
      advance(9)
      assert.strictEqual(asked.outcome()._tag, "Failed")
      assert.strictEqual(client.memory("parkedPackets"), 0)
    })
  })
}

/** An address of the near link that nobody has. */
const nobodyOf = ({ name }: Family): Address.Address =>
  name === "IPv4" ? Address.v4(10, 0, 1, 77) : ip6("2001:db8:1::77")
