/**
 * The small services that hosts have had for tests since the beginning: echo (RFC 862), discard (RFC 863), character generator
 * (RFC 864) and daytime (RFC 867); and a source of as many bytes as the client wants, for measuring.
 */
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import * as ByteReader from "./ByteReader.ts"
import type { Service } from "./Service.ts"

const encoder = new TextEncoder()

/** Sends back what comes, to the end. Nobody changes what was read, so it is handed over as it is. */
export const echo: Service = {
  name: "echo",
  connection: (connection) =>
    Effect.gen(function*() {
      for (;;) {
        const chunks = yield* connection.read()
        if (chunks.length === 0) return
        for (const bytes of chunks) yield* connection.writeOwned(bytes)
      }
    }),
  datagram: (bytes) => Effect.succeed(bytes)
}

/** Where the bytes of all connections to {@link discard} go. Nobody looks at them, so one does for all, and it stays in the processor's cache. */
const discarded = new Uint8Array(256 * 1024)

/** Reads to the end and closes. */
export const discard: Service = {
  name: "discard",
  connection: (connection) =>
    Effect.gen(function*() {
      while ((yield* connection.readInto(discarded)) > 0);
    }),
  datagram: () => Effect.succeed(undefined)
}

/** The printable characters, and how many of them a line has. */
const firstPrintable = 32
const printable = 95
const lineLength = 72

const chargenLine = (first: number): string =>
  `${
    Array.from({ length: lineLength }, (_, i) => String.fromCharCode(firstPrintable + (first + i) % printable)).join("")
  }\r\n`

/** Every line once: the next one starts one character later. */
const chargenBlock: Uint8Array = encoder.encode(Array.from({ length: printable }, (_, i) => chargenLine(i)).join(""))

/** Sends lines of rotating characters until the client ends or resets the connection. */
export const chargen: Service = {
  name: "chargen",
  connection: (connection) =>
    Effect.raceFirst(
      Effect.forever(connection.writeOwned(chargenBlock), { disableYield: true }),
      Stream.runDrain(connection.stream)
    ),
  datagram: () => Effect.succeed(encoder.encode(chargenLine(0)))
}

const daytimeLine: Effect.Effect<Uint8Array> = Effect.map(
  DateTime.now,
  (now) => encoder.encode(`${DateTime.formatIso(now)}\r\n`)
)

/** Sends the date and closes. */
export const daytime: Service = {
  name: "daytime",
  connection: (connection) => Effect.flatMap(daytimeLine, (line) => connection.writeOwned(line)),
  datagram: () => daytimeLine
}

/** Written again and again; nobody ever changes it. */
const sourceBlock: Uint8Array = Uint8Array.from({ length: 256 * 1024 }, (_, i) => i & 0xff)
const countBytes = 8

/** Reads an 8-byte big-endian count, sends as many bytes (0, 1 … 255, 0 …), and closes. */
export const source: Service = {
  name: "source",
  connection: (connection) =>
    Effect.gen(function*() {
      const count = yield* ByteReader.make(connection).exactly(countBytes)
      let left = Number(new DataView(count.buffer, count.byteOffset, countBytes).getBigUint64(0))
      while (left > 0) {
        const block = left < sourceBlock.length ? sourceBlock.subarray(0, left) : sourceBlock
        yield* connection.writeOwned(block)
        left -= block.length
      }
    })
}
