/**
 * How a link becomes an interface of a running stack and ceases to be one: its workers, the core's word of it, and the end of
 * both with the scope.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import { type Interface, type LinkId, loopback } from "../core/Device.ts"
import type { Event } from "../core/Event.ts"
import type { Link, LinkChange } from "../link/Link.ts"
import { named } from "../link/named.ts"
import * as Mac from "../wire/Mac.ts"
import * as Attachment from "./Attachment.ts"
import type { Generator } from "./EntropySource.ts"
import type * as Requests from "./Requests.ts"
import type { Workshop } from "./Workshop.ts"

const noEvents: ReadonlyArray<Event> = Object.freeze([])

/** Starts a worker: its failure is the stack's. */
export type Fork = (effect: Effect.Effect<unknown>) => Fiber.Fiber<unknown>

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
    yield* Effect.addFinalizer(() => Effect.uninterruptible(Effect.andThen(attachment.close, core.run(noEvents))))
    const port = yield* link.open(attachment.sink)
    shop.attachments.set(id, attachment)
    shop.counters.set(id, port.counters)
    const workers = [
      fork(named(`receive ${link.name}`, attachment.receiveWorker)),
      fork(named(`transmit ${link.name}`, attachment.transmitWorker(port)))
    ]
    yield* Effect.addFinalizer(() => {
      shop.attachments.delete(id)
      shop.counters.delete(id)
      return Fiber.interruptAll(workers)
    })
    if (id === loopback) return id
    yield* requests.ask({ _tag: "AttachLink", interface: interfaceOf(id, link, generate) })
    // Already closed is as good as detached.
    const detach = Effect.ignore(requests.ask({ _tag: "DetachLink", link: id }))
    // An ACK may be held back for a program that is resumed, and the program be the one that closes the link.
    yield* Effect.addFinalizer(() => Effect.andThen(Effect.sync(() => shop.flushLinks()), detach))
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
export const attach = (shop: Workshop, fork: Fork, stack: Scope.Scope) => (link: Link) =>
  Effect.uninterruptibleMask((restore) =>
    Effect.gen(function*() {
      const scope = yield* Scope.fork(stack)
      const close = Scope.close(scope, Exit.void)
      yield* Effect.addFinalizer(() => close)
      return yield* restore(Scope.provide(open(shop, fork, link, close), scope)).pipe(Effect.onError(() => close))
    })
  )
