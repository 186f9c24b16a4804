/** A network between two hosts with faults by seed: frames are lost, doubled, delayed so that they overtake each other, and damaged. */
import * as Time from "../../../src/core/Time.ts"
import type { Host } from "../../../src/testing/Host.ts"

export interface Faults {
  /** Chances from 0 to 1. */
  readonly loss: number
  readonly duplication: number
  readonly reordering: number
  readonly corruption: number
  /** One way, of frames that are not held back. */
  readonly delay: Time.Span
}

/** A small generator (mulberry32): numbers from 0 to 1 by seed. */
export const random = (seed: number): () => number => {
  let state = seed | 0
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
}

interface Flight {
  readonly at: Time.Instant
  readonly order: number
  readonly to: Host
  readonly frame: Uint8Array
}

export class Network {
  private readonly hosts: readonly [Host, Host]
  private readonly draw: () => number
  private readonly flights: Array<Flight> = []
  private sent = 0
  /** Of what each host sends. */
  faults: readonly [Faults, Faults]
  /** Sees each frame that a host sends or gets. */
  witness: ((host: Host, direction: "in" | "out", frame: Uint8Array) => void) | undefined
  /** What the path carries at all; the rest is lost in silence. */
  passes: (frame: Uint8Array) => boolean = () => true
  now: Time.Instant

  constructor(hosts: readonly [Host, Host], faults: Network["faults"], seed: number) {
    this.hosts = hosts
    this.faults = faults
    this.draw = random(seed)
    this.now = Time.latest(hosts[0].now, hosts[1].now)
  }

  private launch(to: Host, frame: Uint8Array, delay: Time.Span): void {
    const flight: Flight = { at: Time.plus(this.now, delay), order: this.sent++, to, frame }
    let at = this.flights.length
    while (at > 0 && this.flights[at - 1]!.at > flight.at) at--
    this.flights.splice(at, 0, flight)
  }

  private damaged(frame: Uint8Array, corruption: number): Uint8Array {
    if (this.draw() >= corruption) return frame
    const bytes = frame.slice()
    // Behind the Ethernet header: what the checksums see.
    const at = 14 + Math.floor(this.draw() * (bytes.length - 14))
    bytes[at] = bytes[at]! ^ (1 << Math.floor(this.draw() * 8))
    return bytes
  }

  /** Takes what the hosts have sent onto the network. */
  collect(): void {
    this.hosts.forEach((host, i) => {
      const to = this.hosts[1 - i]!
      const faults = this.faults[i]!
      for (const frame of host.takeFrames(1)) {
        this.witness?.(host, "out", frame)
        if (this.draw() < faults.loss || !this.passes(frame)) continue
        const held = this.draw() < faults.reordering ? this.draw() * 5 : 0
        const delay = Time.scale(faults.delay, 1 + held)
        this.launch(to, this.damaged(frame, faults.corruption), delay)
        if (this.draw() < faults.duplication) this.launch(to, frame, Time.scale(delay, 1 + this.draw()))
      }
    })
  }

  /** The next thing that happens; `undefined` when nothing ever will. */
  next(): Time.Instant | undefined {
    this.collect()
    let next = this.flights[0]?.at
    for (const host of this.hosts) {
      const timer = host.nextTimer()
      if (timer !== undefined && (next === undefined || timer < next)) next = timer
    }
    return next
  }

  /** Lets the next thing happen. False when there is none up to `until`. */
  step(until: Time.Instant): boolean {
    const next = this.next()
    if (next === undefined || next > until) return false
    this.now = Time.latest(this.now, next)
    for (const host of this.hosts) host.advanceTo(this.now)
    while (this.flights.length > 0 && this.flights[0]!.at <= this.now) {
      const { frame, to } = this.flights.shift()!
      this.witness?.(to, "in", frame)
      to.deliver(1, frame.slice())
    }
    return true
  }

  /** Lets time pass; `after` is called when something has happened. */
  advance(by: Time.Span, after: () => void = () => {}): void {
    const until = Time.plus(this.now, by)
    while (this.step(until)) after()
    this.now = until
    for (const host of this.hosts) host.advanceTo(until)
    this.collect()
  }
}
