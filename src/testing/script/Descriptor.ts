/** What a script's file descriptors stand for, and what calls on them answer. */
import type { Reason } from "../../core/Reason.ts"
import type { Options } from "../../core/tcp/Config.ts"
import type { Endpoint } from "../../core/tcp/Requests.ts"
import type { UdpOptions } from "../../core/udp/Requests.ts"
import type { Asked } from "../Host.ts"
import type { ErrorQueue } from "./ErrorQueue.ts"

/** Something of the script is not done here, so that nothing can be said about it. */
export class Unsupported extends Error {
  /** Where it stands in the script, if it was met while reading. */
  line: number | undefined
}

/** A TCP socket. */
export interface TcpSocket {
  readonly _tag: "Tcp"
  options: Options
  nonBlocking: boolean
  /** What it is bound to; 0 for a port of the stack's choice. */
  port: number
  listener: number | undefined
  connection: number | undefined
  /** A connect that is under way. */
  connecting: Asked<Endpoint> | Asked<void> | undefined
  /** An error that the program has been told and that is not told again. */
  isErrorTold: boolean
  /** Kernels tell of a reset behind both FINs as well, of which the stack makes nothing (RFC 9293 §3.10.7.4, second check). */
  isResetLate: boolean
  /** What a router has said and the program was told. */
  softError: Reason | undefined
  /** `MSG_MORE` holds back what is written, as a cork does. */
  isHeldBack: boolean
  /** Behind the urgent octet that was read by itself. */
  urgentTaken: number | undefined
  /** What `MSG_ERRQUEUE` reads. */
  readonly errors: ErrorQueue
  /** What the program has set, by the names of the options, to be read back. */
  readonly stored: Map<string, number | string>
}

/** A set of descriptors that are waited for together. */
export interface Epoll {
  readonly _tag: "Epoll"
  readonly interests: Map<number, Interest>
}

export interface Interest {
  readonly events: number
  readonly isEdge: boolean
  /** It is told once, and then not before it is set anew. */
  readonly isOneShot: boolean
  isSpent: boolean
  /** What was ready when it was told last. */
  told: number
  /** What had happened by then that wakes a sleeper, though it was ready before. */
  wakes: number
}

/** A file: it has bytes to send. */
export interface File {
  readonly _tag: "File"
}

/** Either end of a pipe, and what is in it. */
export interface Pipe {
  readonly _tag: "Pipe"
  readonly content: { length: number }
}

/** A socket of UDP. */
export interface UdpSocket {
  readonly _tag: "Udp"
  nonBlocking: boolean
  /** The stack's, once it is bound. */
  socket: number | undefined
  port: number
  /** 0 as long as it is not connected. */
  remotePort: number
  /** For how many microseconds a read waits; 0 for ever. */
  readTimeout: number
  options: Partial<UdpOptions>
  /** An error that `SO_ERROR` has told, and that no other call tells again. */
  told: Reason | undefined
}

export type Descriptor = TcpSocket | UdpSocket | Epoll | File | Pipe

/** What a call returned. */
export interface Returned {
  readonly value: number
  readonly errno?: string
  /** What it wrote where its arguments told it to, if that is not what the script has there. */
  readonly wrong?: string
}

export const returned = (value: number): Returned => ({ value })

export const failed = (errno: string): Returned => ({ value: -1, errno })

/** A call that has been made; answers `undefined` as long as it blocks. */
export type Pending = () => Returned | undefined
