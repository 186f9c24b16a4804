/** `setsockopt` and `getsockopt`: which knob of the stack each option is. */
import type { Options } from "../../core/tcp/Config.ts"
import * as Time from "../../core/Time.ts"
import { failed, type Pending, returned, type TcpSocket, Unsupported } from "./Descriptor.ts"
import { errnoOf, numbers } from "./Errno.ts"
import { fieldOf, isEllipsis, nameOf, numberOf, textOf } from "./evaluate.ts"
import { immediate, type Kernel, ok } from "./Kernel.ts"
import { controllerOf } from "./Knobs.ts"
import type { Handler } from "./socketCalls.ts"
import type { Expression } from "./Syntax.ts"
import { tcpInfo } from "./tcpInfo.ts"

type Setter = (value: number, expression: Expression | undefined) => Options

const lingerOf: Setter = (_, expression) => {
  const [on, time] = [
    fieldOf(expression, "onoff") ?? fieldOf(expression, "l_onoff"),
    fieldOf(expression, "linger") ?? fieldOf(expression, "l_linger")
  ]
  return { linger: numberOf(on) === 0 ? undefined : Time.seconds(numberOf(time)) }
}

/** Options that are knobs. Sizes are as the program sees them; Linux doubles them for its bookkeeping. */
const setters: Readonly<Record<string, Setter>> = {
  SO_RCVBUF: (size) => ({ receiveBuffer: size, receiveBufferLimit: size }),
  SO_RCVBUFFORCE: (size) => ({ receiveBuffer: size, receiveBufferLimit: size }),
  SO_SNDBUF: (size) => ({ sendBuffer: size, sendBufferLimit: size }),
  SO_SNDBUFFORCE: (size) => ({ sendBuffer: size, sendBufferLimit: size }),
  SO_KEEPALIVE: (on) => ({ keepAlive: on !== 0 }),
  SO_LINGER: lingerOf,
  IP_TOS: (value) => ({ trafficClass: value }),
  IPV6_TCLASS: (value) => ({ trafficClass: value }),
  IP_TTL: (value) => ({ hopLimit: value }),
  IPV6_UNICAST_HOPS: (value) => ({ hopLimit: value }),
  TCP_NODELAY: (on) => ({ noDelay: on !== 0 }),
  TCP_CORK: (on) => ({ cork: on !== 0 }),
  TCP_NOPUSH: (on) => ({ cork: on !== 0 }),
  TCP_MAXSEG: (size) => ({ maxSegment: size }),
  TCP_KEEPIDLE: (seconds) => ({ keepAliveIdle: Time.seconds(seconds) }),
  TCP_KEEPALIVE: (seconds) => ({ keepAliveIdle: Time.seconds(seconds) }),
  TCP_KEEPINTVL: (seconds) => ({ keepAliveInterval: Time.seconds(seconds) }),
  TCP_KEEPCNT: (count) => ({ keepAliveCount: count }),
  TCP_KEEPINIT: (seconds) => ({ connectTimeout: Time.seconds(seconds) }),
  TCP_SYNCNT: (count) => ({ synRetries: count }),
  TCP_LINGER2: (seconds) => ({ finWait2Timeout: Time.seconds(Math.max(0, seconds)) }),
  TCP_USER_TIMEOUT: (millis) => ({ userTimeout: Time.millis(millis) }),
  TCP_NOTSENT_LOWAT: (bytes) => ({ notSentLowWater: bytes }),
  TCP_QUICKACK: (on) => ({ quickAcks: on === 0 ? 0 : Infinity }),
  TCP_FASTOPEN: (backlog) => ({ fastOpen: backlog > 0 ? "server" : "off" }),
  TCP_RTO_MAX_MS: (millis) => ({ maxRto: Time.millis(millis) })
}

/** Options that change nothing that a script can see of this stack. */
const withoutEffect = new Set([
  "SO_REUSEADDR",
  "SO_REUSEPORT",
  "SO_PRIORITY",
  "SO_MARK",
  "SO_BUSY_POLL",
  "SO_NOSIGPIPE",
  "SO_DEBUG",
  "SO_MAX_PACING_RATE",
  "IPV6_V6ONLY",
  "TCP_FUNCTION_BLK",
  "TCP_LOG",
  "IP_FREEBIND"
])

const discovery: Readonly<Record<string, boolean>> = {
  IP_PMTUDISC_DONT: false,
  IP_PMTUDISC_WANT: true,
  IP_PMTUDISC_DO: true,
  IPV6_PMTUDISC_DONT: false,
  IPV6_PMTUDISC_WANT: true,
  IPV6_PMTUDISC_DO: true
}

