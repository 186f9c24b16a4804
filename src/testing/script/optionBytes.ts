/** TCP options as a script lists them, in their order and with their padding: to bytes and back. */
import { Kind } from "../../wire/TcpOptions.ts"
import * as Word from "../../wire/Word.ts"
import type { TcpOption } from "./Syntax.ts"

const fastOpenExperiment = 0xf989

const words = (...values: ReadonlyArray<number>): ReadonlyArray<number> =>
  values.flatMap((value) => [value >>> 24, (value >>> 16) & 0xff, (value >>> 8) & 0xff, value & 0xff])

const withLength = (
  kind: number,
  value: ReadonlyArray<number>
): ReadonlyArray<number> => [kind, value.length + 2, ...value]

const bytesOf = (option: TcpOption): ReadonlyArray<number> => {
  switch (option._tag) {
    case "Nop":
      return [Kind.noOperation]
    case "Eol":
      return [Kind.endOfList]
    case "SackPermitted":
      return withLength(Kind.sackPermitted, [])
    case "Mss":
      return withLength(Kind.maximumSegmentSize, [option.value >>> 8, option.value & 0xff])
    case "WindowScale":
      return withLength(Kind.windowScale, [option.value])
    case "UserTimeout":
      return withLength(Kind.userTimeout, [option.value >>> 8, option.value & 0xff])
    case "Sack":
      return withLength(Kind.sack, option.blocks.flatMap(([left, right]) => words(left, right)))
    case "Timestamps":
      return withLength(Kind.timestamps, words(option.value, option.echo))
    case "FastOpen":
      return option.isExperimental
        ? withLength(Kind.experiment, [fastOpenExperiment >>> 8, fastOpenExperiment & 0xff, ...option.cookie])
        : withLength(Kind.fastOpen, [...option.cookie])
    case "AccurateEcn":
      return withLength(option.kind, option.counters.flatMap((count) => words(count).slice(1)))
    case "Raw":
      return withLength(option.kind, [...option.value])
  }
}

/** The options of a header. A script pads them itself, to a multiple of four; what it leaves out ends the list. */
export const emitOptions = (options: ReadonlyArray<TcpOption>): Uint8Array => {
  const bytes = options.flatMap(bytesOf)
  const padded = new Uint8Array(Math.ceil(bytes.length / 4) * 4)
  padded.set(bytes)
  return padded
}

const read32s = (bytes: Uint8Array, start: number, end: number): ReadonlyArray<number> => {
  const all: Array<number> = []
  for (let at = start; at + 4 <= end; at += 4) all.push(Word.read32(bytes, at) >>> 0)
  return all
}

const readBlocks = (bytes: Uint8Array, start: number, end: number): ReadonlyArray<readonly [number, number]> => {
  const edges = read32s(bytes, start, end)
  return Array.from({ length: edges.length >> 1 }, (_, i) => [edges[2 * i]!, edges[2 * i + 1]!] as const)
}

const read24s = (bytes: Uint8Array, start: number, end: number): ReadonlyArray<number> => {
  const all: Array<number> = []
  for (let at = start; at + 3 <= end; at += 3) all.push(Word.read24(bytes, at))
  return all
}

/** Reads an option with a length, which lies in `bytes[start..end)`. */
const readOption = (bytes: Uint8Array, start: number, end: number): TcpOption => {
  const kind = bytes[start]!
  const value = start + 2
  const raw: TcpOption = { _tag: "Raw", kind, value: bytes.slice(value, end) }
  switch (kind) {
    case Kind.sackPermitted:
      return { _tag: "SackPermitted" }
    case Kind.maximumSegmentSize:
      return { _tag: "Mss", value: Word.read16(bytes, value) }
    case Kind.windowScale:
      return { _tag: "WindowScale", value: bytes[value]! }
    case Kind.userTimeout:
      return { _tag: "UserTimeout", value: Word.read16(bytes, value) }
    case Kind.sack:
      return { _tag: "Sack", blocks: readBlocks(bytes, value, end) }
    case Kind.timestamps: {
      const [own, echo] = read32s(bytes, value, end)
      return { _tag: "Timestamps", value: own ?? 0, echo: echo ?? 0 }
    }
    case Kind.fastOpen:
      return { _tag: "FastOpen", cookie: bytes.slice(value, end), isExperimental: false }
    case Kind.experiment:
      if (Word.read16(bytes, value) !== fastOpenExperiment) return raw
      return { _tag: "FastOpen", cookie: bytes.slice(value + 2, end), isExperimental: true }
    case Kind.accurateEcn0:
    case Kind.accurateEcn1:
      return { _tag: "AccurateEcn", kind, counters: read24s(bytes, value, end) }
    default:
      return raw
  }
}

/** The options in `bytes[start..end)`, in their order. */
export const readOptions = (bytes: Uint8Array, start: number, end: number): ReadonlyArray<TcpOption> => {
  const options: Array<TcpOption> = []
  for (let at = start; at < end;) {
    const kind = bytes[at]!
    if (kind === Kind.noOperation || kind === Kind.endOfList) {
      options.push({ _tag: kind === Kind.noOperation ? "Nop" : "Eol" })
      at++
      continue
    }
    const next = Math.min(end, at + Math.max(2, bytes[at + 1] ?? 2))
    options.push(readOption(bytes, at, next))
    at = next
  }
  return options
}

const hexadecimal = (bytes: Uint8Array): string =>
  Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("")

/** An option in the words of the language. */
export const formatOption = (option: TcpOption): string => {
  switch (option._tag) {
    case "Nop":
      return "nop"
    case "Eol":
      return "eol"
    case "SackPermitted":
      return "sackOK"
    case "Mss":
      return `mss ${option.value}`
    case "WindowScale":
      return `wscale ${option.value}`
    case "UserTimeout":
      return `uto ${option.value}`
    case "Sack":
      return ["sack", ...option.blocks.map(([left, right]) => `${left}:${right}`)].join(" ")
    case "Timestamps":
      return `TS val ${option.value} ecr ${option.echo}`
    case "FastOpen":
      return `${option.isExperimental ? "FOEXP" : "FO"} ${hexadecimal(option.cookie)}`.trim()
    case "AccurateEcn": {
      const names = option.kind === 172 ? ["e0b", "ceb", "e1b"] : ["e1b", "ceb", "e0b"]
      return ["ECN", ...option.counters.map((count, i) => `${names[i]} ${count}`)].join(" ")
    }
    case "Raw":
      return `raw ${option.kind} ${hexadecimal(option.value)}`.trim()
  }
}
