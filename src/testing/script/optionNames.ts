/** Names of socket options; scripts may also give them by Linux's numbers. */
import { nameOf, numberOf } from "./evaluate.ts"
import type { Expression } from "./Syntax.ts"

const socketOptions: Readonly<Record<number, string>> = {
  1: "SO_DEBUG",
  2: "SO_REUSEADDR",
  3: "SO_TYPE",
  4: "SO_ERROR",
  5: "SO_DONTROUTE",
  7: "SO_SNDBUF",
  8: "SO_RCVBUF",
  9: "SO_KEEPALIVE",
  10: "SO_OOBINLINE",
  12: "SO_PRIORITY",
  13: "SO_LINGER",
  15: "SO_REUSEPORT",
  18: "SO_RCVLOWAT",
  29: "SO_TIMESTAMP",
  30: "SO_ACCEPTCONN",
  32: "SO_SNDBUFFORCE",
  33: "SO_RCVBUFFORCE",
  37: "SO_TIMESTAMPING",
  47: "SO_MAX_PACING_RATE",
  60: "SO_ZEROCOPY"
}

const tcpOptions: Readonly<Record<number, string>> = {
  1: "TCP_NODELAY",
  2: "TCP_MAXSEG",
  3: "TCP_CORK",
  4: "TCP_KEEPIDLE",
  5: "TCP_KEEPINTVL",
  6: "TCP_KEEPCNT",
  7: "TCP_SYNCNT",
  8: "TCP_LINGER2",
  9: "TCP_DEFER_ACCEPT",
  10: "TCP_WINDOW_CLAMP",
  11: "TCP_INFO",
  12: "TCP_QUICKACK",
  13: "TCP_CONGESTION",
  14: "TCP_MD5SIG",
  16: "TCP_THIN_LINEAR_TIMEOUTS",
  17: "TCP_THIN_DUPACK",
  18: "TCP_USER_TIMEOUT",
  23: "TCP_FASTOPEN",
  24: "TCP_TIMESTAMP",
  25: "TCP_NOTSENT_LOWAT",
  30: "TCP_FASTOPEN_CONNECT",
  33: "TCP_FASTOPEN_KEY",
  34: "TCP_FASTOPEN_NO_COOKIE",
  36: "TCP_INQ",
  44: "TCP_RTO_MAX_MS"
}

const ipOptions: Readonly<Record<number, string>> = {
  1: "IP_TOS",
  2: "IP_TTL",
  10: "IP_MTU_DISCOVER",
  11: "IP_RECVERR",
  14: "IP_MTU"
}

const levels: Readonly<Record<string, Readonly<Record<number, string>>>> = {
  "0": ipOptions,
  "1": socketOptions,
  "6": tcpOptions,
  IPPROTO_IP: ipOptions,
  IPPROTO_TCP: tcpOptions,
  SOL_IP: ipOptions,
  SOL_SOCKET: socketOptions,
  SOL_TCP: tcpOptions
}

/** The name of an option at a level. */
export const optionName = (level: Expression | undefined, option: Expression | undefined): string => {
  const name = nameOf(option)
  if (name !== "") return name
  const number = numberOf(option)
  const key = nameOf(level) === "" ? String(numberOf(level)) : nameOf(level)
  return levels[key]?.[number] ?? `${key} ${number}`
}
