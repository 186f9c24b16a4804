/**
 * A round through the real workers: a running stack with programs on real sockets, a hub in memory to which an honest neighbour
 * and the fuzzer are connected. It is slower and, since fibers take turns, not the same to the last frame each time; it shows that
 * what holds for the core holds for what is around it.
 */
import * as Effect from "effect/Effect"
import * as Counter from "../../src/core/Counter.ts"
import type { Link, Port, Sink } from "../../src/link/Link.ts"
import * as Links from "../../src/link/Links.ts"
import * as MemoryLink from "../../src/link/MemoryLink.ts"
import * as Netstack from "../../src/Netstack.ts"
import * as Network from "../../src/sockets/Network.ts"
import * as Ping from "../../src/sockets/Ping.ts"
import * as Tcp from "../../src/sockets/Tcp.ts"
import type { TcpConnection } from "../../src/sockets/TcpConnection.ts"
import * as Udp from "../../src/sockets/Udp.ts"
import * as Address from "../../src/wire/Address.ts"
import * as Arp from "../../src/wire/Arp.ts"
import * as Frame from "../../src/wire/Frame.ts"
import * as Mac from "../../src/wire/Mac.ts"
import { Fault, limits, sent } from "./checks.ts"
import * as Frames from "./Frames.ts"
import * as Ipv6Packets from "./Ipv6Packets.ts"
import { make } from "./makers.ts"
import * as NdpFrames from "./ndpFrames.ts"
import { Random } from "./Random.ts"
import { Scene, tcpPorts, udpPorts } from "./Scene.ts"

const batch = 32
/** The only link of each host. */
const wire = 1
/** Frames between two probes. */
const framesPerProbe = 5000
const patience = "30 seconds"
/** Echo requests of a probe until one is answered. */
const pings = 5
const words = Uint8Array.from({ length: 20_000 }, (_, i) => i * 7)

type Stack = Netstack.Netstack["Service"]

type Interface = `${string}/${number}`

const hostOn = (link: Link, address: number, options: Netstack.Options = {}) => {
  const ipv4: Interface = `${Address.format(address)}/${Frames.prefixLength}`
  const ipv6: Interface = `${Address.format(Ipv6Packets.of(address))}/${Ipv6Packets.prefixLength}`
  return Effect.provide(Netstack.make({ ...options, ipv4, addresses: [ipv6] }), Links.layer(link))
}

/** How long a stranger's connection is served. */
const strangersTime = "1 second"

const echo = (connection: TcpConnection, random: Random, isHonest: boolean) =>
  Effect.gen(function*() {
    for (;;) {
      const chunks = yield* connection.read()
      if (chunks.length === 0) break
      if (!isHonest && random.chance(0.1)) return yield* connection.abort
      for (const chunk of chunks) yield* connection.write(chunk)
    }
    yield* connection.end
  })

/** An echo service for everybody; strangers are sometimes cut off, and never stay long. */
const serve = (random: Random) => (connection: TcpConnection) => {
  const isHonest = Ipv6Packets.isHonest(Address.fromNet(connection.remote.address))
  const served = echo(connection, random, isHonest)
  return isHonest ? served : Effect.timeoutOption(served, strangersTime)
}

const programs = (random: Random) =>
  Effect.gen(function*() {
    for (const port of tcpPorts) {
      const listener = yield* Tcp.listen({ port, closePolicy: "orderly" })
      yield* Effect.forkScoped(listener.serve(serve(random)))
    }
    for (const port of udpPorts) {
      const socket = yield* Udp.bind({ port })
      const answer = Effect.flatMap(socket.receive, ({ bytes, source }) => socket.send(bytes, source))
      yield* Effect.forkScoped(Effect.forever(Effect.ignore(answer), { disableYield: true }))
    }
  })

/** A route of its own, so that no router of the storm's may say that it leads there (RFC 4191 §2.3): on a wire of such routers all would be lost. */
const wayTo = (address: Address.Address) => Network.addRoute({ to: `${Address.format(address)}/128`, link: wire })

/** A turn of the event loop: the workers get to what they were given. */
const turn = Effect.promise(() => new Promise<void>((resolve) => setImmediate(resolve)))

const exchange = (address: Address.Address) =>
  Effect.scoped(Effect.gen(function*() {
    const to = Address.format(address)
    const pong = yield* Ping.ping(to, { payload: words.subarray(0, 3000), timeout: "2 seconds" }).pipe(
      Effect.retry({ times: pings - 1 })
    )
    if (!pong.isIntact) return yield* Effect.die(new Fault("the stack answered a ping with other bytes"))
    const connection = yield* Tcp.connect({ host: to, port: 7 })
    yield* connection.write(words)
    yield* connection.end
    const heard = yield* connection.readAll
    if (!Buffer.from(heard).equals(words)) return yield* Effect.die(new Fault("the echo differs"))
  }))

