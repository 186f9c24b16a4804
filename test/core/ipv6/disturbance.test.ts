/**
 * Frames that nobody sends in earnest: those of a conversation with octets changed, cut, repeated and put between, and chains of random extension headers.
 * Nothing throws, nothing grows beyond its bound, and the host still answers.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Time from "../../../src/core/Time.ts"
import * as Host from "../../../src/testing/Host.ts"
import * as Wire from "../../../src/testing/Wire.ts"
import * as Checksum from "../../../src/wire/Checksum.ts"
import * as Ethernet from "../../../src/wire/Ethernet.ts"
import * as Ipv6 from "../../../src/wire/Ipv6.ts"
import * as Ipv6Extension from "../../../src/wire/Ipv6Extension.ts"
import * as Malformed from "../../../src/wire/Malformed.ts"
import * as Ndp from "../../../src/wire/Ndp.ts"
import * as NdpOptions from "../../../src/wire/NdpOptions.ts"
import * as Seeded from "../Seeded.ts"
import { ip, ip6 } from "./address.ts"

const link = 1
const here = ip("2001:db8::1")
const there = ip("2001:db8::2")

const limits = {
  neighborEntries: 16,
  reassemblyBytes: 20_000,
  reassemblyBytesPerPeer: 10_000,
  memoryBytes: 400_000,
  multicastGroups: 8,
  defaultRouters: 3,
  onLinkPrefixes: 4,
  autonomousPrefixes: 3,
  advertisedRoutes: 4,
  addresses: 24,
  routes: 24
} as const

const make = (seed: number): Host.Host => {
  const host = Host.make({ seed, limits, interfaces: [{ addresses: [[here, 64]] }] })
  host.call({ _tag: "SetAutoconfiguration", link, isOn: true })
  host.call({ _tag: "UdpBind", local: undefined, version: undefined, port: 7, link: undefined, options: {} })
  const tcp = { version: undefined, port: 80, backlog: 5, options: {}, link: undefined } as const
  host.call({ _tag: "TcpListen", local: undefined, ...tcp })
  host.advance(Time.seconds(3))
  return host
}

const ping = (length: number) => ({
  _tag: "Ping" as const,
  destination: here,
  source: undefined,
  payload: new Uint8Array(length),
  hopLimit: undefined,
  dontFragment: false,
  timeout: Time.seconds(2),
  link: undefined
})

const advertisement = (): Uint8Array => {
  const prefix = { prefix: ip6("2001:db8:7::"), length: 64, onLink: true, autonomous: true }
  const message: Ndp.Message = {
    _tag: "RouterAdvertisement",
    hopLimit: 64,
    managed: false,
    otherConfiguration: false,
    preference: 0,
    routerLifetime: 1800,
    reachableTime: 0,
    retransmitTimer: 0,
    options: NdpOptions.make({
      sourceLinkLayer: 0x0200_0000_0001,
      mtu: 1400,
      prefixes: [{ ...prefix, validLifetime: 900, preferredLifetime: 600 }],
      routes: [{ prefix: ip6("2001:db8:8::"), length: 48, preference: 1, lifetime: 900 }]
    })
  }
  const length = Ndp.size(message)
  const bytes = new Uint8Array(54 + length)
  const type = Ethernet.EtherType.ipv6
  Ethernet.emit({ destination: 0x3333_0000_0001, source: 0x0200_0000_0001, type }, bytes, 0)
  const [source, destination] = [ip6("fe80::1"), ip6("ff02::1")]
  const fields = { hopLimit: 255, trafficClass: 0, flowLabel: 0, protocol: 58, payloadLength: length }
  Ipv6.emit({ source, destination, ...fields }, bytes, 14)
  Ndp.emit(message, bytes, 54)
  return bytes
}

/** What a neighbour says to the host in a conversation about everything. */
const conversation = (host: Host.Host): ReadonlyArray<Uint8Array> => {
  const other = Host.make({ seed: 2, interfaces: [{ addresses: [[there, 64]] }] })
  const said: Array<Uint8Array> = [advertisement()]
  const wire = Wire.make([other, host], (frame, from) => {
    if (from === 0) said.push(frame.slice())
    return frame
  })
  for (const length of [8, 5000]) other.request(ping(length))
  const udp = { local: undefined, version: undefined, port: 9, link: undefined, options: {} } as const
  const { socket } = other.call({ _tag: "UdpBind", ...udp })
  for (const remotePort of [7, 8]) {
    other.request({ _tag: "UdpSend", socket, remote: here, remotePort, bytes: new Uint8Array(900), block: true })
  }
  other.request({
    _tag: "TcpConnect",
    remote: here,
    remotePort: 80,
    local: undefined,
    localPort: 0,
    link: undefined,
    options: {},
    block: true
  })
  other.call({ _tag: "AddAddress", link, address: ip("2001:db8::3"), prefixLength: 64, origin: "static" })
  wire.advance(Time.seconds(5))
  return said
}

