/** `setsockopt` and `getsockopt`: which knob of the stack each option is. */
import * as Family from "../../core/Family.ts"
import { defaults, type Options } from "../../core/tcp/Config.ts"
import * as Time from "../../core/Time.ts"
import {
  compareCongestion,
  compareFunctions,
  compareInfo,
  compareLinger,
  compareTime,
  expectedNumber,
  first,
  lingerOf,
  microsOf,
  udpOption
} from "./comparedOptions.ts"
import { constants } from "./constants.ts"
import { failed, type Pending, returned, type TcpSocket, Unsupported } from "./Descriptor.ts"
import { numbers } from "./Errno.ts"
import { fieldOf, isEllipsis, nameOf, numberOf, textOf } from "./evaluate.ts"
import * as FreeBsd from "./freeBsd.ts"
import { immediate, type Kernel, ok } from "./Kernel.ts"
import { controllerOf } from "./Knobs.ts"
import { optionName } from "./optionNames.ts"
import type { Handler } from "./socketCalls.ts"
import type { Call, Expression } from "./Syntax.ts"
import { setUdpOption } from "./udpOptions.ts"

type Setter = (value: number, expression: Expression | undefined) => Options

/** Options that are knobs. Sizes are as the program sees them; Linux doubles them for its bookkeeping. */
const setters: Readonly<Record<string, Setter>> = {
  SO_RCVBUF: (size) => ({ receiveBuffer: size, receiveBufferLimit: size }),
  SO_RCVBUFFORCE: (size) => ({ receiveBuffer: size, receiveBufferLimit: size }),
  SO_SNDBUF: (size) => ({ sendBuffer: size, sendBufferLimit: size }),
  SO_SNDBUFFORCE: (size) => ({ sendBuffer: size, sendBufferLimit: size }),
  SO_KEEPALIVE: (on) => ({ keepAlive: on !== 0 }),
  SO_LINGER: (_, expression) => lingerOf(expression),
  IP_TOS: (value) => ({ trafficClass: value }),
  IPV6_TCLASS: (value) => ({ trafficClass: value }),
  IP_TTL: (value) => ({ hopLimit: Math.max(0, value) }),
  IPV6_UNICAST_HOPS: (value) => ({ hopLimit: Math.max(0, value) }),
  TCP_NODELAY: (on) => ({ noDelay: on !== 0 }),
  TCP_CORK: (on) => ({ cork: on !== 0 }),
  TCP_NOPUSH: (on) => ({ cork: on !== 0 }),
  TCP_MAXSEG: (size) => ({ maxSegment: size }),
  TCP_KEEPIDLE: (seconds) => ({ keepAliveIdle: Time.seconds(seconds) }),
  TCP_KEEPALIVE: (seconds) => ({ keepAliveIdle: Time.seconds(seconds) }),
  TCP_KEEPINTVL: (seconds) => ({ keepAliveInterval: Time.seconds(seconds) }),
  TCP_KEEPCNT: (count) => ({ keepAliveCount: count }),
  TCP_KEEPINIT: (seconds) => ({ connectTimeout: Time.seconds(seconds) }),
  TCP_NOOPT: (on) => on === 0 ? {} : { timestamps: false, windowScaling: false, sack: false, tellsSegment: false },
  TCP_MAXUNACKTIME: (seconds) => ({ userTimeout: Time.seconds(seconds) }),
  TCP_DEFER_ACCEPT: (seconds) => ({ deferAccept: Time.seconds(Math.max(0, seconds)) }),
  TCP_SYNCNT: (count) => ({ synRetries: count }),
  TCP_LINGER2: (seconds) => ({ finWait2Timeout: Time.seconds(Math.max(0, lingering(seconds))) }),
  TCP_USER_TIMEOUT: (millis) => ({ userTimeout: Time.millis(millis) }),
  TCP_NOTSENT_LOWAT: (bytes) => ({ notSentLowWater: bytes }),
  TCP_DELACK: (on) => ({ quickAcks: on === 0 ? Infinity : 0 }),
  TCP_QUICKACK: (on) => ({ quickAcks: on === 0 ? 0 : 16 }),
  TCP_FASTOPEN: (backlog) => ({ fastOpen: backlog > 0 ? "server" : "off" }),
  TCP_FASTOPEN_NO_COOKIE: (on) => ({ fastOpenWithoutCookie: on !== 0 }),
  TCP_RTO_MAX_MS: (millis) => ({ maxRto: Time.millis(millis) }),
  TCP_WINDOW_CLAMP: (size) => ({ receiveBuffer: size, receiveBufferLimit: size })
}