/**
 * The honest neighbour's witness. A ping or two may be lost to what the storm has left behind, as a redirect or another's claim to an
 * address would have it on any wire; it has to come back by itself.
 */
const probe = (honest: Stack) =>
  Effect.andThen(exchange(Frames.stackAddress), exchange(Ipv6Packets.stackAddress)).pipe(
    Effect.provideService(Netstack.Netstack, honest),
    Effect.mapError((error) => new Fault(`the stack does not answer: ${error.message}`)),
    Effect.timeoutOrElse({ duration: patience, orElse: () => Effect.fail(new Fault("the stack does not answer")) })
  )

/** Whether the stack has counted a defect. */
const check = (subject: Stack) =>
  Effect.flatMap(
    subject.read((state) => state.counters.get(Counter.index.defects)),
    (defects) => defects === 0 ? Effect.void : Effect.fail(new Fault(`${defects} events threw`))
  )

/** A far end that takes frames and passes a copy of each on. */
const tap = (seen: (frame: Uint8Array) => void): Sink => ({
  frames: (frames) => {
    for (const frame of frames) {
      seen(Frame.copy(frame))
      frame.slab?.release()
    }
  },
  changed: () => {}
})

/** Opens the far ends of both wires and joins them: what one host sends the other gets, and `heard` sees what the subject sends. */
const join = (toSubject: Link, toHonest: Link, heard: (frame: Uint8Array) => void) =>
  Effect.gen(function*() {
    const ports: { subject?: Port; honest?: Port } = {}
    ports.honest = yield* toHonest.open(tap((frame) => void ports.subject?.send([Frame.plain(frame)], 0)))
    ports.subject = yield* toSubject.open(tap((frame) => {
      heard(frame)
      ports.honest?.send([Frame.plain(frame)], 0)
    }))
    return ports.subject
  })

/** The honest neighbour says where it is, as hosts do now and then: some frame before may have claimed its address for another. */
const announce = (port: Port): void => {
  const frame = Frames.buffer()
  const { address, mac } = Frames.honest
  Frames.arp(frame, Arp.announcement(mac, address), mac, Mac.broadcast)
  port.send([Frame.plain(frame.bytes, 0, frame.end)], 0)
  const everybody = { source: Ipv6Packets.allNodes, mac: Mac.ofMulticastV6(1) }
  NdpFrames.answer(frame, Frames.honest, Ipv6Packets.honestAddress, everybody)
  port.send([Frame.plain(frame.bytes, 0, frame.end)], 0)
}

/** Throws frames at the subject in batches, and gives its workers a turn after each. */
const storm = (port: Port, scene: Scene, frames: number) =>
  Effect.gen(function*() {
    const buffers = Array.from({ length: batch }, Frames.buffer)
    for (let thrown = 0; thrown < frames; thrown += batch) {
      for (const buffer of buffers) make(buffer, scene)
      port.send(buffers.map(({ bytes, end }) => Frame.plain(bytes, 0, end)), 0)
      yield* turn
    }
  })

/** Runs a round; what is wrong is its failure or its defect. */
export const run = (seed: number, round: number, frames: number): Promise<void> =>
  Effect.runPromise(Effect.scoped(Effect.gen(function*() {
    const scene = new Scene(new Random(seed, round))
    const [near, far] = MemoryLink.pair({ macs: [Frames.stackMac, 0], overflow: "drop" })
    const [honestNear, honestFar] = MemoryLink.pair({ macs: [Frames.honest.mac, 0], overflow: "drop" })
    const gateway = Address.format(Frames.gateway)
    const subject = yield* hostOn(near, Frames.stackAddress, { limits, gateway, ipv6: "slaac" })
    const honest = yield* hostOn(honestNear, Frames.honest.address)
    yield* Effect.provideService(
      Effect.andThen(wayTo(Ipv6Packets.honestAddress), programs(new Random(seed, -round - 1))),
      Netstack.Netstack,
      subject
    )
    const faults: Array<unknown> = []
    const heard = (frame: Uint8Array) => {
      try {
        sent(frame)
      } catch (fault) {
        faults.push(fault)
      }
      scene.hear(frame)
    }
    const port = yield* join(far, honestFar, heard)
    for (let thrown = 0; thrown < frames; thrown += framesPerProbe) {
      yield* storm(port, scene, Math.min(framesPerProbe, frames - thrown))
      announce(port)
      yield* probe(honest)
      yield* check(subject)
      if (faults.length > 0) return yield* Effect.fail(faults[0])
    }
  })))
