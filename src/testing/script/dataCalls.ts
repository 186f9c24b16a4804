/** Calls that read and write. What is written are zeros; of what is read the length counts. */
import type { Info } from "../../core/tcp/Info.ts"
import * as Time from "../../core/Time.ts"
import { constants } from "./constants.ts"
import { failed, type Pending, type Returned, returned, type TcpSocket, Unsupported } from "./Descriptor.ts"
import { fieldOf, isEllipsis, lengthOf, nameOf, numberOf } from "./evaluate.ts"
import { fastOpenWrite, impliedConnect } from "./fastOpenCalls.ts"
import { immediate, type Kernel } from "./Kernel.ts"
import type { Handler } from "./socketCalls.ts"
import type { Expression } from "./Syntax.ts"
import { isUdp, udpRead, udpWrite } from "./udpCalls.ts"
import { readUrgent, untilMark } from "./urgentCalls.ts"

const bit = (flags: number, name: string): boolean => (flags & constants[name]!) !== 0

/** Tells an error that came meanwhile, once, as the next call on the socket does. */
const failedBefore = (kernel: Kernel, self: TcpSocket, isWrite: boolean): Pending | undefined => {
  const reason = kernel.errorOf(self)
  if (reason === undefined) return heardBefore(kernel, self, isWrite)
  self.isErrorTold = true
  return immediate(failed(kernel.errnoOf(self, reason, isWrite)))
}

/** Tells what a router has said of the connection, if its program asks for that. */
const heardBefore = (kernel: Kernel, self: TcpSocket, isWrite: boolean): Pending | undefined => {
  const reason = kernel.heardErrorOf(self)
  return reason === undefined ? undefined : immediate(failed(kernel.errnoOf(self, reason, isWrite)))
}

const isOver = (info: Info): boolean =>
  ["CLOSE-WAIT", "CLOSING", "LAST-ACK", "TIME-WAIT", "CLOSED"].includes(info.state)

/** Whether a read that wants so many bytes would still wait, though there are some. */
const waitsForMore = (kernel: Kernel, self: TcpSocket, wanted: number): boolean => {
  const info = kernel.info(self)
  return info !== undefined && !isOver(info) && info.unread < wanted
}

const taken = (kernel: Kernel, self: TcpSocket, connection: number, max: number, block: boolean): Pending => {
  const asked = kernel.host.request({ _tag: "TcpRead", connection, max: Math.max(1, max), block })
  return () => {
    const outcome = asked.outcome()
    if (outcome._tag === "Pending") return heardBefore(kernel, self, false)?.()
    if (outcome._tag === "Done") return returned(outcome.value.end ? 0 : outcome.value.length)
    const { reason } = outcome
    if (reason._tag === "WouldBlock") return heardBefore(kernel, self, false)?.() ?? failed("EAGAIN")
    // Behind its own shutdown, behind an error that it has been told, and behind the peer's FIN whatever came then, a program reads the end.
    if (reason._tag === "Closed" || self.isErrorTold || kernel.isAtEnd(self)) return returned(0)
    const before = failedBefore(kernel, self, false)
    self.isErrorTold = true
    return before?.() ?? failed(kernel.errnoOf(self, reason, false))
  }
}

/** Looks at what there is and leaves it there. */
const peeked = (kernel: Kernel, self: TcpSocket, max: number, block: boolean): Pending => () => {
  const info = kernel.info(self)
  if (info !== undefined && info.unread > 0) return returned(Math.min(max, info.unread))
  if (info === undefined || isOver(info)) return failedBefore(kernel, self, false)?.() ?? returned(0)
  return block ? undefined : failed("EAGAIN")
}

