/** `poll` and `epoll`: what is ready on which descriptor. */
import type { StateName } from "../../core/tcp/Info.ts"
import * as Time from "../../core/Time.ts"
import { constants } from "./constants.ts"
import { type Epoll, failed, type Pending, returned, type TcpSocket } from "./Descriptor.ts"
import { fieldOf, isEllipsis, nameOf, numberOf } from "./evaluate.ts"
import { immediate, type Kernel, ok } from "./Kernel.ts"
import { expectedFd, type Handler } from "./socketCalls.ts"
import type { Expression } from "./Syntax.ts"
import { udpReadiness } from "./udpCalls.ts"
import { hasUrgent } from "./urgentCalls.ts"

const bits = {
  in: constants["POLLIN"]! | constants["POLLRDNORM"]!,
  out: constants["POLLOUT"]! | constants["POLLWRNORM"]!,
  err: constants["POLLERR"]!,
  hup: constants["POLLHUP"]!,
  readHangUp: constants["POLLRDHUP"]!,
  urgent: constants["POLLPRI"]!
} as const

/** States in which the peer has sent its FIN. */
const peerIsDone: ReadonlySet<StateName> = new Set<StateName>([
  "CLOSE-WAIT",
  "CLOSING",
  "LAST-ACK",
  "TIME-WAIT",
  "CLOSED"
])

/** States in which this side has sent its own. */
const isShut: ReadonlySet<StateName> = new Set<StateName>([
  "FIN-WAIT-1",
  "FIN-WAIT-2",
  "CLOSING",
  "LAST-ACK",
  "TIME-WAIT",
  "CLOSED"
])

/** A connection that has ended can be read to its end; on Linux one that never was is only no more in the way of anything. */
const withoutConnection = ({ isFreeBsd }: Kernel, { connecting, connection }: TcpSocket): number =>
  connecting === undefined && connection === undefined && !isFreeBsd
    ? bits.hup | bits.out
    : bits.in | bits.hup | bits.readHangUp | bits.out

/** Whatever is so of a socket, asked for or not. */
const readiness = (kernel: Kernel, self: TcpSocket): number => {
  if (self.listener !== undefined) {
    const waiting = kernel.host.state.tcp.listeners.get(self.listener)?.waiting ?? 0
    return waiting > 0 ? bits.in : 0
  }
  const isWell = kernel.errorOf(self) === undefined && self.errors.length === 0 && !kernel.hasHeardError(self)
  const error = isWell ? 0 : bits.err
  const info = kernel.info(self)
  if (info === undefined) {
    return self.connecting?.outcome()._tag === "Pending"
      ? 0
      : withoutConnection(kernel, self) | error
  }
  if (info.state === "SYN-SENT" || info.state === "SYN-RECEIVED") return 0
  const buffered = info.inFlight + info.unsent
  const room = self.options.sendBuffer === undefined || buffered * 3 < self.options.sendBuffer * 2
  const lowWater = Math.max(1, Number(self.stored.get("SO_RCVLOWAT") ?? 1))
  const isDone = peerIsDone.has(info.state) || kernel.isReadingShut(self)
  return error |
    (hasUrgent(self, info) ? bits.urgent : 0) |
    (info.unread >= lowWater || isDone ? bits.in : 0) |
    (isDone ? bits.readHangUp : 0) |
    (isDone && isShut.has(info.state) ? bits.hup : 0) |
    (room || isShut.has(info.state) ? bits.out : 0)
}

/** Errors and hang-ups are told without being asked for. */
const told = (kernel: Kernel, fd: number, asked: number): number => {
  const descriptor = kernel.descriptors.get(fd)
  if (descriptor?._tag === "Udp") return udpReadiness(kernel, descriptor) & (asked | bits.err)
  if (descriptor?._tag !== "Tcp") return descriptor === undefined ? constants["POLLNVAL"]! : 0
  return readiness(kernel, descriptor) & (asked | bits.err | bits.hup)
}

/** Waits until something is ready, or as many milliseconds have passed; negative: for ever. */
const wait = (
  kernel: Kernel,
  timeout: number,
  ready: () => number,
  answer: (count: number) => ReturnType<Pending>
): Pending => {
  const end = timeout < 0 ? Infinity : kernel.limit(Time.millis(timeout))
  return () => {
    const count = ready()
    return count > 0 || kernel.host.now >= end ? answer(count) : undefined
  }
}

