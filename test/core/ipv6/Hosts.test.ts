/**
 * Two hosts on a wire that speak IPv6, from the link up to TCP, and the same with IPv4.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Time from "../../../src/core/Time.ts"
import * as Host from "../../../src/testing/Host.ts"
import * as Wire from "../../../src/testing/Wire.ts"
import * as Address from "../../../src/wire/Address.ts"
import { ip, ip6 } from "./address.ts"

interface Family {
  readonly name: string
  readonly a: Address.Address
  readonly b: Address.Address
  readonly loopback: Address.Address
  readonly length: number
  /** Of the largest ping. */
  readonly largest: number
}

const families: ReadonlyArray<Family> = [
  {
    name: "IPv4",
    a: ip("10.0.0.1"),
    b: ip("10.0.0.2"),
    loopback: Address.loopbackV4,
    length: 24,
    largest: 65_535 - 20 - 8
  },
  {
    name: "IPv6",
    a: ip("2001:db8::1"),
    b: ip("2001:db8::2"),
    loopback: Address.loopbackV6,
    length: 64,
    largest: 65_535 - 8
  }
]

const bytes = (length: number): Uint8Array => Uint8Array.from({ length }, (_, i) => (i * 7 + (i >>> 8)) & 0xff)

const pair = ({ a, b, length }: Family, config: Host.Options["config"] = {}) => {
  const make = (seed: number, address: Address.Address): Host.Host =>
    Host.make({ seed, config, interfaces: [{ addresses: [[address, length]] }] })
  const hosts = [make(1, a), make(2, b)] as const
  return { here: hosts[0], there: hosts[1], wire: Wire.make(hosts) }
}

const ping = (destination: Address.Address, payload: Uint8Array) => ({
  _tag: "Ping" as const,
  destination,
  source: undefined,
  payload,
  hopLimit: undefined,
  dontFragment: false,
  timeout: Time.seconds(3),
  link: undefined
})

const bind = (host: Host.Host, port: number): number =>
  host.call({ _tag: "UdpBind", local: undefined, version: undefined, port, link: undefined, options: {} }).socket

const received = (host: Host.Host, socket: number) => host.call({ _tag: "UdpReceive", socket, max: 10, block: false })

const valueOf = <A>(asked: Host.Asked<A>): A => {
  const outcome = asked.outcome()
  if (outcome._tag !== "Done") throw new Error(JSON.stringify(outcome))
  return outcome.value
}

for (const family of families) {
  describe(`Two hosts over ${family.name}`, () => {
    it("find each other and answer pings of all sizes, the larger ones in fragments", () => {
      const { here, there, wire } = pair(family)
      for (const size of [0, 56, 1400, 1500, 20_000, family.largest]) {
        const asked = here.request(ping(family.b, bytes(size)))
        wire.exchange()
        const pong = valueOf(asked)
        assert.isTrue(pong.isIntact)
        assert.strictEqual(pong.bytes, size + 8)
        assert.strictEqual(Address.format(pong.from), Address.format(family.b))
      }
      assert.isAbove(here.counter("fragmentsSent"), 50)
      assert.strictEqual(there.counter("reassembled"), 3)
      assert.deepStrictEqual([...here.drops(), ...there.drops()], [])
      assert.strictEqual(here.memory() + there.memory(), 0)
    })

    it("refuse a ping that no packet holds", () => {
      const { here } = pair(family)
      assert.deepStrictEqual(here.request(ping(family.b, bytes(family.largest + 1))).outcome(), {
        _tag: "Failed",
        reason: { _tag: "MessageTooLarge", limit: family.largest }
      })
    })

    it("carry datagrams of all sizes between sockets for any address", () => {
      const { here, there, wire } = pair(family)
      const from = bind(here, 1000)
      const to = bind(there, 2000)
      for (const size of [1, 1472, 9000, family.largest]) {
        here.call({
          _tag: "UdpSend",
          socket: from,
          remote: family.b,
          remotePort: 2000,
          bytes: bytes(size),
          block: true
        })
        wire.exchange()
        const [datagram] = received(there, to)
        assert.deepStrictEqual(datagram!.bytes, bytes(size))
        assert.isTrue(Address.equals(datagram!.source, family.a))
        assert.strictEqual(datagram!.sourcePort, 1000)
      }
    })

    it("tell a port that nobody has, and a neighbour that nobody is", () => {
      const { here, wire } = pair(family)
      const socket = bind(here, 1000)
      const send = (remote: Address.Address) =>
        here.request({ _tag: "UdpSend", socket, remote, remotePort: 9, bytes: bytes(9), block: true }).outcome()
      assert.strictEqual(send(family.b)._tag, "Done")
      wire.exchange()
      assert.deepStrictEqual(send(family.b), { _tag: "Failed", reason: { _tag: "ConnectionRefused" } })
      const nobody = here.request(ping(ip(family.length === 24 ? "10.0.0.77" : "2001:db8::77"), bytes(9)))
      wire.advance(Time.seconds(4))
      assert.deepInclude(nobody.outcome(), { _tag: "Failed" })
      assert.isAbove(here.dropCount("NeighborUnreachable"), 0)
    })

    it("open a connection, carry a stream both ways, and close it", () => {
      const { here, there, wire } = pair(family)
      const { listener } = there.call({
        _tag: "TcpListen",
        local: undefined,
        version: undefined,
        port: 80,
        backlog: 5,
        options: {},
        link: undefined
      })
      const accepted = there.request({ _tag: "TcpAccept", listener, block: true })
      const connected = here.request({
        _tag: "TcpConnect",
        remote: family.b,
        remotePort: 80,
        local: undefined,
        localPort: 0,
        link: undefined,
        options: {},
        block: true
      })
      wire.exchange()
      const ends = [[here, valueOf(connected).connection], [there, valueOf(accepted).connection]] as const
      assert.isTrue(Address.equals(valueOf(accepted).remote, family.a))
      const data = bytes(200_000)
      for (const [i, [from, connection]] of ends.entries()) {
        const [to, other] = ends[1 - i]!
        from.request({
          _tag: "TcpWrite",
          connection,
          bytes: data,
          start: 0,
          end: data.length,
          owned: true,
          block: true
        })
        const parts: Array<number> = []
        for (let turns = 0; parts.length < data.length && turns < 1000; turns++) {
          wire.advance(Time.millis(10))
          const read = to.request({ _tag: "TcpRead", connection: other, max: 1e6, block: false }).outcome()
          if (read._tag !== "Done") continue
          for (const piece of read.value.pieces) parts.push(...piece.bytes.subarray(piece.start, piece.end))
        }
        assert.deepStrictEqual(Uint8Array.from(parts), data)
      }
      for (const [host, connection] of ends) host.call({ _tag: "TcpClose", connection })
      wire.advance(Time.seconds(300))
      assert.strictEqual(here.call({ _tag: "TcpList" }).length, 0)
      assert.strictEqual(there.dropCount("TcpChecksum") + here.dropCount("TcpChecksum"), 0)
    })

    it("talk to themselves at their own address and at the loopback one", () => {
      const { here } = pair(family)
      for (const address of [family.a, family.loopback]) {
        assert.isTrue(valueOf(here.request(ping(address, bytes(3000)))).isIntact)
      }
      assert.strictEqual(here.takeFrames(1).length, 0)
    })
  })
}

