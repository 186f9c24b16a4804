/** Calls that make, name, open and close sockets. */
import * as Time from "../../core/Time.ts"
import { constants } from "./constants.ts"
import type { Returned, TcpSocket } from "./Descriptor.ts"
import { failed, type Pending, returned, Unsupported } from "./Descriptor.ts"
import { fieldOf, isEllipsis, nameOf, numberOf, portOf } from "./evaluate.ts"
import { clientOptions, wantsFastOpen } from "./fastOpenCalls.ts"
import { immediate, type Kernel, ok } from "./Kernel.ts"
import { refusalOf } from "./socketKinds.ts"
import type { Call, Expression } from "./Syntax.ts"
import { tcpSocket } from "./tcpSocket.ts"
import { isUdp, udpBind, udpClose, udpConnect, udpSocket, udpWaiting } from "./udpCalls.ts"
import { isAtMark } from "./urgentCalls.ts"

export type Handler = (kernel: Kernel, args: ReadonlyArray<Expression>, call: Call) => Pending

/** The descriptor that the script says a call gives; 0 for none. */
export const expectedFd = ({ result }: Call): number => result._tag === "Number" && result.value > 0 ? result.value : 0

const socket: Handler = (kernel, [family, type, protocol], call) => {
  const bits = numberOf(type)
  const kind = bits & 0xf
  const refusal = refusalOf(family, bits, protocol)
  if (refusal !== undefined) return immediate(failed(refusal))
  const nonBlocking = (bits & constants["SOCK_NONBLOCK"]!) !== 0
  const made = kind === constants["SOCK_DGRAM"]
    ? udpSocket(nonBlocking)
    : { ...tcpSocket(nonBlocking), options: kernel.options }
  return immediate(returned(kernel.install(made, expectedFd(call))))
}

const bind: Handler = (kernel, [fd, address]) => {
  const udp = kernel.descriptors.get(numberOf(fd))
  if (udp !== undefined && nameOf(address) === "NULL") return immediate(failed("EFAULT"))
  if (udp?._tag === "Udp") return udpBind(kernel, udp, address)
  const self = kernel.socketOrError(numberOf(fd))
  if (typeof self === "string") return immediate(failed(self))
  if (self.port !== 0 || (kernel.info(self)?.state ?? "CLOSED") !== "CLOSED") return immediate(failed("EINVAL"))
  const port = portOf(address, kernel.ends.bindPort)
  if (port !== 0 && isTaken(kernel, self, port)) return immediate(failed("EADDRINUSE"))
  self.port = port
  return ok
}

/** Whether another socket is bound to a port, or a connection lives on it, in TIME-WAIT too. FreeBSD asks only the one that comes to share it with what lives. */
const isTaken = (kernel: Kernel, self: TcpSocket, port: number): boolean =>
  [...kernel.descriptors.values()].some((other) =>
    other._tag === "Tcp" && other.port === port && holdsPort(other, self)
  ) || kernel.holdersOf(port).some((owner) => !(mayShare(self) && (kernel.isFreeBsd || mayShare(owner))))

const mayShare = ({ stored }: TcpSocket): boolean =>
  ["SO_REUSEADDR", "SO_REUSEPORT"].some((name) => Number(stored.get(name) ?? 0) !== 0)

/** Whether a socket keeps another from its port: always while it listens, or as long as not both allow it. */
const holdsPort = (other: TcpSocket, self: TcpSocket): boolean =>
  other.listener !== undefined || (other.connection === undefined && !(mayShare(other) && mayShare(self)))

/** How many connections wait for `accept`: one more than the program asked for on Linux, half as many and one more on FreeBSD. */
const queueLength = ({ isFreeBsd }: Kernel, backlog: number): number => {
  const asked = backlog < 0 ? most : Math.min(backlog, most)
  return 1 + (isFreeBsd ? Math.floor(asked * 3 / 2) : asked)
}

/** What a backlog counts for at most (`somaxconn`). */
const most = 4096

const listen: Handler = (kernel, [fd, backlog]) => {
  if (isUdp(kernel, numberOf(fd))) return immediate(failed("EOPNOTSUPP"))
  const self = kernel.socketOrError(numberOf(fd))
  if (typeof self === "string") return immediate(failed(self))
  if (self.connection !== undefined) return immediate(failed("EINVAL"))
  if (self.listener !== undefined) return ok
  return kernel.ask(
    {
      _tag: "TcpListen",
      local: undefined,
      version: undefined,
      port: self.port,
      backlog: queueLength(kernel, numberOf(backlog)),
      options: self.options,
      link: undefined
    },
    ({ listener, port }) => {
      self.listener = listener
      self.port = port
      return returned(0)
    }
  )
}

