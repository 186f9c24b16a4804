/**
 * A trace as a capture file: each end of each link is an interface, named `host@link`. A frame that was lost or altered is there
 * once at its sender, with a comment that says so.
 */
import * as Pcapng from "../wire/Pcapng.ts"
import { describeReason, type Entry } from "./Trace.ts"

/** Blocks of a file, one after the other. */
export const joined = (blocks: ReadonlyArray<Uint8Array>): Uint8Array<ArrayBuffer> => {
  const all = new Uint8Array(blocks.reduce((sum, block) => sum + block.length, 0))
  let at = 0
  for (const block of blocks) {
    all.set(block, at)
    at += block.length
  }
  return all
}

/** Where an entry was seen: what is sent, altered and lost at the sender, what arrives at the receiver. */
export const placeOf = ({ from, happening, link, to }: Entry): string =>
  `${happening === "arrived" ? to : from}@${link}`

/** Whether something has befallen a frame. */
const isBefallen = ({ happening }: Entry): boolean => happening === "lost" || happening === "altered"

/** What is told of an entry beside its frame. */
export const commentsOf = (entry: Entry): { readonly comments?: ReadonlyArray<string> } =>
  isBefallen(entry) ? { comments: [describeReason(entry)] } : {}

/** Frames that were sent and then lost or altered are told as that, once. */
const told = (entries: ReadonlyArray<Entry>): ReadonlyArray<Entry> =>
  entries.filter(({ at, frame, happening, link }, i) => {
    const next = entries[i + 1]
    return happening !== "sent" || next === undefined || !isBefallen(next) || next.at !== at || next.link !== link ||
      next.frame.length !== frame.length
  })

/** The bytes of a pcapng file of Ethernet frames; times count from 1970. */
export const pcapngOf = (entries: ReadonlyArray<Entry>, comment?: string): Uint8Array<ArrayBuffer> => {
  const shown = told(entries)
  const places = [...new Set(shown.map(placeOf))]
  return joined([
    Pcapng.sectionHeader({ application: "effect-netstack", ...(comment === undefined ? {} : { comment }) }),
    ...places.map((name) => Pcapng.interfaceDescription({ linkType: Pcapng.LinkType.ethernet, name })),
    ...shown.map((entry) =>
      Pcapng.enhancedPacket({
        interface: places.indexOf(placeOf(entry)),
        at: entry.at,
        data: { bytes: entry.frame, start: 0, end: entry.frame.length },
        direction: entry.happening === "arrived" ? "in" : "out",
        ...commentsOf(entry)
      })
    )
  ])
}
