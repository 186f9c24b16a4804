/**
 * The parts of a stack around its core, which share one outbox: where each output of a batch goes, and in which order those who
 * got something are let run.
 */
import type * as Clock from "effect/Clock"
import type { LinkId } from "../core/Device.ts"
import { loopback } from "../core/Device.ts"
import type { Drop } from "../core/Drop.ts"
import type { Notice } from "../core/Notice.ts"
import type { Output } from "../core/Output.ts"
import type * as State from "../core/State.ts"
import type * as Attachment from "./Attachment.ts"
import * as Core from "./Core.ts"
import type { Generator } from "./EntropySource.ts"
import * as Ledger from "./Ledger.ts"
import type * as Probe from "./Probe.ts"
import type { Recorder } from "./Recording.ts"
import type * as Requests from "./Requests.ts"
import type * as Timers from "./Timers.ts"

/** What only tells: it changes nothing, and who does not read it misses nothing but news. */
export type News = Notice | Drop

/** Somebody who reads news of a kind. */
export interface Watcher {
  readonly offer: (news: News) => void
  readonly end: () => void
}

/** What the parts of a stack are made from. */
export interface Parts {
  readonly clock: Clock.Clock
  readonly state: State.State
  readonly requests: Requests.Requests
  readonly timers: Timers.Timers
  readonly generate: Generator
  readonly recorder: Recorder | undefined
  readonly observer: Core.Observer | undefined
  readonly probe: Probe.Attached | undefined
}

/** The parts of a stack, which share one outbox. */
export class Workshop {
  readonly ledger: Ledger.Ledger = Ledger.make()
  readonly attachments: Map<LinkId, Attachment.Attachment> = new Map()
  readonly counters: Map<LinkId, () => Readonly<Record<string, number>>> = new Map()
  readonly watchers: Set<Watcher> = new Set()
  readonly requests: Requests.Requests
  readonly timers: Timers.Timers
  readonly core: Core.Core
  readonly generate: Generator
  readonly probe: Probe.Attached | undefined
  readonly state: State.State
  nextLink: LinkId = loopback
  /** Links that have something to send since the last flush. */
  private waiting: Array<Attachment.Attachment> = []
  /** Whether what waits is more than ACKs that may yield. */
  private isUrgent = false
  private isFlushing = false

  constructor(parts: Parts) {
    this.requests = parts.requests
    this.timers = parts.timers
    this.generate = parts.generate
    this.probe = parts.probe
    this.state = parts.state
    this.core = Core.make({
      ...parts,
      pending: this.ledger.take,
      outbox: { append: (output) => this.append(output), flush: () => this.flush() }
    })
  }

  private append(output: Output): void {
    switch (output._tag) {
      case "Transmit": {
        const attachment = this.attachments.get(output.link)
        // Detached since: its bytes and credits come back at once.
        if (attachment === undefined) return void this.ledger.add(output)
        attachment.enqueue(output)
        if (output.credit?.mayYield !== true) this.isUrgent = true
        if (this.waiting.at(-1) !== attachment) this.waiting.push(attachment)
        return
      }
      case "Reply":
        return this.requests.deliver(output)
      case "SetTimer":
        return this.timers.set(output)
      case "Notice":
      case "Drop":
        for (const watcher of this.watchers) watcher.offer(output)
    }
  }

  /**
   * Programs go on first: what they answer takes the place of the ACK for what they have read. They and the workers run here,
   * inside the call, and may run and flush further batches; those leave such ACKs to this one.
   */
  private flush(): void {
    const isInner = this.isFlushing
    this.isFlushing = true
    this.requests.flush()
    this.isFlushing = isInner
    if (this.isUrgent || !isInner) this.flushLinks()
    this.timers.flush()
  }

  /** Lets the transmit workers run that got something. */
  flushLinks(): void {
    const waiting = this.waiting
    if (waiting.length === 0) return
    this.waiting = []
    this.isUrgent = false
    for (const attachment of waiting) attachment.flush()
  }
}
