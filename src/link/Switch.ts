/**
 * An Ethernet switch in memory: it learns behind which port an address is, and floods what it does not know
 * (IEEE 802.1D-2004 §7.7 to §7.9).
 *
 * ```
 *   port0 ─┐            ┌ learn: source → port, ageing, at most so many
 *   port1 ─┼─ switch ───┤
 *   port2 ─┘            └ known destination: one port · unknown or group: every other port
 * ```
 *
 * A queue of each port takes what its receiver is not ready for; what does not fit is dropped and counted, so that one slow
 * port never holds up the others.
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { Frame, GsoKind } from "../wire/Frame.ts"
import * as Mac from "../wire/Mac.ts"
import * as Inbox from "./Inbox.ts"
import type { Capabilities, Link, Port } from "./Link.ts"
import * as Offload from "./Offload.ts"

export interface Options {
  /** Number of ports, named `port0` onwards, or their names. */
  readonly ports: number | ReadonlyArray<string>
  /** Largest IP packet in bytes; 1500 if absent. */
  readonly mtu?: number
  /** How long an address is remembered after its last frame; 5 minutes if absent (IEEE 802.1D-2004 table 7-5). */
  readonly ageing?: Duration.Input
  /** Bound on the addresses that are remembered; frames to others are flooded. */
  readonly tableSize?: number
  /** Bound on the frames that wait at one port. */
  readonly queueFrames?: number
  /** Bound on the memory of the frames that wait at one port or that its receiver has not yet released. */
  readonly bufferBytes?: number
  /** Frames with partial checksums may be sent and arrive as they are. */
  readonly checksumOffload?: boolean
  /** Kinds of super-segments that pass whole. */
  readonly segmentation?: Iterable<GsoKind>
  /** Bytes left free before each frame that a port receives, for a link that it is handed on to; none if absent. */
  readonly headroom?: number
}

export const defaultAgeing: Duration.Input = "5 minutes"
export const defaultTableSize = 1024
export const defaultQueueFrames = 4096
export const defaultBufferBytes = 16 * 1024 * 1024

export interface Switch {
  readonly ports: ReadonlyArray<Link>
  /** The ports by name behind which the switch believes addresses to be. */
  readonly table: () => ReadonlyMap<Mac.Mac, string>
  /** Frames whose source found the table full: they went on, but frames to that station are flooded. */
  readonly notLearned: () => number
  /** Forgets every station behind a port, as when what it leads to is unplugged. */
  readonly forget: (port: string) => void
}

/** Why a port lost a frame that it took. */
interface Losses {
  tooLong: number
  unsupported: number
  /** Shorter than an Ethernet header. */
  malformed: number
  /** To an address that no bridge forwards. */
  reserved: number
  /** A copy for which the queue of its port had no room. */
  overflow: number
  /** A copy for a port that nobody has opened. */
  closed: number
}

interface Socket {
  readonly name: string
  readonly inbox: Inbox.Inbox
  readonly lost: Losses
}

interface Station {
  readonly socket: Socket
  readonly heardAt: number
}

/** The forwarding table. Time is in nanoseconds of the clock of whoever sends. */
interface Table {
  readonly learn: (mac: Mac.Mac, socket: Socket, now: number) => void
  readonly find: (mac: Mac.Mac, now: number) => Socket | undefined
  readonly stations: Map<Mac.Mac, Station>
  readonly notLearned: () => number
}

const ethernetHeaderBytes = 14

/** 01:80:c2:00:00:00 to 0f: what bridges say to each other stays on one wire (IEEE 802.1D-2004 §7.12.6). */
const isReserved = (mac: Mac.Mac): boolean => mac >= 0x0180_c200_0000 && mac <= 0x0180_c200_000f

const makeTable = (ageingNanos: number, size: number): Table => {
  const stations = new Map<Mac.Mac, Station>()
  const isStale = (station: Station, now: number): boolean => now - station.heardAt > ageingNanos
  let sweptAt = -Infinity
  let notLearned = 0
  // A full table is searched for stale entries at most once a second, or a flood of made-up addresses would be slow to serve.
  const hasRoom = (now: number): boolean => {
    if (stations.size < size) return true
    if (now - sweptAt < 1e9) return false
    sweptAt = now
    for (const [mac, station] of stations) if (isStale(station, now)) stations.delete(mac)
    return stations.size < size
  }
  return {
    stations,
    notLearned: () => notLearned,
    learn: (mac, socket, now) => {
      if (Mac.isGroup(mac)) return
      if (stations.has(mac) || hasRoom(now)) stations.set(mac, { socket, heardAt: now })
      else notLearned += 1
    },
    find: (mac, now) => {
      const station = stations.get(mac)
      if (station === undefined || !isStale(station, now)) return station?.socket
      stations.delete(mac)
      return undefined
    }
  }
}

