/**
 * A sender that always has data, on a path with a bottleneck: a rate, a queue of so many bytes, a round-trip time and random losses. Every segment is
 * acknowledged by itself and losses are seen when three later segments have come; what is lost counts as sent again as new data. It is no TCP, but all that a
 * controller can tell from one.
 */
import type * as Controller from "../../../../src/core/tcp/congestion/Controller.ts"
import * as DeliveryRate from "../../../../src/core/tcp/DeliveryRate.ts"
import * as Time from "../../../../src/core/Time.ts"
import * as Seeded from "../../Seeded.ts"
import { mss } from "./Acks.ts"

export interface Params {
  /** Bytes per second. */
  readonly rate: number
  readonly rtt: Time.Span
  readonly queue: number
  readonly loss: number
  readonly seed: number
  /** Longer than which nothing was sent, from when to when. */
  readonly idle?: { readonly from: number; readonly to: number }
  /** The rate from some second on. */
  readonly change?: { readonly at: number; readonly rate: number }
}

interface InFlight {
  readonly number: number
  readonly stamp: DeliveryRate.Stamp
  /** When its ACK arrives; infinite when it was lost. */
  readonly ackAt: number
}

/** What a second of the transfer was like. */
export interface Second {
  /** Bytes delivered in it. */
  readonly delivered: number
  /** The longest wait in the queue, in milliseconds. */
  readonly delay: number
  readonly losses: number
  readonly leastInFlight: number
}

export class Path<S> {
  state: S
  now = 0
  readonly seconds: Array<Second> = []
  private readonly controller: Controller.Controller<S>
  private readonly params: Params
  private readonly random: Seeded.Seeded
  private readonly flight: Array<InFlight> = []
  private rate = DeliveryRate.initial
  private bytes = 0
  private linkFree = 0
  private nextSend = 0
  private sentCount = 0
  private recoverAt = 0
  private minRtt = Infinity
  private second = { delivered: 0, delay: 0, losses: 0, leastInFlight: Infinity }
  private wasIdle = false

  constructor(controller: Controller.Controller<S>, params: Params) {
    this.controller = controller
    this.params = params
    this.random = Seeded.make(params.seed)
    this.state = controller.start({ now: Time.instantOf(0), mss, initialWindow: 10 * mss })
  }

  private get linkRate(): number {
    const { change, rate } = this.params
    return change !== undefined && this.now >= change.at * 1e6 ? change.rate : rate
  }

  private isIdle(): boolean {
    const { idle } = this.params
    return idle !== undefined && this.now >= idle.from * 1e6 && this.now < idle.to * 1e6
  }

  private send(): void {
    const [rate, stamp] = DeliveryRate.send(this.rate, Time.instantOf(this.now), this.bytes, mss)
    this.rate = rate
    const wait = Math.max(0, this.linkFree - this.now)
    const isFull = wait * this.linkRate / 1e6 > this.params.queue
    let ackAt = Infinity
    if (!isFull) {
      this.linkFree = Math.max(this.now, this.linkFree) + mss * 1e6 / this.linkRate
      this.second.delay = Math.max(this.second.delay, wait / 1000)
      if (!this.random.chance(this.params.loss)) ackAt = this.linkFree + this.params.rtt
    }
    this.flight.push({ number: this.sentCount++, stamp, ackAt })
    this.bytes += mss
    const pace = this.controller.needsPacing ? this.controller.pacingRate(this.state) : undefined
    this.nextSend = pace === undefined ? this.now : Math.max(this.now, this.nextSend) + mss * 1e6 / pace
  }

  /** Takes what three later segments have overtaken out of the flight. */
  private lose(upTo: number): number {
    let lost = 0
    while (this.flight.length > 0 && this.flight[0]!.number <= upTo - 3) {
      const segment = this.flight.shift()!
      lost += mss
      this.bytes -= mss
      this.second.losses += 1
      this.rate = DeliveryRate.lose(this.rate, mss)
      const event = { now: Time.instantOf(this.now), bytes: mss, stamp: segment.stamp, totalLost: this.rate.lost }
      this.state = this.controller.onLost?.(this.state, event) ?? this.state
      if (segment.number < this.recoverAt) continue
      this.state = this.controller.onLoss(this.state, { now: Time.instantOf(this.now), flightSize: this.bytes + mss })
      this.recoverAt = this.sentCount
    }
    return lost
  }

