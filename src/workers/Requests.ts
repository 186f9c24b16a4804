/**
 * The way of a request: a ticket, a place in the queue, and a fiber that waits until the reply comes or it is interrupted.
 *
 * ```
 *   caller ── Request{ticket} ──▶ queue ──▶ worker ──▶ core ──▶ Reply{ticket} ──▶ line ──▶ flush ──▶ caller
 *      └──── interrupted: Abandoned{ticket} ──▶                                          └─ nobody there: Returned ──▶ core
 * ```
 *
 * The usual request is answered inside the call that makes it: the offer is flushed, the worker runs, the reply is there
 * before the caller would have to suspend. Only when the queue is full does the caller wait for a place in it. A reply is
 * handed over by a plain call once the permit is back: it waits for nothing, so no worker has to stand in between.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Queue from "effect/Queue"
import type { Event } from "../core/Event.ts"
import type { Reply } from "../core/Output.ts"
import * as Reason from "../core/Reason.ts"
import { type AnswerOf, noTicket, type Request, type Ticket } from "../core/Request.ts"
import * as Bell from "./Bell.ts"
import type { Core } from "./Core.ts"

/**
 * So many requests of callers that are being resumed are worth a batch: each batch costs what fifty operations of a fiber do, and the first answer waits for the
 * last one of its batch (row `http`).
 */
const worthwhileBatch = 16

/** Requests that may wait for the worker; further callers wait for a place. */
export const queueCapacity = 1024
/** Events of one batch, so that no other worker waits for long. */
const batchSize = 64

type RequestEvent = Extract<Event, { readonly _tag: "Request" }>

/** How a request ended. */
type Answer = Exit.Exit<unknown, Reason.Reason>

/** The request of a tag, written so that its tag is inferred. */
export type Asked<Tag extends Request["_tag"]> = { readonly _tag: Tag } & Extract<Request, { readonly _tag: Tag }>

/** What is answered to the request of a tag. */
export type Answered<Tag extends Request["_tag"]> = AnswerOf<Extract<Request, { readonly _tag: Tag }>>

/** What `Effect.uninterruptibleMask` hands out. */
export type Restore = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>

/** The end of a request as the core has told it: its value, or the reason why it has none. */
export interface Told<A> {
  readonly reason: Reason.Reason | undefined
  readonly value: A
  /** The request goes on, and more is told. */
  readonly isPart: boolean
}

type Resume = (answer: Answer) => void

interface Waiter {
  readonly ticket: Ticket
  readonly request: Request
  /** Resumes the fiber; absent until it waits. */
  resume: Resume | undefined
  /** Tells a caller that is no fiber. */
  readonly done: ((told: Told<unknown>) => void) | undefined
  told: Told<unknown> | undefined
  /** Parts of an answer that came when the caller was gone. */
  missed: Array<Told<unknown>> | undefined
  /** The fiber was interrupted and wants no answer any more. */
  isGone: boolean
}

/** A reply on its way to its caller, or the word that none can come any more for a ticket that was abandoned. */
type Delivery = Reply | { readonly _tag: "Forgotten"; readonly ticket: Ticket }

export interface Requests {
  /** Asks the core and waits for the answer. Interruption takes back what the request has parked. */
  readonly ask: <Tag extends Request["_tag"]>(request: Asked<Tag>) => Effect.Effect<Answered<Tag>, Reason.Reason>
  /**
   * The same for a caller that must not lose the answer, such as a connection that somebody has to close: it runs
   * uninterruptibly and gives its `restore`, and only the wait can be interrupted.
   * `ticketed` hears of the ticket before the core does.
   */
  readonly askWithin: <Tag extends Request["_tag"]>(
    restore: Restore,
    request: Asked<Tag>,
    ticketed?: (ticket: Ticket) => void
  ) => Effect.Effect<Answered<Tag>, Reason.Reason>
  /**
   * The same for a caller that is no fiber, such as a stream of Node. `done` is called once, or until the last part of the answer, perhaps inside this call, and does
   * not throw. Gives the ticket, or `noTicket` if it is answered. A full queue holds nobody up here: such a caller has a bounded number of requests at a time.
   */
  readonly post: <Tag extends Request["_tag"]>(
    request: Asked<Tag>,
    done: (told: Told<Answered<Tag>>) => void
  ) => Ticket
  /** Takes back a request that was posted: what it has parked is taken out, and `done` is not called any more. */
  readonly abandon: (ticket: Ticket) => void
  /** Tells the core something that has no answer. */
  readonly tell: (request: Request) => Effect.Effect<void>
  /** Done when the core has had what was asked and told so far, some of which may wait for the rest of its batch. */
  readonly heard: Effect.Effect<void>
  /** Appends a reply for its caller; under the permit. */
  readonly deliver: (reply: Reply) => void
  /** Resumes those whose replies have been appended. */
  readonly flush: () => void
  /** Takes requests to the core. */
  readonly worker: (core: Core) => Effect.Effect<never>
  /** Fails everybody who waits, and everybody who asks from now on, with `StackClosed`. */
  readonly close: Effect.Effect<void>
  /** Callers that wait. */
  readonly waiting: () => number
}

