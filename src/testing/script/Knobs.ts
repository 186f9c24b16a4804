/**
 * Which of the stack's knobs the settings of Linux and of FreeBSD stand for.
 *
 * What has no counterpart and changes nothing that a script can see is listed as such; anything else is unknown, and said to be.
 */
import type * as Bounds from "../../core/Bounds.ts"
import type * as Tcp from "../../core/tcp/Config.ts"
import * as Time from "../../core/Time.ts"
import { hasNoEffect } from "./idleSettings.ts"

export interface Knobs {
  readonly tcp: Partial<Tcp.Config>
  readonly limits: Partial<Bounds.Limits>
  /** Listeners take the text of SYNs though their programs have not asked for it. */
  readonly opensAllListeners?: boolean
  /** Which ends of a connection may use Fast Open, where each has a setting of its own. */
  readonly fastOpenEnds?: { readonly client?: boolean; readonly server?: boolean }
  /** Keys of FreeBSD's Fast Open cookies, in hexadecimal. */
  readonly fastOpenKeys?: ReadonlyArray<string>
}

export const noKnobs: Knobs = { tcp: {}, limits: {} }

export const merge = (a: Knobs, b: Knobs): Knobs => {
  const fastOpenEnds = { ...a.fastOpenEnds, ...b.fastOpenEnds }
  return {
    tcp: { ...a.tcp, ...b.tcp, ...fastOpenOf(fastOpenEnds) },
    limits: { ...a.limits, ...b.limits },
    opensAllListeners: b.opensAllListeners ?? a.opensAllListeners ?? false,
    fastOpenEnds,
    fastOpenKeys: [...a.fastOpenKeys ?? [], ...b.fastOpenKeys ?? []]
  }
}

/** FreeBSD's clients may use Fast Open unless they are forbidden to, its servers if they are allowed to. */
const fastOpenOf = ({ client, server }: NonNullable<Knobs["fastOpenEnds"]>): Partial<Tcp.Config> =>
  client === undefined && server === undefined
    ? {}
    : { fastOpen: client === false ? (server === true ? "server" : "off") : server === true ? "both" : "client" }

/** What a setting's value means; `undefined` if it means nothing here. */
type Meaning = (value: number, values: ReadonlyArray<number>, word: string) => Partial<Tcp.Config> | undefined

const flag = (
  knob:
    | "timestamps"
    | "windowScaling"
    | "sack"
    | "dsack"
    | "frto"
    | "abortOnOverflow"
    | "slowStartAfterIdle"
    | "icmpMayAbort"
    | "bearsMissingTimestamps"
    | "timeWaitBearsResets"
): Meaning =>
(value) => ({ [knob]: value !== 0 })

const seconds =
  (knob: "finWait2Timeout" | "keepAliveIdle" | "keepAliveInterval" | "connectTimeout"): Meaning => (value) => ({
    [knob]: Time.seconds(value)
  })

const millis = (
  knob:
    | "minRto"
    | "maxRto"
    | "initialRto"
    | "rtoSlop"
    | "minProbeInterval"
    | "maxProbeInterval"
    | "delayedAck"
    | "challengeInterval"
    | "finWait2Timeout"
    | "keepAliveIdle"
    | "keepAliveInterval"
    | "connectTimeout"
): Meaning =>
(value) => ({ [knob]: Time.millis(value) })

const count = (
  knob:
    | "synRetries"
    | "synAckRetries"
    | "retries"
    | "reordering"
    | "keepAliveCount"
    | "initialWindow"
    | "hopLimit"
    | "maxSegment"
    | "leastSegment"
    | "notSentLowWater"
): Meaning =>
(value) => ({ [knob]: value })

const controllers: Readonly<Record<string, string>> = {
  reno: "newReno",
  newreno: "newReno",
  cubic: "cubic",
  bbr: "bbr"
}

/** The controller of a name of Linux or FreeBSD; `undefined` if there is none. */
export const controllerOf = (name: string): string | undefined => controllers[name]

const congestionControl: Meaning = (_value, _values, word) => {
  const name = controllerOf(word)
  return name === undefined ? undefined : { congestionControl: name }
}

