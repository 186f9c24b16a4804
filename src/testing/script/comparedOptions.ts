/** What `getsockopt` finds beside what the script has there: records, names, and the errors of datagram sockets. */
import type { Options } from "../../core/tcp/Config.ts"
import * as Time from "../../core/Time.ts"
import { infoConstants } from "./constants.ts"
import { type Pending, returned, type TcpSocket, type UdpSocket } from "./Descriptor.ts"
import { errnoOf, numbers } from "./Errno.ts"
import { fieldOf, isEllipsis, numberOf, textOf } from "./evaluate.ts"
import * as FreeBsd from "./freeBsd.ts"
import { immediate, type Kernel, ok } from "./Kernel.ts"
import { controllerOf } from "./Knobs.ts"
import type { Expression } from "./Syntax.ts"
import { tcpInfo } from "./tcpInfo.ts"
import { udpFailure } from "./udpCalls.ts"

/** What a value in brackets is. */
export const first = (expression: Expression | undefined): Expression | undefined =>
  expression?._tag === "List" ? expression.items[0] : expression

/** `{onoff=1, linger=0}`, by either system's names or none. */
export const lingerOf = (expression: Expression | undefined): Options => {
  const [on, time] = [
    fieldOf(expression, "onoff") ?? fieldOf(expression, "l_onoff") ?? fieldOf(expression, "0"),
    fieldOf(expression, "linger") ?? fieldOf(expression, "l_linger") ?? fieldOf(expression, "1")
  ]
  return { linger: numberOf(on) === 0 ? undefined : Time.seconds(numberOf(time)) }
}

/** A span of time that a call may block for, `{tv_sec=1, tv_usec=0}`, in microseconds; 0 for ever. */
export const microsOf = (expression: Expression): number =>
  numberOf(fieldOf(expression, "tv_sec") ?? fieldOf(expression, "0")) * 1e6 +
  numberOf(fieldOf(expression, "tv_usec") ?? fieldOf(expression, "1"))

export const expectedNumber = (expression: Expression | undefined): number => {
  const value = first(expression)
  return value?._tag === "Name" && value.name in numbers ? numbers[value.name]! : numberOf(value)
}

/** What a socket without a connection tells: its state, and that nothing is agreed on. */
const withoutConnection = ({ isFreeBsd }: Kernel, { listener }: TcpSocket): ReadonlyMap<string, number> => {
  const names = isFreeBsd ? FreeBsd.stateNames : Object.entries(infoConstants)
  const numbered = new Map(names)
  const state = numbered.get(listener === undefined ? "TCPS_CLOSED" : "TCPS_LISTEN")!
  return new Map([...names, ["tcpi_state", state], ["tcpi_options", 0], ["tcpi_snd_wscale", 0], ["tcpi_rcv_wscale", 0]])
}

const infoOf = (kernel: Kernel, self: TcpSocket): ReadonlyMap<string, number> => {
  const info = kernel.info(self)
  if (info === undefined) return withoutConnection(kernel, self)
  const linux = tcpInfo(info)
  return kernel.isFreeBsd ? FreeBsd.freeBsdInfo(info, linux) : linux
}

/** Fields of a record that differ from the connection's info. */
export const compareInfo = (kernel: Kernel, self: TcpSocket, expression: Expression | undefined): Pending => {
  if (expression?._tag !== "Record") return ok
  const known = infoOf(kernel, self)
  const wrong: Array<string> = []
  for (const [name, value] of expression.fields) {
    if (isEllipsis(value)) continue
    if (FreeBsd.isAbsolute(name)) continue
    const found = FreeBsd.isPlaceholder(name) ? 0 : known.get(name)
    if (found === undefined) {
      kernel.leaveOut(`${name} of TCP_INFO`)
      continue
    }
    const expected = value._tag === "Name" ? known.get(value.name) ?? numberOf(value) : numberOf(value)
    if (found !== expected) wrong.push(`${name} is ${found}, not ${expected}`)
  }
  return immediate(wrong.length === 0 ? returned(0) : { value: 0, wrong: wrong.join(", ") })
}

/** The name of a controller, as both kernels have it. */
export const compareCongestion = (kernel: Kernel, self: TcpSocket, expression: Expression | undefined): Pending => {
  const expected = textOf(first(expression))
  const chosen = self.stored.get("TCP_CONGESTION")
  const found = typeof chosen === "string" ? controllerOf(chosen) : kernel.info(self)?.congestionControl ?? "cubic"
  if (expected === "" || controllerOf(expected) === found) return ok
  return immediate({ value: 0, wrong: `TCP_CONGESTION is ${found}, not ${expected}` })
}

/** Which of FreeBSD's stacks serves a socket. */
export const compareFunctions = ({ stored }: TcpSocket, expression: Expression | undefined): Pending => {
  const expected = textOf(fieldOf(expression, "function_set_name"))
  const found = String(stored.get("TCP_FUNCTION_BLK") ?? "freebsd")
  return expected === "" || expected === found
    ? ok
    : immediate({ value: 0, wrong: `TCP_FUNCTION_BLK is ${found}, not ${expected}` })
}

export const compareLinger = ({ options }: TcpSocket, expression: Expression | undefined): Pending => {
  const wanted = optionsOfLinger(expression)
  const found = options.linger === undefined ? "off" : `${options.linger / 1e6} s`
  return wanted === undefined || wanted === found
    ? ok
    : immediate({ value: 0, wrong: `SO_LINGER is ${found}, not ${wanted}` })
}

/** How long a call may block, in microseconds, as it was set. */
export const compareTime = ({ stored }: TcpSocket, name: string, expected: number): Pending => {
  const found = Number(stored.get(name) ?? 0)
  return expected === found ? ok : immediate({ value: 0, wrong: `${name} is ${found} µs, not ${expected} µs` })
}

const optionsOfLinger = (expression: Expression | undefined): string | undefined => {
  if (expression?._tag !== "Record") return undefined
  const { linger } = lingerOf(expression)
  return linger === undefined ? "off" : `${linger / 1e6} s`
}

/** Of a datagram socket the error is told that a message has left; whatever else it has is as it was set. */
export const udpOption = (
  kernel: Kernel,
  self: UdpSocket,
  name: string,
  expression: Expression | undefined
): Pending => {
  if (name !== "SO_ERROR" || isEllipsis(first(expression))) return ok
  const failure = udpFailure(kernel, self)
  self.told = failure ?? self.told
  const value = failure === undefined ? 0 : numbers[errnoOf(failure, false)] ?? -1
  const expected = expectedNumber(expression)
  return immediate(expected === value ? returned(0) : { value: 0, wrong: `SO_ERROR is ${value}, not ${expected}` })
}
