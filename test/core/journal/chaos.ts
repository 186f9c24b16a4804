/**
 * Events by seed: everything that a network and programs do to a host, wise and unwise. The next event may depend on what came of
 * those before, so that answers fit questions.
 */
import type { Event } from "../../../src/core/Event.ts"
import type { Output } from "../../../src/core/Output.ts"
import { noTicket, type Request, type Ticket } from "../../../src/core/Request.ts"
import * as Time from "../../../src/core/Time.ts"
import * as Address from "../../../src/wire/Address.ts"
import * as Frame from "../../../src/wire/Frame.ts"
import * as Gather from "../../../src/wire/Gather.ts"
import * as IpProtocol from "../../../src/wire/IpProtocol.ts"
import * as Mac from "../../../src/wire/Mac.ts"
import * as Lan from "../Lan.ts"
import * as Seeded from "../Seeded.ts"
import type { Driver } from "./Driver.ts"

const station = (n: number): Address.Ipv4 => Address.v4(10, 0, 0, 100 + n)
const macOf = (n: number): Mac.Mac => 0x0200_0000_7700 + n

export const setup: ReadonlyArray<Request> = [
  {
    _tag: "AttachLink",
    interface: {
      id: 1,
      name: "eth0",
      medium: "ethernet",
      mac: Lan.hereMac,
      mtu: 1500,
      checksumOffload: false,
      segmentation: new Set(),
      maxSegmentBytes: 1500,
      up: true,
      addresses: []
    }
  },
  { _tag: "AddAddress", link: 1, address: Lan.here, prefixLength: 24, origin: "static" },
  { _tag: "TcpListen", local: undefined, version: 4, port: 80, backlog: 4, options: {}, link: undefined }
]

/** What happened so far, as far as it matters for what comes next. */
export class Chaos {
  private readonly random: Seeded.Seeded
  private ticket: Ticket = 100
  private readonly asked: Map<Ticket, Request> = new Map()
  private sockets: Array<number> = []
  private connections: Array<number> = []
  private listener = 0
  private lastSent: Uint8Array = new Uint8Array(0)

  constructor(seed: number) {
    this.random = Seeded.make(seed)
  }

  /** Takes in what the last event led to. */
  hear(outputs: ReadonlyArray<Output>): void {
    for (const output of outputs) {
      if (output._tag === "Transmit" && output.link === 1) {
        this.lastSent = new Uint8Array(output.size)
        Gather.into(output.packet, this.lastSent, 0, true)
      }
      if (output._tag !== "Reply" || output.reason !== undefined) continue
      const value = output.value as Record<string, unknown> | undefined
      if (typeof value?.["socket"] === "number") this.sockets.push(value["socket"])
      if (typeof value?.["connection"] === "number") this.connections.push(value["connection"])
      if (typeof value?.["listener"] === "number") this.listener = value["listener"]
    }
    this.sockets = this.sockets.slice(-8)
    this.connections = this.connections.slice(-6)
  }

  /** The next event; may let time pass first. */
  next(driver: Driver): Event {
    const { random } = this
    const kind = random.below(100)
    if (kind < 25) return this.frame()
    if (kind < 55) return this.ask(this.request())
    if (kind < 80 && driver.queued.length > 0) return this.leave(driver)
    if (kind < 84 && this.asked.size > 0) return this.giveUp()
    if (random.chance(0.6)) driver.now = Time.plus(driver.now, Time.micros(random.below(4_000_000)))
    const [due] = driver.alarms.takeDue(driver.now, 1)
    return due ?? this.frame()
  }

  private ask(request: Request): Event {
    const ticket = ++this.ticket
    this.asked.set(ticket, request)
    return { _tag: "Request", ticket, request }
  }

  private giveUp(): Event {
    const [ticket] = this.random.pick(Array.from(this.asked))
    this.asked.delete(ticket)
    return { _tag: "Request", ticket: noTicket, request: { _tag: "Abandoned", abandoned: ticket } }
  }

