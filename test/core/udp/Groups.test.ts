/**
 * Sockets that listen to groups, both families: what they get, and what the routers of the link hear of it (RFC 3376, RFC 3810, RFC 1112).
 */
import { assert, describe, it } from "@effect/vitest"
import * as Time from "../../../src/core/Time.ts"
import type { UdpOptions } from "../../../src/core/udp/Requests.ts"
import * as Host from "../../../src/testing/Host.ts"
import * as Address from "../../../src/wire/Address.ts"
import * as Igmp from "../../../src/wire/Igmp.ts"
import * as IpProtocol from "../../../src/wire/IpProtocol.ts"
import * as Ipv4 from "../../../src/wire/Ipv4.ts"
import type * as Mac from "../../../src/wire/Mac.ts"
import { RecordType } from "../../../src/wire/Membership.ts"
import * as Mld from "../../../src/wire/Mld.ts"
import { ip6 } from "../ipv6/address.ts"
import * as Lan from "../Lan.ts"
import * as Packets from "../Packets.ts"
import { bind, reasonOf, taken } from "./Sockets.ts"

const link = Lan.link
const port = 5353

const families = [
  {
    name: "IPv4",
    here: Lan.here,
    length: 24,
    there: Lan.there,
    other: Address.v4(10, 0, 0, 77),
    group: Address.v4(239, 1, 2, 3),
    second: Address.v4(239, 1, 2, 4),
    mac: 0x0100_5e01_0203 as Mac.Mac
  },
  {
    name: "IPv6",
    here: ip6("2001:db8::1"),
    length: 64,
    there: ip6("2001:db8::9"),
    other: ip6("2001:db8::77"),
    group: ip6("ff05::1:2:3"),
    second: ip6("ff05::1:2:4"),
    mac: 0x3333_0002_0003 as Mac.Mac
  }
] as const

type Family = typeof families[number]

const make = ({ here, length }: Family, limits: Host.Options["limits"] = {}): Host.Host => {
  const host = Host.make({ seed: 1, limits, interfaces: [{ addresses: [[here, length]] }] })
  // What it says of its own addresses is over.
  host.advance(Time.seconds(60))
  host.takeFrames(link)
  return host
}

const listen = (
  host: Host.Host,
  socket: number,
  group: Address.Address,
  mode: "include" | "exclude" = "exclude",
  sources: ReadonlyArray<Address.Address> = [],
  on: number | undefined = undefined
) => host.request({ _tag: "UdpSetFilter", socket, group, link: on, mode, sources })

const arrive = (
  host: Host.Host,
  family: Family,
  source: Address.Address,
  group: Address.Address,
  first: number
): void =>
  host.deliver(
    link,
    Packets.frame(Packets.udp(source, group, Uint8Array.of(first), {}, [9, port]), family.mac, Lan.thereMac)
  )

const names = Object.fromEntries(Object.entries(RecordType).map(([name, type]) => [type, name]))

/** What the reports among frames say. */
const reports = (frames: ReadonlyArray<Uint8Array>): ReadonlyArray<string> =>
  Packets.packets(frames).flatMap(({ hopLimit, packet, payload, protocol }) => {
    const isV4 = protocol === IpProtocol.igmp
    if (!isV4 && protocol !== IpProtocol.hopByHop) return []
    assert.strictEqual(hopLimit, 1)
    if (isV4) assert.deepStrictEqual(Array.from(packet.subarray(20, 24)), [148, 4, 0, 0])
    const message = isV4
      ? Lan.sound(Igmp.parse(payload, 0, payload.length))
      : Lan.sound(Mld.parse(payload, 8, payload.length))
    switch (message._tag) {
      case "Records":
        return message.records.map(({ group, sources, type }) =>
          `${names[type]} ${Address.format(group)}${sources.map((source) => ` ${Address.format(source)}`).join("")}`
        )
      case "Report":
        return [`report ${message.version} ${Address.format(message.group)}`]
      case "Leave":
        return [`leave ${Address.format(message.group)}`]
      case "Query":
        return []
    }
  })

const settled = (host: Host.Host): ReadonlyArray<string> => {
  host.advance(Time.seconds(5))
  return reports(host.takeFrames(link))
}

const optionsOf = (host: Host.Host, socket: number, options: Partial<UdpOptions>): void =>
  host.call({ _tag: "UdpSetOptions", socket, options })