/** On FreeBSD what is accepted by the plain call has the mode of its listener. */
const acceptedMode = (kernel: Kernel, listener: TcpSocket, flags: Expression | undefined): boolean =>
  flags === undefined
    ? kernel.isFreeBsd && listener.nonBlocking
    : (numberOf(flags) & constants["SOCK_NONBLOCK"]!) !== 0

const accept: Handler = (kernel, [fd, , , flags], call) => {
  if (isUdp(kernel, numberOf(fd))) return immediate(failed("EOPNOTSUPP"))
  const self = kernel.socketOrError(numberOf(fd))
  if (typeof self === "string") return immediate(failed(self))
  const { listener } = self
  if (listener === undefined) return immediate(failed("EINVAL"))
  const attempt = (block: boolean): Pending =>
    kernel.ask({ _tag: "TcpAccept", listener, block }, ({ connection }) => {
      const accepted: TcpSocket = {
        ...tcpSocket(acceptedMode(kernel, self, flags)),
        options: self.options,
        port: self.port,
        stored: new Map(self.stored)
      }
      kernel.adopt(accepted, connection)
      return returned(kernel.install(accepted, expectedFd(call)))
    })
  const limit = Number(self.stored.get("SO_RCVTIMEO") ?? 0)
  return self.nonBlocking || limit === 0
    ? attempt(!self.nonBlocking)
    : kernel.tryFor(Time.micros(limit), () => attempt(false))
}

/** On Linux a further connect tells of the failure of the one before, even if the program knows of it; the next one may succeed. */
const startAnew = (self: TcpSocket, errno: string): Pending => {
  self.connecting = undefined
  self.connection = undefined
  self.isErrorTold = false
  return immediate(failed(errno))
}

/** What a further connect on a socket tells of the first (POSIX connect). */
const connectAgain = (kernel: Kernel, self: TcpSocket): Pending => {
  const outcome = self.connecting?.outcome()
  if (outcome?._tag === "Pending") return immediate(failed("EALREADY"))
  if (outcome?._tag === "Done" && !kernel.isFreeBsd) {
    // On Linux the first call behind the handshake says that it has succeeded.
    self.connecting = undefined
    return ok
  }
  const reason = kernel.errorOf(self)
  if (reason === undefined && outcome?._tag === "Failed" && !kernel.isFreeBsd) return startAnew(self, "ECONNABORTED")
  if (reason === undefined) return immediate(failed("EISCONN"))
  const errno = kernel.errnoOf(self, reason, false)
  self.isErrorTold = true
  return kernel.isFreeBsd || outcome?._tag !== "Failed" ? immediate(failed(errno)) : startAnew(self, errno)
}

/** A connect that waits for text answers at once, whatever the socket's mode is. */
const connectWithText = (kernel: Kernel, self: TcpSocket, connection: number): Returned => {
  kernel.adopt(self, connection)
  if (kernel.waitsForText(connection)) return returned(0)
  self.connecting = kernel.host.request({ _tag: "TcpAwait", connection, until: "established" })
  return failed("EINPROGRESS")
}

/** `AF_UNSPEC` dissolves a connection. */
const isDisconnect = (address: Expression | undefined): boolean => nameOf(fieldOf(address, "sa_family")) === "AF_UNSPEC"

const connect: Handler = (kernel, [fd, address]) => {
  const udp = kernel.descriptors.get(numberOf(fd))
  if (udp !== undefined && nameOf(address) === "NULL") return immediate(failed("EFAULT"))
  if (udp?._tag === "Udp") return udpConnect(kernel, udp, address)
  const self = kernel.socketOrError(numberOf(fd))
  if (typeof self === "string") return immediate(failed(self))
  if (isDisconnect(address)) return disconnect(kernel, self)
  if (self.listener !== undefined) return immediate(failed(kernel.isFreeBsd ? "EOPNOTSUPP" : "EISCONN"))
  if (self.connecting !== undefined || self.connection !== undefined) return connectAgain(kernel, self)
  const request = {
    _tag: "TcpConnect",
    remote: kernel.ends.remote,
    remotePort: portOf(address, kernel.ends.connectPort),
    local: undefined,
    localPort: self.port,
    link: undefined,
    options: wantsFastOpen(kernel, self) ? clientOptions(kernel, self) : self.options
  } as const
  kernel.current = self
  if (!self.nonBlocking) {
    const asked = kernel.host.request({ ...request, block: true })
    self.connecting = asked
    return () => {
      const outcome = asked.outcome()
      if (outcome._tag === "Pending") return undefined
      if (outcome._tag === "Done") {
        self.connecting = undefined
        kernel.adopt(self, outcome.value.connection)
        return returned(0)
      }
      self.isErrorTold = true
      return failed(kernel.errnoOf(self, outcome.reason, false))
    }
  }
  return kernel.ask({ ...request, block: false }, ({ connection }) => connectWithText(kernel, self, connection))
}