  /** A queued frame leaves; over the loopback link it comes in again first. */
  private leave(driver: Driver): Event {
    const transmit = driver.queued[0]!
    const bytes = new Uint8Array(transmit.size)
    if (transmit.link === 0 && this.loopedBack !== transmit) {
      this.loopedBack = transmit
      Gather.into(transmit.packet, bytes, 0, false)
      return { _tag: "Frame", link: 0, frame: { ...Frame.plain(bytes), checksum: "verified" }, receivedAt: driver.now }
    }
    driver.queued.shift()
    const credits = transmit.credit === undefined ? [] : [transmit.credit]
    const request: Request = { _tag: "Sent", link: transmit.link, bytes: transmit.size, credits }
    return { _tag: "Request", ticket: noTicket, request }
  }
  private loopedBack: unknown = undefined

  private frame(): Event {
    return { _tag: "Frame", link: 1, frame: Frame.plain(this.bytes()), receivedAt: Time.instantOf(0) }
  }

  private bytes(): Uint8Array {
    const { random } = this
    const n = random.below(6)
    const [mac, ip] = [macOf(n), station(n)]
    const from = { from: mac }
    const payload = Lan.bytes(random.below(300), n)
    switch (random.below(10)) {
      case 0:
        return Lan.arp({ operation: 1, senderMac: mac, senderIp: ip, targetMac: 0, targetIp: Lan.here }, from)
      case 1:
        return Lan.arp({ operation: 2, senderMac: mac, senderIp: ip, targetMac: Lan.hereMac, targetIp: Lan.here }, from)
      case 2:
        return Lan.arp({ operation: 1, senderMac: mac, senderIp: Lan.here, targetMac: 0, targetIp: Lan.here }, from)
      case 3:
        return Lan.ethernet(Lan.ip(Lan.echo(n, n, payload), { source: ip }), from)
      case 4:
      case 5:
        return Lan.datagram(7, 5000 + random.below(4), payload, { source: ip }, from)
      case 6: {
        const message = Lan.udp(7, 5001, Lan.bytes(2000), { source: ip })
        const start = 480 * random.below(5)
        const end = Math.min(message.length, start + 480 + 8 * random.below(2))
        const fields = {
          source: ip,
          protocol: IpProtocol.udp,
          identification: random.below(3),
          fragmentOffset: start,
          moreFragments: end < message.length
        }
        return Lan.ethernet(Lan.ip(message.slice(start, end), fields), from)
      }
      case 7: {
        const quoted = this.lastSent.slice(14, 42)
        const code = random.pick([0, 1, 3, 4, 13])
        return Lan.ethernet(Lan.ip(Lan.icmp({ _tag: "Unreachable", code, mtu: 600 }, quoted), { source: ip }), from)
      }
      case 8:
        return this.answer(mac)
      default:
        return Uint8Array.from({ length: random.below(90) }, () => random.below(256))
    }
  }

  /** What the host sent last, turned round: an echo request becomes its answer, a question of ARP its reply. */
  private answer(mac: Mac.Mac): Uint8Array {
    const sent = this.lastSent
    if (sent.length < 42) return new Uint8Array(3)
    if (sent[12] === 8 && sent[13] === 6) {
      const header = Lan.read(sent).arp!
      return Lan.arp({
        operation: 2,
        senderMac: mac,
        senderIp: header.targetIp,
        targetMac: Lan.hereMac,
        targetIp: Lan.here
      }, { from: mac })
    }
    const back = sent.slice()
    back.copyWithin(0, 6, 12)
    Mac.write(mac, back, 6)
    back.set(sent.subarray(30, 34), 26)
    back.set(sent.subarray(26, 30), 30)
    if (back[23] === 1 && back[34] === 8) {
      back[34] = 0
      // The type went from 8 to 0, so the checksum grows by as much (RFC 1624 §3).
      const checksum = ((back[36]! << 8) | back[37]!) + 0x0800
      back[36] = (checksum + (checksum >>> 16)) >>> 8
      back[37] = checksum + (checksum >>> 16)
    }
    return back
  }

