/** A socket of TCP as `socket` and `accept` make it. */
import type { TcpSocket } from "./Descriptor.ts"
import { ErrorQueue } from "./ErrorQueue.ts"

export const tcpSocket = (nonBlocking: boolean): TcpSocket => ({
  _tag: "Tcp",
  options: {},
  nonBlocking,
  port: 0,
  listener: undefined,
  connection: undefined,
  connecting: undefined,
  isErrorTold: false,
  isResetLate: false,
  softError: undefined,
  isHeldBack: false,
  urgentTaken: undefined,
  errors: new ErrorQueue(),
  stored: new Map()
})
