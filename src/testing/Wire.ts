/**
 * A wire between hosts, in virtual time: what one sends, all others get, until nothing moves any more.
 *
 *     host A ──┬── host B        exchange(): frames go until all are still, in no time
 *              └── host C        advance(span): the clocks of all go on together, alarm by alarm
 */
import type { LinkId } from "../core/Device.ts"
import * as Time from "../core/Time.ts"
import type { Host } from "./Host.ts"

/** Where a host is plugged in. */
export interface Plug {
  readonly host: Host
  /** 1, the first interface, if absent. */
  readonly link?: LinkId
}

/** Sees every frame before it arrives; what it returns arrives in its place, `undefined` loses it. */
export type Tap = (frame: Uint8Array, from: number) => Uint8Array | undefined

/** Frames that one exchange may carry before it is taken for a storm that never ends. */
const mostFrames = 1_000_000

/** Hosts on one wire; {@link make} makes one. */
export class Wire {
  private readonly plugs: ReadonlyArray<{ readonly host: Host; readonly link: LinkId }>
  private readonly tap: Tap
  /** All frames that the wire has carried, in order. */
  readonly carried: Array<Uint8Array> = []

  constructor(plugs: ReadonlyArray<Plug>, tap: Tap) {
    this.plugs = plugs.map(({ host, link }) => ({ host, link: link ?? 1 }))
    this.tap = tap
  }

  /** Carries frames until no host has one to send. Answers how many. Throws if that does not come to an end. */
  exchange(): number {
    let count = 0
    for (let before = -1; before !== count;) {
      before = count
      this.plugs.forEach(({ host, link }, from) => {
        for (const frame of host.takeFrames(link)) {
          count++
          this.carry(frame, from)
        }
      })
      if (count > mostFrames) throw new Error("the hosts on this wire do not come to rest")
    }
    return count
  }

  private carry(sent: Uint8Array, from: number): void {
    const frame = this.tap(sent, from)
    if (frame === undefined) return
    this.carried.push(frame)
    this.plugs.forEach(({ host, link }, to) => {
      if (to !== from) host.deliver(link, frame.slice())
    })
  }

  /** Lets time pass for all hosts together; frames and alarms happen at their times. */
  advance(by: Time.Span): void {
    const start = this.plugs.reduce((at, { host }) => Time.latest(at, host.now), Time.instantOf(0))
    const end = Time.plus(start, by)
    this.exchange()
    for (let next = this.nextTimer(); next !== undefined && next <= end; next = this.nextTimer()) {
      for (const { host } of this.plugs) host.advanceTo(Time.latest(next, host.now))
      this.exchange()
    }
    for (const { host } of this.plugs) host.advanceTo(end)
  }

  private nextTimer(): Time.Instant | undefined {
    let earliest: Time.Instant | undefined = undefined
    for (const { host } of this.plugs) {
      const next = host.nextTimer()
      if (next !== undefined && (earliest === undefined || next < earliest)) earliest = next
    }
    return earliest
  }
}

const everything: Tap = (frame) => frame

/** Joins hosts by a wire. */
export const make = (plugs: ReadonlyArray<Plug | Host>, tap: Tap = everything): Wire =>
  new Wire(plugs.map((plug) => "host" in plug ? plug : { host: plug }), tap)
