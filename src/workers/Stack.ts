/**
 * A running stack: the workers around one core.
 *
 * ```
 *              ring          ┌───────────────┐          queue
 *   link ────▶ frames ─────▶ │     Core      │ ───────▶ transmissions ────▶ link      for each link
 *   caller ──▶ requests ───▶ │ Ref · permit  │ ───────▶ replies ──────────▶ caller
 *   Clock ───▶ timers ─────▶ │   runBatch    │ ───────▶ alarms ───────────▶ Clock
 *                            └───────────────┘ ───────▶ notices, drops ───▶ watchers
 * ```
 *
 * Each arrow is a queue, each queue has one worker, and each worker is a fiber of one `FiberSet`. The scope that makes the
 * stack ends all of them; a worker that fails ends the stack, and whoever waits for it hears `StackClosed`.
 */
import type * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as FiberSet from "effect/FiberSet"
import * as Queue from "effect/Queue"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import * as SubscriptionRef from "effect/SubscriptionRef"
import type { Config } from "../core/Config.ts"
import { type Interface, type LinkId, loopback } from "../core/Device.ts"
import type { Drop } from "../core/Drop.ts"
import * as Entropy from "../core/Entropy.ts"
import type { Event } from "../core/Event.ts"
import type { Notice } from "../core/Notice.ts"
import type { Output } from "../core/Output.ts"
import type { Reason } from "../core/Reason.ts"
import * as State from "../core/State.ts"
import type { Link, LinkChange, LinkError } from "../link/Link.ts"
import * as Loopback from "../link/Loopback.ts"
import * as Mac from "../wire/Mac.ts"
import * as Attachment from "./Attachment.ts"
import * as Core from "./Core.ts"
import { EntropySource, type Generator, seedBytes } from "./EntropySource.ts"
import type { Lease } from "./Lease.ts"
import * as Ledger from "./Ledger.ts"
import * as Probe from "./Probe.ts"
import type { Recorder } from "./Recording.ts"
import * as Requests from "./Requests.ts"
import * as Timers from "./Timers.ts"

/** A worker of the stack failed, which ended it: a bug of the stack or of a link. */
export class StackFailed extends Schema.TaggedError<StackFailed>()("StackFailed", {
  cause: Schema.Defect()
}) {
  override get message(): string {
    return "a worker of the stack failed, and the stack with it"
  }
}

/** What only tells: it changes nothing, and who does not read it misses nothing but news. */
export type News = Notice | Drop

/** News that may wait for one watcher; one that does not keep up loses the oldest. */
export const newsCapacity = 4096

/** A link of the stack and what became of frames that the core never saw. */
export interface LinkStatus {
  readonly id: LinkId
  readonly name: string
  /** Largest IP packet in bytes that the link itself carries. */
  readonly mtu: number
  /** Frames that found the stack's ring full. */
  readonly overflowed: number
  /** Bare ACKs that were not sent, since the next segment of their connection told as much. */
  readonly yielded: number
  /** Frames that the link itself lost, by its own reasons. */
  readonly lost: Readonly<Record<string, number>>
  /** Frames that wait for the core, and packets that wait for the link. */
  readonly depths: { readonly receive: number; readonly transmit: number }
}

export interface Stack {
  /** Asks the core and waits for the answer. Interruption takes back what the request has parked. */
  readonly ask: Requests.Requests["ask"]
  /** The same for a caller that must not lose the answer (see `Requests.askWithin`). */
  readonly askWithin: Requests.Requests["askWithin"]
  /** Reads the state under the permit. `select` copies what it returns: no live table leaves it. */
  readonly read: <A>(select: (state: State.State) => A) => Effect.Effect<A>
  /** The same for who can't wait, such as an exporter of metrics: steps are synchronous, so between them the state is whole. */
  readonly peek: <A>(select: (state: State.State) => A) => A
  /** Opens a link and makes it an interface of the stack until the scope closes. */
  readonly attach: (link: Link) => Effect.Effect<LinkId, LinkError | Reason, Scope.Scope>
  /** The news that `wants` picks, from now on, until the scope or the stack closes. Called under the permit: what it does not pick costs no more than the call. */
  readonly watch: <N extends News>(
    wants: (news: News) => news is N
  ) => Effect.Effect<Queue.Dequeue<N, Cause.Done>, never, Scope.Scope>
  readonly links: Effect.Effect<ReadonlyArray<LinkStatus>>
  /** What DHCP servers have granted, by interface. The core does not need to know: it has the address and the routes. */
  readonly leases: SubscriptionRef.SubscriptionRef<ReadonlyMap<LinkId, Lease>>
  /** {@link links} and callers that wait, for who can't. */
  readonly peekQueues: () => Queues
  /** Looks into this stack, if something does. */
  readonly probe: Probe.Attached | undefined
  /** Fails when a worker does; never succeeds. */
  readonly failure: Effect.Effect<never, StackFailed>
  /** What is alive in this stack: for tests and for display. */
  readonly census: Effect.Effect<Census>
}

