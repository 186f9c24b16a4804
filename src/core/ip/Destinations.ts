/**
 * The order in which to try the addresses that a name stands for (RFC 6724 §6), by the sources that this host would send from.
 */
import type * as Address from "../../wire/Address.ts"
import * as AddressSelection from "../AddressSelection.ts"
import type { Context } from "../Context.ts"
import { find, type LinkId } from "../Device.ts"
import type { Answers, Ticket } from "../Request.ts"
import * as Path from "./Path.ts"
import type { State } from "./State.ts"

/** Sorts destinations: the first is to be tried first, those that can't be reached stand last. */
export interface RankDestinations extends Answers<ReadonlyArray<Address.Address>> {
  readonly _tag: "RankDestinations"
  readonly destinations: ReadonlyArray<Address.Address>
  /** The interface that is to be used; any if absent. */
  readonly link: LinkId | undefined
}

/** The address from which packets to a destination leave; none where there is no way to it. */
const sourceOf = (
  ctx: Context,
  state: State,
  destination: Address.Address,
  link: LinkId | undefined
): AddressSelection.Candidate | undefined => {
  const path = Path.find(ctx, state, destination, undefined, link)
  if ("_tag" in path) return undefined
  const owner = ctx.links.linkOf(path.source) ?? path.link
  const self = ctx.links.get(owner)
  const entry = self === undefined ? undefined : find(self, path.source)
  if (entry === undefined) return undefined
  const { address, origin, prefixLength, state: validity } = entry
  return { address, prefixLength, state: validity, isTemporary: origin === "temporary", link: owner }
}

export const handle = (ctx: Context, state: State, ticket: Ticket, request: RankDestinations): void => {
  const destinations = request.destinations.map((address) => ({
    address,
    source: sourceOf(ctx, state, address, request.link)
  }))
  const sorted = AddressSelection.sortDestinations(destinations)
  ctx.reply(ticket, sorted.map(({ address }) => address))
}
