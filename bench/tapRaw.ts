/**
 * How many frames of 1514 octets a second cross a TAP link, without any stack: received while the kernel sends without
 * pause, received from a queue that is full already, sent without pause, and echoed one by one.
 *
 *     sudo node bench/tapRaw.ts [--vnet] [--seconds N]
 *
 * It runs in a network namespace of its own, which is gone afterwards. The far side is a second process on a packet socket.
 */
import * as Effect from "effect/Effect"
import { type ChildProcess, execFileSync, spawn } from "node:child_process"
import { parseArgs } from "node:util"
import * as Tap from "../layers/Tap.ts"
import { TunTapDevice } from "../layers/TunTapDevice.ts"
import type { Port, Sink } from "../src/link/Link.ts"
import * as Frame from "../src/wire/Frame.ts"

const frameBytes = 1514
const batchFrames = 256
/** For local experiments (IEEE 802): no protocol of the kernel takes it. */
const etherType = 0x88b5
const device = "rawbench0"

const { values: options } = parseArgs({
  options: {
    vnet: { type: "boolean", default: false },
    seconds: { type: "string", default: "2" },
    part: { type: "string", default: "start" }
  }
})
const seconds = Number(options.seconds)

const makeFrame = (bytes: Uint8Array, at: number): void => {
  bytes.set([2, 0, 0, 0, 0, 9, 2, 0, 0, 0, 0, 8, etherType >> 8, etherType & 0xff], at)
}

/** The far side: a packet socket on the device. */
const openPacketSocket = async () => {
  const koffi = (await import("koffi")).default as unknown as typeof import("koffi")
  const library = koffi.load(null)
  const socket = library.func("socket", "int", ["int", "int", "int"])
  const bind = library.func("bind", "int", ["int", "void *", "uint32_t"])
  const index = library.func("if_nametoindex", "uint32_t", ["str"])
  const protocol = ((etherType & 0xff) << 8) | (etherType >> 8)
  const fd: number = socket(17, 3, protocol)
  const address = new DataView(new ArrayBuffer(20))
  address.setUint16(0, 17, true)
  address.setUint16(2, protocol, true)
  address.setInt32(4, index(device), true)
  if (bind(fd, new Uint8Array(address.buffer), 20) < 0) throw new Error("bind to the packet socket failed")
  return { koffi, library, fd }
}

/** Sends frames to the device, a few hundred in a system call. */
const makeSender = async (): Promise<() => void> => {
  const { fd, koffi, library } = await openPacketSocket()
  const sendmmsg = library.func("sendmmsg", "int", ["int", "void *", "uint32_t", "int"])
  const frame = new Uint8Array(frameBytes)
  makeFrame(frame, 0)
  const vector = new BigUint64Array([koffi.address(frame), BigInt(frameBytes)])
  // struct mmsghdr is 64 octets on 64-bit machines; the vector and its length stand at 16 and 24.
  const messages = new BigUint64Array(batchFrames * 8)
  for (let i = 0; i < batchFrames; i++) messages.set([koffi.address(vector), 1n], i * 8 + 2)
  // The addresses in `messages` do not keep what they point at: the closure does.
  const kept = [frame, vector]
  return () => {
    if (sendmmsg(fd, messages, batchFrames, 0) < 0) throw new Error(`sendmmsg of ${kept.length} failed`)
  }
}

const flood = async (): Promise<void> => {
  const send = await makeSender()
  const until = performance.now() + (seconds + 2) * 1000
  while (performance.now() < until) send()
}

/** Sends one frame, waits for it to come back, and again; prints the median round trip. */
const bounce = async (): Promise<void> => {
  const { fd, library } = await openPacketSocket()
  const send = library.func("send", "intptr_t", ["int", "void *", "size_t", "int"])
  const recv = library.func("recv", "intptr_t", ["int", "void *", "size_t", "int"])
  const frame = new Uint8Array(frameBytes)
  makeFrame(frame, 0)
  const times: Array<number> = []
  for (let i = 0; i < 20_000; i++) {
    const began = performance.now()
    send(fd, frame, frameBytes, 0)
    recv(fd, frame, frameBytes, 0)
    times.push(performance.now() - began)
  }
  times.sort((a, b) => a - b)
  const at = (share: number) => (times[Math.floor(times.length * share)]! * 1000).toFixed(1)
  console.log(`echo                 ${at(0.5)} µs median, ${at(0.99)} µs 99th percentile`)
}

const again = (part: string): ChildProcess =>
  spawn(process.execPath, [process.argv[1]!, "--part", part, "--seconds", options.seconds], { stdio: "inherit" })

const ended = (child: ChildProcess): Effect.Effect<void> =>
  Effect.callback<void>((resume) => {
    child.once("exit", () => resume(Effect.void))
  })

