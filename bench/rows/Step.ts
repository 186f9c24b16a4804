/**
 * What one event costs the core: a ping answered, a data segment taken, an acknowledgement that lets more data go.
 *
 * Frames are made beforehand and go through `runBatch` in batches of 64, as the workers do it; making them is not measured. A
 * segment's cost includes its share of reading or writing by the program, and the verification of its checksum.
 */
import * as Effect from "effect/Effect"
import type { Event } from "../../src/core/Event.ts"
import type { Output } from "../../src/core/Output.ts"
import * as Ethernet from "../../src/wire/Ethernet.ts"
import * as Ipv4 from "../../src/wire/Ipv4.ts"
import * as Malformed from "../../src/wire/Malformed.ts"
import * as Sequence from "../../src/wire/Sequence.ts"
import * as Tcp from "../../src/wire/Tcp.ts"
import { Bare, bytesOf, transmits } from "../Bare.ts"
import * as Frames from "../frames.ts"
import type { Figure, Row, Settings } from "../Row.ts"
import * as Yardstick from "../yardstick.ts"

const batch = 64
const mss = 1460
const payload = new Uint8Array(mss).fill(0x61)

/** The frames of a batch, each in a buffer of its own. */
const buffers = Array.from({ length: batch }, () => ({ bytes: new Uint8Array(2048), end: 0 }))
type Buffer = (typeof buffers)[number]

const events = (bare: Bare, count: number): ReadonlyArray<Event> =>
  buffers.slice(0, count).map(({ bytes, end }) => bare.frame(bytes, 0, end))

/** What else is there before the connection under measurement is. */
export type Prepare = (bare: Bare) => void

/** Introduces the peer, so that nothing waits for its address. */
const make = (prepare: Prepare = () => {}): Bare => {
  const bare = new Bare(Frames.stack.mac, Frames.stack.address)
  const [first] = buffers
  first!.end = Frames.introduction(first!.bytes)
  bare.run(events(bare, 1))
  prepare(bare)
  return bare
}

const noOutputs: ReadonlyArray<Output> = []

/**
 * Times batches of frames that `fill` has made, and what the program does `after` each; nanoseconds per event. `fill` sees what came
 * out of the batch before.
 */
const time = (
  bare: Bare,
  batches: number,
  fill: (outputs: ReadonlyArray<Output>) => void,
  after: () => ReadonlyArray<Output>
): number => {
  let nanos = 0n
  let outputs = noOutputs
  for (let i = 0; i < batches; i++) {
    fill(outputs)
    const made = events(bare, batch)
    const begin = process.hrtime.bigint()
    const first = bare.run(made)
    const second = after()
    nanos += process.hrtime.bigint() - begin
    outputs = second.length === 0 ? first : [...first, ...second]
    bare.now = (bare.now + 100) as typeof bare.now
  }
  return Number(nanos) / (batches * batch)
}

const ping = (batches: number): number => {
  const bare = make()
  for (const [sequence, buffer] of buffers.entries()) buffer.end = Frames.ping(buffer.bytes, sequence, 56)
  return time(bare, batches, () => {}, () => noOutputs)
}

/** A connection with the peer, and what is needed to go on with it. */
interface Opened {
  readonly bare: Bare
  readonly connection: number
  /** The next sequence number of ours. */
  sequence: Sequence.Sequence
  /** The next of the stack's. */
  next: Sequence.Sequence
}

const port = 80
const peerPort = 4000

const segment = (
  buffer: Buffer,
  opened: Pick<Opened, "sequence" | "next">,
  flags: number,
  data: Uint8Array,
  options: Parameters<typeof Frames.segment>[2] = {}
): void => {
  const header = {
    sourcePort: peerPort,
    destinationPort: port,
    sequence: opened.sequence,
    acknowledgment: opened.next,
    flags
  }
  buffer.end = Frames.segment(buffer.bytes, header, options, data)
}

const nothing = new Uint8Array(0)

const headerOf = (frame: Uint8Array): Tcp.Header => {
  const ip = Ipv4.parse(frame, Ethernet.headerLength, frame.length)
  if (Malformed.isMalformed(ip)) throw new Error(ip.detail)
  const header = Tcp.parse(frame, ip.payloadStart, ip.payloadEnd)
  if (Malformed.isMalformed(header)) throw new Error(header.detail)
  return header
}

