/**
 * The messages of a DHCP client: which fields and options each has (RFC 2131 §4.4.1, tables 4 and 5).
 *
 *                 ciaddr    requested   server id   parameter list
 *     DISCOVER    0         if known    no          yes
 *     REQUEST     if bound  else        selecting   yes
 *     DECLINE     0         yes         yes         no
 *     RELEASE     yes       no          yes         no
 */
import type * as Address from "../wire/Address.ts"
import * as DhcpOptions from "../wire/DhcpOptions.ts"
import * as Dhcpv4 from "../wire/Dhcpv4.ts"
import type * as Mac from "../wire/Mac.ts"
import type { Grant } from "./DhcpGrant.ts"

/** Who the client is, in every message. */
export interface Identity {
  readonly mac: Mac.Mac
  readonly clientIdentifier: Uint8Array
  /** The name to give this host in the network's DNS, if the server does that. */
  readonly hostName: string | undefined
  /** The largest message in octets that the client takes. */
  readonly maximumMessageSize: number
}

/** A try to get or keep an address: what its messages have in common. */
export interface Exchange {
  /** As int32. */
  readonly transaction: number
  /** When the client began, and when the message goes out, in seconds. */
  readonly began: number
  readonly sentAt: number
}

const asked: ReadonlyArray<keyof DhcpOptions.Options> = [
  "subnetMask",
  // rfc: 3442 MUST: in front of the routers.
  "classlessRoutes",
  "routers",
  "dnsServers",
  "domainName",
  "domainSearch",
  "interfaceMtu",
  "broadcastAddress",
  "ntpServers",
  "leaseTime",
  "serverIdentifier",
  "renewalTime",
  "rebindingTime"
]

const parameterList = Uint8Array.from(asked, DhcpOptions.codeOf)

/**
 * rfc: 4361 §6.1 MUST: type 255, the number of the interface (IAID), and a DUID, here that of the link-layer address (RFC 8415 §11.4).
 * Both come from the MAC, so that they are the same after a restart, as they must be.
 */
export const clientIdentifierOf = (mac: Mac.Mac): Uint8Array => {
  const octets = Array.from({ length: 6 }, (_, i) => Math.floor(mac / 256 ** (5 - i)) & 0xff)
  return Uint8Array.of(255, ...octets.slice(2), 0, 3, 0, 1, ...octets)
}

const make = (
  identity: Identity,
  exchange: Exchange,
  fields: Partial<Pick<Dhcpv4.Message, "clientAddress" | "broadcast">>,
  options: Partial<DhcpOptions.Options>
): Dhcpv4.Message => ({
  operation: Dhcpv4.Operation.request,
  hops: 0,
  transaction: exchange.transaction,
  seconds: Math.min(0xffff, Math.max(0, Math.floor(exchange.sentAt - exchange.began))),
  broadcast: false,
  clientAddress: 0,
  yourAddress: 0,
  nextServer: 0,
  relayAgent: 0,
  clientMac: identity.mac,
  ...fields,
  options: DhcpOptions.make({ clientIdentifier: identity.clientIdentifier, ...options })
})

/** rfc: 2131 §4.4.1 MUST: what the first message asks for, all following ones do. */
const common = ({ hostName, maximumMessageSize }: Identity): Partial<DhcpOptions.Options> => ({
  parameterList,
  maximumMessageSize,
  ...(hostName === undefined ? {} : { hostName })
})

// rfc: 2131 §4.1 SHOULD: a host without address hears nothing but broadcasts, and says so.
const hearsBroadcasts = { broadcast: true } as const

export const discover = (identity: Identity, exchange: Exchange, wanted: Address.Ipv4 | undefined): Dhcpv4.Message =>
  make(identity, exchange, hearsBroadcasts, {
    ...common(identity),
    messageType: DhcpOptions.MessageType.discover,
    requestedAddress: wanted
  })

/** Takes an offer (rfc: 2131 §4.3.2 SELECTING). */
export const select = (identity: Identity, exchange: Exchange, { address, server }: Grant): Dhcpv4.Message =>
  make(identity, exchange, hearsBroadcasts, {
    ...common(identity),
    messageType: DhcpOptions.MessageType.request,
    serverIdentifier: server,
    requestedAddress: address
  })

/** Asks for an address that it had (rfc: 2131 §4.3.2 INIT-REBOOT). */
export const reboot = (identity: Identity, exchange: Exchange, address: Address.Ipv4): Dhcpv4.Message =>
  make(identity, exchange, hearsBroadcasts, {
    ...common(identity),
    messageType: DhcpOptions.MessageType.request,
    requestedAddress: address
  })

/** Asks for more time (rfc: 2131 §4.3.2 RENEWING and REBINDING). */
export const renew = (identity: Identity, exchange: Exchange, address: Address.Ipv4): Dhcpv4.Message =>
  make(identity, exchange, { clientAddress: address }, {
    ...common(identity),
    messageType: DhcpOptions.MessageType.request
  })

/** Tells the server that somebody else has the address (rfc: 2131 §3.1 (5) MUST). */
export const decline = (identity: Identity, exchange: Exchange, { address, server }: Grant): Dhcpv4.Message =>
  make(identity, exchange, {}, {
    messageType: DhcpOptions.MessageType.decline,
    serverIdentifier: server,
    requestedAddress: address,
    message: "the address is in use"
  })

/** Gives the address back (rfc: 2131 §4.4.6). */
export const release = (identity: Identity, exchange: Exchange, { address, server }: Grant): Dhcpv4.Message =>
  make(identity, exchange, { clientAddress: address }, {
    messageType: DhcpOptions.MessageType.release,
    serverIdentifier: server
  })