  private ack(index: number): void {
    const [segment] = this.flight.splice(index, 1) as [InFlight]
    const before = this.bytes
    this.bytes -= mss
    const now = Time.instantOf(this.now)
    const bytesLost = this.lose(segment.number)
    const rtt = Time.between(segment.stamp.sentAt, now)
    this.minRtt = Math.min(this.minRtt, rtt)
    const [rate, sample] = DeliveryRate.deliver(this.rate, mss, segment.stamp, now, Time.micros(this.minRtt))
    this.rate = rate
    this.second.delivered += mss
    this.second.leastInFlight = Math.min(this.second.leastInFlight, this.bytes)
    const isRecovering = segment.number < this.recoverAt
    this.state = this.controller.onAck(this.state, {
      now,
      bytesAcked: mss,
      bytesDelivered: mss,
      bytesLost,
      bytesInFlight: before,
      bytesInFlightAfter: this.bytes,
      mostInFlight: Infinity,
      rtt,
      srtt: rtt,
      minRtt: Time.micros(this.minRtt),
      isMarked: false,
      isAppLimited: before + mss < this.controller.window(this.state) && !this.controller.needsPacing,
      recovery: isRecovering ? "fast" : "none",
      rate: sample
    })
    if (isRecovering && segment.number === this.recoverAt - 1) {
      this.state = this.controller.onRecoveryExit(this.state, now)
    }
  }

  /** Everything in flight was lost: the retransmission timer is what is left. */
  private timeout(): void {
    this.now += 1_000_000
    this.lose(Infinity)
    const now = Time.instantOf(this.now)
    this.state = this.controller.onTimeout(this.state, { now, flightSize: this.bytes, isRepeated: false })
    this.nextSend = this.now
  }

  /** Runs until `seconds` have passed since the start. */
  run(seconds: number): void {
    while (this.now < seconds * 1e6) {
      const mayHave = !this.isIdle() && this.bytes + mss <= Math.max(mss, this.controller.window(this.state))
      let index = -1
      for (let i = 0; i < this.flight.length; i++) {
        if (index < 0 || this.flight[i]!.ackAt < this.flight[index]!.ackAt) index = i
        if (this.flight[i]!.ackAt < Infinity) break
      }
      const ackAt = index < 0 ? Infinity : this.flight[index]!.ackAt
      const sendAt = mayHave ? Math.max(this.now, this.nextSend) : Infinity
      if (sendAt === Infinity && ackAt === Infinity) {
        if (this.isIdle()) this.advance(this.params.idle!.to * 1e6)
        else this.timeout()
        continue
      }
      this.advance(Math.min(sendAt, ackAt))
      if (ackAt <= sendAt) {
        this.ack(index)
        continue
      }
      if (this.wasIdle) this.restart()
      this.send()
    }
  }

  private restart(): void {
    this.wasIdle = false
    const { from, to } = this.params.idle!
    const idle = { now: Time.instantOf(this.now), idleFor: Time.seconds(to - from), rto: Time.millis(300) }
    this.state = this.controller.onIdle(this.state, idle)
  }

  private advance(to: number): void {
    while (this.seconds.length < Math.floor(to / 1e6)) {
      this.seconds.push(this.second)
      this.second = { delivered: 0, delay: 0, losses: 0, leastInFlight: Infinity }
    }
    this.now = to
    if (this.isIdle()) this.wasIdle = true
  }

  /** Mean bytes per second over some seconds. */
  goodput(from: number, to: number): number {
    const some = this.seconds.slice(from, to)
    return some.reduce((sum, second) => sum + second.delivered, 0) / some.length
  }
}