const poll: Handler = (kernel, [list, , timeout]) => {
  const items = list?._tag === "List" ? list.items : []
  const found = (item: Expression): number =>
    told(kernel, numberOf(fieldOf(item, "fd")), numberOf(fieldOf(item, "events")))
  return wait(kernel, numberOf(timeout), () => items.filter((item) => found(item) !== 0).length, (count) => {
    for (const item of items) {
      const expected = fieldOf(item, "revents")
      if (expected === undefined || isEllipsis(expected) || numberOf(expected) === found(item)) continue
      return {
        value: count,
        wrong: `revents of ${numberOf(fieldOf(item, "fd"))} is ${found(item)}, not ${numberOf(expected)}`
      }
    }
    return returned(count)
  })
}

const epollOf = (kernel: Kernel, fd: Expression | undefined): Epoll | undefined => {
  const descriptor = kernel.descriptors.get(numberOf(fd))
  return descriptor?._tag === "Epoll" ? descriptor : undefined
}

const epollCreate: Handler = (kernel, _, call) =>
  immediate(returned(kernel.install({ _tag: "Epoll", interests: new Map() }, expectedFd(call))))

/** The older call has a size, which means nothing but has to be positive. */
const epollCreateSized: Handler = (kernel, args, call) =>
  numberOf(args[0]) > 0 ? epollCreate(kernel, args, call) : immediate(failed("EINVAL"))

/** Why a set can't be changed as a program wants it to be. */
const refusalOf = (
  kernel: Kernel,
  fd: Expression | undefined,
  operation: string,
  number: number
): string | undefined => {
  const self = epollOf(kernel, fd)
  if (!kernel.descriptors.has(numberOf(fd)) || !kernel.descriptors.has(number)) return "EBADF"
  if (self === undefined || number === numberOf(fd)) return "EINVAL"
  const isThere = self.interests.has(number)
  return isThere === (operation === "EPOLL_CTL_ADD") ? (isThere ? "EEXIST" : "ENOENT") : undefined
}

const epollControl: Handler = (kernel, [fd, operation, target, event]) => {
  const number = numberOf(target)
  const refusal = refusalOf(kernel, fd, nameOf(operation), number)
  if (refusal !== undefined) return immediate(failed(refusal))
  const self = epollOf(kernel, fd)!
  if (nameOf(operation) === "EPOLL_CTL_DEL") {
    self.interests.delete(number)
    return ok
  }
  const events = numberOf(fieldOf(event, "events"))
  const edge = constants["EPOLLET"]!
  const isEdge = (BigInt(events) & BigInt(edge)) !== 0n
  const asked = Number(BigInt(events) & 0xffffn)
  const isOneShot = (events & constants["EPOLLONESHOT"]!) !== 0
  self.interests.set(number, { events: asked, isEdge, isOneShot, isSpent: false, told: 0, wakes: 0 })
  return ok
}

/** What has happened to a socket that wakes who waits for an edge. */
const wakesOf = (kernel: Kernel, fd: number): number => {
  const self = kernel.descriptors.get(fd)
  if (self?._tag !== "Tcp") return 0
  return self.errors.total + (kernel.info(self)?.bytesReceived ?? 0)
}

/** What is ready and, at an edge, was not when it was told last. */
const news = (kernel: Kernel, self: Epoll): ReadonlyArray<readonly [number, number]> =>
  [...self.interests].flatMap(([fd, interest]) => {
    const now = told(kernel, fd, interest.events)
    const isNew = !interest.isEdge || (now & ~interest.told) !== 0 || wakesOf(kernel, fd) !== interest.wakes
    return isNew && now !== 0 && !interest.isSpent ? [[fd, now] as const] : []
  })

const epollWait: Handler = (kernel, [fd, expected, , timeout]) => {
  const self = epollOf(kernel, fd)
  if (self === undefined) return immediate(failed("EBADF"))
  return wait(kernel, numberOf(timeout), () => news(kernel, self).length, (count) => {
    const ready = news(kernel, self)
    for (const [number, now] of ready) {
      const interest = self.interests.get(number)!
      interest.told = now
      interest.wakes = wakesOf(kernel, number)
      interest.isSpent = interest.isOneShot
    }
    const wanted = fieldOf(expected, "events")
    const [first] = ready
    if (first === undefined || wanted === undefined || isEllipsis(wanted)) return returned(count)
    const events = numberOf(wanted)
    return events === first[1] ? returned(count) : { value: count, wrong: `events are ${first[1]}, not ${events}` }
  })
}

export const pollCalls: Readonly<Record<string, Handler>> = {
  poll,
  epoll_create: epollCreateSized,
  epoll_create1: epollCreate,
  epoll_ctl: epollControl,
  epoll_wait: epollWait,
  epoll_pwait: epollWait
}