  private request(): Request {
    const { random } = this
    const socket = this.sockets.length === 0 ? 0 : random.pick(this.sockets)
    const choices: ReadonlyArray<() => Request> = [
      () => this.datagrams(socket),
      () => this.datagrams(socket),
      () => this.datagrams(socket),
      () => this.streams(),
      () => this.streams(),
      () => this.configuration()
    ]
    return random.pick(choices)()
  }

  private datagrams(socket: number): Request {
    const { random } = this
    const to = random.pick([station(random.below(6)), Lan.here, Address.v4(192, 0, 2, 1), Address.broadcastV4])
    const port = 5000 + random.below(4)
    const block = random.chance(0.7)
    switch (random.below(10)) {
      case 0:
      case 1: {
        const options = { reuseAddress: random.chance(0.5), broadcast: true }
        return { _tag: "UdpBind", local: undefined, version: 4, port, link: undefined, options }
      }
      case 2:
        return { _tag: "UdpConnect", socket, remote: to, remotePort: 7 }
      case 3:
        return { _tag: "UdpClose", socket }
      case 4:
      case 5:
        return Lan.receive(socket, block, 3)
      case 6:
        return Lan.ping(to, Lan.bytes(random.pick([4, 3000])))
      case 7: {
        const bytes = Lan.bytes(9)
        const rest = { hopLimit: undefined, trafficClass: 0, dontFragment: false, block }
        return random.chance(0.5)
          ? { _tag: "RawOpen", version: 4, protocol: random.pick([1, 17, 99]), link: undefined }
          : { _tag: "RawSend", socket, destination: to, source: undefined, bytes, ...rest }
      }
      default:
        return { ...Lan.send(socket, to, port, Lan.bytes(random.pick([10, 900, 3000]))), block }
    }
  }

  private streams(): Request {
    const { random } = this
    const connection = this.connections.length === 0 ? 0 : random.pick(this.connections)
    const block = random.chance(0.7)
    switch (random.below(9)) {
      case 0: {
        const remote = random.pick([Lan.here, Lan.here, station(1)])
        return {
          _tag: "TcpConnect",
          remote,
          remotePort: 80,
          local: undefined,
          localPort: 0,
          link: undefined,
          options: {},
          block
        }
      }
      case 1:
        return { _tag: "TcpAccept", listener: this.listener, block }
      case 2:
      case 3: {
        const bytes = Lan.bytes(random.below(5000))
        return { _tag: "TcpWrite", connection, bytes, start: 0, end: bytes.length, owned: false, block }
      }
      case 4:
      case 5:
        return { _tag: "TcpRead", connection, max: 1000, block }
      case 6:
        return { _tag: "TcpShutdown", connection, read: false, write: true }
      case 7:
        return { _tag: "TcpClose", connection }
      default:
        return { _tag: "TcpAbort", connection }
    }
  }

  private configuration(): Request {
    const { random } = this
    const address = station(50 + random.below(4))
    const until = Time.instantOf(random.below(100_000_000))
    switch (random.below(9)) {
      case 0:
        return {
          _tag: "AddAddress",
          link: 1,
          address,
          prefixLength: 24,
          origin: "dhcp",
          preferredUntil: until,
          validUntil: until
        }
      case 1:
        return { _tag: "RemoveAddress", link: 1, address }
      case 2:
        return { _tag: "SetNeighbor", link: 1, address: station(random.below(6)), mac: macOf(9) }
      case 3:
        return { _tag: "FlushNeighbors", link: 1 }
      case 4: {
        const gateway = station(1)
        return {
          _tag: "AddRoute",
          prefix: 0,
          length: random.below(3),
          gateway,
          link: 1,
          metric: random.below(3),
          source: undefined
        }
      }
      case 5:
        return { _tag: "RemoveRoute", prefix: 0, length: random.below(3), gateway: undefined, link: undefined }
      case 6:
        return { _tag: "LinkChanged", link: 1, up: random.chance(0.8), mtu: random.pick([1500, 1500, 600]) }
      case 7:
        return { _tag: "RemoveNeighbor", link: 1, address: station(random.below(6)) }
      default:
        return random.chance(0.1) ? { _tag: "DetachLink", link: 1 } : setup[1]!
    }
  }
}
