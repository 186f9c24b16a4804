/**
 * The errors that Node's own sockets give, for the reasons that ours have: programs of the Node world look at `error.code`.
 *
 * The typed error itself is the `cause`, so a program that knows of this stack loses nothing.
 */
import * as Cause from "effect/Cause"
import * as NetAddress from "effect/net/NetAddress"
import { constants } from "node:os"
import type * as Failure from "../src/sockets/Failure.ts"
import { TcpError } from "../src/sockets/TcpError.ts"

/** What went wrong in the words of a system call: `connect ECONNREFUSED 10.0.0.2:80`. */
export interface SystemError extends Error {
  readonly code: string
  /** The negated number of the code; 0 for codes that are not the system's. */
  readonly errno: number
  readonly syscall: string
  readonly address?: string
  readonly port?: number
  /** The name that has no addresses. */
  readonly hostname?: string
}

/** The far side, as far as it is known. */
export interface Peer {
  readonly host: string
  readonly port: number
}

/** ICMP's verdicts as Linux gives them to programs (its table of conversions from ICMP codes to errors). */
const unreachableCodes: { readonly [K in Failure.Unreachable["what"]]: string } = {
  network: "ENETUNREACH",
  host: "EHOSTUNREACH",
  protocol: "ENOPROTOOPT",
  port: "ECONNREFUSED",
  prohibited: "EHOSTUNREACH",
  sourceRouteFailed: "EOPNOTSUPP",
  hopLimit: "EHOSTUNREACH"
}

const codes: { readonly [K in Exclude<Failure.Any["_tag"], "Unreachable" | "Closed">]: string } = {
  ConnectionRefused: "ECONNREFUSED",
  ConnectionReset: "ECONNRESET",
  ConnectionAborted: "ECONNABORTED",
  TimedOut: "ETIMEDOUT",
  AddressInUse: "EADDRINUSE",
  AddressNotAvailable: "EADDRNOTAVAIL",
  PortsExhausted: "EADDRNOTAVAIL",
  NotConnected: "ENOTCONN",
  AlreadyConnected: "EISCONN",
  MessageTooLarge: "EMSGSIZE",
  LimitReached: "ENOBUFS",
  InvalidArgument: "EINVAL",
  WouldBlock: "EAGAIN",
  NotFound: "ENOENT",
  NameNotResolved: "ENOTFOUND",
  LinkDown: "ENETDOWN",
  StackClosed: "ENETDOWN",
  Defect: "EIO"
}

/** The code of a reason; writing behind one's own end is a broken pipe, anything else on what was closed a bad descriptor. */
export const codeOf = (reason: Failure.Any, syscall: string): string => {
  if (reason._tag === "Unreachable") return unreachableCodes[reason.what]
  if (reason._tag === "Closed") return syscall === "write" ? "EPIPE" : "EBADF"
  return codes[reason._tag]
}

const numberOf = (code: string): number => -((constants.errno as Readonly<Record<string, number>>)[code] ?? 0)

export const make = (code: string, syscall: string, peer?: Peer, cause?: unknown): SystemError => {
  const where = peer === undefined ? "" : ` ${peer.host.includes(":") ? `[${peer.host}]` : peer.host}:${peer.port}`
  const fields = peer === undefined ? {} : { address: peer.host, port: peer.port }
  const error = new Error(`${syscall} ${code}${where}`, cause === undefined ? {} : { cause })
  return Object.assign(error, { code, errno: numberOf(code), syscall, ...fields })
}

/** libuv's number for a name without addresses (`EAI_NONAME`), which Node calls ENOTFOUND. */
const noName = -3008

/** As `dns.lookup` fails. */
const notFound = (hostname: string, cause: TcpError): SystemError => {
  const error = make("ENOTFOUND", "getaddrinfo", undefined, cause)
  error.message += ` ${hostname}`
  return Object.assign(error, { errno: noName, hostname })
}

/** As `net.Server` fails: its message has the reason in words before the address, which has no brackets. */
const notListening = (error: TcpError, { host, port }: Peer): SystemError => {
  const made = make(codeOf(error.reason, "listen"), "listen", { host, port }, error)
  const words = error.reason._tag === "AddressInUse" ? "address already in use" : error.reason.message
  made.message = `listen ${made.code}: ${words} ${host}:${port}`
  return made
}

/** The error for an operation on TCP; the place is named in those of `connect` and `listen` only, as Node does. */
export const of = (error: TcpError, peer?: Peer): SystemError => {
  const { operation, reason } = error
  if (reason._tag === "NameNotResolved") return notFound(reason.host, error)
  if (operation === "listen" && error.local !== undefined) return notListening(error, error.local)
  return make(codeOf(reason, operation), operation, operation === "connect" ? peer ?? error.remote : undefined, error)
}

/** The parts of an address that Node's sockets show. */
export const peerOf = (inet: NetAddress.InetAddress): Peer => ({
  host: NetAddress.formatIp(inet.address),
  port: inet.port
})

/** What `address()` of Node's sockets gives. */
export interface AddressInfo {
  readonly address: string
  readonly port: number
  readonly family: string
}

export const infoOf = (inet: NetAddress.InetAddress): AddressInfo => {
  const { host, port } = peerOf(inet)
  return { address: host, port, family: host.includes(":") ? "IPv6" : "IPv4" }
}

/** What Node says of an operation whose socket was closed meanwhile. */
export const closed = (): Error => Object.assign(new Error("Socket is closed"), { code: "ERR_SOCKET_CLOSED" })

/** The error of an operation that came to nothing; one that was interrupted found its socket closed. */
export const ofCause = (cause: Cause.Cause<TcpError>, peer?: Peer): Error => {
  if (Cause.hasInterruptsOnly(cause)) return closed()
  const error = Cause.squash(cause)
  return error instanceof TcpError ? of(error, peer) : error as Error
}
