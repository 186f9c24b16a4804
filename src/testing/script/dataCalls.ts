/** Calls that read and write. What is written are zeros; of what is read the length counts. */
import { constants } from "./constants.ts"
import { failed, type Pending, returned, type TcpSocket, Unsupported } from "./Descriptor.ts"
import { errnoOf } from "./Errno.ts"
import { fieldOf, lengthOf, numberOf } from "./evaluate.ts"
import { immediate, type Kernel } from "./Kernel.ts"
import type { Handler } from "./socketCalls.ts"
import type { Expression } from "./Syntax.ts"

const bit = (flags: number, name: string): boolean => (flags & constants[name]!) !== 0

/** Tells an error that came meanwhile, once, as the next call on the socket does. */
const failedBefore = (kernel: Kernel, self: TcpSocket, isWrite: boolean): Pending | undefined => {
  const reason = kernel.errorOf(self)
  if (reason === undefined) return undefined
  self.isErrorTold = true
  return immediate(failed(errnoOf(reason, isWrite)))
}

const read = (kernel: Kernel, fd: Expression | undefined, max: number, flags: number): Pending => {
  const self = kernel.socket(numberOf(fd))
  if (bit(flags, "MSG_OOB") || bit(flags, "MSG_PEEK")) {
    throw new Unsupported("reading urgent data, or without taking it")
  }
  if (self.connection === undefined) return immediate(failed(self.listener === undefined ? "ENOTCONN" : "EINVAL"))
  const { connection } = self
  const block = !self.nonBlocking && !bit(flags, "MSG_DONTWAIT")
  const asked = kernel.host.request({ _tag: "TcpRead", connection, max, block })
  return () => {
    const outcome = asked.outcome()
    if (outcome._tag === "Pending") return undefined
    if (outcome._tag === "Done") return returned(outcome.value.end ? 0 : outcome.value.length)
    const { reason } = outcome
    if (reason._tag === "WouldBlock") return failed("EAGAIN")
    // Behind its own shutdown, and behind an error that it has been told, a program reads the end.
    if (reason._tag === "Closed" || self.isErrorTold) return returned(0)
    const before = failedBefore(kernel, self, false)
    self.isErrorTold = true
    return before?.() ?? failed(errnoOf(reason, false))
  }
}

/** `MSG_MORE` corks the socket until something is written without it. */
const hold = (kernel: Kernel, self: TcpSocket, more: boolean): void => {
  if (self.isHeldBack === more || self.connection === undefined) return
  self.isHeldBack = more
  kernel.host.request({ _tag: "TcpSetOptions", connection: self.connection, options: { cork: more } })
}

const unsupportedOnSend = ["MSG_OOB", "MSG_ZEROCOPY", "MSG_FASTOPEN"]

const write = (kernel: Kernel, fd: Expression | undefined, length: number, flags: number): Pending => {
  const self = kernel.socket(numberOf(fd))
  for (const name of unsupportedOnSend) if (bit(flags, name)) throw new Unsupported(name)
  const before = failedBefore(kernel, self, true)
  if (before !== undefined) return before
  if (self.connection === undefined) return immediate(failed(self.listener === undefined ? "EPIPE" : "ENOTCONN"))
  if (bit(flags, "MSG_MORE")) hold(kernel, self, true)
  const { connection } = self
  const block = !self.nonBlocking && !bit(flags, "MSG_DONTWAIT")
  const bytes = new Uint8Array(length)
  const pending = kernel.ask(
    { _tag: "TcpWrite", connection, bytes, start: 0, end: length, owned: true, block },
    (taken) => returned(taken),
    true
  )
  if (!bit(flags, "MSG_MORE")) hold(kernel, self, false)
  return pending
}

const vectorsOf = (message: Expression | undefined): Expression | undefined => fieldOf(message, "msg_iov")

const flagsOf = (expression: Expression | undefined): number => expression === undefined ? 0 : numberOf(expression)

const reading = (length: (args: ReadonlyArray<Expression>) => number, flags: number): Handler => (kernel, args) =>
  read(kernel, args[0], length(args), flagsOf(args[flags]))

const writing = (length: (args: ReadonlyArray<Expression>) => number, flags: number): Handler => (kernel, args) =>
  write(kernel, args[0], length(args), flagsOf(args[flags]))

const never = 99

export const dataCalls: Readonly<Record<string, Handler>> = {
  read: reading((args) => numberOf(args[2]), never),
  recv: reading((args) => numberOf(args[2]), 3),
  recvfrom: reading((args) => numberOf(args[2]), 3),
  readv: reading((args) => lengthOf(args[1]), never),
  recvmsg: reading((args) => lengthOf(vectorsOf(args[1])), 2),
  write: writing((args) => numberOf(args[2]), never),
  send: writing((args) => numberOf(args[2]), 3),
  sendto: writing((args) => numberOf(args[2]), 3),
  writev: writing((args) => lengthOf(args[1]), never),
  sendmsg: writing((args) => lengthOf(vectorsOf(args[1])), 2),
  sendfile: writing((args) => numberOf(args[3]), never)
}
