/**
 * The few calls of the C library that a TAP or TUN device needs, bound by koffi.
 *
 * Descriptors are non-blocking and read and written on the main thread, which is several times faster than a thread pool
 * (docs/adr). Every call gives its result or a negative error number. koffi checks no bounds, so ranges are checked here.
 * The addon is loaded when the effect runs, so that importing this module does no harm where it is not installed.
 */
import * as Effect from "effect/Effect"
import { endianness } from "node:os"
import { LinkError } from "../src/link/Link.ts"
import type { Piece } from "../src/wire/Piece.ts"

/** What a descriptor is ready for; `failed` when the kernel gave up on it, after which nothing more is told. */
export interface Readiness {
  readonly readable: boolean
  readonly writable: boolean
  readonly failed: boolean
}

/** A subscription to the readiness of a descriptor. */
export interface Poll {
  readonly want: (readable: boolean, writable: boolean) => void
  readonly close: () => void
}

export interface System {
  readonly open: (path: string) => number
  readonly close: (fd: number) => void
  /** A datagram socket, which the requests about network interfaces are made on. */
  readonly socket: () => number
  readonly setNonBlocking: (fd: number) => number
  /** Reads once into `into[at..at+length)`; a device gives one frame. */
  readonly read: (fd: number, into: Uint8Array, at: number, length: number) => number
  readonly write: (fd: number, bytes: Uint8Array, start: number, end: number) => number
  /** Writes `bytes[start..end)` and `rest` behind it, at most {@link mostRanges} together, as one; absent where addresses have not 64 bits. */
  readonly gather?: (fd: number, bytes: Uint8Array, start: number, end: number, rest: ReadonlyArray<Piece>) => number
  /** `ioctl` with a record in and out. */
  readonly control: (fd: number, request: number, record: Uint8Array) => number
  /** `ioctl` with a number in the place of the address. */
  readonly command: (fd: number, request: number, value: number) => number
  readonly poll: (fd: number, listener: (readiness: Readiness) => void) => Poll
  /** `EPERM` for 1 or -1; `errno 4711` for what has no name. */
  readonly errorName: (errno: number) => string
}

/** Ranges of memory that `gather` takes. */
export const mostRanges = 16

const O_RDWR = 0o2
const O_NONBLOCK = 0o4000
const O_CLOEXEC = 0o2000000
const F_GETFL = 3
const F_SETFL = 4
const AF_INET = 2
const SOCK_DGRAM = 2
const SOCK_CLOEXEC = 0o2000000

/** Error numbers of Linux that callers compare with; the same on every architecture that koffi is built for. */
export const EPERM = 1
export const EIO = 5
export const EBADF = 9
export const EAGAIN = 11
export const EINVAL = 22
export const EBADFD = 77

type Koffi = typeof import("koffi")

/** The address of an array's bytes, remembered for the array used last: a batch lies in one. */
const addressOf = (koffi: Koffi): (bytes: Uint8Array) => number => {
  let last: Uint8Array | undefined
  let address = 0
  return (bytes) => {
    if (bytes !== last) {
      address = Number(koffi.address(bytes))
      last = bytes
    }
    return address
  }
}

const inside = (bytes: Uint8Array, start: number, end: number): boolean =>
  start >= 0 && start <= end && end <= bytes.length

/** Words of 32 bits in `struct iovec` where an address has 64: the address, then the length. */
const rangeWords = 4

/** `writev` over ranges of arrays; which addresses they have is remembered for as long as they live. */
const gather = (
  koffi: Koffi,
  writev: (fd: number, ranges: number, count: number) => number
): NonNullable<System["gather"]> => {
  const addresses = new WeakMap<Uint8Array, number>()
  const addressOf = (bytes: Uint8Array): number => {
    const known = addresses.get(bytes)
    if (known !== undefined) return known
    const address = Number(koffi.address(bytes))
    addresses.set(bytes, address)
    return address
  }
  const ranges = new Uint32Array(rangeWords * mostRanges)
  const rangesAt = Number(koffi.address(ranges))
  const [low, high] = endianness() === "LE" ? [0, 1] : [1, 0]
  const put = (index: number, bytes: Uint8Array, start: number, end: number): boolean => {
    if (!inside(bytes, start, end)) return false
    const address = addressOf(bytes) + start
    const at = index * rangeWords
    ranges[at + low] = address
    ranges[at + high] = Math.floor(address / 0x1_0000_0000)
    ranges[at + 2 + low] = end - start
    return true
  }
  return (fd, bytes, start, end, rest) => {
    if (rest.length >= mostRanges || !put(0, bytes, start, end)) return -EINVAL
    for (let i = 0; i < rest.length; i++) {
      const piece = rest[i]!
      if (!put(i + 1, piece.bytes, piece.start, piece.end)) return -EINVAL
    }
    return writev(fd, rangesAt, rest.length + 1)
  }
}

const errorNames = (koffi: Koffi): (errno: number) => string => {
  const names = new Map<number, string>()
  for (const [name, value] of Object.entries(koffi.os.errno)) {
    if (!names.has(value)) names.set(value, name)
  }
  return (errno) => names.get(Math.abs(errno)) ?? `errno ${Math.abs(errno)}`
}