/** In FIN-WAIT-2: 0 is the usual time, anything negative none, and two minutes the most. */
const lingering = (seconds: number): number => seconds === 0 ? 60 : Math.min(120, Math.max(-1, seconds))

/** Options that change nothing that a script can see of this stack. */
const withoutEffect = new Set([
  "SO_REUSEADDR",
  "SO_REUSEPORT",
  "SO_REUSEPORT_LB",
  "SO_BINTIME",
  "SO_BROADCAST",
  "SO_SETFIB",
  "SO_SNDLOWAT",
  "SO_USELOOPBACK",
  "SO_USER_COOKIE",
  "SO_PRIORITY",
  "SO_MARK",
  "SO_BUSY_POLL",
  "SO_NOSIGPIPE",
  "SO_DEBUG",
  "SO_DONTROUTE",
  "SO_MAX_PACING_RATE",
  "SO_OOBINLINE",
  "SO_PEEK_OFF",
  "SO_RCVLOWAT",
  "SO_TIMESTAMP",
  "SO_TIMESTAMPING",
  "SO_TIMESTAMPNS",
  "SO_TXREHASH",
  "SO_ZEROCOPY",
  "IPV6_AUTOFLOWLABEL",
  "IPV6_FLOWINFO_SEND",
  "IPV6_RECVERR",
  "IPV6_V6ONLY",
  "IP_DONTFRAG",
  "IP_MINTTL",
  "IP_RECVTOS",
  "IP_RECVTTL",
  "IP_BIND_ADDRESS_NO_PORT",
  "IP_FREEBIND",
  "IP_RECVERR",
  "TCP_FASTOPEN_CONNECT",
  "TCP_FUNCTION_BLK",
  "TCP_INQ",
  "TCP_LOG",
  "TCP_LOGBUF",
  "TCP_LOGID",
  "TCP_SAVE_SYN",
  "TCP_THIN_DUPACK",
  "TCP_THIN_LINEAR_TIMEOUTS"
])

const discovery: Readonly<Record<string, boolean>> = {
  IP_PMTUDISC_PROBE: true,
  IPV6_PMTUDISC_PROBE: true,
  IP_PMTUDISC_DONT: false,
  IP_PMTUDISC_WANT: true,
  IP_PMTUDISC_DO: true,
  IPV6_PMTUDISC_DONT: false,
  IPV6_PMTUDISC_WANT: true,
  IPV6_PMTUDISC_DO: true
}

const isKnown = (name: string): boolean =>
  name in setters || withoutEffect.has(name) || timeLimits.has(name) || name === "TCP_CONGESTION" ||
  name.endsWith("_MTU_DISCOVER")

/** FreeBSD's form with a key that both ends know. */
const fastOpenOf = (kernel: Kernel, value: Expression): Options => {
  kernel.leaveOut("setsockopt TCP_FASTOPEN with a pre-shared key")
  return { fastOpen: numberOf(fieldOf(value, "enable") ?? fieldOf(value, "0")) === 0 ? "off" : "server" }
}