/** What waits in the shell. */
export interface Queues {
  readonly links: ReadonlyArray<LinkStatus>
  /** Callers that wait for an answer. */
  readonly waiting: number
  readonly alarms: number
}

export interface Census {
  readonly workers: number
  readonly waiting: number
  readonly alarms: number
  readonly links: number
  readonly watchers: number
}

export interface Options {
  /** `wallOffset` is set by the stack from its clock. */
  readonly config: Config
  /** Made with the seed of this stack's keys before the first event. */
  readonly recorder?: ((config: Config, seed: Uint8Array) => Recorder) | undefined
  readonly observer?: Core.Observer | undefined
}

/** What a link is attached with. */
interface Attached {
  readonly attachment: Attachment.Attachment
  readonly counters: () => Readonly<Record<string, number>>
}

const noEvents: ReadonlyArray<Event> = Object.freeze([])

/** Starts a worker: its failure is the stack's. */
type Fork = (effect: Effect.Effect<unknown>) => Fiber.Fiber<unknown>

/** Somebody who reads news of a kind. */
interface Watcher {
  readonly offer: (news: News) => void
  readonly end: () => void
}

/** What the parts of a stack are made from. */
interface Parts {
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
class Workshop {
  readonly ledger: Ledger.Ledger = Ledger.make()
  readonly attachments: Map<LinkId, Attachment.Attachment> = new Map()
  readonly counters: Map<LinkId, Attached["counters"]> = new Map()
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

