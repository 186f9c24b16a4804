/**
 * What a stack is told when it is made, as programs say it: durations for spans, and only what differs from the defaults.
 */
import type * as Duration from "effect/Duration"
import * as NetAddress from "effect/net/NetAddress"
import * as Result from "effect/Result"
import * as Bounds from "../core/Bounds.ts"
import * as Config from "../core/Config.ts"
import * as Knobs from "../core/tcp/Knobs.ts"
import type { Link } from "../link/Link.ts"
import * as Mac from "../wire/Mac.ts"
import * as Edge from "./Edge.ts"
import * as Recording from "./Recording.ts"
import type { Options } from "./Stack.ts"

export interface Settings {
  /** TCP's knobs for all connections; see `core/tcp/Config.ts` for each. */
  readonly tcp?: Edge.TcpDefaults
  /** Limits that differ from those of `core/Bounds.ts`. */
  readonly limits?: Partial<Bounds.Limits>
  /** Hop limit of packets that nobody gave another; 64 if absent (RFC 1122 §3.2.1.7). */
  readonly hopLimit?: number
  /** Forwards packets between interfaces, as a router does (RFC 1812); off if absent. */
  readonly forwarding?: boolean
  /** Answers ICMP echo requests; on if absent (RFC 1122 §3.2.2.6). */
  readonly answerEcho?: boolean
  /** How long fragments wait for the rest; 60 seconds if absent (RFC 1122 §3.3.2). */
  readonly reassemblyTimeout?: Duration.Input
  /** Probes IPv4 addresses before they are used (RFC 5227 §2.1), and IPv6 ones even on wires in memory; off if absent. */
  readonly addressProbing?: boolean
  /** Uses IPv6 addresses that the stack makes for itself while they are still being probed (RFC 4429); off if absent. */
  readonly optimisticDetection?: boolean
}

/** The core's form of the settings. */
export const configOf = (settings: Settings): Config.Config => {
  const { defaults } = Config
  return {
    tcp: { ...defaults.tcp, ...Edge.tcpConfigOf(settings.tcp ?? {}) },
    limits: Bounds.withOverrides(settings.limits ?? {}),
    hopLimit: settings.hopLimit ?? defaults.hopLimit,
    forwarding: settings.forwarding ?? defaults.forwarding,
    answerEcho: settings.answerEcho ?? defaults.answerEcho,
    reassemblyTimeout: settings.reassemblyTimeout === undefined
      ? defaults.reassemblyTimeout
      : Edge.spanOf(settings.reassemblyTimeout),
    addressProbing: settings.addressProbing ?? defaults.addressProbing,
    optimisticDetection: settings.optimisticDetection ?? defaults.optimisticDetection,
    telemetry: defaults.telemetry,
    wallOffset: defaults.wallOffset
  }
}

/** Why no stack can be made so; `undefined` when one can. */
export const refusal = (settings: Settings): string | undefined => Knobs.refusal(Edge.tcpConfigOf(settings.tcp ?? {}))

/** What `Stack.make` wants; `record` gets the recording line by line. */
export const stackOptions = (settings: Settings, record: ((line: string) => void) | undefined): Options => ({
  config: configOf(settings),
  recorder: record === undefined ? undefined : Recording.record(record)
})

/** A link with another address of its own, or a smaller MTU. */
export const adaptLink = (
  link: Link,
  mac: NetAddress.MacAddressInput | undefined,
  mtu: number = link.mtu
): Result.Result<Link, NetAddress.NetAddressError> => {
  const { capabilities } = link
  const maxSegmentBytes = capabilities.segmentation.size === 0 ? mtu : capabilities.maxSegmentBytes
  const narrowed: Link = { ...link, mtu, capabilities: { ...capabilities, maxSegmentBytes } }
  if (mac === undefined) return Result.succeed(narrowed)
  return Result.map(NetAddress.macAddressFromInput(mac), (own) => ({ ...narrowed, mac: Mac.fromNet(own) }))
}