const optionsOf = (kernel: Kernel, name: string, expression: Expression | undefined): Options | undefined => {
  const value = first(expression)
  if (name === "TCP_CONGESTION") return { congestionControl: controllerOf(textOf(value))! }
  if (name === "TCP_FASTOPEN" && !["server", "both"].includes(kernel.fastOpen)) return { fastOpen: "off" }
  if (name === "TCP_FASTOPEN" && value?._tag === "Record") return fastOpenOf(kernel, value)
  if (name === "IP_MTU_DISCOVER" || name === "IPV6_MTU_DISCOVER") {
    const isOn = discovery[nameOf(value)] ?? (value?._tag === "Number" ? value.value !== 0 : undefined)
    if (isOn === undefined) throw new Unsupported(`${name} ${nameOf(value)}`)
    return { pathMtuDiscovery: isOn }
  }
  const setter = setters[name]
  return setter?.(value?._tag === "Record" || setter === undefined ? 0 : numberOf(value), value)
}

/** A listener's options are those of what it was made with, so it is made anew; nothing waits on it yet. */
const listenAnew = (kernel: Kernel, self: TcpSocket, listener: number): Pending => {
  const record = kernel.host.state.tcp.listeners.get(listener)
  if (record === undefined || record.waiting > 0) return ok
  kernel.host.request({ _tag: "TcpCloseListener", listener })
  const { backlog, link, local, port, version } = record
  return kernel.ask(
    { _tag: "TcpListen", local, version, port, backlog, link, options: self.options },
    (listening) => {
      self.listener = listening.listener
      return returned(0)
    }
  )
}

/** What Linux lets a program set; anything else is `EINVAL`. */
const ranges: Readonly<Record<string, readonly [number, number]>> = {
  TCP_KEEPIDLE: [1, 32_767],
  TCP_KEEPINTVL: [1, 32_767],
  TCP_KEEPCNT: [1, 127],
  TCP_SYNCNT: [1, 127],
  TCP_USER_TIMEOUT: [0, 2 ** 31 - 1],
  TCP_FASTOPEN: [0, 2 ** 31 - 1]
}

const isOutOfRange = (name: string, value: number): boolean => {
  // 0 gives the choice back to the stack.
  if (name === "TCP_MAXSEG") return value !== 0 && (value < 88 || value > 32_767)
  // And so does -1.
  if (name === "IP_TTL") return value !== -1 && (value < 1 || value > 255)
  const range = ranges[name]
  return range !== undefined && (value < range[0] || value > range[1])
}

/** Options that only tell. */
const readOnly = new Set(["SO_ACCEPTCONN", "SO_DOMAIN", "SO_ERROR", "SO_PROTOCOL", "SO_TYPE"])

/** What an option of sockets or of TCP takes at least, unless it is a name: an integer, or two of them. */
const isShort = (level: Expression | undefined, name: string, length: Expression | undefined): boolean =>
  length?._tag === "Number" && ["SOL_SOCKET", "SOL_TCP", "IPPROTO_TCP"].includes(nameOf(level)) &&
  length.value < (name === "SO_LINGER" ? 8 : 4)

/** Why a value is not taken, if it is not. */
const refusalOf = (
  [, level, option, expression, length]: ReadonlyArray<Expression>
): "EINVAL" | "ENOPROTOOPT" | undefined => {
  const name = optionName(level, option)
  if (readOnly.has(name)) return "ENOPROTOOPT"
  const value = first(expression)
  const isBad = (value?._tag !== "Text" && isShort(level, name, length)) ||
    (value?._tag === "Number" && isOutOfRange(name, value.value))
  return isBad ? "EINVAL" : undefined
}

const timeLimits = new Set(["SO_RCVTIMEO", "SO_SNDTIMEO"])

const remember = (self: TcpSocket, name: string, expression: Expression | undefined): void => {
  const value = first(expression)
  if (name === "SO_TIMESTAMPING") return self.errors.stamp(numberOf(value))
  const spoken = textOf(fieldOf(expression, "function_set_name"))
  if (spoken !== "") self.stored.set(name, spoken)
  if (timeLimits.has(name) && value?._tag === "Record") self.stored.set(name, microsOf(value))
  if (value?._tag === "Text") self.stored.set(name, value.value)
  else if (value?._tag === "Number") self.stored.set(name, value.value)
  else if (value?._tag === "Name" && value.name in constants) self.stored.set(name, constants[value.name]!)
}