const answerOf = ({ reason, value }: Told<unknown>): Answer =>
  reason === undefined ? Exit.succeed(value) : Exit.fail(reason)

const toldClosed: Told<never> = { reason: Reason.stackClosed, value: undefined as never, isPart: false }
const closedAnswer: Answer = answerOf(toldClosed)

const eventOf = ({ request, ticket }: Waiter): RequestEvent => ({ _tag: "Request", ticket, request })

class Desk implements Requests {
  private readonly queue: Queue.Queue<RequestEvent>
  /** Replies in the order of their commits, and how many of them have been handed over. */
  private readonly deliveries: Array<Delivery> = []
  private handedOver = 0
  /** What found no place in the queue and cannot wait for one: the worker, which then has work, takes it along. */
  private beside: Array<RequestEvent> = []
  private readonly waiters: Map<Ticket, Waiter> = new Map()
  private lastTicket: Ticket = noTicket
  private isClosed = false
  private readonly bell = Bell.make()
  /** Callers are being resumed; what they ask next becomes one batch. */
  private isHandingOver = false

  constructor(queue: Queue.Queue<RequestEvent>) {
    this.queue = queue
  }

  /** One operation of the fiber, which the interruption's finalizer is part of: `askWithin` costs three more. */
  readonly ask: Requests["ask"] = <Tag extends Request["_tag"]>(request: Asked<Tag>) =>
    Effect.callback<unknown, Reason.Reason>((resume) => {
      if (this.isClosed) return resume(closedAnswer)
      const waiter = this.admit(request)
      if (Queue.isFullUnsafe(this.queue)) resume(Effect.onInterrupt(this.queued(waiter), () => this.giveUp(waiter)))
      else {
        this.offer(waiter, resume)
        if (waiter.told === undefined) return Effect.suspend(() => this.giveUp(waiter))
      }
    }) as Effect.Effect<Answered<Tag>, Reason.Reason>

  readonly askWithin = <Tag extends Request["_tag"]>(
    restore: Restore,
    request: Asked<Tag>,
    ticketed?: (ticket: Ticket) => void
  ): Effect.Effect<Answered<Tag>, Reason.Reason> => {
    return Effect.suspend(() => {
      if (this.isClosed) return closedAnswer
      const waiter = this.admit(request)
      ticketed?.(waiter.ticket)
      const answered = Queue.isFullUnsafe(this.queue)
        ? this.queued(waiter)
        : Effect.callback<unknown, Reason.Reason>((resume) => this.offer(waiter, resume))
      return Effect.onInterrupt(restore(answered), () => this.giveUp(waiter))
    }) as Effect.Effect<Answered<Tag>, Reason.Reason>
  }

  readonly post: Requests["post"] = (request, done) => {
    if (this.isClosed) {
      done(toldClosed)
      return noTicket
    }
    const waiter = this.admit(request, done as Waiter["done"])
    this.put(eventOf(waiter))
    return waiter.told === undefined ? waiter.ticket : noTicket
  }

  abandon(ticket: Ticket): void {
    const waiter = this.waiters.get(ticket)
    if (waiter === undefined) return
    waiter.isGone = true
    this.put({ _tag: "Request", ticket: noTicket, request: { _tag: "Abandoned", abandoned: ticket } })
  }

  /** A caller with a ticket of its own. */
  private admit(request: Request, done?: Waiter["done"]): Waiter {
    const ticket = ++this.lastTicket
    const waiter: Waiter = {
      ticket,
      request,
      resume: undefined,
      done,
      told: undefined,
      missed: undefined,
      isGone: false
    }
    this.waiters.set(waiter.ticket, waiter)
    return waiter
  }

  /** The usual way: the answer may be there when the offer has been flushed. */
  private offer(waiter: Waiter, resume: Resume): void {
    waiter.resume = resume
    Queue.offerUnsafe(this.queue, eventOf(waiter))
    this.ring()
  }

  /** The way through a full queue: the caller waits for a place first. */
  private queued(waiter: Waiter): Effect.Effect<unknown, Reason.Reason> {
    return Effect.andThen(this.line(eventOf(waiter)), this.answered(waiter))
  }

  private answered(waiter: Waiter): Effect.Effect<unknown, Reason.Reason> {
    return Effect.callback((resume) => {
      if (waiter.told === undefined) waiter.resume = resume
      else resume(answerOf(waiter.told))
    })
  }

  /**
   * The caller was interrupted. Either its ticket still waits and is abandoned, or the answer has come and nobody took it. In a closed stack there
   * is nothing to take back.
   */
  private giveUp(waiter: Waiter): Effect.Effect<void> {
    if (this.isClosed) return Effect.void
    const { told } = waiter
    if (told !== undefined) return Effect.sync(() => this.giveBack(waiter, told))
    waiter.isGone = true
    return this.tell({ _tag: "Abandoned", abandoned: waiter.ticket })
  }

  private giveBack(waiter: Waiter, { reason, value }: Told<unknown>): void {
    if (reason !== undefined) return
    const request: Request = { _tag: "Returned", request: waiter.request, value }
    this.put({ _tag: "Request", ticket: noTicket, request })
  }