const first = (expression: Expression | undefined): Expression | undefined =>
  expression?._tag === "List" ? expression.items[0] : expression

const optionsOf = (name: string, expression: Expression | undefined): Options | undefined => {
  const value = first(expression)
  if (name === "TCP_CONGESTION") {
    const controller = controllerOf(textOf(value))
    if (controller === undefined) throw new Unsupported(`congestion control ${textOf(value)}`)
    return { congestionControl: controller }
  }
  if (name === "IP_MTU_DISCOVER" || name === "IPV6_MTU_DISCOVER") {
    const isOn = discovery[nameOf(value)]
    if (isOn === undefined) throw new Unsupported(`${name} ${nameOf(value)}`)
    return { pathMtuDiscovery: isOn }
  }
  const setter = setters[name]
  if (setter === undefined && !withoutEffect.has(name)) throw new Unsupported(`setsockopt ${name}`)
  return setter?.(value?._tag === "Record" ? 0 : numberOf(value), value)
}

const setsockopt: Handler = (kernel, [fd, , option, expression]) => {
  const self = kernel.socket(numberOf(fd))
  const options = optionsOf(nameOf(option), expression)
  if (options === undefined) return ok
  self.options = { ...self.options, ...options }
  if (self.connection === undefined) return ok
  return kernel.ask({ _tag: "TcpSetOptions", connection: self.connection, options }, () => returned(0))
}

/** What the host says of an option; `undefined` for one that can't be asked for. */
const valueOf = (kernel: Kernel, self: TcpSocket, name: string): number | undefined => {
  const { options } = self
  switch (name) {
    case "SO_ERROR": {
      const reason = kernel.errorOf(self)
      if (reason === undefined) return 0
      self.isErrorTold = true
      return numbers[errnoOf(reason, false)] ?? -1
    }
    case "TCP_MAXSEG":
      return kernel.info(self)?.sendMss ?? options.maxSegment
    case "TCP_NODELAY":
      return options.noDelay === true ? 1 : 0
    case "TCP_CORK":
      return options.cork === true ? 1 : 0
    case "SO_KEEPALIVE":
      return options.keepAlive === true ? 1 : 0
    case "IP_MTU":
    case "IPV6_MTU":
      return kernel.info(self)?.pathMtu
    case "TCP_USER_TIMEOUT":
      return Math.round(Time.toMillis(options.userTimeout ?? Time.zero))
    case "TCP_KEEPCNT":
      return options.keepAliveCount
    case "TCP_KEEPIDLE":
      return options.keepAliveIdle === undefined ? undefined : options.keepAliveIdle / 1e6
    case "TCP_KEEPINTVL":
      return options.keepAliveInterval === undefined ? undefined : options.keepAliveInterval / 1e6
    default:
      return undefined
  }
}

const expectedNumber = (expression: Expression | undefined): number => {
  const value = first(expression)
  return value?._tag === "Name" && value.name in numbers ? numbers[value.name]! : numberOf(value)
}

/** Fields of a record that differ from the connection's info. */
const compareInfo = (kernel: Kernel, self: TcpSocket, expression: Expression | undefined): Pending => {
  const info = kernel.info(self)
  if (info === undefined) return immediate(failed("ENOTCONN"))
  if (expression?._tag !== "Record") return ok
  const known = tcpInfo(info)
  const wrong: Array<string> = []
  for (const [name, value] of expression.fields) {
    if (isEllipsis(value)) continue
    const found = known.get(name)
    if (found === undefined) throw new Unsupported(`${name} of TCP_INFO`)
    const expected = value._tag === "Name" ? known.get(value.name) ?? numberOf(value) : numberOf(value)
    if (found !== expected) wrong.push(`${name} is ${found}, not ${expected}`)
  }
  return immediate(wrong.length === 0 ? returned(0) : { value: 0, wrong: wrong.join(", ") })
}

const getsockopt: Handler = (kernel, [fd, , option, expression]) => {
  const self = kernel.socket(numberOf(fd))
  const name = nameOf(option)
  if (name === "TCP_INFO") return compareInfo(kernel, self, expression)
  const value = valueOf(kernel, self, name)
  if (value === undefined) throw new Unsupported(`getsockopt ${name}`)
  if (isEllipsis(first(expression))) return ok
  const expected = expectedNumber(expression)
  return immediate(expected === value ? returned(0) : { value: 0, wrong: `${name} is ${value}, not ${expected}` })
}

export const optionCalls: Readonly<Record<string, Handler>> = { setsockopt, getsockopt }