/** The socket is as it was before its connection, which is reset. */
const disconnect = (kernel: Kernel, self: TcpSocket): Pending => {
  if (self.connection !== undefined) kernel.host.request({ _tag: "TcpAbort", connection: self.connection })
  self.connection = undefined
  self.connecting = undefined
  return ok
}

const close: Handler = (kernel, [fd]) => {
  const number = numberOf(fd)
  const self = kernel.descriptors.get(number)
  if (self === undefined) return immediate(failed("EBADF"))
  kernel.descriptors.delete(number)
  if ([...kernel.descriptors.values()].includes(self)) return ok
  if (self._tag === "Udp") return udpClose(kernel, self)
  if (self._tag !== "Tcp") return ok
  if (self.listener !== undefined) {
    return kernel.ask({ _tag: "TcpCloseListener", listener: self.listener }, () => returned(0))
  }
  if (self.connection === undefined) return ok
  if ((self.options.linger ?? 0) > 0) return linger(kernel, self, self.connection)
  const closing = kernel.ask({ _tag: "TcpClose", connection: self.connection }, () => returned(0))
  // A connection that has ended already is as good as closed.
  return () => closing() === undefined ? undefined : returned(0)
}

/**
 * Waits until the FIN is acknowledged, as long as the program lingers. Behind that time the connection goes on without it, as one does that is closed without lingering: only
 * FreeBSD's close says that it could not wait any longer, and does not wait at all where nothing may block.
 */
const linger = (kernel: Kernel, { nonBlocking, options }: TcpSocket, connection: number): Pending => {
  const end = kernel.limit(options.linger!)
  kernel.host.request({ _tag: "TcpSetOptions", connection, options: { linger: undefined } })
  kernel.host.request({ _tag: "TcpClose", connection })
  if (nonBlocking && kernel.isFreeBsd) return ok
  return () => {
    const entry = kernel.host.state.tcp.entries.get(connection)
    const isClosing = entry?._tag === "Connection" && ["FIN-WAIT-1", "CLOSING", "LAST-ACK"].includes(entry.state)
    if (!isClosing) return returned(0)
    if (kernel.host.now < end) return undefined
    return kernel.isFreeBsd ? failed("EAGAIN") : returned(0)
  }
}

const shutdown: Handler = (kernel, [fd, how]) => {
  const udp = kernel.descriptors.get(numberOf(fd))
  if (udp?._tag === "Udp") return immediate(udp.remotePort === 0 ? failed("ENOTCONN") : returned(0))
  const self = kernel.socketOrError(numberOf(fd))
  if (typeof self === "string") return immediate(failed(self))
  const which = numberOf(how)
  if (which < 0 || which > 2) return immediate(failed("EINVAL"))
  if (self.listener !== undefined) {
    const { listener } = self
    self.listener = undefined
    const result = kernel.isFreeBsd ? failed("ENOTCONN") : returned(0)
    return kernel.ask({ _tag: "TcpCloseListener", listener }, () => result)
  }
  const state = kernel.info(self)?.state ?? "CLOSED"
  if (self.connection === undefined || state === "CLOSED" || state === "TIME-WAIT") return immediate(failed("ENOTCONN"))
  // On Linux it undoes a connect that is under way, whichever direction it names.
  if (state === "SYN-SENT" && !kernel.isFreeBsd) return disconnect(kernel, self)
  const { connection } = self
  // A program of Linux can still read what comes behind its shutdown, which discards nothing.
  const keepsText = !kernel.isFreeBsd
  return kernel.ask(
    { _tag: "TcpShutdown", connection, read: which !== 1, write: which !== 0, keepsText },
    () => returned(0)
  )
}

/** `getsockname` and `getpeername`: whether there is such an end. Its address is the script's own. */
const nameOfEnd: Handler = (kernel, [fd], { name }) => {
  const udp = kernel.descriptors.get(numberOf(fd))
  if (udp?._tag === "Udp") {
    return immediate(name === "getpeername" && udp.remotePort === 0 ? failed("ENOTCONN") : returned(0))
  }
  const self = kernel.socketOrError(numberOf(fd))
  if (typeof self === "string") return immediate(failed(self))
  const state = kernel.info(self)?.state ?? "CLOSED"
  const isAlone = state === "CLOSED" || state === "SYN-SENT"
  return immediate(name === "getpeername" && isAlone ? failed("ENOTCONN") : returned(0))
}