const read = (kernel: Kernel, fd: Expression | undefined, max: number, flags: number): Pending => {
  const number = numberOf(fd)
  if (isUdp(kernel, number)) {
    const reading = { isPeek: bit(flags, "MSG_PEEK"), dontWait: bit(flags, "MSG_DONTWAIT") }
    return udpRead(kernel, number, max, reading)
  }
  const self = kernel.socketOrError(number)
  if (typeof self === "string") return immediate(failed(self))
  if (bit(flags, "MSG_ERRQUEUE")) return immediate(failed("EAGAIN"))
  if (bit(flags, "MSG_OOB")) return immediate(readUrgent(kernel, self, bit(flags, "MSG_PEEK")))
  if (self.connection === undefined) return immediate(failed("ENOTCONN"))
  const { connection } = self
  if (max === 0) return immediate(returned(0))
  const block = !self.nonBlocking && !bit(flags, "MSG_DONTWAIT")
  const limit = Number(self.stored.get("SO_RCVTIMEO") ?? 0)
  if (block && limit > 0) {
    return kernel.tryFor(Time.micros(limit), () => read(kernel, fd, max, flags | constants["MSG_DONTWAIT"]!))
  }
  if (bit(flags, "MSG_PEEK")) return peeked(kernel, self, max, block)
  const wanted = bit(flags, "MSG_WAITALL") ? max : Math.min(max, Number(self.stored.get("SO_RCVLOWAT") ?? 1))
  if (wanted <= 1) return taken(kernel, self, connection, untilMark(kernel, self, connection, max), block)
  let began: Pending | undefined
  return () => {
    const waits = began === undefined && waitsForMore(kernel, self, wanted)
    if (waits) return block ? undefined : failed("EAGAIN")
    began ??= taken(kernel, self, connection, max, block)
    return began()
  }
}

/** `MSG_MORE` corks the socket until something is written without it. */
const hold = (kernel: Kernel, self: TcpSocket, more: boolean): void => {
  if (self.isHeldBack === more || self.connection === undefined) return
  self.isHeldBack = more
  kernel.host.request({ _tag: "TcpSetOptions", connection: self.connection, options: { cork: more } })
}

/** A socket of FreeBSD takes text only of a connection that is open, or has been. */
const isUnopened = (kernel: Kernel, self: TcpSocket): boolean => {
  const state = kernel.info(self)?.state
  return self.connection === undefined || state === "SYN-SENT" || state === "SYN-RECEIVED" ||
    self.connecting?.outcome()._tag === "Failed"
}

interface Writing {
  readonly length: number
  readonly flags: number
  readonly address: Expression | undefined
}

/** More than a script can have use for, and less than memory. */
const longestWrite = 256 * 1024 * 1024

const write = (kernel: Kernel, fd: Expression | undefined, writing: Writing): Pending => {
  const { address, flags, length } = writing
  if (length > longestWrite) throw new Unsupported(`a write of ${length} octets`)
  const number = numberOf(fd)
  if (isUdp(kernel, number)) return udpWrite(kernel, number, length, address, bit(flags, "MSG_DONTWAIT"))
  const self = kernel.socketOrError(number)
  if (typeof self === "string") return immediate(failed(self))
  const limit = Number(self.stored.get("SO_SNDTIMEO") ?? 0)
  if (limit > 0 && !self.nonBlocking && !bit(flags, "MSG_DONTWAIT")) return writeFor(kernel, fd, writing, limit)
  if (bit(flags, "MSG_FASTOPEN") && self.connection === undefined) {
    return fastOpenWrite(kernel, self, length, address, !self.nonBlocking && !bit(flags, "MSG_DONTWAIT"))
  }
  if (kernel.isFreeBsd && isUnopened(kernel, self)) {
    if (self.connection === undefined && isAddress(address)) return impliedConnect(kernel, self, length, address)
    return failedBefore(kernel, self, true) ?? immediate(failed("ENOTCONN"))
  }
  // FreeBSD tells first that nothing can be sent any more; why, the next call says.
  const before = kernel.isFreeBsd ? undefined : failedBefore(kernel, self, true)
  if (before !== undefined) return before
  const hasEnded = (kernel.isFreeBsd || self.isErrorTold) && kernel.info(self)?.state === "CLOSED"
  if (self.connection === undefined || hasEnded) return immediate(failed("EPIPE"))
  if (isOpening(kernel, self, self.connection)) return writeLater(kernel, self, fd, writing)
  return writeOpen(kernel, self, self.connection, writing)
}

