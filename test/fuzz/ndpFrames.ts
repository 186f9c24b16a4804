/**
 * Neighbour discovery towards the stack (RFC 4861, RFC 4191, RFC 8106): honest, forged and without end.
 */
import * as Address from "../../src/wire/Address.ts"
import * as IpProtocol from "../../src/wire/IpProtocol.ts"
import * as Mac from "../../src/wire/Mac.ts"
import * as Ndp from "../../src/wire/Ndp.ts"
import * as NdpOptions from "../../src/wire/NdpOptions.ts"
import * as Piece from "../../src/wire/Piece.ts"
import * as Frames from "./Frames.ts"
import * as Packets from "./Ipv6Packets.ts"
import type { Random } from "./Random.ts"
import type { Scene } from "./Scene.ts"

const lifetimes = [0, 1, 30, 1800, 7200, 9000, 0x7fff_ffff, 0xffff_fffe, NdpOptions.infiniteLifetime] as const

const maybe = <A>(random: Random, probability: number, value: () => A): A | undefined =>
  random.chance(probability) ? value() : undefined

const list = <A>(random: Random, probability: number, most: number, value: () => A): ReadonlyArray<A> =>
  Array.from({ length: random.chance(probability) ? random.between(1, most) : 0 }, value)

/** A prefix out of few, so that advertisements meet, or of none that was there before. */
const prefix = (random: Random): Address.Ipv6 =>
  random.weighted<() => Address.Ipv6>([
    [6, () => Address.v6(0x2001_0db8, 0x00aa_0000 + random.below(4), 0, 0)],
    [2, () => Address.network(Packets.stackAddress, 64) as Address.Ipv6],
    [1, () => Address.v6(0x2001_0db8, random.next(), 0, 0)],
    [1, () => Address.v6(0xfe80_0000, 0, 0, 0)],
    [1, () => Address.v6(0xff02_0000, 0, 0, 1)]
  ])()

const prefixLengths = [64, 64, 64, 0, 1, 48, 63, 65, 127, 128] as const

const prefixOption = (random: Random): NdpOptions.Prefix => ({
  prefix: prefix(random),
  length: random.pick(prefixLengths),
  onLink: random.chance(0.7),
  autonomous: random.chance(0.7),
  validLifetime: random.pick(lifetimes),
  preferredLifetime: random.pick(lifetimes)
})

const preference = (random: Random): NdpOptions.Preference => random.pick([-1, 0, 1] as const)

const names = ["example.org", "a.b.c.example", "x".repeat(63)] as const

const noise = (random: Random, most: number): Piece.Piece => {
  const bytes = new Uint8Array(random.length(most))
  for (let i = 0; i < bytes.length; i++) bytes[i] = random.next()
  return Piece.make(bytes)
}

const options = (random: Random, peer: Frames.Host): NdpOptions.Options =>
  NdpOptions.make({
    sourceLinkLayer: maybe(random, 0.6, () => random.chance(0.9) ? peer.mac : random.pick([Mac.zero, Mac.broadcast])),
    targetLinkLayer: maybe(random, 0.4, () => random.chance(0.9) ? peer.mac : Frames.stackMac),
    mtu: maybe(random, 0.2, () => random.pick([0, 1279, 1280, 1400, 1500, 9000, -1])),
    prefixes: list(random, 0.5, 3, () => prefixOption(random)),
    routes: list(random, 0.2, 3, () => ({
      prefix: prefix(random),
      length: random.pick(prefixLengths),
      preference: preference(random),
      lifetime: random.pick(lifetimes)
    })),
    dnsServers: list(random, 0.2, 2, () => ({
      lifetime: random.pick(lifetimes),
      servers: list(random, 1, 3, () => Address.v6(0x2001_0db8, 0, 0, random.below(50)))
    })),
    dnsSearchLists: list(random, 0.2, 2, () => ({ lifetime: random.pick(lifetimes), domains: [random.pick(names)] })),
    nonce: maybe(random, 0.1, () => Piece.make(Uint8Array.of(1, 2, 3, 4, 5, random.next()))),
    redirected: maybe(random, 0.1, () => noise(random, 500))
  })

/** Options that belong to messages about neighbours. */
const linkLayerOnly = (random: Random, peer: Frames.Host): NdpOptions.Options => {
  const all = options(random, peer)
  return random.chance(0.1)
    ? all
    : { ...all, prefixes: [], routes: [], dnsServers: [], dnsSearchLists: [], mtu: undefined }
}

/** Whose neighbour it is about: the stack, its peers, addresses that the stack may be making for itself. */
const subject = (random: Random, peer: Frames.Host): Address.Ipv6 =>
  random.weighted<() => Address.Ipv6>([
    [5, () => Packets.of(peer.address)],
    [4, () => Packets.stackAddress],
    [2, () => Packets.linkLocal(peer.mac)],
    [1, () => Packets.linkLocal(Frames.stackMac)],
    [1, () => Address.v6(0x2001_0db8, 0x00aa_0000, random.next(), random.next())],
    [1, () => Packets.of(random.pick(Frames.strangers))]
  ])()

