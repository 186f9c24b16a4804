/**
 * A host in a simulation: with the programs that run on it, and the lanes that its interfaces send on.
 */
import * as IpInterface from "effect/net/IpInterface"
import * as IpNetwork from "effect/net/IpNetwork"
import * as NetAddress from "effect/net/NetAddress"
import * as Result from "effect/Result"
import type { Drop } from "../core/Drop.ts"
import type { Change } from "../core/Notice.ts"
import * as Time from "../core/Time.ts"
import * as Address from "../wire/Address.ts"
import type * as Frame from "../wire/Frame.ts"
import * as Mac from "../wire/Mac.ts"
import * as Settings from "../workers/Settings.ts"
import * as Host from "./Host.ts"
import type { Lane, Timeline } from "./Lane.ts"
import { type PlannedHost, type PlannedInterface, seedOf } from "./Plan.ts"
import * as Program from "./Program.ts"
import { type HostDescription, TopologyError } from "./Topology.ts"

/** Hears what hosts tell of themselves. */
export type Listener = (host: string, news: Change | Drop, at: Time.Span) => void

/** Looks at a host when it has come to rest. It must not ask anything of it. */
export type Watcher = (host: string, core: Host.Host, at: Time.Span) => void

const nanosPerMicro = 1000

/** What a description says in text, or what is wrong with it. */
const parsed = <A>(where: string, result: Result.Result<A, NetAddress.NetAddressError>): A => {
  if (Result.isSuccess(result)) return result.success
  throw new TopologyError({ where, detail: result.failure.message })
}

const addressOf = (where: string, input: NetAddress.IpAddressInput): Address.Address =>
  Address.fromNet(parsed(where, NetAddress.ipFromInput(input)))

const interfaceOf = (host: string, { description, mac, mtu, name }: PlannedInterface): Host.InterfaceOptions => {
  const where = `${host}.${name}`
  const { addresses = [], gateway, ipv4 } = description
  const all = ipv4 === undefined ? addresses : [ipv4, ...addresses]
  const own = description.mac === undefined
    ? mac
    : Mac.fromNet(parsed(where, NetAddress.macAddressFromInput(description.mac)))
  return {
    name,
    mtu,
    mac: own,
    addresses: all.map((input) => {
      const { address, prefixLength } = parsed(where, IpInterface.fromInput(input))
      return [Address.fromNet(address), prefixLength] as const
    }),
    ...(gateway === undefined ? {} : { gateway: addressOf(where, gateway) })
  }
}

/** Adds the routes that a description has beside those of its addresses and gateways. */
const addRoutes = (name: string, host: Host.Host, { routes = [] }: HostDescription): void => {
  for (const { gateway, link, metric = 0, source, to } of routes) {
    const where = `route of ${name}`
    const via = gateway === undefined ? undefined : addressOf(where, gateway)
    const everything = via !== undefined && !Address.isV4(via) ? "::/0" : "0.0.0.0/0"
    const { address, prefixLength } = parsed(where, IpNetwork.fromInput(to === "default" ? everything : to))
    host.call({
      _tag: "AddRoute",
      prefix: Address.fromNet(address),
      length: prefixLength,
      gateway: via,
      link,
      metric,
      source: source === undefined ? undefined : addressOf(where, source)
    })
  }
}

/**
 * The core of a planned host, with its addresses announced; `record` gets its recording. Throws a `TopologyError` where the description makes no
 * sense.
 */
export const hostOf = (
  { description, interfaces, name }: PlannedHost,
  seed: number,
  record: ((line: string) => void) | undefined
): Host.Host => {
  const { limits, ...config } = Settings.configOf(description)
  const host = Host.make({
    seed: seedOf(seed, name),
    config,
    limits,
    record,
    interfaces: interfaces.map((each) => interfaceOf(name, each))
  })
  addRoutes(name, host, description)
  host.notices()
  return host
}

/** A host with its programs, and the lanes of its interfaces. */
export class Node {
  readonly name: string
  readonly host: Host.Host
  /** By link id minus one. */
  readonly lanes: Array<Lane> = []
  readonly processes: Array<Program.Process<unknown>> = []
  readonly watchers: Array<Watcher> = []
  private readonly timeline: Timeline
  private readonly listeners: ReadonlyArray<Listener>
  private readonly epoch: number
  private wakesAt = Infinity

  constructor(name: string, host: Host.Host, timeline: Timeline, listeners: ReadonlyArray<Listener>) {
    this.name = name
    this.host = host
    this.timeline = timeline
    this.listeners = listeners
    this.epoch = host.now
  }

  /** When the host's clock, which counts whole microseconds, has reached a time. */
  private nanosOf(at: Time.Instant): number {
    return Math.ceil(at - this.epoch) * nanosPerMicro
  }

  /** Sets the host's clock; alarms that are due ring. */
  catchUp(): void {
    this.host.advanceTo(Time.instantOf(this.epoch + Math.floor(this.timeline.now() / nanosPerMicro)))
  }

  readonly receive = (link: number, frame: Frame.Frame): void => {
    this.catchUp()
    this.host.deliver(link, frame)
    this.settle()
  }

  readonly wake = (at: number): void => {
    if (at === this.wakesAt) this.wakesAt = Infinity
    this.catchUp()
    this.settle()
  }

  /** Has the host looked at when a time has come. */
  readonly wakeAt = (at: Time.Instant): void => {
    const nanos = this.nanosOf(at)
    this.timeline.schedule(nanos, this.wake, nanos)
  }

  /** Has the host looked at when its next alarm rings, if it is not looked at before. */
  private setAlarm(): void {
    const next = this.host.nextTimer()
    const nanos = next === undefined ? Infinity : this.nanosOf(next)
    if (nanos >= this.wakesAt) return
    this.wakesAt = nanos
    this.timeline.schedule(nanos, this.wake, nanos)
  }

  /** Lets the programs go on and takes along what the host has to send and to tell, then sets its alarm. */
  settle(): void {
    const { host, lanes, processes } = this
    for (let moved = true; moved;) {
      moved = false
      for (let i = 0; i < processes.length; i++) moved = processes[i]!.resume() || moved
    }
    for (let i = 0; i < lanes.length; i++) {
      for (const frame of host.takeOutgoing(i + 1)) lanes[i]!.send(frame)
    }
    this.tell()
    for (const watcher of this.watchers) watcher(this.name, host, this.elapsed)
    this.setAlarm()
  }

  private get elapsed(): Time.Span {
    return Time.micros(this.timeline.now() / nanosPerMicro)
  }

  private tell(): void {
    const news = [...this.host.notices(), ...this.host.drops()]
    if (news.length === 0 || this.listeners.length === 0) return
    const at = this.elapsed
    for (const each of news) for (const listener of this.listeners) listener(this.name, each, at)
  }
}
