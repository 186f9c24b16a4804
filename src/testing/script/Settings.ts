/** What a script's `--name=value` options and its caller set. */
import * as NetAddress from "effect/net/NetAddress"
import * as Result from "effect/Result"
import * as Address from "../../wire/Address.ts"
import type { Strictness } from "./compareSegment.ts"
import { SyntaxFault } from "./Syntax.ts"

/** What the caller of a script may set. */
export interface RunOptions {
  /** Replaces `--tolerance_usecs` of the script. */
  readonly toleranceMicros?: number
  /** Replaces `--ip_version` of the script. */
  readonly ipVersion?: 4 | 6
  /** Compares the order and the padding of TCP options too; off if absent, as neither means anything (RFC 9293 §3.2). */
  readonly strictOptions?: boolean
  /** Leaves the PSH flag out of the comparison. */
  readonly ignorePush?: boolean
  /** Decides the host's keys; 1 if absent. */
  readonly seed?: number
  /** Options of the official program, without their dashes: they win over those of the script. */
  readonly flags?: Readonly<Record<string, string>>
  /** Words that stand for others (`--define NAME=VALUE`): they win over those of the script. */
  readonly definitions?: Readonly<Record<string, string>>
}

export interface Settings {
  /** How far from its time, in microseconds, an event may happen … */
  readonly toleranceMicros: number
  /** … or as a share of the time since the event before, whichever is more. */
  readonly toleranceShare: number
  readonly local: Address.Address
  readonly prefixLength: number
  readonly remote: Address.Address
  readonly mtu: number
  readonly bindPort: number
  readonly connectPort: number
  readonly strictness: Strictness
  readonly seed: number
  /** Commands that come before the script, one a line. */
  readonly initCommands: string
  /** Options that mean nothing here. */
  readonly unknown: ReadonlyArray<string>
}

/** Options about the machine that the official program runs on. */
const withoutEffect = new Set([
  "d",
  "debug",
  "gateway_ip",
  "dry_run",
  "local_linklocal",
  "mss",
  "no_cleanup",
  "non_fatal_errors",
  "send_time_nsecs",
  "gateway_linklocal_ip",
  "netmask_ip",
  "local_linklocal_ip",
  "strict_segments",
  "tun_name",
  "wire_client",
  "wire_server",
  "wire_server_ip",
  "wire_server_port",
  "non_fatal",
  "persistent_tun_dev",
  "send_omit_free",
  "speed",
  "tcp_ts_tick_usecs",
  "timeout",
  "tun_dev",
  "tun_driver",
  "udp_encaps",
  "use_expect",
  "verbose",
  "wire_client_dev",
  "wire_server_dev"
])

const known = new Set([
  "bind_port",
  "connect_port",
  "ignore_push",
  "init_scripts",
  "ip_version",
  "local_ip",
  "local_ipv4",
  "local_ipv6",
  "mtu",
  "remote_ip",
  "remote_ipv4",
  "remote_ipv6",
  "strict_options",
  "tolerance_percent",
  "tolerance_usecs"
])

const addressOf = (text: string): Address.Address => {
  const parsed = NetAddress.ipFromString(text.replace(/\/\d+$/, ""))
  if (Result.isFailure(parsed)) throw new SyntaxFault(1, `${text} is no address`)
  return Address.fromNet(parsed.success)
}

/** `ipv4-mapped-ipv6` is IPv4 on the wire: only the sockets are of the other family. */
const versionOf = (options: ReadonlyMap<string, string>, given: RunOptions): 4 | 6 =>
  given.ipVersion ?? (options.get("ip_version") === "ipv6" ? 6 : 4)

/** Collections that run each script over both versions have room for the longer header of IPv6, so that segments are as long. */
const mtuOf = (script: ReadonlyMap<string, string>, given: RunOptions): number => {
  const isForced = (given.ipVersion ?? 4) === 6 || given.flags?.["ip_version"] === "ipv6"
  return isForced && script.get("ip_version") !== "ipv6" ? 1520 : 1500
}

export const settingsOf = (script: ReadonlyMap<string, string>, given: RunOptions): Settings => {
  const options = new Map([...script, ...Object.entries(given.flags ?? {})])
  const number = (name: string, otherwise: number): number => {
    const value = Number(options.get(name) ?? otherwise)
    if (Number.isNaN(value)) throw new SyntaxFault(1, `--${name}=${options.get(name)} is no number`)
    return value
  }
  const version = versionOf(options, given)
  const address = (name: string, v4: string, v6: string): Address.Address =>
    addressOf(options.get(`${name}_ip`) ?? options.get(`${name}_ipv${version}`) ?? (version === 4 ? v4 : v6))
  return {
    toleranceMicros: given.toleranceMicros ?? number("tolerance_usecs", 4000),
    toleranceShare: number("tolerance_percent", 1) / 100,
    local: address("local", "192.168.0.1", "fd3d:a0b:17d6::1"),
    prefixLength: version === 4 ? 16 : 48,
    remote: address("remote", "192.0.2.1", "2001:db8::1"),
    mtu: number("mtu", mtuOf(script, given)),
    bindPort: number("bind_port", 8080),
    connectPort: number("connect_port", 8080),
    strictness: {
      optionOrder: given.strictOptions ?? options.get("strict_options") === "true",
      push: !(given.ignorePush ?? options.get("ignore_push") === "true")
    },
    seed: given.seed ?? 1,
    initCommands: (options.get("init_scripts") ?? "").replaceAll(",", "\n"),
    unknown: [...options].filter(([name]) => !known.has(name) && !withoutEffect.has(name)).map(([name, value]) =>
      `--${name}=${value}`
    )
  }
}