for (const family of families) {
  const { group, other, second, there } = family
  const shown = Address.format(group)

  describe(`Groups of ${family.name}`, () => {
    it("are heard by who has joined them and by nobody else (rfc: 1112 §7.1 MUST, 3376 §3.2, 3810 §4.2)", () => {
      const host = make(family)
      const member = bind(host, { port, options: { reuseAddress: true } })
      const stranger = bind(host, { port, options: { reuseAddress: true } })
      arrive(host, family, there, group, 1)
      assert.deepStrictEqual(Lan.dropped(host), ["IpNotForUs"])
      listen(host, member, group)
      arrive(host, family, there, group, 2)
      arrive(host, family, there, second, 3)
      assert.deepStrictEqual([taken(host, member), taken(host, stranger)], [[2], []])
      listen(host, member, group, "include")
      arrive(host, family, there, group, 4)
      assert.deepStrictEqual(taken(host, member), [])
    })

    it("are told to the routers twice when they are joined and left (rfc: 3376 §5.1, 3810 §6.1)", () => {
      const host = make(family)
      const socket = bind(host, { port })
      listen(host, socket, group)
      assert.deepStrictEqual(settled(host), [`changeToExclude ${shown}`, `changeToExclude ${shown}`])
      listen(host, socket, group, "include")
      assert.deepStrictEqual(settled(host), [`changeToInclude ${shown}`, `changeToInclude ${shown}`])
    })

    it("are heard from some sources only, or from all but some (rfc: 3376 §3.1, 3810 §4.1)", () => {
      const host = make(family)
      const some = bind(host, { port, options: { reuseAddress: true } })
      const most = bind(host, { port, options: { reuseAddress: true } })
      listen(host, some, group, "include", [there])
      arrive(host, family, other, group, 1)
      assert.deepStrictEqual(Lan.dropped(host), ["IpNotForUs"])
      listen(host, most, group, "exclude", [there])
      arrive(host, family, there, group, 2)
      arrive(host, family, other, group, 3)
      assert.deepStrictEqual([taken(host, some), taken(host, most)], [[2], [3]])
      assert.deepStrictEqual(settled(host).slice(0, 2), [
        `allowNewSources ${shown} ${Address.format(there)}`,
        `changeToExclude ${shown}`
      ])
    })

    it("are left with the socket that listened, and forgotten with the link", () => {
      const host = make(family)
      const socket = bind(host, { port })
      listen(host, socket, group)
      settled(host)
      host.call({ _tag: "UdpClose", socket })
      assert.include(settled(host), `changeToInclude ${shown}`)
      const again = bind(host, { port })
      listen(host, again, group)
      host.tell({ _tag: "DetachLink", link })
      assert.deepStrictEqual(host.call({ _tag: "UdpGetInfo", socket: again }).memberships, [])
    })

    it("come back to those of this host that listen, unless the sender does not want that (rfc: 1112 §6.1, §7.1)", () => {
      const host = make(family)
      const socket = bind(host, { port, options: { reuseAddress: true } })
      const beside = bind(host, { port, options: { reuseAddress: true } })
      listen(host, socket, group)
      host.call(Lan.send(socket, group, port, Uint8Array.of(1)))
      optionsOf(host, socket, { multicastLoopback: false })
      host.call(Lan.send(socket, group, port, Uint8Array.of(2)))
      assert.deepStrictEqual([taken(host, socket), taken(host, beside)], [[1], []])
      const hops = Packets.packets(host.takeFrames(link)).filter(({ protocol }) => protocol === IpProtocol.udp)
      assert.deepStrictEqual(hops.map(({ hopLimit }) => hopLimit), [1, 1])
    })

    it("are reached over as many hops as the sender allows, and over none (rfc: 1112 §6.1)", () => {
      const host = make(family)
      const socket = bind(host, { port })
      listen(host, socket, group)
      settled(host)
      for (const multicastHopLimit of [undefined, 9, 0]) {
        optionsOf(host, socket, { multicastHopLimit })
        host.call(Lan.send(socket, group, port, Uint8Array.of(multicastHopLimit ?? 1)))
      }
      assert.deepStrictEqual(Packets.packets(host.takeFrames(link)).map(({ hopLimit }) => hopLimit), [1, 9])
      assert.deepStrictEqual(taken(host, socket), [1, 9, 0])
      assert.strictEqual(
        reasonOf(host.request({ _tag: "UdpSetOptions", socket, options: { multicastHopLimit: 256 } })),
        "InvalidArgument"
      )
    })

    it("are meant on one of several links: that of the socket, the destination, or the option", () => {
      const host = Host.make({
        seed: 1,
        interfaces: [
          { addresses: [[family.here, family.length]] },
          { addresses: [[family.name === "IPv4" ? Address.v4(10, 1, 0, 1) : ip6("2001:db8:1::1"), family.length]] }
        ]
      })
      const socket = bind(host, { port })
      assert.strictEqual(reasonOf(listen(host, socket, group)), "Unreachable")
      assert.strictEqual(reasonOf(host.request(Lan.send(socket, group, port))), "Unreachable")
      host.advance(Time.seconds(60))
      for (const on of [1, 2]) host.takeFrames(on)
      host.call({ ...Lan.send(socket, group, port), link: 2 })
      optionsOf(host, socket, { multicastLink: 1 })
      host.call(Lan.send(socket, group, port))
      assert.deepStrictEqual([1, 2].map((on) => host.takeFrames(on).length), [1, 1])
      listen(host, socket, group, "exclude", [], 2)
      arrive(host, family, there, group, 1)
      assert.deepStrictEqual(taken(host, socket), [])
      assert.deepStrictEqual(host.call({ _tag: "UdpGetInfo", socket }).memberships.map((one) => one.link), [2])
    })

    it("may be bound to, which leaves out what comes to other addresses, and sends from the host's own", () => {
      const host = make(family)
      const socket = bind(host, { port, local: group })
      listen(host, socket, group)
      arrive(host, family, there, group, 1)
      assert.deepStrictEqual(taken(host, socket), [1])
      settled(host)
      host.call(Lan.send(socket, group, port))
      const [sent] = Packets.packets(host.takeFrames(link))
      assert.deepStrictEqual<unknown>(sent!.source, family.here)
    })

    it("are refused when they are none, name no hosts, or are beyond the bounds", () => {
      const host = make(family, { multicastGroups: family.name === "IPv4" ? 1 : 3, multicastSources: 2 })
      const socket = bind(host, { port })
      const foreign = family.name === "IPv4" ? ip6("2001:db8::1") : Lan.there
      assert.strictEqual(reasonOf(listen(host, socket, there)), "InvalidArgument")
      assert.strictEqual(reasonOf(listen(host, socket, group, "include", [group])), "InvalidArgument")
      assert.strictEqual(reasonOf(listen(host, socket, group, "include", [foreign])), "InvalidArgument")
      assert.strictEqual(reasonOf(listen(host, socket, group, "exclude", [], 77)), "NotFound")
      assert.strictEqual(reasonOf(listen(host, socket, group, "include", [there, other, family.here])), "LimitReached")
      assert.strictEqual(reasonOf(listen(host, socket, group)), "Done")
      assert.strictEqual(reasonOf(listen(host, socket, second)), "LimitReached")
      assert.strictEqual(host.call({ _tag: "UdpGetInfo", socket }).memberships.length, 1)
    })
  })
}

