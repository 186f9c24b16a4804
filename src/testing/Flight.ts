/**
 * A recording as a film of a stack: one event at a time, with the frames that came and went, why one was dropped, and what changed.
 *
 * ```ts
 * for (const moment of Flight.play(yield* Recording.read(text))) console.log(describeMoment(moment).join("\n"))
 * ```
 *
 * The core repeats what it did, so nothing of this had to be kept when it happened.
 */
import { type LinkId, loopback } from "../core/Device.ts"
import type { DropReason } from "../core/Drop.ts"
import type { Event } from "../core/Event.ts"
import type { Output } from "../core/Output.ts"
import * as State from "../core/State.ts"
import type { Instant } from "../core/Time.ts"
import * as Offload from "../link/Offload.ts"
import * as Frame from "../wire/Frame.ts"
import * as Pcapng from "../wire/Pcapng.ts"
import * as Recording from "../workers/Recording.ts"
import { runBatch } from "../workers/runBatch.ts"
import * as Cut from "./Cut.ts"
import { commentsOf, joined, placeOf } from "./pcapngOf.ts"
import * as StateDifference from "./StateDifference.ts"
import type { Entry } from "./Trace.ts"

/** A frame at one of the stack's interfaces. Those of the loopback link never leave the stack, and are left out. */
export interface Crossing {
  readonly link: LinkId
  readonly direction: "in" | "out"
  readonly frame: Uint8Array
  /** Why a frame that came in went no further. */
  readonly dropped: DropReason | undefined
}

/** One event and what it led to. */
export interface Moment {
  /** From 1. */
  readonly number: number
  readonly at: Instant
  readonly event: Event
  readonly outputs: ReadonlyArray<Output>
  readonly crossings: ReadonlyArray<Crossing>
  /** What the event has changed; computed when it is asked for, before the next moment. */
  readonly changes: () => ReadonlyArray<StateDifference.Difference>
}

const dropOf = (outputs: ReadonlyArray<Output>): DropReason | undefined =>
  outputs.find((output) => output._tag === "Drop")?.reason

/** A copy of a frame that came in, with the checksum that its link may have left open. */
const onWire = (frame: Frame.Frame): Uint8Array => {
  const { bytes, end, start } = Offload.completed(frame)
  return bytes.slice(start, end)
}

const crossingsOf = (
  event: Event,
  outputs: ReadonlyArray<Output>,
  isEthernet: (link: LinkId) => boolean
): ReadonlyArray<Crossing> => {
  const came: ReadonlyArray<Crossing> = event._tag === "Frame" && event.link !== loopback
    ? [{ link: event.link, direction: "in", frame: onWire(event.frame), dropped: dropOf(outputs) }]
    : []
  const went = outputs.flatMap((output): ReadonlyArray<Crossing> => {
    if (output._tag !== "Transmit" || output.link === loopback) return []
    return Cut.frames(output.packet, isEthernet(output.link)).map((frame) => ({
      link: output.link,
      direction: "out",
      frame: Frame.copy(frame),
      dropped: undefined
    }))
  })
  return [...came, ...went]
}

/** Plays a recording from its beginning. With `changes` of each moment the state is copied at each. */
export const play = function*(recording: Recording.Recording, withChanges = true): Generator<Moment> {
  const { step } = Recording.replay(recording)
  const isEthernet = (link: LinkId): boolean => step.state.device.interfaces.get(link)?.medium === "ethernet"
  const snapshot = () => withChanges ? State.snapshot(step.state) : {}
  let number = 0
  let before = snapshot()
  for (const { at, events } of recording.batches) {
    for (const event of events) {
      const outputs = runBatch(step, at, [event])
      const [earlier, later] = [before, snapshot()]
      before = later
      yield {
        number: ++number,
        at,
        event,
        outputs,
        crossings: crossingsOf(event, outputs, isEthernet),
        changes: () => StateDifference.between(earlier, later)
      }
    }
  }
}

/** A recording and whose it is. */
export interface Named {
  readonly name: string
  readonly recording: Recording.Recording
}

/** A frame of the capture, with where and when it was. */
interface Shown extends Pick<Crossing, "direction" | "frame"> {
  readonly at: number
  readonly place: string
  readonly linkType: number
  readonly comments?: ReadonlyArray<string>
}

const shown = ({ name, recording }: Named): ReadonlyArray<Shown> => {
  const names = new Map<LinkId, readonly [string, number]>()
  const all: Array<Shown> = []
  for (const { at, crossings, event } of play(recording, false)) {
    if (event._tag === "Request" && event.request._tag === "AttachLink") {
      const { id, medium, name } = event.request.interface
      names.set(id, [name, medium === "ethernet" ? Pcapng.LinkType.ethernet : Pcapng.LinkType.raw])
    }
    for (const { direction, dropped, frame, link: number } of crossings) {
      const [link, linkType] = names.get(number) ?? [String(number), Pcapng.LinkType.ethernet]
      const place = name === "" ? link : `${name}.${link}`
      const comments = dropped === undefined ? {} : { comments: [`dropped: ${dropped}`] }
      all.push({ at: at + recording.config.wallOffset, place, linkType, direction, frame, ...comments })
    }
  }
  return all
}

const shownBefallen = (entry: Entry): Shown => ({
  at: entry.at,
  place: placeOf(entry),
  linkType: Pcapng.LinkType.ethernet,
  direction: "out",
  frame: entry.frame,
  ...commentsOf(entry)
})

/**
 * The frames of recordings as one capture file, in the order of their times, with a comment on each that was dropped. What has befallen
 * frames on links, with times since 1970, is there once more at interfaces of its own, named `host@link`.
 */
export const pcapng = (
  recordings: ReadonlyArray<Named>,
  comment?: string,
  befallen: ReadonlyArray<Entry> = []
): Uint8Array<ArrayBuffer> => {
  const all = [...recordings.flatMap(shown), ...befallen.map(shownBefallen)].toSorted((a, b) => a.at - b.at)
  const places = new Map(all.map(({ linkType, place }) => [place, linkType]))
  const numbers = [...places.keys()]
  return joined([
    Pcapng.sectionHeader({ application: "effect-netstack", ...(comment === undefined ? {} : { comment }) }),
    ...Array.from(places, ([name, linkType]) => Pcapng.interfaceDescription({ linkType, name })),
    ...all.map(({ at, comments, direction, frame, place }) =>
      Pcapng.enhancedPacket({
        interface: numbers.indexOf(place),
        at,
        data: { bytes: frame, start: 0, end: frame.length },
        direction,
        ...(comments === undefined ? {} : { comments })
      })
    )
  ])
}