const open = (sink: Sink) =>
  Effect.gen(function*() {
    const link = yield* Tap.make({ name: device, vnetHeader: options.vnet })
    return yield* link.open(sink)
  })

/**
 * Frames by the wall clock and by the processor time of this process: the latter is what a link could do if the far side
 * were fast enough and had a core of its own.
 */
const meter = (): (count: number) => string => {
  const began = performance.now()
  const cpu = process.cpuUsage()
  return (count) => {
    const { system, user } = process.cpuUsage(cpu)
    const wall = (count / (performance.now() - began)).toFixed(0)
    return `${wall} k frames/s, ${(1000 * count / (system + user)).toFixed(0)} k per processor second`
  }
}

const receive = Effect.scoped(Effect.gen(function*() {
  let count = 0
  let batches = 0
  yield* open({
    frames: (batch) => {
      count += batch.length
      batches += 1
      for (const frame of batch) frame.slab!.release()
    },
    changed: () => {}
  })
  const child = again("flood")
  while (count < 10_000) yield* Effect.sleep("10 millis")
  count = 0
  batches = 0
  const read = meter()
  yield* Effect.sleep(`${seconds} seconds`)
  console.log(`receive              ${read(count)}, ${(count / batches).toFixed(0)} a batch`)
  yield* ended(child)
}))

/** The kernel's queue is filled, then read to the end, again and again; only the reading counts. */
const drain = Effect.scoped(Effect.gen(function*() {
  const rounds = 200
  const queued = 16 * batchFrames
  let count = 0
  let nanos = 0n
  let began = 0n
  let full = (): void => {}
  yield* open({
    frames: (batch) => {
      count += batch.length
      for (const frame of batch) frame.slab!.release()
      if (count < queued) return
      nanos += process.hrtime.bigint() - began
      full()
    },
    changed: () => {}
  })
  execFileSync("ip", ["link", "set", device, "txqueuelen", String(queued)])
  const send = yield* Effect.promise(makeSender)
  for (let round = 0; round < rounds; round++) {
    yield* Effect.callback<void>((resume) => {
      full = () => resume(Effect.void)
      count = 0
      for (let i = 0; i < queued / batchFrames; i++) send()
      began = process.hrtime.bigint()
    })
  }
  console.log(`receive, queue full  ${(rounds * queued * 1e6 / Number(nanos)).toFixed(0)} k frames/s`)
}))

const makeBatch = (headroom: number): ReadonlyArray<Frame.Frame> => {
  const stride = frameBytes + headroom
  const bytes = new Uint8Array(batchFrames * stride)
  return Array.from({ length: batchFrames }, (_, i) => {
    const start = i * stride + headroom
    makeFrame(bytes, start)
    return Frame.plain(bytes, start, start + frameBytes)
  })
}

const send = Effect.scoped(Effect.gen(function*() {
  const port = yield* open({ frames: (batch) => batch.forEach((frame) => frame.slab!.release()), changed: () => {} })
  const batch = makeBatch(options.vnet ? 10 : 0)
  let count = 0
  const read = meter()
  const until = performance.now() + seconds * 1000
  while (performance.now() < until) {
    const took = port.send(batch, 0)
    count += took
    if (took < batch.length) yield* port.writable
  }
  const lost = Object.values(port.counters()).reduce((sum, each) => sum + each, 0)
  console.log(`send                 ${read(count)}, ${lost} lost`)
}))

const echo = Effect.scoped(Effect.gen(function*() {
  const port: Port = yield* open({
    frames: (batch) => {
      port.send(batch, 0)
      for (const frame of batch) frame.slab!.release()
    },
    changed: () => {}
  })
  yield* ended(again("bounce"))
}))

const measure = Effect.gen(function*() {
  yield* receive
  yield* drain
  yield* send
  yield* echo
})

const ip = (...args: ReadonlyArray<string>) => execFileSync("ip", args, { stdio: "inherit" })

/** Goes on in a namespace without IPv6, whose own packets would be counted. */
const start = (): void => {
  const namespace = `rawbench-${process.pid}`
  ip("netns", "add", namespace)
  try {
    ip("netns", "exec", namespace, "sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1")
    const passed = options.vnet ? ["--vnet"] : []
    const self = [process.execPath, process.argv[1]!, "--part", "measure", "--seconds", options.seconds, ...passed]
    ip("netns", "exec", namespace, ...self)
  } finally {
    ip("netns", "delete", namespace)
  }
}

switch (options.part) {
  case "start":
    start()
    break
  case "flood":
    await flood()
    break
  case "bounce":
    await bounce()
    break
  default:
    await Effect.runPromise(Effect.provide(measure, TunTapDevice.layer))
}