/** Another number for the same socket, which is closed with the last of them. */
const dup: Handler = (kernel, [fd, other], call) => {
  const self = kernel.descriptors.get(numberOf(fd))
  if (self === undefined) return immediate(failed("EBADF"))
  if (other === undefined) return immediate(returned(kernel.install(self, expectedFd(call))))
  kernel.descriptors.set(numberOf(other), self)
  return immediate(returned(numberOf(other)))
}

/** `pipe([5, 6])`: the end to read from and the end to write to. */
const pipe: Handler = (kernel, [ends]) => {
  if (ends?._tag !== "List") throw new Unsupported("a pipe without its two ends")
  const content = { length: 0 }
  for (const end of ends.items) kernel.descriptors.set(numberOf(end), { _tag: "Pipe", content })
  return ok
}

/** `O_NONBLOCK` has another number on FreeBSD. */
const freeBsdNonBlocking = 4

const statusFlags = (nonBlocking: boolean, { result }: Call): number => {
  const readWrite = constants["O_RDWR"]!
  const isFreeBsd = result._tag === "Number" && result.value === (readWrite | freeBsdNonBlocking)
  return nonBlocking ? readWrite | (isFreeBsd ? freeBsdNonBlocking : constants["O_NONBLOCK"]!) : readWrite
}

const fcntl: Handler = (kernel, [fd, command, value], call) => {
  const self = kernel.descriptors.get(numberOf(fd))
  if (self === undefined) return immediate(failed("EBADF"))
  if (self._tag !== "Tcp" && self._tag !== "Udp") return ok
  if (nameOf(command) === "F_GETFL") return immediate(returned(statusFlags(self.nonBlocking, call)))
  if (["F_GETFD", "F_SETFD"].includes(nameOf(command))) return ok
  if (nameOf(command) !== "F_SETFL") throw new Unsupported(`fcntl ${nameOf(command)}`)
  self.nonBlocking = (numberOf(value) & (constants["O_NONBLOCK"]! | freeBsdNonBlocking)) !== 0
  return ok
}

/** What an amount is, unless the script expects another. */
const told = (command: Expression | undefined, value: Expression | undefined, amount: number): Pending => {
  const given = value?._tag === "List" ? value.items[0] : value
  const expected = given === undefined || isEllipsis(given) ? amount : numberOf(given)
  return immediate(
    expected === amount ? returned(0) : { value: 0, wrong: `${nameOf(command)} gives ${amount}, not ${expected}` }
  )
}

const ioctl: Handler = (kernel, [fd, command, value]) => {
  const udp = kernel.descriptors.get(numberOf(fd))
  if (udp === undefined) return immediate(failed("EBADF"))
  if (udp?._tag === "Udp" && nameOf(command) === "FIONREAD") return told(command, value, udpWaiting(kernel, udp) ?? 0)
  const self = kernel.socket(numberOf(fd))
  const info = kernel.info(self)
  const amounts: Readonly<Record<string, number>> = {
    SIOCINQ: info?.unread ?? 0,
    FIONREAD: info?.unread ?? 0,
    SIOCOUTQ: (info?.inFlight ?? 0) + (info?.unsent ?? 0),
    FIONWRITE: (info?.inFlight ?? 0) + (info?.unsent ?? 0),
    TIOCOUTQ: (info?.inFlight ?? 0) + (info?.unsent ?? 0),
    SIOCOUTQNSD: info?.unsent ?? 0,
    FIONSPACE: Math.max(0, (info?.sendBuffer ?? 0) - (info?.inFlight ?? 0) - (info?.unsent ?? 0)),
    SIOCATMARK: isAtMark(info) ? 1 : 0
  }
  if (["FIOASYNC", "FIOCLEX", "FIONCLEX"].includes(nameOf(command))) return ok
  if (nameOf(command) === "FIONBIO") {
    self.nonBlocking = numberOf(value) !== 0
    return ok
  }
  const amount = amounts[nameOf(command)]
  if (amount === undefined) throw new Unsupported(`ioctl ${nameOf(command)}`)
  return told(command, value, amount)
}

export const socketCalls: Readonly<Record<string, Handler>> = {
  socket,
  bind,
  listen,
  accept,
  accept4: accept,
  connect,
  close,
  shutdown,
  fcntl,
  ioctl,
  open: (kernel, _, call) => immediate(returned(kernel.install({ _tag: "File" }, expectedFd(call)))),
  getsockname: nameOfEnd,
  getpeername: nameOfEnd,
  dup,
  dup2: dup,
  pipe,
  pipe2: pipe,
  cap_set: () => ok,
  usleep: () => ok
}
