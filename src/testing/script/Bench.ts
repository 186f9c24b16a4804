/**
 * The host under test, with its clock, and what it has sent that the script has not yet asked for.
 *
 * Times here are microseconds since the script's start.
 */
import * as Tcp from "../../core/tcp/Config.ts"
import * as Time from "../../core/Time.ts"
import * as Address from "../../wire/Address.ts"
import * as Host from "../Host.ts"
import { Unsupported } from "./Descriptor.ts"
import type { Knobs } from "./Knobs.ts"
import type { Settings } from "./Settings.ts"

/** A packet that the host has sent. */
export interface Sent {
  readonly at: number
  /** From the IP header on. */
  readonly bytes: Uint8Array
}

/** How long the bench waits for a packet without a time. */
const patience = 3600 * 1e6

/** Alarms after which a script is taken for endless: an hour of one each few milliseconds. */
const mostAlarms = 1_000_000

const link = 1

/** A stack that does not take the script's addresses can say nothing about it. */
const makeHost = ({ local, mtu, prefixLength, seed }: Settings, knobs: Knobs): Host.Host => {
  try {
    return Host.make({
      seed,
      config: { tcp: { ...Tcp.defaults, ...knobs.tcp } },
      limits: knobs.limits,
      interfaces: [{ name: "tun0", medium: "ip", mtu, addresses: [[local, prefixLength]] }]
    })
  } catch (error) {
    throw new Unsupported(error instanceof Error ? error.message : String(error))
  }
}

export class Bench {
  readonly host: Host.Host
  readonly sent: Array<Sent> = []
  private readonly epoch: number
  private alarms = 0
  private wakeAt = Infinity
  /** Called whenever something has happened. */
  private readonly onProgress: () => void

  constructor(settings: Settings, knobs: Knobs, onProgress: () => void) {
    const { local } = settings
    this.host = makeHost(settings, knobs)
    const prefix = Address.unspecified(Address.versionOf(local))
    this.host.call({ _tag: "AddRoute", prefix, length: 0, gateway: undefined, link, metric: 0, source: undefined })
    this.epoch = this.host.now
    this.onProgress = onProgress
  }

  get now(): number {
    return this.host.now - this.epoch
  }

  /** The link carries so much from now on. */
  setMtu(mtu: number): void {
    this.host.tell({ _tag: "LinkChanged", link, mtu })
    this.collect()
  }

  /** Takes along what the host has sent by now. */
  collect(): void {
    for (const { bytes, end, start } of this.host.takeOutgoing(link)) {
      this.sent.push({ at: this.now, bytes: bytes.slice(start, end) })
    }
    this.onProgress()
  }

  /** Lets time pass, alarm by alarm; nothing happens if that time has passed. */
  advanceTo(at: number): void {
    while (this.nextAlarm <= at) this.ring()
    this.host.advanceTo(Time.instantOf(this.epoch + Math.round(at)))
    this.collect()
  }

  private get nextAlarm(): number {
    const next = this.host.nextTimer()
    return Math.min(next === undefined ? Infinity : next - this.epoch, this.wakeAt)
  }

  /** Something is to be looked at again then, even if nothing happens. */
  wake(at: Time.Instant): void {
    this.wakeAt = at - this.epoch
  }

  private ring(): void {
    if (++this.alarms > mostAlarms) throw new Unsupported("more than a million timers")
    const at = this.nextAlarm
    if (at >= this.wakeAt) this.wakeAt = Infinity
    this.host.advanceTo(Time.instantOf(this.epoch + at))
    this.collect()
  }

  /** Lets time pass until something is so, at most up to a time; true if it came to be so. */
  waitUntil(isSo: () => boolean, at: number): boolean {
    const most = this.now + (at === Infinity ? patience : 720 * patience)
    const end = Math.min(at, most)
    this.collect()
    while (!isSo() && this.nextAlarm <= end) this.ring()
    if (!isSo() && end !== most) this.advanceTo(end)
    return isSo()
  }

  deliver(packet: Uint8Array): void {
    this.host.deliver(link, packet)
    this.collect()
  }
}