const settle = (): void => {}

const fail = (error: unknown): never => {
  throw error
}

/**
 * Closes what is open when the thread ends by `process.exit`, or by what nobody catches: a handle that is left makes the addon call an engine that is gone,
 * which ends the process. A thread that is ended from outside is past help, since nothing of it runs any more.
 */
class Exits {
  private readonly open: Set<() => void> = new Set()

  private readonly closeAll = (): void => {
    for (const close of this.open) close()
  }

  add(close: () => void): void {
    if (this.open.size === 0) process.on("exit", this.closeAll)
    this.open.add(close)
  }

  remove(close: () => void): void {
    this.open.delete(close)
    if (this.open.size === 0) process.off("exit", this.closeAll)
  }
}

const poll = (koffi: Koffi, exits: Exits, fd: number, listener: (readiness: Readiness) => void): Poll => {
  let closed = false
  // koffi calls outside of Node's callback scope, where promises would wait for the next callback of somebody else: the check phase
  // that follows is inside and lets them go on. The frame itself does not wait for it.
  const hop = (status: number, events: { readable: boolean; writable: boolean }) => {
    if (closed) return
    try {
      listener({ readable: events.readable, writable: events.writable, failed: status < 0 })
      setImmediate(settle)
    } catch (error) {
      // The addon would keep it to itself and hang; from there it ends the process as any other.
      setImmediate(fail, error)
    }
  }
  // The addon calls back with the status first, which its types leave out.
  const callback = hop as unknown as Parameters<Koffi["node"]["poll"]>[1]
  // The handle stops silently when it is collected: the closures below keep it.
  const handle = koffi.node.poll(fd, { readable: true }, callback as never)
  let wants = 1
  const close = (): void => {
    if (closed) return
    closed = true
    exits.remove(close)
    handle.close()
  }
  exits.add(close)
  return {
    want: (readable, writable) => {
      const wanted = (readable ? 1 : 0) | (writable ? 2 : 0)
      if (closed || wanted === wants) return
      wants = wanted
      if (wanted === 0) handle.stop()
      else handle.start({ readable, writable }, callback as never)
    },
    close
  }
}

/** Binds the calls; `koffi.load(null)` is the program itself, which the C library of any flavour is part of. */
const bind = (koffi: Koffi): System => {
  const library = koffi.load(null)
  const c = {
    open: library.func("open", "int", ["str", "int", "int"]),
    close: library.func("close", "int", ["int"]),
    socket: library.func("socket", "int", ["int", "int", "int"]),
    fcntl: library.func("fcntl", "int", ["int", "int", "long"]),
    // Addresses as numbers: koffi has no ssize_t, and a number costs less than a view of the range.
    read: library.func("read", "intptr_t", ["int", "uintptr_t", "size_t"]),
    write: library.func("write", "intptr_t", ["int", "uintptr_t", "size_t"]),
    writev: library.func("writev", "intptr_t", ["int", "uintptr_t", "int"]),
    control: library.func("ioctl", "int", ["int", "unsigned long", "void *"]),
    command: library.func("ioctl", "int", ["int", "unsigned long", "unsigned long"])
  }
  // Reading and writing take turns, each in a slab of its own.
  const exits = new Exits()
  const readable = addressOf(koffi)
  const writable = addressOf(koffi)
  const checked = (result: number): number => result < 0 ? -koffi.errno() : result
  return {
    open: (path) => checked(c.open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC, 0)),
    close: (fd) => void c.close(fd),
    socket: () => checked(c.socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)),
    setNonBlocking: (fd) => {
      const flags = checked(c.fcntl(fd, F_GETFL, 0))
      return flags < 0 ? flags : checked(c.fcntl(fd, F_SETFL, flags | O_NONBLOCK))
    },
    read: (fd, into, at, length) =>
      inside(into, at, at + length) ? checked(c.read(fd, readable(into) + at, length)) : -EINVAL,
    write: (fd, bytes, start, end) =>
      inside(bytes, start, end) ? checked(c.write(fd, writable(bytes) + start, end - start)) : -EINVAL,
    ...(koffi.sizeof("void *") === 8
      ? { gather: gather(koffi, (fd, at, count) => checked(c.writev(fd, at, count))) }
      : {}),
    control: (fd, request, record) => checked(c.control(fd, request, record)),
    command: (fd, request, value) => checked(c.command(fd, request, value)),
    poll: (fd, listener) => poll(koffi, exits, fd, listener),
    errorName: errorNames(koffi)
  }
}

const failure = (hint: string, cause?: unknown): LinkError =>
  new LinkError({ link: "TunTapDevice", operation: "load", hint, ...(cause === undefined ? {} : { cause }) })

/** The calls of this system; fails on anything but Linux, and where koffi can't be loaded. */
export const load: Effect.Effect<System, LinkError> = Effect.suspend(() => {
  if (process.platform !== "linux") {
    return Effect.fail(
      failure(`TAP and TUN devices need Linux, this is ${process.platform}; use an in-memory link here`)
    )
  }
  return Effect.tryPromise({
    try: async () => bind((await import("koffi")).default as unknown as Koffi),
    catch: (cause) => failure("the addon koffi could not be loaded: install this package's dependencies", cause)
  })
})
