/**
 * effect-netstack: a TCP/IP network stack on Effect, with its own MAC and IP addresses.
 *
 * Programs hold sockets (`Tcp`, `Udp`, `Ping`, `Raw`, `Network`) and require the service `Netstack`; a layer makes a stack over links;
 * links are values that carry frames. What touches the outside, such as TAP devices, is imported from
 * `effect-netstack/layers/…`, what tests need from `effect-netstack/testing`.
 *
 * @example
 * ```ts
 * import { Netstack, Tcp } from "effect-netstack"
 * import * as Tap from "effect-netstack/layers/Tap"
 * ```
 */

// The stack as a layer
export * as Netstack from "./Netstack.ts"

// What programs hold
export * as Destination from "./sockets/Destination.ts"
export * as Failure from "./sockets/Failure.ts"
export * as Network from "./sockets/Network.ts"
export * as NetworkChange from "./sockets/NetworkChange.ts"
export * as NetworkMetrics from "./sockets/NetworkMetrics.ts"
export * as Ping from "./sockets/Ping.ts"
export * as Raw from "./sockets/Raw.ts"
export * as RouterAdvertisement from "./sockets/RouterAdvertisement.ts"
export * as Tcp from "./sockets/Tcp.ts"
export * as TcpConnection from "./sockets/TcpConnection.ts"
export * as TcpInfo from "./sockets/TcpInfo.ts"
export * as TcpKnobs from "./sockets/TcpKnobs.ts"
export * as TcpListener from "./sockets/TcpListener.ts"
export * as Udp from "./sockets/Udp.ts"
export * as UdpSocket from "./sockets/UdpSocket.ts"

// What carries frames
export * as Bridge from "./link/Bridge.ts"
export * as Capture from "./link/Capture.ts"
export * as Faults from "./link/Faults.ts"
export * as Link from "./link/Link.ts"
export * as Links from "./link/Links.ts"
export * as MemoryLink from "./link/MemoryLink.ts"
export * as Switch from "./link/Switch.ts"
export * as Vlan from "./link/Vlan.ts"

// Programs that need only sockets
export * as classic from "./services/classic.ts"
export * as Http from "./services/Http.ts"
export * as HttpGet from "./services/HttpGet.ts"
export * as Service from "./services/Service.ts"
export * as StatusSite from "./services/StatusSite.ts"
export * as Traceroute from "./services/Traceroute.ts"

// For tests and replays
export * as EntropySource from "./workers/EntropySource.ts"
export * as Recording from "./workers/Recording.ts"