/**
 * Least, first and largest size of a buffer. In the first size of a receive buffer Linux counts its bookkeeping, about as much again as the data; the
 * largest one decides the window scale as it is.
 */
const buffer = (
  first: "receiveBuffer" | "sendBuffer",
  limit: "receiveBufferLimit" | "sendBufferLimit",
  share: number
): Meaning =>
(_value, [, start, most]) =>
  start === undefined || most === undefined
    ? undefined
    : { [first]: Math.max(1, Math.floor(start * share)), [limit]: Math.max(1, most) }

/** Linux sends every segment of an accurate connection as capable of marks. */
const ecn: Meaning = (value) => ({
  ecn: (["off", "active", "passive", "accurate", "accurateActive", "accuratePassive"] as const)[value] ?? "off",
  ...(value < 3 ? {} : { ecnPackets: "all" })
})

/** FreeBSD tells of accurate marks with the three bits alone. */
const freeBsdEcn: Meaning = (value) => ({
  ecn: (["off", "active", "passive", "accurate", "accuratePassive"] as const)[value] ?? "off",
  ecnOption: "never"
})

/** The last of Linux's values goes on with options though they seem to get lost. */
const ecnOption: Meaning = (value) => ({
  ecnOption: (["never", "changes", "always", "always"] as const)[value] ?? "always"
})

const synCookies: Meaning = (value) => ({ synCookies: (["never", "whenFull", "always"] as const)[value] ?? "whenFull" })

/** Linux's bits: client, server, and a server that asks for no cookie. */
const fastOpen: Meaning = (value) => ({
  fastOpen: (["off", "client", "server", "both"] as const)[value & 3]!,
  fastOpenWithoutCookie: (value & 0x200) !== 0
})

const linux: Readonly<Record<string, Meaning>> = {
  tcp_timestamps: flag("timestamps"),
  tcp_window_scaling: flag("windowScaling"),
  tcp_sack: flag("sack"),
  tcp_dsack: flag("dsack"),
  tcp_ecn: ecn,
  tcp_ecn_option: ecnOption,
  tcp_ecn_option_beacon: (value) => ({ ecnOptionBeacons: value }),
  tcp_congestion_control: congestionControl,
  tcp_rmem: buffer("receiveBuffer", "receiveBufferLimit", 0.5),
  tcp_wmem: buffer("sendBuffer", "sendBufferLimit", 1),
  tcp_syn_retries: count("synRetries"),
  tcp_synack_retries: count("synAckRetries"),
  tcp_retries2: count("retries"),
  tcp_reordering: count("reordering"),
  tcp_slow_start_after_idle: flag("slowStartAfterIdle"),
  tcp_early_retrans: (value) => ({ tailLossProbe: value >= 3 }),
  tcp_recovery: (value) => ({ rack: (value & 1) !== 0 }),
  tcp_frto: flag("frto"),
  tcp_rfc1337: flag("timeWaitBearsResets"),
  tcp_syncookies: synCookies,
  tcp_fastopen: fastOpen,
  tcp_mtu_probing: (value) => ({ mtuProbing: (["off", "blackHole", "always"] as const)[value] ?? "off" }),
  ip_no_pmtu_disc: (value) => ({ pathMtuDiscovery: value === 0 }),
  tcp_abort_on_overflow: flag("abortOnOverflow"),
  tcp_fin_timeout: seconds("finWait2Timeout"),
  tcp_keepalive_time: seconds("keepAliveIdle"),
  tcp_keepalive_intvl: seconds("keepAliveInterval"),
  tcp_keepalive_probes: count("keepAliveCount"),
  tcp_notsent_lowat: (value) => ({ notSentLowWater: value >= 0xffff_ffff || value < 0 ? Infinity : value }),
  tcp_rto_min_us: (value) => ({ minRto: Time.micros(value) }),
  tcp_rto_max_ms: millis("maxRto"),
  tcp_delack_min: millis("delayedAck"),
  tcp_invalid_ratelimit: millis("challengeInterval"),
  ip_default_ttl: count("hopLimit"),
  tcp_ecn_fallback: () => ({}),
  tcp_min_snd_mss: count("leastSegment"),
  ip_local_port_range: (first, [, last]) =>
    last === undefined ? undefined : { firstEphemeralPort: first, lastEphemeralPort: last }
}

