/** Calls that make, name, open and close sockets. */
import { constants } from "./constants.ts"
import type { TcpSocket } from "./Descriptor.ts"
import { failed, type Pending, returned, tcpSocket, Unsupported } from "./Descriptor.ts"
import { errnoOf } from "./Errno.ts"
import { isEllipsis, nameOf, numberOf, portOf } from "./evaluate.ts"
import { immediate, type Kernel, ok } from "./Kernel.ts"
import type { Call, Expression } from "./Syntax.ts"

export type Handler = (kernel: Kernel, args: ReadonlyArray<Expression>, call: Call) => Pending

/** The descriptor that the script says a call gives; 0 for none. */
export const expectedFd = ({ result }: Call): number => result._tag === "Number" && result.value > 0 ? result.value : 0

const socket: Handler = (kernel, [family, type, protocol], call) => {
  const isIp = isEllipsis(family) || ["AF_INET", "AF_INET6"].includes(nameOf(family))
  const bits = numberOf(type)
  if (!isIp || (bits & 0xf) !== constants["SOCK_STREAM"]) throw new Unsupported("sockets that are not TCP's")
  if (!["", "IPPROTO_TCP", "IPPROTO_IP"].includes(nameOf(protocol))) {
    throw new Unsupported(`protocol ${nameOf(protocol)}`)
  }
  const made = { ...tcpSocket((bits & constants["SOCK_NONBLOCK"]!) !== 0), options: kernel.options }
  return immediate(returned(kernel.install(made, expectedFd(call))))
}

const bind: Handler = (kernel, [fd, address]) => {
  kernel.socket(numberOf(fd)).port = portOf(address, kernel.ends.bindPort)
  return ok
}

const listen: Handler = (kernel, [fd, backlog]) => {
  const self = kernel.socket(numberOf(fd))
  if (self.listener !== undefined) return ok
  return kernel.ask(
    {
      _tag: "TcpListen",
      local: undefined,
      version: undefined,
      port: self.port,
      backlog: Math.max(1, numberOf(backlog)),
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

const accept: Handler = (kernel, [fd, , , flags], call) => {
  const self = kernel.socket(numberOf(fd))
  if (self.listener === undefined) return immediate(failed("EINVAL"))
  const bits = flags === undefined ? 0 : numberOf(flags)
  return kernel.ask(
    { _tag: "TcpAccept", listener: self.listener, block: !self.nonBlocking },
    ({ connection }) => {
      const accepted: TcpSocket = {
        ...tcpSocket((bits & constants["SOCK_NONBLOCK"]!) !== 0),
        options: self.options,
        port: self.port
      }
      kernel.adopt(accepted, connection)
      return returned(kernel.install(accepted, expectedFd(call)))
    }
  )
}

/** What a further connect on a socket tells of the first (POSIX connect). */
const connectAgain = (kernel: Kernel, self: TcpSocket): Pending => {
  const outcome = self.connecting?.outcome()
  if (outcome?._tag === "Pending") return immediate(failed("EALREADY"))
  const reason = kernel.errorOf(self)
  if (reason === undefined) return immediate(failed("EISCONN"))
  self.isErrorTold = true
  return immediate(failed(errnoOf(reason, false)))
}

const connect: Handler = (kernel, [fd, address]) => {
  const self = kernel.socket(numberOf(fd))
  if (self.connecting !== undefined || self.connection !== undefined) return connectAgain(kernel, self)
  const request = {
    _tag: "TcpConnect",
    remote: kernel.ends.remote,
    remotePort: portOf(address, kernel.ends.connectPort),
    local: undefined,
    localPort: self.port,
    link: undefined,
    options: self.options
  } as const
  kernel.current = self
  if (!self.nonBlocking) {
    const asked = kernel.host.request({ ...request, block: true })
    self.connecting = asked
    return () => {
      const outcome = asked.outcome()
      if (outcome._tag === "Pending") return undefined
      if (outcome._tag === "Done") {
        kernel.adopt(self, outcome.value.connection)
        return returned(0)
      }
      self.isErrorTold = true
      return failed(errnoOf(outcome.reason, false))
    }
  }
  return kernel.ask({ ...request, block: false }, ({ connection }) => {
    kernel.adopt(self, connection)
    self.connecting = kernel.host.request({ _tag: "TcpAwait", connection, until: "established" })
    return failed("EINPROGRESS")
  })
}

const close: Handler = (kernel, [fd]) => {
  const number = numberOf(fd)
  const self = kernel.descriptors.get(number)
  if (self === undefined) return immediate(failed("EBADF"))
  kernel.descriptors.delete(number)
  if (self._tag !== "Tcp") return ok
  if (self.listener !== undefined) {
    return kernel.ask({ _tag: "TcpCloseListener", listener: self.listener }, () => returned(0))
  }
  if (self.connection === undefined) return ok
  const closing = kernel.ask({ _tag: "TcpClose", connection: self.connection }, () => returned(0))
  // A connection that has ended already is as good as closed.
  return () => closing() === undefined ? undefined : returned(0)
}

const shutdown: Handler = (kernel, [fd, how]) => {
  const self = kernel.socket(numberOf(fd))
  const which = numberOf(how)
  if (self.listener !== undefined) {
    const { listener } = self
    self.listener = undefined
    return kernel.ask({ _tag: "TcpCloseListener", listener }, () => returned(0))
  }
  if (self.connection === undefined) return immediate(failed("ENOTCONN"))
  const { connection } = self
  return kernel.ask({ _tag: "TcpShutdown", connection, read: which !== 1, write: which !== 0 }, () => returned(0))
}

const fcntl: Handler = (kernel, [fd, command, value]) => {
  const self = kernel.descriptors.get(numberOf(fd))
  if (self?._tag !== "Tcp") return ok
  if (nameOf(command) === "F_GETFL") {
    return immediate(returned(constants["O_RDWR"]! | (self.nonBlocking ? constants["O_NONBLOCK"]! : 0)))
  }
  if (nameOf(command) !== "F_SETFL") throw new Unsupported(`fcntl ${nameOf(command)}`)
  self.nonBlocking = (numberOf(value) & constants["O_NONBLOCK"]!) !== 0
  return ok
}

const ioctl: Handler = (kernel, [fd, command, value]) => {
  const self = kernel.socket(numberOf(fd))
  const info = kernel.info(self)
  const amounts: Readonly<Record<string, number>> = {
    SIOCINQ: info?.unread ?? 0,
    FIONREAD: info?.unread ?? 0,
    SIOCOUTQ: (info?.inFlight ?? 0) + (info?.unsent ?? 0),
    FIONWRITE: (info?.inFlight ?? 0) + (info?.unsent ?? 0),
    SIOCOUTQNSD: info?.unsent ?? 0
  }
  if (nameOf(command) === "FIONBIO") {
    self.nonBlocking = numberOf(value) !== 0
    return ok
  }
  const amount = amounts[nameOf(command)]
  if (amount === undefined) throw new Unsupported(`ioctl ${nameOf(command)}`)
  const expected = isEllipsis(value) ? amount : numberOf(value)
  return immediate(
    expected === amount ? returned(0) : { value: 0, wrong: `${nameOf(command)} gives ${amount}, not ${expected}` }
  )
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
  cap_set: () => ok,
  usleep: () => ok
}