/** Copies the frame to one port. */
const pass = (frame: Frame, from: Socket, to: Socket): void => {
  const verdict = to.inbox.put(frame)
  if (verdict === "Full") from.lost.overflow += 1
  if (verdict === "Closed") from.lost.closed += 1
}

/** Where a frame goes: to the port of its destination, to all others, or nowhere if it came from there. */
const forward = (sockets: ReadonlyArray<Socket>, table: Table, frame: Frame, from: Socket, now: number): void => {
  const destination = Mac.read(frame.bytes, frame.start)
  table.learn(Mac.read(frame.bytes, frame.start + 6), from, now)
  if (isReserved(destination)) {
    from.lost.reserved += 1
    return
  }
  const known = Mac.isGroup(destination) ? undefined : table.find(destination, now)
  if (known !== undefined) {
    if (known !== from) pass(frame, from, known)
    return
  }
  for (const to of sockets) if (to !== from && to.inbox.isOpen()) pass(frame, from, to)
}

const capabilitiesOf = (options: Options, mtu: number): Capabilities => {
  const segmentation = new Set(options.segmentation ?? [])
  return {
    checksumOffload: options.checksumOffload ?? false,
    segmentation,
    maxSegmentBytes: segmentation.size === 0 ? mtu : 65_535
  }
}

const makePort = (
  limits: Offload.Limits,
  sockets: ReadonlyArray<Socket>,
  table: Table,
  socket: Socket,
  now: () => number
): Port => ({
  send: (frames, from) => {
    const at = now()
    for (let i = from; i < frames.length; i++) {
      const frame = frames[i]!
      const refusal = Offload.refusal(limits, frame)
      if (refusal !== undefined) socket.lost[refusal] += 1
      else if (frame.end - frame.start < ethernetHeaderBytes) socket.lost.malformed += 1
      else forward(sockets, table, frame, socket, at)
    }
    for (const other of sockets) other.inbox.flush()
    return frames.length - from
  },
  writable: Effect.void,
  counters: () => ({ ...socket.lost })
})

export const make = (options: Options): Switch => {
  const mtu = options.mtu ?? 1500
  const limits: Offload.Limits = { medium: "ethernet", mtu, capabilities: capabilitiesOf(options, mtu) }
  const names = typeof options.ports === "number"
    ? Array.from({ length: options.ports }, (_, index) => `port${index}`)
    : options.ports
  const medium = Inbox.medium()
  const sockets = names.map((name): Socket => ({
    name,
    inbox: Inbox.make({
      medium,
      queueFrames: options.queueFrames ?? defaultQueueFrames,
      bufferBytes: options.bufferBytes ?? defaultBufferBytes,
      maxFrameBytes: Offload.maxFrameBytes(limits),
      headroom: options.headroom ?? 0
    }),
    lost: { tooLong: 0, unsupported: 0, malformed: 0, reserved: 0, overflow: 0, closed: 0 }
  }))
  const ageingNanos = Duration.toMillis(options.ageing ?? defaultAgeing) * 1e6
  const table = makeTable(ageingNanos, options.tableSize ?? defaultTableSize)
  const link = (socket: Socket): Link => ({
    name: socket.name,
    mac: undefined,
    medium: "ethernet",
    mtu,
    capabilities: limits.capabilities,
    headroom: 0,
    open: (sink) =>
      Effect.gen(function*() {
        const clock = yield* Clock.clockWith(Effect.succeed)
        yield* Inbox.open(socket.inbox, socket.name, sink)
        return makePort(limits, sockets, table, socket, () => Number(clock.monotonicTimeNanosUnsafe()))
      })
  })
  return {
    ports: sockets.map(link),
    table: () => new Map([...table.stations].map(([mac, { socket }]) => [mac, socket.name])),
    notLearned: table.notLearned,
    forget: (port) => {
      for (const [mac, { socket }] of table.stations) if (socket.name === port) table.stations.delete(mac)
    }
  }
}