/** A frame with random headers between IPv6's and what followed. */
const withExtensions = (random: Seeded.Seeded, frame: Uint8Array): Uint8Array => {
  const chain: Array<number> = []
  let next = frame[20]!
  for (let i = random.below(20); i >= 0; i--) {
    const type = [0, 43, 44, 60, 60, 60][random.below(6)]!
    const body = Array.from({ length: 7 }, () => random.chance(0.5) ? 0 : random.below(256))
    if (type !== 44 && random.chance(0.9)) body[0] = 0
    chain.unshift(next, ...body)
    next = type
  }
  const bytes = new Uint8Array(frame.length + chain.length)
  bytes.set(frame.subarray(0, 54))
  bytes.set(chain, 54)
  bytes.set(frame.subarray(54), 54 + chain.length)
  bytes[20] = next
  const length = bytes.length - 54
  bytes.set([length >> 8, length], 18)
  return bytes
}

/** Makes the checksum of an ICMPv6 message right again, so that what is wrong with it is looked at. */
const repaired = (frame: Uint8Array): Uint8Array => {
  const header = Ipv6.parse(frame, 14, frame.length)
  if (Malformed.isMalformed(header)) return frame
  const upper = Ipv6Extension.upperLayer(header.protocol, frame, header.payloadStart, header.payloadEnd)
  if (upper === undefined || upper.protocol !== 58 || header.payloadEnd - upper.start < 8) return frame
  const pseudo = Checksum.pseudo(header.source, header.destination, 58, header.payloadEnd - upper.start)
  frame.set([Checksum.fold(pseudo) >>> 8, Checksum.fold(pseudo)], upper.start + 2)
  Checksum.complete(frame, upper.start, header.payloadEnd, upper.start + 2)
  return frame
}

const disturbed = (random: Seeded.Seeded, frames: ReadonlyArray<Uint8Array>): Uint8Array => {
  let frame: Uint8Array = frames[random.below(frames.length)]!.slice()
  if (random.chance(0.3) && frame[12] === 0x86) frame = withExtensions(random, frame)
  for (let i = random.below(6); i > 0; i--) frame[14 + random.below(frame.length - 14)] = random.below(256)
  if (random.chance(0.1)) frame = frame.slice(0, random.below(frame.length))
  return random.chance(0.8) ? repaired(frame) : frame
}

const checkBounds = (host: Host.Host): void => {
  const { device, ipv6, multicast, neighbor, route } = host.state
  assert.isAtMost(host.memory(), limits.memoryBytes)
  assert.isAtMost(host.memory("fragments"), limits.reassemblyBytes)
  assert.isAtMost(neighbor.entries.size, limits.neighborEntries)
  assert.isAtMost(device.interfaces.get(link)!.addresses.length, limits.addresses)
  assert.isAtMost(ipv6.detections.size, limits.addresses)
  assert.isAtMost(route.routes.size, limits.routes)
  assert.isAtMost(multicast.memberships[6].get(link)!.machine.groups.size, limits.multicastGroups)
}

describe("Disturbed IPv6 frames", () => {
  it("throw nothing, grow nothing beyond its bound, and leave a host that answers", () => {
    const reasons = new Set<string>()
    for (let seed = 1; seed <= 8; seed++) {
      const random = Seeded.make(seed)
      const host = make(seed)
      const frames = conversation(host)
      for (let i = 0; i < 3000; i++) {
        host.deliver(link, disturbed(random, frames))
        if (random.chance(0.05)) host.advance(Time.millis(random.below(3000)))
        if (i % 100 === 0) {
          checkBounds(host)
          host.takeFrames(link)
          host.notices()
        }
      }
      for (const { reason } of host.drops()) reasons.add(reason)
      assert.strictEqual(host.counter("defects"), 0)
      host.advance(Time.seconds(120))
      host.takeFrames(link)
      assert.strictEqual(host.memory("fragments"), 0)
      const other = Host.make({ seed: 9, interfaces: [{ addresses: [[ip("2001:db8::99"), 64]] }] })
      const asked = other.request(ping(3000))
      Wire.make([other, host]).exchange()
      assert.strictEqual(asked.outcome()._tag, "Done", `seed ${seed}`)
    }
    const expected = [
      "Malformed",
      "IpNotForUs",
      "IpExtensionRefused",
      "IpProtocolUnknown",
      "NdpInvalid",
      "NdpNotForUs",
      "FragmentOverlap",
      "FragmentTimeout",
      "IcmpTypeUnknown"
    ]
    for (const reason of expected) assert.isTrue(reasons.has(reason), reason)
  })
})