const open = (prepare?: Prepare): Opened => {
  const bare = make(prepare)
  const listen = { local: undefined, version: undefined, port, backlog: 8, options: {}, link: undefined } as const
  const { listener } = bare.ask({ _tag: "TcpListen", ...listen }) as { readonly listener: number }
  const opened = { bare, connection: 0, sequence: 1000, next: 0 }
  segment(buffers[0]!, opened, Tcp.SYN, nothing, { maximumSegmentSize: mss, windowScale: 7, sackPermitted: true })
  const [answer] = transmits(bare.run(events(bare, 1)))
  if (answer === undefined) throw new Error("no SYN/ACK")
  opened.sequence += 1
  opened.next = Sequence.add(headerOf(bytesOf(answer)).sequence, 1)
  segment(buffers[0]!, opened, Tcp.ACK, nothing)
  bare.run(events(bare, 1))
  const { connection } = bare.ask({ _tag: "TcpAccept", listener, block: false }) as { readonly connection: number }
  return { ...opened, connection }
}

/** Nanoseconds for one segment with data, its share of the acknowledgements and of the reads included. */
export const data = (batches: number, prepare?: Prepare): number => {
  const opened = open(prepare)
  const { bare, connection } = opened
  const read = { _tag: "TcpRead", connection, max: batch * mss, block: false } as const
  const fill = () => {
    for (const buffer of buffers) {
      segment(buffer, opened, Tcp.ACK, payload)
      opened.sequence = Sequence.add(opened.sequence, payload.length)
    }
  }
  return time(bare, batches, fill, () => bare.tell(read))
}

const chunk = new Uint8Array(2 * batch * mss)
const headers = 54

/** Payload bytes among the outputs. */
const sentBytes = (outputs: ReadonlyArray<Output>): number =>
  transmits(outputs).reduce((sum, { size }) => sum + Math.max(0, size - headers), 0)

const acknowledge = (batches: number): number => {
  const opened = open()
  const { bare, connection } = opened
  const bytes = { bytes: chunk, start: 0, end: chunk.length, owned: true, block: false } as const
  const write = (): ReadonlyArray<Output> => bare.tell({ _tag: "TcpWrite", connection, ...bytes })
  let flying = sentBytes(write())
  // Until enough is in flight for a batch of acknowledgements, each of two segments: the congestion window has to open.
  while (flying < chunk.length) {
    opened.next = Sequence.add(opened.next, flying)
    segment(buffers[0]!, opened, Tcp.ACK, nothing)
    flying = sentBytes(bare.run(events(bare, 1))) + sentBytes(write())
  }
  const fill = (outputs: ReadonlyArray<Output>) => {
    flying += sentBytes(outputs)
    if (flying < chunk.length) throw new Error(`only ${flying} bytes are in flight`)
    for (const buffer of buffers) {
      opened.next = Sequence.add(opened.next, 2 * mss)
      segment(buffer, opened, Tcp.ACK, nothing)
    }
    flying -= chunk.length
  }
  return time(bare, batches, fill, write)
}

const batchesOf = ({ scale }: Settings): number => Math.ceil(20_000 / scale)

const figure = (name: string, settings: Settings, run: (batches: number) => number): Figure => {
  const batches = batchesOf(settings)
  run(Math.ceil(batches / 4))
  const turns = Array.from({ length: settings.runs }, () => [run(batches), 1e6 / Yardstick.measure()] as const)
  return {
    name,
    unit: "ns",
    values: turns.map(([nanos]) => nanos),
    against: { name: "adding up 1000 bytes", values: turns.map(([, nanos]) => nanos) }
  }
}

export const rows: ReadonlyArray<Row> = [
  {
    name: "step",
    about: "one event in the core: a ping, a TCP data segment, a TCP acknowledgement",
    flags: ["--expose-gc"],
    measure: (settings) =>
      Effect.sync(() => [
        figure("ping answered", settings, ping),
        figure("TCP data in, 1460 bytes", settings, data),
        figure("TCP ACK in, 2920 bytes out", settings, acknowledge)
      ])
  }
]