/** A stack of FreeBSD has window scaling and timestamps in one setting. */
const rfc1323: Meaning = (value) => ({
  windowScaling: value === 1 || value === 2,
  timestamps: value === 1 || value === 3
})

/** A setting without a knob, of which only the value means something that this stack does anyway. */
const stays = (only: number): Meaning => (value) => value === only ? {} : undefined

const freeBsd: Readonly<Record<string, Meaning>> = {
  "rfc1323": rfc1323,
  "sack.enable": flag("sack"),
  // OpenBSD's, and the rest of NetBSD's.
  "sack": flag("sack"),
  "timestamps": flag("timestamps"),
  "win_scale": flag("windowScaling"),
  "init_win": (value) => ({ initialWindow: value === 0 ? 3 : value }),
  "congctl.selected": congestionControl,
  "ecn.enable": freeBsdEcn,
  "cc.algorithm": congestionControl,
  // None: as many as RFC 3390 §1 has of usual segments.
  "initcwnd_segments": (value) => ({ initialWindow: value === 0 ? 3 : value }),
  "rexmit_min": millis("minRto"),
  "rexmit_initial": millis("initialRto"),
  "rexmit_max": millis("maxRto"),
  "rexmit_slop": millis("rtoSlop"),
  "retries": count("retries"),
  "persmin": millis("minProbeInterval"),
  "persmax": millis("maxProbeInterval"),
  "functions_default": (_value, _values, word) => word === "rack" ? freeBsdRack : {},
  "delayed_ack": (value) => value === 0 ? { quickAcks: Infinity } : {},
  "delacktime": millis("delayedAck"),
  "msl": (value) => ({ timeWait: Time.millis(2 * value) }),
  "finwait2_timeout": millis("finWait2Timeout"),
  "keepidle": millis("keepAliveIdle"),
  "keepintvl": millis("keepAliveInterval"),
  "keepinit": millis("connectTimeout"),
  "keepcnt": count("keepAliveCount"),
  "always_keepalive": (value) => ({ keepAlive: value !== 0 }),
  "recvspace": (value) => ({ receiveBuffer: value }),
  "sendspace": (value) => ({ sendBuffer: value, sendBufferLimit: value }),
  "syncookies_only": (value) => value === 0 ? {} : { synCookies: "always" },
  "pmtud_blackhole_detection": (value) => ({ mtuProbing: value === 0 ? "off" : "blackHole" }),
  "fastopen.acceptany": (value) => ({ fastOpenWithoutCookie: value !== 0 }),
  "mssdflt": stays(536),
  "v6mssdflt": stays(1220),
  "minmss": count("leastSegment"),
  "drop_synfin": (value) => ({ takesSynFin: value === 0 }),
  "tolerate_missing_ts": flag("bearsMissingTimestamps"),
  "ts_offset_per_conn": () => ({}),
  "syncookies": (value) => ({ synCookies: value === 0 ? "never" : "whenFull" }),
  "syncache.rexmtlimit": count("synAckRetries"),
  "syncache.rst_on_sock_fail": flag("abortOnOverflow"),
  "path_mtu_discovery": (value) => ({ pathMtuDiscovery: value !== 0 }),
  "icmp_may_rst": flag("icmpMayAbort"),
  "ip.ttl": count("hopLimit"),
  "kern.ipc.maxsockbuf": (value) => ({ receiveBufferLimit: value }),
  "insecure_ack": stays(0),
  "insecure_rst": stays(0),
  "insecure_syn": stays(0),
  "blackhole": (value) => ({ blackHole: (["nothing", "syns", "all", "all"] as const)[value] ?? "nothing" }),
  "maxunacktime": stays(0)
}

/** Settings that are no knobs of the stack. */
const others = (name: string, word: string): Knobs | undefined => {
  switch (name) {
    case "tcp_challenge_ack_limit":
      return { tcp: {}, limits: { tcpChallengeAcksPerSecond: Number(word) } }
    case "fastopen.client_enable":
      return { ...noKnobs, fastOpenEnds: { client: Number(word) !== 0 } }
    case "fastopen.server_enable":
      return { ...noKnobs, fastOpenEnds: { server: Number(word) !== 0 } }
    case "fastopen.setkey":
      return { ...noKnobs, fastOpenKeys: [word] }
    default:
      return undefined
  }
}

