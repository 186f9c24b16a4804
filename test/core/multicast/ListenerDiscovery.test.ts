/**
 * What a host tells routers of the groups that it listens to, seen as frames (RFC 3810).
 */
import { assert, describe, it } from "@effect/vitest"
import * as Time from "../../../src/core/Time.ts"
import * as WellKnown from "../../../src/core/WellKnown.ts"
import * as Host from "../../../src/testing/Host.ts"
import * as Address from "../../../src/wire/Address.ts"
import * as Checksum from "../../../src/wire/Checksum.ts"
import * as Ethernet from "../../../src/wire/Ethernet.ts"
import * as Icmpv6 from "../../../src/wire/Icmpv6.ts"
import * as IpProtocol from "../../../src/wire/IpProtocol.ts"
import * as Ipv6 from "../../../src/wire/Ipv6.ts"
import * as Ipv6Extension from "../../../src/wire/Ipv6Extension.ts"
import * as Malformed from "../../../src/wire/Malformed.ts"
import * as Mld from "../../../src/wire/Mld.ts"
import { ip, ip6 } from "../ipv6/address.ts"

const link = 1
const own = ip("2001:db8::1234")

const make = (limits: Host.Options["limits"] = {}): Host.Host =>
  Host.make({ limits, interfaces: [{ addresses: [[own, 64]] }] })

interface Told {
  readonly source: Address.Ipv6
  readonly hopLimit: number
  readonly hasAlert: boolean
  readonly groups: ReadonlyArray<string>
}

/** The reports among frames. */
const reportsOf = (frames: ReadonlyArray<Uint8Array>): ReadonlyArray<Told> =>
  frames.flatMap((frame) => {
    const header = Ipv6.parse(frame, Ethernet.headerLength, frame.length)
    if (Malformed.isMalformed(header) || header.protocol !== IpProtocol.hopByHop) return []
    const extension = Ipv6Extension.parse(header.protocol, frame, header.payloadStart, header.payloadEnd)
    if (Malformed.isMalformed(extension) || extension._tag !== "HopByHop") return []
    const { payloadStart } = extension
    const { destination, hopLimit, payloadEnd, source } = header
    const pseudo = Checksum.pseudo(source, destination, IpProtocol.icmpv6, payloadEnd - payloadStart)
    assert.isTrue(Icmpv6.verify(frame, payloadStart, payloadEnd, pseudo))
    const message = Mld.parse(frame, payloadStart, payloadEnd)
    if (Malformed.isMalformed(message) || message._tag !== "Records") return []
    const groups = message.records.map(({ group }) => Address.format(group))
    return [{ source, hopLimit, hasAlert: extension.routerAlert === 0, groups }]
  })

const query = (hopLimit = 1, hasAlert = true): Uint8Array => {
  const message: Mld.Message = {
    _tag: "Query",
    version: 2,
    maximumResponseMillis: 1000,
    group: Address.unspecifiedV6,
    suppress: false,
    robustness: 2,
    queryIntervalSeconds: 125,
    sources: []
  }
  const length = Mld.size(message)
  const [source, destination] = [ip6("fe80::1"), WellKnown.allNodes]
  const bytes = new Uint8Array(14 + 40 + 8 + length)
  const type = Ethernet.EtherType.ipv6
  const at = Ethernet.emit({ destination: 0x3333_0000_0001, source: 0x0200_0000_0001, type }, bytes, 0)
  const payloadLength = 8 + length
  const fields = { source, destination, hopLimit, trafficClass: 0, flowLabel: 0, protocol: 0, payloadLength }
  const hopByHop = Ipv6.emit(fields, bytes, at)
  const start = Ipv6Extension.emit(
    { _tag: "HopByHop", protocol: IpProtocol.icmpv6, routerAlert: hasAlert ? 0 : undefined },
    bytes,
    hopByHop
  )
  Mld.emit(message, bytes, start, Checksum.fold(Checksum.pseudo(source, destination, IpProtocol.icmpv6, length)))
  Checksum.complete(bytes, start, bytes.length, start + Icmpv6.checksumOffset)
  return bytes
}

const linkLocal = (host: Host.Host): Address.Ipv6 =>
  host.state.device.interfaces.get(link)!.addresses.map(({ address }) => address).find((
    address
  ): address is Address.Ipv6 => !Address.isV4(address) && Address.isLinkLocal(address))!

describe("A host's groups", () => {
  it("are told when an address comes, with hop limit 1 and a router alert, from the link-local address (rfc: 3810 §5 MUST)", () => {
    const host = make()
    host.call({ _tag: "AddAddress", link, address: ip("2001:db8::7:7777"), prefixLength: 64, origin: "static" })
    host.advance(Time.seconds(3))
    const told = reportsOf(host.takeFrames(link))
    // rfc: 3810 §6.1: as often as the robustness variable says.
    assert.deepStrictEqual(told.map(({ groups }) => groups), [["ff02::1:ff07:7777"], ["ff02::1:ff07:7777"]])
    for (const { hasAlert, hopLimit, source } of told) {
      assert.isTrue(hasAlert)
      assert.strictEqual(hopLimit, 1)
      assert.deepStrictEqual(source, linkLocal(host))
    }
  })

  it("are told when a router asks, all together (rfc: 3810 §6.2)", () => {
    const host = make()
    host.deliver(link, query())
    host.advance(Time.seconds(2))
    const [told, ...others] = reportsOf(host.takeFrames(link))
    assert.deepStrictEqual(others, [])
    assert.deepStrictEqual(
      told!.groups.toSorted(),
      ["ff02::1:ff00:1234", Address.format(WellKnown.solicitedNode(linkLocal(host)))].toSorted()
    )
  })

  it("are told to nobody who asks from afar, or without an alert (rfc: 3810 §6.2 MUST)", () => {
    const host = make()
    host.deliver(link, query(2))
    host.deliver(link, query(1, false))
    host.advance(Time.seconds(3))
    assert.deepStrictEqual(reportsOf(host.takeFrames(link)), [])
    assert.strictEqual(host.dropCount("GroupInvalid"), 2)
  })

  it("are left with the last address that has them", () => {
    const host = make()
    host.call({ _tag: "RemoveAddress", link, address: own })
    host.advance(Time.seconds(3))
    assert.deepStrictEqual(reportsOf(host.takeFrames(link)).map(({ groups }) => groups), [
      ["ff02::1:ff00:1234"],
      ["ff02::1:ff00:1234"]
    ])
    host.tell({ _tag: "DetachLink", link })
    assert.strictEqual(host.state.multicast.memberships[6].size, 0)
  })

  it("beyond the bound are not told, and that is counted; the address is reached all the same", () => {
    const host = make({ multicastGroups: 1 })
    assert.strictEqual(host.dropCount("NdpLimit"), 1)
    assert.strictEqual(host.state.multicast.memberships[6].get(link)!.machine.groups.size, 1)
  })
})