  private flushLinks(): void {
    const waiting = this.waiting
    if (waiting.length === 0) return
    this.waiting = []
    this.isUrgent = false
    for (const attachment of waiting) attachment.flush()
  }
}

/** Locally administered, not a group (IEEE 802-2014 §8.2.2). */
const localMac = (generate: Generator): Mac.Mac => {
  const octets = generate(6)
  octets[0] = (octets[0]! & ~0x01) | 0x02
  return Mac.read(octets, 0)
}

/** The interface of a link. One without a link-layer address gets one if its medium needs it. */
const interfaceOf = (id: LinkId, link: Link, generate: Generator): Interface => ({
  id,
  name: link.name,
  medium: link.medium,
  mac: link.mac ?? (link.medium === "ethernet" ? localMac(generate) : Mac.zero),
  mtu: link.mtu,
  checksumOffload: link.capabilities.checksumOffload,
  segmentation: link.capabilities.segmentation,
  maxSegmentBytes: link.capabilities.maxSegmentBytes,
  up: true,
  isClosed: link.isClosed === true,
  addresses: []
})

/** Opens a link in `scope` and sets its workers to work; the core hears of it unless it is the loopback link, which it knows. */
const open = (shop: Workshop, fork: Fork, link: Link, close: Effect.Effect<void>) =>
  Effect.gen(function*() {
    const id = shop.nextLink++
    const { core, generate, ledger, requests } = shop
    const attachment = yield* Attachment.make({
      id,
      link,
      core,
      ledger,
      changed: (change) => onChange(requests, fork, id, change, close)
    })
    // What could not be sent any more is no longer owed: its credits go back in a batch of their own.
    yield* Effect.addFinalizer(() => Effect.andThen(attachment.close, core.run(noEvents)))
    const port = yield* link.open(attachment.sink)
    shop.attachments.set(id, attachment)
    shop.counters.set(id, port.counters)
    const workers = [fork(attachment.receiveWorker), fork(attachment.transmitWorker(port))]
    yield* Effect.addFinalizer(() => {
      shop.attachments.delete(id)
      shop.counters.delete(id)
      return Fiber.interruptAll(workers)
    })
    if (id === loopback) return id
    yield* requests.ask({ _tag: "AttachLink", interface: interfaceOf(id, link, generate) })
    // Already closed is as good as detached.
    yield* Effect.addFinalizer(() => Effect.ignore(requests.ask({ _tag: "DetachLink", link: id })))
    return id
  })

/** What a link tells of itself becomes a request; one that is gone is detached. */
const onChange = (
  requests: Requests.Requests,
  fork: Fork,
  link: LinkId,
  change: LinkChange,
  close: Effect.Effect<void>
): void => {
  switch (change._tag) {
    case "Up":
    case "Down":
      return void fork(requests.tell({ _tag: "LinkChanged", link, up: change._tag === "Up" }))
    case "MtuChanged":
      return void fork(requests.tell({ _tag: "LinkChanged", link, mtu: change.mtu }))
    case "Gone": {
      const gone = change.error === undefined ? Effect.void : Effect.logWarning(change.error.message)
      fork(Effect.andThen(gone, close))
    }
  }
}

/** A link lives as long as both the scope that attached it and the stack. */
const attach = (shop: Workshop, fork: Fork, stack: Scope.Scope) => (link: Link) =>
  Effect.uninterruptibleMask((restore) =>
    Effect.gen(function*() {
      const scope = yield* Scope.fork(stack)
      const close = Scope.close(scope, Exit.void)
      yield* Effect.addFinalizer(() => close)
      return yield* restore(Scope.provide(open(shop, fork, link, close), scope)).pipe(Effect.onError(() => close))
    })
  )

const watch = (shop: Workshop): Stack["watch"] => <N extends News>(wants: (news: News) => news is N) =>
  Effect.gen(function*() {
    const queue = yield* Queue.sliding<N, Cause.Done>(newsCapacity)
    const watcher: Watcher = {
      offer: (news) => {
        if (wants(news)) Queue.offerUnsafe(queue, news)
      },
      end: () => Queue.endUnsafe(queue)
    }
    shop.watchers.add(watcher)
    yield* Effect.addFinalizer(() => {
      shop.watchers.delete(watcher)
      return Queue.shutdown(queue)
    })
    return queue
  })

const statusOf = ({ attachments, counters }: Workshop): ReadonlyArray<LinkStatus> =>
  Array.from(attachments.values(), (attachment) => ({
    id: attachment.id,
    name: attachment.link.name,
    mtu: attachment.link.mtu,
    overflowed: attachment.overflowed(),
    yielded: attachment.yielded(),
    lost: counters.get(attachment.id)?.() ?? {},
    depths: attachment.depths()
  }))

/** What can be seen of a stack from outside. */
const views = (shop: Workshop): Pick<Stack, "read" | "peek" | "watch" | "links" | "peekQueues" | "probe"> => ({
  read: shop.core.read,
  peek: (select) => select(shop.state),
  watch: watch(shop),
  links: Effect.sync(() => statusOf(shop)),
  peekQueues: () => ({ links: statusOf(shop), waiting: shop.requests.waiting(), alarms: shop.timers.size() }),
  probe: shop.probe
})

/** The first state and the parts around it. */
const makeWorkshop = (options: Options): Effect.Effect<Workshop, never, Scope.Scope> =>
  Effect.gen(function*() {
    const clock = yield* Clock.Clock
    const generate = yield* EntropySource
    const seed = generate(seedBytes)
    const wallOffset = clock.currentTimeMillisUnsafe() * 1000 - Core.instantOf(clock)
    const source = yield* Probe.Probe
    const config = { ...options.config, wallOffset, telemetry: options.config.telemetry || source !== undefined }
    const probe = source === undefined ? undefined : yield* source.attach(config)
    return new Workshop({
      clock,
      generate,
      state: State.make(config, Entropy.derive(seed)),
      requests: yield* Requests.make,
      timers: yield* Timers.make(clock),
      recorder: options.recorder?.(config, seed),
      observer: Probe.both(options.observer, probe?.observe),
      probe
    })
  })

/** In this order: nobody waits any more, then links and their workers end, then alarms and news. */
const closing = ({ requests, timers, watchers }: Workshop, links: Scope.Closeable): Effect.Effect<void> =>
  Effect.gen(function*() {
    yield* requests.close
    yield* Scope.close(links, Exit.void)
    yield* timers.close
    for (const watcher of watchers) watcher.end()
  })

/** Makes a running stack with its loopback link; the scope ends it. */
export const make = (options: Options): Effect.Effect<Stack, never, Scope.Scope> =>
  Effect.gen(function*() {
    const shop = yield* makeWorkshop(options)
    const { core, requests, timers } = shop
    const workers = yield* FiberSet.make<unknown, never>()
    const fork = yield* FiberSet.runtime(workers)()
    const scope = yield* Scope.fork(yield* Effect.scope)
    const failed = yield* Deferred.make<never, StackFailed>()
    const close = closing(shop, scope)
    yield* Effect.addFinalizer(() => close)
    fork(requests.worker(core))
    fork(timers.worker(core))
    const supervise = Effect.catchCause(FiberSet.join(workers), (cause) => {
      const told = Deferred.fail(failed, new StackFailed({ cause }))
      return Effect.andThen(
        close,
        Effect.andThen(told, Effect.logError("a stack was closed by a worker that failed", cause))
      )
    })
    yield* Effect.forkScoped(supervise, { startImmediately: true })
    const attachTo = attach(shop, fork, scope)
    yield* Effect.orDie(Scope.provide(attachTo(Loopback.make()), scope))
    return {
      ask: requests.ask,
      askWithin: requests.askWithin,
      ...views(shop),
      attach: attachTo,
      leases: yield* SubscriptionRef.make<ReadonlyMap<LinkId, Lease>>(new Map()),
      failure: Deferred.await(failed),
      census: Effect.map(FiberSet.size(workers), (size) => ({
        workers: size,
        waiting: requests.waiting(),
        alarms: timers.size(),
        links: shop.attachments.size,
        watchers: shop.watchers.size
      }))
    }
  })