const message = (random: Random, peer: Frames.Host): Ndp.Message =>
  random.weighted<() => Ndp.Message>([
    [6, () => ({
      _tag: "RouterAdvertisement",
      hopLimit: random.pick([0, 1, 64, 255]),
      managed: random.chance(0.2),
      otherConfiguration: random.chance(0.2),
      preference: preference(random),
      routerLifetime: random.pick([0, 1, 30, 1800, 9000, 65_535]),
      reachableTime: random.pick([0, 1, 1000, 30_000, 3_600_000, 0xffff_ffff]),
      retransmitTimer: random.pick([0, 1, 1000, 60_000, 0xffff_ffff]),
      options: options(random, peer)
    })],
    [1, () => ({ _tag: "RouterSolicitation", options: linkLayerOnly(random, peer) })],
    [6, () => ({ _tag: "NeighborSolicitation", target: subject(random, peer), options: linkLayerOnly(random, peer) })],
    [6, () => ({
      _tag: "NeighborAdvertisement",
      isRouter: random.chance(0.3),
      solicited: random.chance(0.5),
      override: random.chance(0.5),
      target: subject(random, peer),
      options: linkLayerOnly(random, peer)
    })],
    [2, () => ({
      _tag: "Redirect",
      target: random.chance(0.5) ? Packets.linkLocal(random.pick(Frames.peers).mac) : subject(random, peer),
      destination: Packets.of(random.pick(Frames.peers).address),
      options: linkLayerOnly(random, peer)
    })]
  ])()

/** As its RFC wants it, but for a share. */
const addressing = (random: Random, peer: Frames.Host, said: Ndp.Message): Packets.Addressing => {
  const solicitsOne = said._tag === "NeighborSolicitation" && random.chance(0.5)
  const toGroup = said._tag !== "Redirect" && !solicitsOne && random.chance(0.6)
  const isRouters = said._tag === "RouterAdvertisement" || said._tag === "Redirect"
  const usual = isRouters ? Packets.linkLocal(peer.mac) : Packets.of(peer.address)
  return {
    ...Packets.from(peer),
    source: random.chance(0.85)
      ? usual
      : random.pick([Address.unspecifiedV6, Packets.linkLocal(peer.mac), Packets.of(random.pick(Frames.strangers))]),
    destination: toGroup
      ? random.pick([Packets.allNodes, Address.v6(0xff02_0000, 0, 1, 0xff63_0002)])
      : Packets.stackAddress,
    destinationMac: toGroup ? Mac.ofMulticastV6(1) : Frames.stackMac,
    // rfc: 4861 §7.1.1 and its like: 255, or it has come through a router
    hopLimit: random.chance(0.92) ? 255 : random.pick([0, 1, 64, 254])
  }
}

export const discovery = (target: Frames.Buffer, { random }: Scene): void => {
  const peer = random.pick(Frames.peers)
  const said = message(random, peer)
  target.end = Ndp.emit(said, target.bytes, Packets.payloadAt)
  Packets.enclose(target, addressing(random, peer, said), IpProtocol.icmpv6)
}

/** A host that nobody has heard of before. */
const stranger = (random: Random): Frames.Host => ({
  mac: 0x0200_0002_0000 + random.below(0x1_0000),
  address: Address.v4(10, 99, 1, 0) | random.next() & 0xff
})

/** Neighbours, routers and prefixes without number: each table has a bound. */
export const flood = (target: Frames.Buffer, { random }: Scene): void => {
  const host = stranger(random)
  const own = NdpOptions.make({ sourceLinkLayer: host.mac })
  const said = random.weighted<() => Ndp.Message>([
    [2, () => ({ _tag: "NeighborSolicitation", target: Packets.stackAddress, options: own })],
    [1, () => ({
      _tag: "RouterAdvertisement",
      hopLimit: 64,
      managed: false,
      otherConfiguration: false,
      preference: preference(random),
      routerLifetime: 1800,
      reachableTime: 0,
      retransmitTimer: 0,
      options: {
        ...own,
        prefixes: [{ ...prefixOption(random), prefix: Address.v6(0x2001_0db8, random.next(), 0, 0), length: 64 }],
        routes: [{ prefix: Address.v6(0x2001_0db8, random.next(), 0, 0), length: 48, preference: 0, lifetime: 1800 }]
      }
    })]
  ])()
  target.end = Ndp.emit(said, target.bytes, Packets.payloadAt)
  const source = said._tag === "RouterAdvertisement"
    ? Packets.linkLocal(host.mac)
    : Address.v6(Packets.stackAddress.w0, Packets.stackAddress.w1, 0x99, host.mac % 0x1_0000_0000)
  const whole = Packets.from(host)
  Packets.enclose(
    target,
    { ...whole, source, hopLimit: 255, destinationMac: Mac.ofMulticastV6(0xff63_0002) },
    IpProtocol.icmpv6
  )
}

interface Asking {
  readonly source: Address.Ipv6
  readonly mac: Mac.Mac
}

/** What a host says that is asked for its address: where it is. */
export const answer = (
  target: Frames.Buffer,
  host: Frames.Host,
  about: Address.Ipv6,
  asking: Asking
): void => {
  target.end = Ndp.emit(
    {
      _tag: "NeighborAdvertisement",
      isRouter: host.address === Frames.gateway,
      // rfc: 4861 §7.2.4: what nobody has asked for goes to all
      solicited: !Address.isMulticast(asking.source),
      override: true,
      target: about,
      options: NdpOptions.make({ targetLinkLayer: host.mac })
    },
    target.bytes,
    Packets.payloadAt
  )
  Packets.enclose(target, {
    ...Packets.from(host),
    source: about,
    destination: asking.source,
    destinationMac: asking.mac,
    hopLimit: 255
  }, IpProtocol.icmpv6)
}
