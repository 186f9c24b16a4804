/**
 * What programs ask of the neighbour caches: static entries, and a look inside.
 */
import * as Address from "../../wire/Address.ts"
import * as Mac from "../../wire/Mac.ts"
import type { Context } from "../Context.ts"
import * as Fifo from "../data/Fifo.ts"
import { isBroadcast, type LinkId } from "../Device.ts"
import * as Reason from "../Reason.ts"
import type { Answers, Ticket } from "../Request.ts"
import { macOf, type NeighborState } from "./Neighbor.ts"
import * as Neighbors from "./Neighbors.ts"
import type { Entry, State } from "./State.ts"

/** Fixes a neighbour's link-layer address: it is neither probed nor evicted nor overwritten by what the neighbour says. */
export interface SetNeighbor extends Answers<void> {
  readonly _tag: "SetNeighbor"
  readonly link: LinkId
  readonly address: Address.Address
  readonly mac: Mac.Mac
}

export interface RemoveNeighbor extends Answers<void> {
  readonly _tag: "RemoveNeighbor"
  readonly link: LinkId
  readonly address: Address.Address
}

/** Forgets all neighbours of a link but the static ones. Answers how many. Packets parked for them are dropped. */
export interface FlushNeighbors extends Answers<number> {
  readonly _tag: "FlushNeighbors"
  readonly link: LinkId
}

/** The neighbours of a link, or of all, in order of address. */
export interface ListNeighbors extends Answers<ReadonlyArray<NeighborInfo>> {
  readonly _tag: "ListNeighbors"
  readonly link: LinkId | undefined
}

export interface NeighborInfo {
  readonly link: LinkId
  readonly address: Address.Address
  readonly mac: Mac.Mac | undefined
  readonly state: NeighborState["_tag"]
  readonly isRouter: boolean
  /** Packets that wait for its address. */
  readonly parked: number
}

export type NeighborRequest = SetNeighbor | RemoveNeighbor | FlushNeighbors | ListNeighbors

export const handle = (
  ctx: Context,
  state: State,
  hooks: Neighbors.Hooks,
  ticket: Ticket,
  request: NeighborRequest
): void => {
  switch (request._tag) {
    case "SetNeighbor":
      return set(ctx, state, hooks, ticket, request)
    case "RemoveNeighbor": {
      const entry = Neighbors.find(ctx, state, request.link, request.address)
      if (entry === undefined) return ctx.fail(ticket, Reason.notFound("neighbour"))
      Neighbors.forget(ctx, state, hooks, entry)
      return ctx.reply(ticket, undefined)
    }
    case "FlushNeighbors":
      return ctx.reply(ticket, Neighbors.flush(ctx, state, hooks, request.link, false))
    case "ListNeighbors":
      return ctx.reply(ticket, list(state, request.link))
  }
}

const set = (ctx: Context, state: State, hooks: Neighbors.Hooks, ticket: Ticket, request: SetNeighbor): void => {
  const self = ctx.links.get(request.link)
  if (self === undefined) return ctx.fail(ticket, Reason.notFound("interface"))
  if (self.medium !== "ethernet") {
    return ctx.fail(ticket, Reason.invalidArgument("the link has no link-layer addresses"))
  }
  const { address, mac } = request
  if (
    Address.isMulticast(address) || Address.isUnspecified(address) || isBroadcast(self, address) || Mac.isGroup(mac)
  ) {
    return ctx.fail(ticket, Reason.invalidArgument("not the address of a single host"))
  }
  if (!Neighbors.fix(ctx, state, hooks, self, address, mac)) {
    return ctx.fail(ticket, Reason.limitReached("neighborEntries"))
  }
  ctx.reply(ticket, undefined)
}

const infoOf = (entry: Entry): NeighborInfo => ({
  link: entry.link,
  address: entry.address,
  mac: macOf(entry.neighbor),
  state: entry.neighbor.state._tag,
  isRouter: entry.neighbor.isRouter,
  parked: Fifo.size(entry.parked)
})

const list = (state: State, link: LinkId | undefined): ReadonlyArray<NeighborInfo> =>
  Array.from(state.entries.values())
    .filter((entry) => link === undefined || entry.link === link)
    .toSorted((a, b) => a.link - b.link || Address.compare(a.address, b.address))
    .map(infoOf)