describe("Groups of IPv4 beside older routers", () => {
  const [family] = families
  const { group } = family

  const query = (message: Partial<Extract<Igmp.Message, { _tag: "Query" }>>, alert = true): Uint8Array => {
    const whole: Igmp.Message = {
      _tag: "Query",
      version: 3,
      maximumResponseMillis: 1000,
      group: Address.unspecifiedV4,
      suppress: false,
      robustness: 2,
      queryIntervalSeconds: 125,
      sources: [],
      ...message
    }
    const bytes = new Uint8Array(Igmp.size(whole))
    Igmp.emit(whole, bytes, 0)
    const options = alert ? { bytes: Uint8Array.of(148, 4, 0, 0), start: 0, end: 4 } : undefined
    const fields = { protocol: IpProtocol.igmp, hopLimit: 1, options }
    return Packets.frame(Packets.ip(Lan.there, Address.v4(224, 0, 0, 1), bytes, fields), 0x0100_5e00_0001, Lan.thereMac)
  }

  it("are told when a router asks (rfc: 3376 §5.2)", () => {
    const host = make(family)
    const socket = bind(host, { port })
    listen(host, socket, group)
    settled(host)
    host.deliver(link, query({}))
    assert.deepStrictEqual(settled(host), ["modeIsExclude 239.1.2.3"])
    host.deliver(link, query({}, false))
    assert.deepStrictEqual([settled(host), Lan.dropped(host)], [[], ["GroupInvalid"]])
  })

  it("are told in the version of the router, to the group itself (rfc: 3376 §7.2.1 MUST, 2236 §3)", () => {
    const host = make(family)
    const socket = bind(host, { port })
    host.deliver(link, query({ version: 2 }))
    listen(host, socket, group)
    host.advance(Time.seconds(20))
    const frames = host.takeFrames(link)
    assert.deepStrictEqual(reports(frames), ["report 2 239.1.2.3", "report 2 239.1.2.3"])
    assert.isTrue(frames.every((frame) => Lan.sound(Ipv4.parse(frame, 14, frame.length)).destination === group))
    listen(host, socket, group, "include")
    assert.deepStrictEqual(settled(host), ["leave 239.1.2.3"])
  })
})
