/**
 * The table of bounds: everything that a peer or a program could make grow, its limit, and what happens at the limit.
 *
 * The table is code: the configuration takes overrides by these names, the docs are generated from it, and a test hits
 * each row and looks for its count.
 */
import type { DropReason } from "./Drop.ts"

export interface Bound {
  readonly default: number
  readonly unit: "entries" | "bytes" | "packets" | "per second" | "milliseconds"
  /** What is limited, in one sentence. */
  readonly limits: string
  /** What happens to what would exceed it: a counted drop, a typed failure of the request, or the eviction named. */
  readonly atLimit: { readonly drop: DropReason } | { readonly fails: string } | { readonly evicts: string }
}

export const table = {
  neighborEntries: {
    default: 1024,
    unit: "entries",
    limits: "Neighbours that a link's cache holds",
    atLimit: {
      evicts:
        "the known neighbour unused for longest, or, when more than half have never been heard of, the one asked for first; with only static ones, NeighborCacheFull"
    }
  },
  neighborParkedPackets: {
    default: 64,
    unit: "packets",
    limits: "Packets parked for one neighbour while its address is resolved (RFC 4861 §7.2.2)",
    atLimit: { drop: "NeighborQueueFull" }
  },
  neighborParkedBytes: {
    default: 256 * 1024,
    unit: "bytes",
    limits: "Bytes of parked packets of a link",
    atLimit: { drop: "NeighborQueueFull" }
  },
  reassemblyBytes: {
    default: 4 * 1024 * 1024,
    unit: "bytes",
    limits: "Memory of all incomplete IP packets",
    atLimit: { evicts: "the oldest incomplete packet" }
  },
  reassemblyBytesPerPeer: {
    default: 1024 * 1024,
    unit: "bytes",
    limits: "Memory of the incomplete IP packets of one source",
    atLimit: { drop: "FragmentLimit" }
  },
  reassemblyFragments: {
    default: 64,
    unit: "entries",
    limits: "Fragments of one incomplete packet",
    atLimit: { drop: "FragmentLimit" }
  },
  icmpErrorsPerSecond: {
    default: 100,
    unit: "per second",
    limits: "ICMP errors sent (RFC 1812 §4.3.2.8, RFC 4443 §2.4)",
    atLimit: { drop: "IcmpRateLimited" }
  },
  icmpErrorBurst: {
    default: 50,
    unit: "packets",
    limits: "ICMP errors sent at once after a pause",
    atLimit: { drop: "IcmpRateLimited" }
  },
  transmitQueueBytes: {
    default: 4 * 1024 * 1024,
    unit: "bytes",
    limits: "Bytes of a link's transmit queue beyond which packets without a credit of their own are dropped",
    atLimit: { drop: "TransmitQueueFull" }
  },
  pathMtus: {
    default: 4096,
    unit: "entries",
    limits: "Destinations of which a path MTU below the link's is remembered (RFC 1191 §3, RFC 8201 §4)",
    atLimit: { evicts: "the path MTU learnt first" }
  },
  addresses: {
    default: 256,
    unit: "entries",
    limits: "Addresses of one interface",
    atLimit: { fails: "LimitReached" }
  },
  interfaces: {
    default: 1024,
    unit: "entries",
    limits: "Interfaces of a stack",
    atLimit: { fails: "LimitReached" }
  },
  routes: {
    default: 16384,
    unit: "entries",
    limits: "Routes of a stack",
    atLimit: { fails: "LimitReached" }
  },
  multicastGroups: {
    default: 1024,
    unit: "entries",
    limits: "Multicast groups of one interface that somebody listens to",
    atLimit: { fails: "LimitReached" }
  },
  multicastSources: {
    default: 64,
    unit: "entries",
    limits:
      "Sources that all sockets together name for one group of an interface; queries for more are answered with the whole group",
    atLimit: { fails: "LimitReached" }
  },
  extensionHeaders: {
    default: 16,
    unit: "entries",
    limits: "Extension headers of one IPv6 packet (RFC 8504 §5.3)",
    atLimit: { drop: "IpExtensionRefused" }
  },
  defaultRouters: {
    default: 16,
    unit: "entries",
    limits: "Default routers of one link (RFC 4861 §6.3.4: at least two)",
    atLimit: { drop: "NdpLimit" }
  },
  advertisedRoutes: {
    default: 64,
    unit: "entries",
    limits: "More specific routes that the routers of one link advertise (RFC 4191 §4: no router has more than 17)",
    atLimit: { drop: "NdpLimit" }
  },
  onLinkPrefixes: {
    default: 64,
    unit: "entries",
    limits: "Prefixes that routers say are on one link",
    atLimit: { drop: "NdpLimit" }
  },
  autonomousPrefixes: {
    default: 16,
    unit: "entries",
    limits: "Prefixes of one link from which addresses are made (RFC 4862 §5.5.3)",
    atLimit: { drop: "NdpLimit" }
  },
  nameServers: {
    default: 8,
    unit: "entries",
    limits: "Name servers that routers of one link advertise (RFC 8106 §5.3.1: at least three)",
    atLimit: { evicts: "the name server that would expire first" }
  },
  searchDomains: {
    default: 8,
    unit: "entries",
    limits: "Search domains that routers of one link advertise (RFC 8106 §5.3.1: at least three)",
    atLimit: { evicts: "the domain that would expire first" }
  },
  redirects: {
    default: 1024,
    unit: "entries",
    limits: "Destinations of one link that a router has redirected (RFC 4861 §8.3)",
    atLimit: { evicts: "the destination redirected first" }
  },
  proxiedAddresses: {
    default: 1024,
    unit: "entries",
    limits: "Addresses of others for which one interface answers (RFC 4861 §7.2.8)",
    atLimit: { fails: "LimitReached" }
  },
  solicitedAdvertisements: {
    default: 16,
    unit: "entries",
    limits:
      "Hosts that wait for a router advertisement of their own; beyond, all of them get one together (RFC 4861 §6.2.6)",
    atLimit: { evicts: "the waiting answers, for one to all nodes" }
  },
  sockets: {
    default: 65536,
    unit: "entries",
    limits: "Datagram, ping and raw sockets of a stack",
    atLimit: { fails: "LimitReached" }
  },
  datagramReceiveBytes: {
    default: 1024 * 1024,
    unit: "bytes",
    limits: "Datagrams that wait in one socket, in bytes with their bookkeeping",
    atLimit: { drop: "UdpReceiveQueueFull" }
  },
  datagramFailures: {
    default: 16,
    unit: "entries",
    limits:
      "Destinations of one unconnected UDP socket whose ICMP errors wait for the next send to them (RFC 1122 §4.1.3.3)",
    atLimit: { evicts: "the oldest failure" }
  },
  datagramSendBytes: {
    default: 256 * 1024,
    unit: "bytes",
    limits: "Bytes of one datagram socket that may wait in a transmit queue; then `send` waits",
    atLimit: { fails: "WouldBlock, for non-blocking forms" }
  },
  parkedRequests: {
    default: 262144,
    unit: "entries",
    limits: "Requests of programs that wait in the core",
    atLimit: { fails: "LimitReached" }
  },
  tcpConnections: {
    default: 262144,
    unit: "entries",
    limits: "TCP connections of a stack, in any state but LISTEN, half-open and TIME-WAIT",
    atLimit: { drop: "TcpConnectionLimit" }
  },
  tcpHalfOpen: {
    default: 4096,
    unit: "entries",
    limits: "Half-open passive connections (SYN-RECEIVED) of a stack",
    atLimit: { drop: "TcpBacklogFull" }
  },
  tcpBacklog: {
    default: 4096,
    unit: "entries",
    limits: "Largest backlog a listener may ask for: established connections that nobody has accepted yet",
    atLimit: { drop: "TcpBacklogFull" }
  },
  tcpTimeWait: {
    default: 65536,
    unit: "entries",
    limits: "Connections in TIME-WAIT",
    atLimit: { evicts: "the connection longest in TIME-WAIT" }
  },
  tcpFastOpens: {
    default: 256,
    unit: "entries",
    limits:
      "Half-open connections whose SYN brought data that was taken (RFC 7413 §4.2); data of further SYNs waits for the handshake",
    atLimit: { fails: "the data of the SYN is not taken, and comes again after the handshake" }
  },
  tcpFastOpenCookies: {
    default: 1024,
    unit: "entries",
    limits: "Servers of which a Fast Open cookie, or a failure of it, is remembered (RFC 7413 §4.1.3)",
    atLimit: { evicts: "what was learnt first" }
  },
  tcpOutOfOrderRanges: {
    default: 256,
    unit: "entries",
    limits: "Separate ranges of data that wait for a gap to close in one connection",
    atLimit: { drop: "TcpReassemblyFull" }
  },
  tcpChallengeAcksPerSecond: {
    default: 1000,
    unit: "per second",
    limits: "Challenge ACKs of a stack (RFC 5961 §7)",
    atLimit: { drop: "TcpBadReset" }
  },
  demuxChain: {
    default: 16,
    unit: "entries",
    limits: "Connections that may share one hash of the demultiplexing table",
    atLimit: { drop: "TcpConnectionLimit" }
  },
  memoryBytes: {
    default: 512 * 1024 * 1024,
    unit: "bytes",
    limits: "Memory of a stack for data: receive and send buffers, fragments, parked packets, datagrams",
    atLimit: { drop: "MemoryBudget" }
  }
} as const satisfies Record<string, Bound>

export type Name = keyof typeof table

/** The limits in force. */
export type Limits = { readonly [K in Name]: number }

export const defaults: Limits = Object.freeze(
  Object.fromEntries(Object.entries(table).map(([name, bound]) => [name, bound.default]))
) as Limits

export const withOverrides = (overrides: Partial<Limits>): Limits => ({ ...defaults, ...overrides })