describe("A host's IPv6 addresses", () => {
  const [, v6] = families as [Family, Family]

  const statesOf = (host: Host.Host) =>
    host.state.device.interfaces.get(1)!.addresses.map(({ address, origin, state }) =>
      `${origin} ${Address.isLinkLocal(address) ? "fe80" : Address.format(address)} ${state}`
    )

  it("come with a link-local one (rfc: 4291 §2.1 MUST)", () => {
    assert.deepStrictEqual(statesOf(pair(v6).here), ["linkLocal fe80 preferred", "static 2001:db8::1 preferred"])
  })

  it("are probed before use where that is asked for (rfc: 4862 §5.4)", () => {
    const { here, there, wire } = pair(v6, { addressProbing: true })
    const again = {
      _tag: "AddAddress",
      link: 1,
      address: ip("2001:db8::9"),
      prefixLength: 64,
      origin: "static"
    } as const
    here.call(again)
    assert.include(statesOf(here), "static 2001:db8::9 tentative")
    wire.advance(Time.seconds(4))
    assert.include(statesOf(here), "static 2001:db8::9 preferred")
    there.call(again)
    wire.advance(Time.seconds(4))
    assert.include(statesOf(there), "static 2001:db8::9 duplicated")
    assert.include(statesOf(here), "static 2001:db8::9 preferred")
  })

  it("are not used by two hosts that probe at once (rfc: 4862 §5.4.3)", () => {
    const { here, there, wire } = pair(v6, { addressProbing: true })
    for (const host of [here, there]) {
      host.call({ _tag: "AddAddress", link: 1, address: ip("2001:db8::9"), prefixLength: 64, origin: "static" })
    }
    wire.advance(Time.seconds(4))
    const preferred = [here, there].flatMap(statesOf).filter((state) => state === "static 2001:db8::9 preferred")
    assert.isAtMost(preferred.length, 1)
  })

  it("reach neighbours by link-local addresses, bound to a link", () => {
    const { here, there, wire } = pair(v6)
    const far = there.state.device.interfaces.get(1)!.addresses[0]!.address
    const asked = here.request({ ...ping(far, bytes(2000)), link: 1 })
    wire.exchange()
    assert.isTrue(valueOf(asked).isIntact)
  })

  it("are refused where they can't be of one host", () => {
    const { here } = pair(v6)
    for (const text of ["ff02::1", "::", "::ffff:10.0.0.1", "::1"]) {
      const outcome = here.request({
        _tag: "AddAddress",
        link: 1,
        address: ip6(text),
        prefixLength: 64,
        origin: "static"
      }).outcome()
      assert.strictEqual(outcome._tag, "Failed", text)
    }
  })
})
