/**
 * What a stack is told once, when it is made. Everything has a default; nothing here changes while the stack lives.
 */
import * as Bounds from "./Bounds.ts"
import * as Tcp from "./tcp/Config.ts"
import * as Time from "./Time.ts"

export interface Config {
  readonly tcp: Tcp.Config
  readonly limits: Bounds.Limits
  /** Hop limit of packets that nobody gave another (RFC 1122 §3.2.1.7: 64). */
  readonly hopLimit: number
  /** Forward packets that are not for this host between interfaces (RFC 1812); off on a host. */
  readonly forwarding: boolean
  /** Answer ICMP echo requests (RFC 1122 §3.2.2.6 MUST). */
  readonly answerEcho: boolean
  /** How long fragments wait for the rest (RFC 1122 §3.3.2: 60 to 120 s; RFC 8200 §4.5: 60 s). */
  readonly reassemblyTimeout: Time.Span
  /**
   * Probe IPv4 addresses before use (RFC 5227 §2.1), and IPv6 addresses even on links that are closed; off makes an IPv4 address usable at once. IPv6 addresses
   * are probed on all other links in any case (RFC 4862 §5.4).
   */
  readonly addressProbing: boolean
  /** Tell and count what only tracing and metrics want (`core/tcp/Progress.ts`); off costs a comparison. */
  readonly telemetry: boolean
  /** Use IPv6 addresses that are made by chance or hash while they are still being probed (RFC 4429); off waits for the end of that. */
  readonly optimisticDetection: boolean
  /** Added to an instant it gives microseconds since 1970, for what speaks of wall time. */
  readonly wallOffset: number
}

export const defaults: Config = {
  tcp: Tcp.defaults,
  limits: Bounds.defaults,
  hopLimit: 64,
  forwarding: false,
  answerEcho: true,
  reassemblyTimeout: Time.seconds(60),
  addressProbing: false,
  optimisticDetection: false,
  telemetry: false,
  wallOffset: 0
}
