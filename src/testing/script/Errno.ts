/** Names of errors of system calls, and which of the stack's reasons a program of Linux would know by which. */
import type { IcmpOrigin, Reason } from "../../core/Reason.ts"

/** The name by which a caller would know why its request was not met. */
export const errnoOf = (reason: Reason, isWrite: boolean): string => {
  switch (reason._tag) {
    case "ConnectionRefused":
      return "ECONNREFUSED"
    case "ConnectionReset":
      return "ECONNRESET"
    case "ConnectionAborted":
      return "ECONNABORTED"
    case "TimedOut":
      return "ETIMEDOUT"
    case "Unreachable":
      return (reason.icmp === undefined ? undefined : linuxCodes[codeOf(reason.icmp)]) ?? unreachable[reason.what]
    case "AddressInUse":
      return "EADDRINUSE"
    case "AddressNotAvailable":
    case "PortsExhausted":
      return "EADDRNOTAVAIL"
    case "NotConnected":
      return isWrite ? "EPIPE" : "ENOTCONN"
    case "AlreadyConnected":
      return "EISCONN"
    case "Closed":
      return isWrite ? "EPIPE" : "EBADF"
    case "MessageTooLarge":
      return "EMSGSIZE"
    case "LimitReached":
      return "ENOBUFS"
    case "InvalidArgument":
      return "EINVAL"
    case "WouldBlock":
      return "EAGAIN"
    case "NotFound":
      return "ENOENT"
    case "LinkDown":
      return "ENETDOWN"
    case "StackClosed":
    case "Defect":
      return "EIO"
  }
}

/** Linux's errors of codes that are of one kind with others, by the version of IP, the type and the code. */
const linuxCodes: Readonly<Record<string, string>> = {
  "4 3 6": "ENETUNREACH",
  "4 3 7": "EHOSTDOWN",
  "4 3 8": "ENONET",
  "4 3 9": "ENETUNREACH",
  "4 3 11": "ENETUNREACH",
  "4 12 0": "EPROTO",
  "6 1 1": "EACCES",
  "6 1 5": "EACCES",
  "6 1 6": "EACCES",
  "6 4 0": "EPROTO",
  "6 4 1": "EPROTO",
  "6 4 2": "EPROTO"
}

const codeOf = ({ code, type, version }: IcmpOrigin): string => `${version} ${type} ${code}`

const unreachable = {
  network: "ENETUNREACH",
  host: "EHOSTUNREACH",
  protocol: "ENOPROTOOPT",
  port: "ECONNREFUSED",
  prohibited: "EHOSTUNREACH",
  sourceRouteFailed: "EOPNOTSUPP",
  hopLimit: "EHOSTUNREACH"
} as const

/** What FreeBSD says of a destination that refuses: the same whether it is a protocol, a port or a filter that does (RFC 1122 §4.2.3.9). */
export const freeBsdErrnoOf = (reason: Reason): string | undefined =>
  reason._tag !== "Unreachable"
    ? undefined
    : reason.what === "protocol" || reason.what === "prohibited"
    ? "ECONNREFUSED"
    : reason.what === "network"
    ? "EHOSTUNREACH"
    : unreachable[reason.what]

/** Names of the same error. */
export const synonyms: Readonly<Record<string, string>> = { EWOULDBLOCK: "EAGAIN", ENOTSUP: "EOPNOTSUPP" }

/** Linux's numbers, for options that give an error as a number. */
export const numbers: Readonly<Record<string, number>> = {
  EPIPE: 32,
  EAGAIN: 11,
  EINVAL: 22,
  EADDRINUSE: 98,
  EADDRNOTAVAIL: 99,
  ENETDOWN: 100,
  ENETUNREACH: 101,
  ECONNABORTED: 103,
  ECONNRESET: 104,
  ENOBUFS: 105,
  EISCONN: 106,
  ENOTCONN: 107,
  ETIMEDOUT: 110,
  ECONNREFUSED: 111,
  EHOSTUNREACH: 113,
  EALREADY: 114,
  EINPROGRESS: 115,
  EMSGSIZE: 90,
  ENOPROTOOPT: 92,
  EOPNOTSUPP: 95,
  EIO: 5,
  EBADF: 9,
  ENOENT: 2,
  EHOSTDOWN: 112,
  ENONET: 64,
  EPROTO: 71,
  EPERM: 1,
  ESRCH: 3,
  EINTR: 4,
  ENOMEM: 12,
  EACCES: 13,
  EFAULT: 14,
  ENOTSOCK: 88,
  EDESTADDRREQ: 89,
  EPROTONOSUPPORT: 93,
  EAFNOSUPPORT: 97,
  ENETRESET: 102,
  ESHUTDOWN: 108,
  ECANCELED: 125
}
