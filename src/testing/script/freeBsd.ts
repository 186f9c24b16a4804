/**
 * FreeBSD's ways where they differ from Linux's: how its scripts are known, what its `TCP_INFO` tells, how its options are read back.
 */
import { defaults } from "../../core/tcp/Config.ts"
import type { Info, StateName } from "../../core/tcp/Info.ts"
import { SYN } from "../../wire/Tcp.ts"
import { timestampsLength } from "../../wire/TcpOptions.ts"
import type { TcpSocket } from "./Descriptor.ts"
import { fieldOf, nameOf, textOf, within } from "./evaluate.ts"
import { setsSizes } from "./machine.ts"
import { speaksFreeBsd } from "./runCommand.ts"
import type { Event } from "./Syntax.ts"

/** Names that Linux's system calls do not have. */
const names =
  /^(?:TCP_(?:DELACK|FUNCTION_(?:BLK|ALIAS)|KEEPINIT|LOG\w*|LRD|MAXUNACKTIME|NOOPT|NOPUSH|PERF_INFO|RACK_\w+|REMOTE_UDP_ENCAPS_PORT)|TCPS_\w+|SO_(?:BINTIME|NOSIGPIPE|REUSEPORT_LB|SETFIB|USER_COOKIE)|MSG_(?:EOF|NBIO)|FION(?:SPACE|WRITE))$/

/** In whose order the host's options stand: FreeBSD has the scale before what Linux has in front of it, and pads at the end. */
const ordersOptions = ({ action }: Event): boolean => {
  if (action._tag !== "TcpPacket" || action.direction === "in" || action.options === "any") return false
  const tags = action.options.map(({ _tag }) => _tag)
  const scale = tags.indexOf("WindowScale")
  const later = tags.findLastIndex((tag) => tag === "SackPermitted" || tag === "Timestamps")
  return tags.includes("Eol") || (scale >= 0 && later > scale)
}

const speaks = (event: Event): boolean => ordersOptions(event) || namesIt(event) || readsModeBack(event)

/** `O_NONBLOCK` is 4 there. */
const readsModeBack = ({ action }: Event): boolean =>
  action._tag === "Call" && nameOf(action.args[1]) === "F_GETFL" && action.result._tag === "Number" &&
  action.result.value === 6

/** The first window is as much as the field can say, where Linux has whole segments of less unless it is told otherwise. */
const offersAll = ({ action }: Event): boolean =>
  action._tag === "TcpPacket" && action.direction === "out" && (action.flags & SYN) !== 0 && action.window === 0xffff

/** What makes a first window of Linux other than it is by itself, or is Linux's anyway, as assertions are. */
const mayResize = (event: Event): boolean =>
  event.action._tag === "Command" || event.action._tag === "Code" || setsSizes(event)

const namesIt = ({ action }: Event): boolean =>
  (action._tag === "Call" && action.args.flatMap(within).some((each) => names.test(nameOf(each)))) ||
  (action._tag === "Command" && speaksFreeBsd(action.text))

/** A socket is given the stack that is called "rack". */
const choosesRack = ({ action }: Event): boolean =>
  action._tag === "Call" && action.args.some((each) => textOf(fieldOf(each, "function_set_name")) === "rack")

/** Which system a script was written for, and which of FreeBSD's stacks it chooses. Commands may come before it. */
export const mannerOf = (events: ReadonlyArray<Event>, isCommanded: boolean): "other" | "freebsd" | "rack" => {
  const isUntold = !isCommanded && events.some(offersAll) && !events.some(mayResize)
  if (!isUntold && !events.some(speaks)) return "other"
  return events.some(choosesRack) ? "rack" : "freebsd"
}

const states: Readonly<Record<StateName, number>> = {
  "CLOSED": 0,
  "LISTEN": 1,
  "SYN-SENT": 2,
  "SYN-RECEIVED": 3,
  "ESTABLISHED": 4,
  "CLOSE-WAIT": 5,
  "FIN-WAIT-1": 6,
  "CLOSING": 7,
  "LAST-ACK": 8,
  "FIN-WAIT-2": 9,
  "TIME-WAIT": 10
}