/** Writes as much as there is room for within a time (`SO_SNDTIMEO`). */
const writeFor = (kernel: Kernel, fd: Expression | undefined, writing: Writing, micros: number): Pending => {
  let written = 0
  const flags = writing.flags | constants["MSG_DONTWAIT"]!
  const attempt = (): Returned => {
    const { errno, value } = write(kernel, fd, { ...writing, flags, length: writing.length - written })() ??
      failed("EAGAIN")
    written += Math.max(0, value)
    return written === writing.length || errno !== undefined && errno !== "EAGAIN"
      ? written > 0 ? returned(written) : failed(errno!)
      : failed("EAGAIN")
  }
  const pending = kernel.tryFor(Time.micros(micros), () => immediate(attempt()))
  return () => {
    const result = pending()
    return result?.errno === "EAGAIN" && written > 0 ? returned(written) : result
  }
}

/** On Linux a write waits for the handshake, unless it is the text that the SYN waits for or a listener's early answer (RFC 7413 §4.2.2). */
const isOpening = (kernel: Kernel, self: TcpSocket, connection: number): boolean => {
  const state = kernel.info(self)?.state
  return (state === "SYN-SENT" && !kernel.waitsForText(connection)) ||
    (state === "SYN-RECEIVED" && self.connecting !== undefined)
}

const writeLater = (kernel: Kernel, self: TcpSocket, fd: Expression | undefined, writing: Writing): Pending => {
  if (self.nonBlocking || bit(writing.flags, "MSG_DONTWAIT")) return immediate(failed("EAGAIN"))
  let begun: Pending | undefined
  return () => {
    if (begun === undefined && self.connection !== undefined && isOpening(kernel, self, self.connection)) {
      return undefined
    }
    begun ??= write(kernel, fd, writing)
    return begun()
  }
}

const isAddress = (address: Expression | undefined): boolean =>
  address !== undefined && address._tag !== "Number" && nameOf(address) !== "NULL"

const writeOpen = (kernel: Kernel, self: TcpSocket, connection: number, { flags, length }: Writing): Pending => {
  // Behind the last text its FIN leaves with it.
  if (bit(flags, "MSG_MORE") || bit(flags, "MSG_EOF")) hold(kernel, self, true)
  const isCopyFree = bit(flags, "MSG_ZEROCOPY") && Number(self.stored.get("SO_ZEROCOPY") ?? 0) !== 0
  const pending = kernel.ask(
    {
      _tag: "TcpWrite",
      connection,
      bytes: new Uint8Array(length),
      start: 0,
      end: length,
      owned: true,
      urgent: bit(flags, "MSG_OOB"),
      endOfRecord: bit(flags, "MSG_EOR"),
      block: !self.nonBlocking && !bit(flags, "MSG_DONTWAIT")
    },
    (taken) => returned(taken),
    true
  )
  self.errors.wrote(length, isCopyFree)
  if (bit(flags, "MSG_EOF")) kernel.host.request({ _tag: "TcpShutdown", connection, read: false, write: true })
  if (!bit(flags, "MSG_MORE")) hold(kernel, self, false)
  return pending
}

type Arguments = ReadonlyArray<Expression>

const vectorsOf = (message: Expression | undefined): Expression | undefined => fieldOf(message, "msg_iov")

const flagsOf = (expression: Expression | undefined): number =>
  expression === undefined || isEllipsis(expression) ? 0 : numberOf(expression)

const never = 99

/** A buffer of which the script says where it lies is none: programs have theirs where a script can't know. */
const isNowhere = (buffer: Expression | undefined): boolean => buffer?._tag === "Number" || nameOf(buffer) === "NULL"

const reading = (length: (args: Arguments) => number, flags: number): Handler => (kernel, args) =>
  isNowhere(args[1])
    ? immediate(failed("EFAULT"))
    : read(kernel, args[0], length(args), flagsOf(args[flags]))

const writing = (length: (args: Arguments) => number, flags: number, address?: number): Handler => (kernel, args) =>
  isNowhere(args[1]) && length(args) > 0
    ? immediate(failed("EFAULT"))
    : write(kernel, args[0], {
      length: length(args),
      flags: flagsOf(args[flags]),
      address: address === undefined ? undefined : args[address]
    })