const unknownController = (kernel: Kernel, name: string): Pending => {
  if (!kernel.isFreeBsd) return immediate(failed("ENOENT"))
  if (!FreeBsd.isForeignController(name)) return immediate(failed("ESRCH"))
  kernel.leaveOut(`setsockopt TCP_CONGESTION ${name}`)
  return ok
}

const setsockopt: Handler = (kernel, args, call) => {
  const [fd, level, option, expression] = args
  const udp = kernel.descriptors.get(numberOf(fd))
  if (udp?._tag === "Udp") return setUdpOption(kernel, udp, optionName(level, option), expression)
  const self = kernel.socketOrError(numberOf(fd))
  if (typeof self === "string") return immediate(failed(self))
  if (nameOf(expression) === "NULL") return immediate(failed("EFAULT"))
  const name = optionName(level, option)
  const value = first(expression)
  const refusal = refusalOf(args)
  if (refusal !== undefined) return immediate(failed(refusal))
  if (!isKnown(name)) {
    kernel.leaveOut(`setsockopt ${name}`)
    remember(self, name, expression)
    return immediate(call.result._tag === "Number" ? { value: call.result.value, ...errnoOfCall(call) } : returned(0))
  }
  if (name === "TCP_FASTOPEN" && kernel.isFreeBsd && kernel.fastOpen === "off") return immediate(failed("EPERM"))
  if (name === "TCP_CONGESTION" && controllerOf(textOf(value)) === undefined) {
    return unknownController(kernel, textOf(value))
  }
  const options = optionsOf(kernel, name, expression)
  remember(self, name, expression)
  if (options === undefined) return ok
  self.options = { ...self.options, ...options }
  if (self.listener !== undefined) return listenAnew(kernel, self, self.listener)
  if (self.connection === undefined) return ok
  // What a connection has agreed on with its peer stays, however a program sets it.
  const set = kernel.ask({ _tag: "TcpSetOptions", connection: self.connection, options }, () => returned(0))
  if (name === "TCP_NODELAY") uncork(kernel, self)
  return () => set() === undefined ? undefined : returned(0)
}

/** On Linux no-delay lets go what a cork holds back, and leaves the cork in place for what is written next. */
const uncork = (kernel: Kernel, { connection, options }: TcpSocket): void => {
  if (connection === undefined || !options.noDelay || !options.cork || kernel.isFreeBsd) return
  for (const cork of [false, true]) kernel.host.request({ _tag: "TcpSetOptions", connection, options: { cork } })
}

const errnoOfCall = ({ errno }: Call): { readonly errno?: string } => errno === undefined ? {} : { errno }

/** The error that waits to be told, which is told with this. */
const pendingError = (kernel: Kernel, self: TcpSocket): number => {
  const reason = kernel.errorOf(self)
  if (reason === undefined) {
    const soft = kernel.softErrorOf(self)
    return soft === undefined ? 0 : numbers[kernel.errnoOf(self, soft, false)] ?? -1
  }
  self.isErrorTold = true
  return numbers[kernel.errnoOf(self, reason, false)] ?? -1
}

/** Linux keeps the number of timeouts that begin within a time, and says when the last of them is over. */
const secondsOfTimeouts = (seconds: number): number => {
  let end = 0
  for (let timeout = 1; end < seconds; timeout = Math.min(120, 2 * timeout)) end += timeout
  return end
}

/** What packets have whose sender has said nothing (RFC 1700). */
const usualHopLimit = 64

