/** Calls on sockets of UDP. What is sent are zeros; of what is read the length counts. */
import * as Fifo from "../../core/data/Fifo.ts"
import type { Reason } from "../../core/Reason.ts"
import * as Time from "../../core/Time.ts"
import type { Address } from "../../wire/Address.ts"
import { constants } from "./constants.ts"
import { failed, type Pending, returned, type UdpSocket } from "./Descriptor.ts"
import { errnoOf } from "./Errno.ts"
import { isEllipsis, portOf } from "./evaluate.ts"
import { immediate, type Kernel } from "./Kernel.ts"
import type { Expression } from "./Syntax.ts"

/** A socket as `socket` makes it. */
export const udpSocket = (nonBlocking: boolean): UdpSocket => ({
  _tag: "Udp",
  nonBlocking,
  socket: undefined,
  port: 0,
  remotePort: 0,
  readTimeout: 0,
  options: {},
  told: undefined
})

const socketOf = (kernel: Kernel, fd: number): UdpSocket | undefined => {
  const descriptor = kernel.descriptors.get(fd)
  return descriptor?._tag === "Udp" ? descriptor : undefined
}

export const isUdp = (kernel: Kernel, fd: number): boolean => socketOf(kernel, fd) !== undefined

/** Binds to a port, 0 for any; what went wrong, if something did. */
const bound = (kernel: Kernel, self: UdpSocket, port: number): string | undefined => {
  const outcome = kernel.host.request({
    _tag: "UdpBind",
    local: undefined,
    version: undefined,
    port,
    link: undefined,
    options: self.options
  }).outcome()
  if (outcome._tag !== "Done") return outcome._tag === "Failed" ? errnoOf(outcome.reason, false) : "EAGAIN"
  self.socket = outcome.value.socket
  self.port = outcome.value.port
  return undefined
}

const failureOf = (kernel: Kernel, { socket }: UdpSocket): Reason | undefined =>
  socket === undefined ? undefined : kernel.host.state.udp.sockets.get(socket)?.failure

/** An error that may pass, of which Linux tells no datagram socket that has not asked for it. */
const isSoft = ({ isFreeBsd }: Kernel, reason: Reason): boolean =>
  !isFreeBsd && reason._tag === "Unreachable" &&
  ["network", "host", "hopLimit", "sourceRouteFailed"].includes(reason.what)

/** What an ICMP error has left for the next call of a connected socket; without a connection no system tells of it unasked. */
export const udpFailure = (kernel: Kernel, self: UdpSocket): Reason | undefined => {
  const failure = failureOf(kernel, self)
  return failure === undefined || failure === self.told || isSoft(kernel, failure) ? undefined : failure
}

export const udpReadiness = (kernel: Kernel, self: UdpSocket): number => {
  const record = self.socket === undefined ? undefined : kernel.host.state.udp.sockets.get(self.socket)
  const isFailed = udpFailure(kernel, self) !== undefined
  return constants["POLLOUT"]! | constants["POLLWRNORM"]! |
    (isFailed || (record !== undefined && record.receivedBytes > 0)
      ? constants["POLLIN"]! | constants["POLLRDNORM"]!
      : 0) |
    (isFailed ? constants["POLLERR"]! : 0)
}

/** Makes a call, and once more if all that it tells is an error that its program is not to hear. */
const asked = (kernel: Kernel, self: UdpSocket, call: () => Pending): Pending => {
  const failure = failureOf(kernel, self)
  const isQuiet = self.remotePort === 0 || (failure !== undefined && udpFailure(kernel, self) === undefined)
  let pending = call()
  self.told = undefined
  let mayRepeat = true
  return () => {
    const result = pending()
    const errno = result?.errno ?? ""
    if (!mayRepeat || !(isQuiet ? icmpErrors.has(errno) : !kernel.isFreeBsd && softErrors.has(errno))) return result
    mayRepeat = false
    pending = call()
    return pending()
  }
}

const icmpErrors = new Set(["ECONNREFUSED", "EHOSTUNREACH", "ENETUNREACH", "ENOPROTOOPT", "EMSGSIZE", "EOPNOTSUPP"])