/** What a setting stands for: knobs, nothing that matters, or nothing that is known. */
export const knobsOf = (setting: string, word: string): Knobs | "without effect" | "unknown" => {
  const name = setting.replace(/^net\.(?:ipv4|ipv6|core|inet)\.(?:tcp\.)?/, "")
  const other = others(name, word)
  if (other !== undefined) return other
  const meanings = /^(?:net\.inet|kern)\./.test(setting) ? freeBsd : linux
  if (!Object.hasOwn(meanings, name)) return hasNoEffect(setting, name) ? "without effect" : "unknown"
  const values = word.split(/[\s,]+/).map(Number)
  const tcp = meanings[name]!(values[0] ?? Number.NaN, values, word)
  if (tcp === undefined) return "unknown"
  return name === "tcp_fastopen"
    ? { tcp, limits: {}, opensAllListeners: ((values[0] ?? 0) & 0x402) === 0x402 }
    : { tcp, limits: {} }
}

/** How Linux comes, where it differs from this stack. */
export const linuxKernel: Partial<Tcp.Config> = {
  // Half of what is set aside, since its bookkeeping counts too; 44 of Ethernet's segments are offered of it.
  receiveBuffer: 65_536,
  windowSteps: "segments",
  windowRules: "deployed",
  mtuProbing: "off",
  synRetries: 6,
  nagle: "small",
  leastSegment: 48,
  trimsText: false,
  delaysFins: true,
  otherSyn: "resets",
  softErrorsEndConnects: true,
  resetsUnanswered: false
}

/** What `defaults.sh`, which Linux's scripts begin with, sets. */
export const linuxDefaults: Partial<Tcp.Config> = {
  receiveBuffer: 270_000,
  receiveBufferLimit: 15 * 1024 * 1024,
  sendBuffer: 256 * 1024,
  sendBufferLimit: 4 * 1024 * 1024,
  timestamps: true,
  sack: true,
  dsack: true,
  synRetries: 5,
  synAckRetries: 5,
  frto: true,
  reordering: 3,
  congestionControl: "cubic",
  slowStartAfterIdle: false,
  tailLossProbe: true,
  rack: true,
  ecn: "off",
  fastOpen: "both",
  synCookies: "whenFull"
}

/** How FreeBSD comes, where it differs from Linux. */
export const freeBsdDefaults: Partial<Tcp.Config> = {
  mtuProbing: "off",
  receiveBuffer: 65_536,
  receiveBufferLimit: 2 * 1024 * 1024,
  windowSteps: "quarters",
  windowRules: "strict",
  sendBuffer: 32_768,
  sendBufferLimit: 32_768,
  // Text of a single segment waits for company from the first on: there is no phase of quick ACKs.
  quickAcks: 0,
  acksPairs: true,
  finWait2Timeout: Time.seconds(60),
  timeWait: Time.seconds(60),
  challengeInterval: Time.zero,
  resetsUnread: false,
  timeWaitBearsResets: true,
  timeWaitNeedsAck: true,
  reportsFins: false,
  bearsMissingTimestamps: false,
  leastSegment: 216,
  takesSynFin: true,
  otherSyn: "repeats",
  answersWhenFull: true,
  abortOnOverflow: true,
  cookiesKeepOptions: true,
  // A variance of next to nothing is made up for by what is added to every timeout.
  minRto: Time.millis(30),
  maxRto: Time.seconds(64),
  granularity: Time.zero,
  rtoSlop: Time.millis(200),
  measuresSynAck: false,
  retries: 12,
  synRetries: 12,
  synAckRetries: 3,
  connectTimeout: Time.seconds(75),
  probesWithText: true,
  minProbeInterval: Time.seconds(5),
  maxProbeInterval: Time.seconds(60),
  keepAlive: true,
  keepAliveCount: 8,
  // The stack that is not called "rack" finds losses by counting, and tails of a window by a timeout.
  rack: false,
  tailLossProbe: false,
  frto: false
}

/** What the stack called "rack" does otherwise. */
export const freeBsdRack: Partial<Tcp.Config> = { rack: true, tailLossProbe: true }
