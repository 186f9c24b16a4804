/**
 * What transmit workers have sent and the core does not know yet: bytes per link, and the credits of those who pay for them.
 *
 * Nothing waits here for long: the ledger is emptied into the next batch, whichever worker runs it. So the core's account is
 * exact whenever it decides something, and pure acknowledgements, for which nobody waits, never cost a batch of their own.
 */
import type { LinkId } from "../core/Device.ts"
import type { Event } from "../core/Event.ts"
import type { Transmit } from "../core/Output.ts"
import { type Credit, noTicket } from "../core/Request.ts"

interface Entry {
  bytes: number
  readonly credits: Array<Credit>
}

export interface Ledger {
  /** Notes that a frame has left its queue, or was dropped on the way. True if somebody waits to hear of it. */
  readonly add: (transmit: Transmit) => boolean
  /** Takes everything out, as events for the core. */
  readonly take: () => ReadonlyArray<Event>
}

const nothing: ReadonlyArray<Event> = Object.freeze([])

/** Credits of one payer that come one after another are one entry: bulk data is the usual case. */
const addCredit = (credits: Array<Credit>, credit: Credit): void => {
  const last = credits.at(-1)
  if (last === undefined || last.id !== credit.id || last.owner !== credit.owner) credits.push(credit)
  else credits[credits.length - 1] = { ...credit, bytes: last.bytes + credit.bytes }
}

export const make = (): Ledger => {
  const entries = new Map<LinkId, Entry>()
  const add = (transmit: Transmit): boolean => {
    let entry = entries.get(transmit.link)
    if (entry === undefined) {
      entry = { bytes: 0, credits: [] }
      entries.set(transmit.link, entry)
    }
    entry.bytes += transmit.size
    const { credit } = transmit
    if (credit === undefined || credit.mayYield !== undefined) return false
    addCredit(entry.credits, credit)
    return credit.isAwaited
  }
  const take = (): ReadonlyArray<Event> => {
    if (entries.size === 0) return nothing
    const events: Array<Event> = []
    for (const [link, { bytes, credits }] of entries) {
      events.push({ _tag: "Request", ticket: noTicket, request: { _tag: "Sent", link, bytes, credits } })
    }
    entries.clear()
    return events
  }
  return { add, take }
}