/** `FIN-WAIT-1` is `FIN_WAIT1` there. */
const linuxName = (name: string): string =>
  name.replace(/-(?=\d)/, "").replaceAll("-", "_").replace("RECEIVED", "RECV").replace("CLOSED", "CLOSE")

/** The states by FreeBSD's names, and by Linux's, whose numbers mean others here. */
export const stateNames: ReadonlyArray<readonly [string, number]> = Object.entries(states).flatMap(([name, number]) => [
  [`TCPS_${name.replaceAll("-", "_")}`, number] as const,
  [`TCP_${linuxName(name)}`, number] as const
])

/** FreeBSD shows a threshold that was never set as the largest window. */
const largestWindow = 65_535 * 2 ** 14

/** What a full segment carries if nothing but text is in it. */
const wholeMss = ({ sendMss, timestamps }: Info): number => sendMss + (timestamps ? timestampsLength : 0)

/** A connection's info by the names of FreeBSD's `TCP_INFO`, in its units: windows in bytes, times in microseconds. */
export const freeBsdInfo = (info: Info, linux: ReadonlyMap<string, number>): ReadonlyMap<string, number> =>
  new Map([
    ...linux,
    ...stateNames,
    ["tcpi_state", states[info.state]],
    ["tcpi_snd_cwnd", info.congestionWindow],
    ["tcpi_snd_ssthresh", Math.min(info.slowStartThreshold, largestWindow)],
    ["tcpi_snd_mss", wholeMss(info)],
    ["tcpi_rcv_mss", wholeMss(info)],
    ["tcpi_snd_wnd", info.sendWindow],
    ["tcpi_rcv_space", info.receiveWindow],
    ["tcpi_snd_bwnd", 0],
    ["tcpi_snd_rexmitpack", info.segmentsRetransmitted],
    ["tcpi_rcv_ooopack", info.segmentsAhead],
    ["tcpi_rttmin", info.minimumRtt],
    ["tcpi_toe_tid", 0]
  ])

/** Fields that FreeBSD has for the sake of Linux's programs, and never fills. */
export const isPlaceholder = (field: string): boolean => field.startsWith("__tcpi_") || field.startsWith("_tcpi_")

/** Numbers that a script can't know: where a stream begins is the host's choice. */
export const isAbsolute = (field: string): boolean =>
  /^tcpi_(?:snd_(?:nxt|una|max)|rcv_(?:nxt|adv|numsacks))$/.test(field)

/** Options that are read back as the bit that they are in the kernel, which is anything but 0. */
const flags = new Set([
  "SO_ACCEPTCONN",
  "SO_DEBUG",
  "SO_KEEPALIVE",
  "SO_NOSIGPIPE",
  "SO_OOBINLINE",
  "SO_REUSEADDR",
  "SO_REUSEPORT",
  "SO_REUSEPORT_LB",
  "SO_TIMESTAMP",
  "TCP_FASTOPEN",
  "TCP_NODELAY",
  "TCP_NOOPT",
  "TCP_NOPUSH"
])

/** Whether a value is what a script expects of an option. */
export const isSame = (name: string, expected: number, value: number): boolean =>
  flags.has(name) ? (expected !== 0) === (value !== 0) : expected === value

/** What FreeBSD tells of sizes and times; `undefined` for other options. */
export const valueOf = ({ options, stored }: TcpSocket, name: string, info: Info | undefined): number | undefined => {
  const config = { ...defaults, ...options }
  switch (name) {
    case "SO_RCVBUF":
      return info?.receiveBuffer ?? config.receiveBuffer
    case "SO_SNDBUF":
      return config.sendBuffer
    case "TCP_MAXSEG":
      return info === undefined ? options.maxSegment || undefined : wholeMss(info)
    case "TCP_NOPUSH":
      return config.cork ? 1 : 0
    case "TCP_KEEPINIT":
      return config.connectTimeout / 1e6
    case "TCP_MAXUNACKTIME":
      return config.userTimeout / 1e6
    case "TCP_FASTOPEN":
      return Number(stored.get(name) ?? 0)
    default:
      return undefined
  }
}

/** Controllers that FreeBSD has and this stack has not. */
export const isForeignController = (name: string): boolean =>
  ["cdg", "chd", "dctcp", "hd", "htcp", "vegas"].includes(name)
