/** Frames that were seen, in a line each, and what is expected of them. */
import * as Time from "../core/Time.ts"
import { describePacket } from "./describePacket.ts"
import { isLike, mismatch, type PacketPattern, show } from "./Like.ts"
import * as Packet from "./Packet.ts"
import { describeReason, type Entry, Trace } from "./Trace.ts"
import { Unmet } from "./Unmet.ts"

/** Frames, a trace, or entries of one. */
export type Frames = Trace | ReadonlyArray<Uint8Array | Entry>

/** A frame with its packet, and how it was introduced. */
interface Seen {
  readonly frame: Uint8Array
  readonly packet: Packet.Packet
  readonly prefix: string
}

const prefixOf = (entry: Entry): string => {
  const { at, from, happening, to } = entry
  const what = happening === "sent" || happening === "arrived" ? `${happening} ${to}` : describeReason(entry)
  return `${Time.toMillis(at).toFixed(3).padStart(10)} ms ${from} ${what} `
}

/** Of a trace only what was sent, once each; the same frame arrives or is lost later. */
const seen = (frames: Frames): ReadonlyArray<Seen> => {
  const all = frames instanceof Trace ? frames.entries.filter(({ happening }) => happening === "sent") : frames
  return all.map((each) => {
    const frame = each instanceof Uint8Array ? each : each.frame
    return { frame, packet: Packet.read(frame), prefix: each instanceof Uint8Array ? "" : prefixOf(each) }
  })
}

/** Frames in one line each; for a failure the last ones will do. */
const mostShown = 40

/** A list of frames, one a line. */
export const render = (frames: Frames): string => listed(seen(frames), () => "")

const listed = (all: ReadonlyArray<Seen>, note: (each: Seen) => string): string => {
  const shown = all.slice(-mostShown)
  const before = all.length - shown.length
  const lines = shown.map((each) => `  ${each.prefix}${describePacket(each.packet)}${note(each)}`)
  return [...(before > 0 ? [`  … ${before} frames before`] : []), ...lines].join("\n")
}

const among = (all: ReadonlyArray<Seen>, pattern: PacketPattern): string =>
  all.length === 0
    ? "but there was none"
    : `among\n${listed(all, ({ packet }) => `   (${mismatch(packet, pattern, "")})`)}`

const matches = (pattern: PacketPattern) => ({ packet }: Seen): boolean => isLike(packet, pattern)

/** Expects a frame that is like the pattern; answers the first one. */
export const frame = (frames: Frames, pattern: PacketPattern): Packet.Packet => {
  const all = seen(frames)
  const found = all.find(matches(pattern))
  if (found !== undefined) return found.packet
  throw new Unmet({ expected: `a frame like ${show(pattern)}`, found: among(all, pattern) })
}

/** Expects frames that are like the patterns, in this order; others may be in between. */
export const sequence = (frames: Frames, patterns: ReadonlyArray<PacketPattern>): ReadonlyArray<Packet.Packet> => {
  const all = seen(frames)
  let from = 0
  return patterns.map((pattern, number) => {
    const index = all.findIndex((each, i) => i >= from && matches(pattern)(each))
    const rest = all.slice(from)
    from = index + 1
    if (index >= 0) return all[index]!.packet
    throw new Unmet({
      expected: `then a frame like ${show(pattern)} (number ${number + 1})`,
      found: among(rest, pattern)
    })
  })
}

/** Expects that no frame is like the pattern. */
export const noFrame = (frames: Frames, pattern: PacketPattern = () => true): void => {
  const wrong = seen(frames).filter(matches(pattern))
  if (wrong.length === 0) return
  throw new Unmet({ expected: `no frame like ${show(pattern)}`, found: `but there was\n${listed(wrong, () => "")}` })
}