/** Those that come while a call waits. */
const softErrors = new Set(["EHOSTUNREACH", "ENETUNREACH", "EOPNOTSUPP"])

export const udpBind = (kernel: Kernel, self: UdpSocket, address: Expression | undefined): Pending => {
  if (self.socket !== undefined) return immediate(failed("EINVAL"))
  const wrong = bound(kernel, self, portOf(address, kernel.ends.bindPort))
  return immediate(wrong === undefined ? returned(0) : failed(wrong))
}

export const udpConnect = (kernel: Kernel, self: UdpSocket, address: Expression | undefined): Pending => {
  const wrong = self.socket === undefined ? bound(kernel, self, 0) : undefined
  if (wrong !== undefined) return immediate(failed(wrong))
  self.remotePort = portOf(address, kernel.ends.connectPort)
  const { remote } = kernel.ends
  return kernel.ask(
    { _tag: "UdpConnect", socket: self.socket!, remote, remotePort: self.remotePort },
    () => returned(0)
  )
}

/** How a read is meant: whether what it reads stays, and whether it may wait. */
export interface Reading {
  readonly isPeek: boolean
  readonly dontWait: boolean
}

/** The length of the datagram that is read next. */
export const udpWaiting = (kernel: Kernel, { socket }: UdpSocket): number | undefined => {
  const record = socket === undefined ? undefined : kernel.host.state.udp.sockets.get(socket)
  return record === undefined ? undefined : Fifo.get(record.received, 0)?.bytes.length
}

export const udpRead = (kernel: Kernel, fd: number, max: number, { dontWait, isPeek }: Reading): Pending => {
  const self = socketOf(kernel, fd)!
  const wrong = self.socket === undefined ? bound(kernel, self, 0) : undefined
  if (wrong !== undefined) return immediate(failed(wrong))
  const mayWait = !self.nonBlocking && !dontWait
  const { socket } = self as { readonly socket: number }
  const attempt = (block: boolean): Pending => {
    const waiting = isPeek ? udpWaiting(kernel, self) : undefined
    return waiting === undefined
      ? asked(kernel, self, () =>
        kernel.ask(
          { _tag: "UdpReceive", socket, max: 1, block },
          ([datagram]) => returned(Math.min(max, datagram?.bytes.length ?? 0))
        ))
      : immediate(returned(Math.min(max, waiting)))
  }
  const span = Time.micros(self.readTimeout > 0 ? self.readTimeout : Infinity)
  return mayWait && (isPeek || self.readTimeout > 0)
    ? kernel.tryFor(span, () => attempt(false))
    : attempt(mayWait)
}

const longestDatagram = 65_527

interface Target {
  readonly remote: Address | undefined
  readonly remotePort: number
}

const targetOf = (kernel: Kernel, self: UdpSocket, address: Expression | undefined): Target | undefined => {
  if (address !== undefined && !(isEllipsis(address) && self.remotePort !== 0)) {
    return { remote: kernel.ends.remote, remotePort: portOf(address, kernel.ends.connectPort) }
  }
  return self.remotePort === 0 ? undefined : { remote: undefined, remotePort: 0 }
}

export const udpWrite = (
  kernel: Kernel,
  fd: number,
  length: number,
  address: Expression | undefined,
  dontWait: boolean
): Pending => {
  const self = socketOf(kernel, fd)!
  const wrong = self.socket === undefined ? bound(kernel, self, 0) : undefined
  if (wrong !== undefined) return immediate(failed(wrong))
  if (length > longestDatagram) return immediate(failed("EMSGSIZE"))
  const target = targetOf(kernel, self, address)
  if (target === undefined) return immediate(failed("EDESTADDRREQ"))
  const block = !self.nonBlocking && !dontWait
  const { socket } = self as { readonly socket: number }
  return asked(kernel, self, () =>
    kernel.ask(
      { _tag: "UdpSend", socket, ...target, bytes: new Uint8Array(length), block },
      () => returned(length)
    ))
}

export const udpClose = (kernel: Kernel, self: UdpSocket): Pending =>
  self.socket === undefined
    ? immediate(returned(0))
    : kernel.ask({ _tag: "UdpClose", socket: self.socket }, () => returned(0))
