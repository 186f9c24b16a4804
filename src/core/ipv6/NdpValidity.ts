/**
 * Which messages of neighbour discovery are believed, by the packets that carried them (RFC 4861 §6.1, §7.1, §8.1; RFC 6980 §5).
 *
 * The codec has judged what the message itself shows; here are the rules, one function each, about its hop limit and its addresses. A message that
 * breaks one is discarded in silence. Whether a redirect comes from the right router is for `Redirects.ts`.
 */
import * as Address from "../../wire/Address.ts"
import type { Message } from "../../wire/Ndp.ts"
import { isSolicitedNode } from "../WellKnown.ts"

/** What the packet's headers say. */
export interface Envelope {
  readonly source: Address.Ipv6
  readonly destination: Address.Ipv6
  readonly hopLimit: number
  /** It has a fragment header, even if it came in one piece. */
  readonly hasFragmentHeader: boolean
}

type Rule = (envelope: Envelope, message: Message) => string | undefined

/** rfc: 4861 §6.1.1 MUST, §6.1.2 MUST, §7.1.1 MUST, §7.1.2 MUST, §8.1 MUST: nobody beyond the link can have sent it. */
const hopLimit: Rule = (envelope) => envelope.hopLimit === 255 ? undefined : "a router has forwarded it"

/** rfc: 6980 §5 MUST */
const notFragmented: Rule = (envelope) => envelope.hasFragmentHeader ? "it has a fragment header" : undefined

/** rfc: 4861 §6.1.2 MUST, §8.1 MUST: routers are known by their link-local addresses. */
const linkLocalSource: Rule = ({ source }) => Address.isLinkLocal(source) ? undefined : "its source is not link-local"

/** rfc: 4861 §6.1.1 MUST, §7.1.1 MUST: who has no address yet can't be a neighbour yet. */
const noLinkLayerWithoutSource: Rule = ({ source }, message) =>
  Address.isUnspecified(source) && message.options.sourceLinkLayer !== undefined
    ? "a link-layer address of no address"
    : undefined

/** rfc: 4861 §7.1.1 MUST */
const probeToSolicitedNode: Rule = ({ destination, source }) =>
  Address.isUnspecified(source) && !isSolicitedNode(destination) ? "a probe to somebody else" : undefined

/** rfc: 4861 §7.1.2 MUST */
const solicitedToOne: Rule = ({ destination }, message) =>
  message._tag === "NeighborAdvertisement" && message.solicited && Address.isMulticast(destination)
    ? "an answer to everybody"
    : undefined

/** rfc: 4861 §8.1 MUST */
const redirectTarget: Rule = (_, message) =>
  message._tag !== "Redirect" || Address.isLinkLocal(message.target) ||
    Address.equals(message.target, message.destination)
    ? undefined
    : "it redirects to what is neither a router nor the destination"

const rules: { readonly [Tag in Message["_tag"]]: ReadonlyArray<Rule> } = {
  RouterSolicitation: [hopLimit, notFragmented, noLinkLayerWithoutSource],
  RouterAdvertisement: [hopLimit, notFragmented, linkLocalSource],
  NeighborSolicitation: [hopLimit, notFragmented, probeToSolicitedNode, noLinkLayerWithoutSource],
  NeighborAdvertisement: [hopLimit, notFragmented, solicitedToOne],
  Redirect: [hopLimit, notFragmented, linkLocalSource, redirectTarget]
}

/** Why the message is not believed; `undefined` if it is. */
export const fault = (envelope: Envelope, message: Message): string | undefined => {
  for (const rule of rules[message._tag]) {
    const found = rule(envelope, message)
    if (found !== undefined) return found
  }
  return undefined
}