/** What the host says of an option; `undefined` for one that can't be asked for. */
const valueOf = (kernel: Kernel, self: TcpSocket, name: string): number | undefined => {
  const options = { ...defaults, ...self.options }
  const other = kernel.isFreeBsd ? FreeBsd.valueOf(self, name, kernel.info(self)) : undefined
  if (other !== undefined) return other
  switch (name) {
    case "SO_ERROR":
      return pendingError(kernel, self)
    case "TCP_MAXSEG":
      return kernel.info(self)?.sendMss ?? (self.options.maxSegment || Family.v4.defaultMss)
    case "TCP_NODELAY":
      return options.noDelay ? 1 : 0
    case "TCP_CORK":
      return options.cork ? 1 : 0
    case "SO_DOMAIN":
      return constants[typeof kernel.ends.local === "object" ? "AF_INET6" : "AF_INET"]
    case "SO_KEEPALIVE":
      return options.keepAlive ? 1 : 0
    case "IP_TTL":
    case "IPV6_UNICAST_HOPS":
      return options.hopLimit || usualHopLimit
    case "IP_MTU":
    case "IPV6_MTU":
      return kernel.info(self)?.pathMtu
    case "TCP_USER_TIMEOUT":
      return Math.round(Time.toMillis(options.userTimeout))
    case "TCP_DEFER_ACCEPT":
      return secondsOfTimeouts(options.deferAccept / 1e6)
    case "TCP_KEEPCNT":
      return options.keepAliveCount
    case "TCP_KEEPIDLE":
      return options.keepAliveIdle / 1e6
    case "TCP_KEEPINTVL":
      return options.keepAliveInterval / 1e6
    case "SO_RCVBUF":
    case "SO_SNDBUF":
      return doubled(self, name)
    default:
      return stored(self, name)
  }
}

/** Linux counts its bookkeeping, about as much again, and says so. */
const doubled = ({ stored }: TcpSocket, name: string): number | undefined => {
  const set = stored.get(name) ?? stored.get(`${name}FORCE`)
  return set === undefined ? undefined : Number(set) * 2
}

/** What options are, as Linux has them, that nobody has set. */
const unset: Readonly<Record<string, number>> = {
  SO_TYPE: 1,
  SO_PROTOCOL: 6,
  SO_LISTENQLEN: 0,
  SO_LISTENINCQLEN: 0,
  SO_RCVLOWAT: 1,
  TCP_SYNCNT: 6,
  TCP_QUICKACK: 1
}

const stored = ({ listener, stored }: TcpSocket, name: string): number | undefined => {
  if (name === "SO_ACCEPTCONN") return listener === undefined ? 0 : 1
  const value = stored.get(name)
  if (name === "TCP_LINGER2") return lingering(Number(value ?? 0))
  if (typeof value === "string") return undefined
  return value ?? unset[name] ?? (isKnown(name) && name !== "SO_LINGER" ? 0 : undefined)
}

const getsockopt: Handler = (kernel, [fd, level, option, expression], call) => {
  const udp = kernel.descriptors.get(numberOf(fd))
  if (udp?._tag === "Udp") return udpOption(kernel, udp, optionName(level, option), expression)
  const self = kernel.socketOrError(numberOf(fd))
  if (typeof self === "string") return immediate(failed(self))
  const name = optionName(level, option)
  if (name === "TCP_INFO") return compareInfo(kernel, self, expression)
  if (name === "TCP_CONGESTION") return compareCongestion(kernel, self, expression)
  if (name === "SO_LINGER") return compareLinger(self, expression)
  if (name === "TCP_FUNCTION_BLK") return compareFunctions(self, expression)
  if (isEllipsis(first(expression))) return ok
  if (timeLimits.has(name) && expression?._tag === "Record") return compareTime(self, name, microsOf(expression))
  const value = valueOf(kernel, self, name)
  if (value === undefined) {
    kernel.leaveOut(`getsockopt ${name}`)
    return immediate(call.result._tag === "Number" ? { value: call.result.value, ...errnoOfCall(call) } : returned(0))
  }
  const expected = expectedNumber(expression)
  const isSame = kernel.isFreeBsd ? FreeBsd.isSame(name, expected, value) : expected === value
  return immediate(isSame ? returned(0) : { value: 0, wrong: `${name} is ${value}, not ${expected}` })
}

export const optionCalls: Readonly<Record<string, Handler>> = { setsockopt, getsockopt }
