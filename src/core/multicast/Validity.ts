/**
 * Which membership messages a host believes, by the packet that carried them (RFC 3376 §4, §9.1; RFC 3810 §5.1.14, §6.2; RFC 2710 §5).
 */
import * as Address from "../../wire/Address.ts"
import type { Message } from "./Telling.ts"

/** What the packet's headers say. */
export interface Envelope {
  readonly source: Address.Address
  readonly destination: Address.Address
  readonly hopLimit: number
  readonly hasRouterAlert: boolean
}

const allNodesV4: Address.Ipv4 = 0xe0000001 | 0

const ipv6Fault = ({ hasRouterAlert, hopLimit, source }: Envelope): string | undefined => {
  // rfc: 3810 §5.1.14 MUST, §6.2; 2710 §5 MUST
  if (!Address.isLinkLocal(source)) return "a source that is not of the link"
  if (hopLimit !== 1) return "a hop limit other than 1"
  return hasRouterAlert ? undefined : "no router alert"
}

/** Why a query is not believed; `undefined` if it is. */
export const queryFault = (
  envelope: Envelope,
  query: Extract<Message, { readonly _tag: "Query" }>
): string | undefined => {
  const isGeneral = Address.isUnspecified(query.group)
  if (!isGeneral && !Address.isMulticast(query.group)) return "a query for what is no group"
  if (!Address.isV4(envelope.destination)) return ipv6Fault(envelope)
  // rfc: 3376 §9.1 SHOULD
  if (query.version > 1 && !envelope.hasRouterAlert) return "no router alert"
  // rfc: 3376 §9.1 SHOULD; a query to an address of this host alone serves debugging (rfc: 3376 §4.1.12 MUST)
  if (isGeneral && Address.isMulticast(envelope.destination) && envelope.destination !== allNodesV4) {
    return "a general query to a group"
  }
  return undefined
}

/** Why another member's report is not believed; `undefined` if it is. It can only keep this host silent, so little is asked of it. */
export const reportFault = (envelope: Envelope): string | undefined =>
  Address.isV4(envelope.destination) ? undefined : ipv6Fault(envelope)