/** What a message brings beside its bytes: of that only the bytes that wait behind it are known (`TCP_CM_INQ`). */
const checkControl = (kernel: Kernel, [fd, message]: Arguments, result: Returned): Returned => {
  const control = fieldOf(message, "msg_control")
  if (control?._tag !== "List" || control.items.length === 0) return result
  const self = kernel.socket(numberOf(fd))
  for (const item of control.items) {
    const type = nameOf(fieldOf(item, "cmsg_type"))
    if (type !== "TCP_CM_INQ") throw new Unsupported(`the control message ${type}`)
    const data = fieldOf(item, "cmsg_data")
    const info = kernel.info(self)
    // Behind the last octet the end still waits, which counts for one.
    const unread = info === undefined ? 0 : info.unread === 0 && isOver(info) ? 1 : info.unread
    if (isEllipsis(data) || numberOf(data) === unread) continue
    return { ...result, wrong: `${type} is ${unread}, not ${numberOf(data)}` }
  }
  return result
}

/** What the queue of errors begins with; the octets that belong to it are never asked for. */
const readErrors = (kernel: Kernel, [fd, message]: Arguments): Pending => {
  const self = kernel.socketOrError(numberOf(fd))
  if (typeof self === "string") return immediate(failed(self))
  const control = fieldOf(message, "msg_control")
  const taken = self.errors.take(control, kernel.tolerance)
  if (taken === undefined) return immediate(failed("EAGAIN"))
  return immediate(taken.wrong.length === 0 ? returned(0) : { value: 0, wrong: taken.wrong.join(", ") })
}

const recvmsg: Handler = (kernel, args) => {
  if (bit(flagsOf(args[2]), "MSG_ERRQUEUE")) return readErrors(kernel, args)
  const pending = read(kernel, args[0], lengthOf(vectorsOf(args[1])), flagsOf(args[2]))
  return () => {
    const result = pending()
    return result === undefined ? undefined : checkControl(kernel, args, result)
  }
}

const sendmsg: Handler = (kernel, args) =>
  write(kernel, args[0], {
    length: lengthOf(vectorsOf(args[1])),
    flags: flagsOf(args[2]),
    address: fieldOf(args[1], "msg_name")
  })

/** FreeBSD's form has the socket behind the file, and answers with 0. */
const sendfile: Handler = (kernel, args) =>
  args.length > 4
    ? sendFileOfFreeBsd(kernel, args)
    : write(kernel, args[0], { length: numberOf(args[3]), flags: 0, address: undefined })

const sendFileOfFreeBsd = (kernel: Kernel, args: Arguments): Pending => {
  const pending = write(kernel, args[1], { length: numberOf(args[3]), flags: 0, address: undefined })
  return () => {
    const result = pending()
    return result === undefined || result.value < 0 ? result : returned(0)
  }
}

/** Bytes between a socket and a pipe, without a buffer of the program. */
const splice: Handler = (kernel, [from, , to, , size, flags]) => {
  const [source, target] = [kernel.descriptors.get(numberOf(from)), kernel.descriptors.get(numberOf(to))]
  const length = numberOf(size)
  const isImpatient = bit(flagsOf(flags), "SPLICE_F_NONBLOCK") ? constants["MSG_DONTWAIT"]! : 0
  if (source?._tag === "Tcp" && target?._tag === "Pipe") {
    const room = Math.min(length, pipeRoom - target.content.length)
    const pending = read(kernel, from, room, isImpatient)
    return () => {
      const result = pending()
      if (result !== undefined && result.value > 0) target.content.length += result.value
      return result
    }
  }
  if (source?._tag !== "Pipe" || target?._tag !== "Tcp") throw new Unsupported("splicing without a socket and a pipe")
  const count = Math.min(length, source.content.length)
  if (count === 0) return immediate(failed("EAGAIN"))
  source.content.length -= count
  return write(kernel, to, { length: count, flags: isImpatient, address: undefined })
}

/** What a pipe of Linux holds. */
const pipeRoom = 65_536

export const dataCalls: Readonly<Record<string, Handler>> = {
  read: reading((args) => numberOf(args[2]), never),
  recv: reading((args) => numberOf(args[2]), 3),
  recvfrom: reading((args) => numberOf(args[2]), 3),
  readv: reading((args) => lengthOf(args[1]), never),
  recvmsg,
  write: writing((args) => numberOf(args[2]), never),
  send: writing((args) => numberOf(args[2]), 3),
  sendto: writing((args) => numberOf(args[2]), 3, 4),
  writev: writing((args) => lengthOf(args[1]), never),
  sendmsg,
  sendfile,
  splice
}