  /** For the worker, who takes it now if it waits. */
  private put(event: RequestEvent): void {
    if (!Queue.offerUnsafe(this.queue, event)) this.beside.push(event)
    this.ring()
  }

  tell(request: Request): Effect.Effect<void> {
    return this.line({ _tag: "Request", ticket: noTicket, request })
  }

  /** The word that a ticket is forgotten comes behind all that was put before. */
  readonly heard: Effect.Effect<void> = Effect.suspend(() => {
    if (this.isClosed || (Queue.sizeUnsafe(this.queue) === 0 && this.beside.length === 0)) return Effect.void
    return Effect.callback<void>((resume) => {
      const waiter = this.admit({ _tag: "Abandoned", abandoned: noTicket })
      waiter.resume = () => resume(Effect.void)
      this.put({ _tag: "Request", ticket: noTicket, request: { _tag: "Abandoned", abandoned: waiter.ticket } })
    })
  })

  /** Waits for a place in the queue. */
  private line(event: RequestEvent): Effect.Effect<void> {
    return Effect.map(Queue.offer(this.queue, event), () => this.ring())
  }

  /** Lets the worker go on; but while callers are resumed only once there is a batch that is worth it. */
  private ring(): void {
    if (!this.isHandingOver || Queue.sizeUnsafe(this.queue) >= worthwhileBatch) this.bell.ring()
  }

  deliver(reply: Reply): void {
    this.deliveries.push(reply)
  }

  /**
   * Callers that are resumed may ask for more, inside this call: an answer written and the next read are one batch that way, and so are those of connections that
   * were served together. What is delivered meanwhile lines up behind the rest.
   */
  flush(): void {
    if (this.deliveries.length === 0) return
    const isInner = this.isHandingOver
    this.isHandingOver = true
    try {
      while (this.handedOver < this.deliveries.length) this.handOver(this.deliveries[this.handedOver++]!)
    } finally {
      this.isHandingOver = isInner
    }
    this.deliveries.length = 0
    this.handedOver = 0
    if (!isInner && Queue.sizeUnsafe(this.queue) > 0) this.bell.ring()
  }

  worker(core: Core): Effect.Effect<never> {
    const { queue } = this
    return Effect.uninterruptibleMask((restore) =>
      Effect.gen({ self: this }, function*() {
        const rung = restore(this.bell.rung)
        const taken = restore(Queue.takeBetween(queue, 1, batchSize))
        while (true) {
          if (Queue.sizeUnsafe(queue) === 0) yield* rung
          const batch = yield* taken
          // Behind all that stands in the queue, so that nothing is abandoned before it was asked.
          if (this.beside.length > 0 && Queue.sizeUnsafe(queue) === 0) batch.push(...this.beside.splice(0))
          yield* core.run(batch, () => this.forgetAbandoned(batch))
        }
      })
    )
  }

  /** Behind every reply that the core still had for an abandoned ticket, so that a value among them is given back. */
  private forgetAbandoned(batch: ReadonlyArray<RequestEvent>): void {
    for (const { request } of batch) {
      if (request._tag === "Abandoned") {
        this.deliveries.push({ _tag: "Forgotten", ticket: request.abandoned })
      }
    }
  }

  /** Resumes the caller; if it is gone, gives back what has to be. */
  private handOver(delivery: Delivery): void {
    const waiter = this.waiters.get(delivery.ticket)
    if (waiter === undefined) return
    if (delivery._tag === "Reply" && delivery.isPart) return this.handOverPart(waiter, delivery)
    this.waiters.delete(delivery.ticket)
    if (delivery._tag === "Reply") {
      if (!waiter.isGone) return this.handOverLast(waiter, delivery)
      this.giveBack(waiter, delivery)
    }
    // The latest first: each takes its place before those that are back.
    for (const told of (waiter.missed ?? []).toReversed()) this.giveBack(waiter, told)
    if (!waiter.isGone) waiter.resume?.(Exit.void)
  }

  private handOverPart(waiter: Waiter, told: Told<unknown>): void {
    if (!waiter.isGone) return waiter.done?.(told)
    waiter.missed ??= []
    waiter.missed.push(told)
  }

  private handOverLast(waiter: Waiter, delivery: Reply): void {
    waiter.told = delivery
    if (waiter.done !== undefined) waiter.done(delivery)
    else waiter.resume?.(answerOf(delivery))
  }

  readonly close: Effect.Effect<void> = Effect.suspend(() => {
    this.isClosed = true
    const waiters = Array.from(this.waiters.values())
    this.waiters.clear()
    for (const waiter of waiters) {
      waiter.told = toldClosed
      if (waiter.done !== undefined) waiter.done(toldClosed)
      else waiter.resume?.(closedAnswer)
    }
    return Effect.map(Queue.shutdown(this.queue), this.bell.ring)
  })

  waiting(): number {
    return this.waiters.size
  }
}

export const make: Effect.Effect<Requests> = Effect.map(
  Queue.bounded<RequestEvent>(queueCapacity),
  (queue) => new Desk(queue)
)
