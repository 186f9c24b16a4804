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
import * as FiberSet from "effect/FiberSet"
import * as Queue from "effect/Queue"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import * as SubscriptionRef from "effect/SubscriptionRef"
import type { Config } from "../core/Config.ts"
import type { Spent } from "../core/Context.ts"
import type { LinkId } from "../core/Device.ts"
import * as Entropy from "../core/Entropy.ts"
import type { Reason } from "../core/Reason.ts"
import * as State from "../core/State.ts"
import type { Link, LinkError } from "../link/Link.ts"
import * as Loopback from "../link/Loopback.ts"
import { named } from "../link/named.ts"
import { attach } from "./Attach.ts"
import * as Core from "./Core.ts"
import { EntropySource, seedBytes } from "./EntropySource.ts"
import type { Lease } from "./Lease.ts"
import * as Probe from "./Probe.ts"
import type { Recorder } from "./Recording.ts"
import * as Requests from "./Requests.ts"
import * as Timers from "./Timers.ts"
import { type News, type Watcher, Workshop } from "./Workshop.ts"

export type { News } from "./Workshop.ts"

/** A worker of the stack failed, which ended it: a bug of the stack or of a link. */
export class StackFailed extends Schema.TaggedError<StackFailed>()("StackFailed", {
  cause: Schema.Defect()
}) {
  override get message(): string {
    return "a worker of the stack failed, and the stack with it"
  }
}

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
  /** The same for a caller that is no fiber. */
  readonly post: Requests.Requests["post"]
  /** Takes back what was posted. */
  readonly abandon: Requests.Requests["abandon"]
  /** Takes memory back that an answer to `TcpRead` has called spent. */
  readonly giveBack: (spent: ReadonlyArray<Spent>) => void
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

/** What can be seen of a stack from outside, and the memory that comes back from there. */
const views = (
  shop: Workshop
): Pick<Stack, "giveBack" | "read" | "peek" | "watch" | "links" | "peekQueues" | "probe"> => ({
  giveBack: shop.core.giveBack,
  read: (select) => Effect.andThen(shop.requests.heard, shop.core.read(select)),
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
    fork(named("requests", requests.worker(core)))
    fork(named("timers", timers.worker(core)))
    const supervise = Effect.catchCause(FiberSet.join(workers), (cause) => {
      const told = Deferred.fail(failed, new StackFailed({ cause }))
      return Effect.andThen(
        close,
        Effect.andThen(told, Effect.logError("a stack was closed by a worker that failed", cause))
      )
    })
    yield* Effect.forkScoped(named("supervisor", supervise), { startImmediately: true })
    const attachTo = attach(shop, fork, scope)
    yield* Effect.orDie(Scope.provide(attachTo(Loopback.make()), scope))
    return {
      ask: requests.ask,
      askWithin: requests.askWithin,
      post: requests.post,
      abandon: (ticket) => requests.abandon(ticket),
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
