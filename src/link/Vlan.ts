/**
 * Virtual LANs on one link: each is a link of its own, whose frames carry a tag on the way (IEEE 802.1Q-2018 §6.9, §9.6).
 *
 * ```
 *   untagged ─┐                       to | from | type …                 as it is
 *   tap0.10  ─┼─ trunk ─ tap0         to | from | 8100 | 10 | type …     the addresses move four octets into the headroom
 *   tap0.20  ─┘                       to | from | 8100 | 20 | type …
 * ```
 *
 * The link beneath opens with the first of them and closes with the last. It keeps its offloads: checksums and super-segments
 * are described by offsets, which move with the tag. An MTU is that of the link beneath, since a tag is no part of the packet.
 *
 * @example
 * ```ts
 * const trunk = Vlan.trunk(yield* Tap.make({ name: "tap0" }))
 * const links = [trunk.untagged, trunk.tagged(10), trunk.tagged(20, { priority: 5 })]
 * ```
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import * as Ethernet from "../wire/Ethernet.ts"
import type { Frame } from "../wire/Frame.ts"
import * as Malformed from "../wire/Malformed.ts"
import * as Tag from "../wire/Vlan.ts"
import * as Word from "../wire/Word.ts"
import { inUse, type Link, type LinkChange, LinkError, type Port, type Sink } from "./Link.ts"
import * as SlabPool from "./SlabPool.ts"

export interface TagOptions {
  /** The priority of what is sent, 0 to 7 (IEEE 802.1Q-2018 §6.9.3); 0 if absent. What is received may have any. */
  readonly priority?: number
  /** `tap0.10` for VLAN 10 of `tap0` if absent. */
  readonly name?: string
}

/** Frames that the trunk had to drop, for any of its links. */
export interface Losses {
  /** Of a VLAN, or without one, that no open link takes. */
  readonly unknownVlan: number
  /** The tag is cut off, or its VLAN is the reserved 4095. */
  readonly malformed: number
}

export interface Trunk {
  /** What comes without a tag, or with one that has only a priority (VLAN 0); sent without a tag. */
  readonly untagged: Link
  /** One VLAN, 1 to 4094, as a link. Opening it fails if the number is another one, or the link beneath is no Ethernet. */
  readonly tagged: (identifier: number, options?: TagOptions) => Link
  readonly losses: () => Losses
}

const macBytes = 12
/** Where the type stands that says a tag follows. */
const typeAt = macBytes
const leastVlan = 1
const greatestVlan = 4094
const greatestPriority = 7
/** The number of those who take frames without a tag. */
const none = 0

/** The frame with its start moved by `by`; what is counted from there moves the other way. */
const moved = (frame: Frame, by: number): Frame => ({
  ...frame,
  start: frame.start + by,
  checksumStart: frame.checksum === "partial" ? frame.checksumStart - by : frame.checksumStart,
  gso: frame.gso === undefined ? undefined : { ...frame.gso, headerLength: frame.gso.headerLength - by }
})

/** The frame without its tag: the addresses move over it. Who holds a slab owns what lies in it; other bytes are not ours. */
const stripped = (frame: Frame): Frame => {
  const own = frame.slab === undefined
    ? { ...frame, bytes: frame.bytes.slice(frame.start, frame.end), start: 0, end: frame.end - frame.start }
    : frame
  own.bytes.copyWithin(own.start + Tag.headerLength, own.start, own.start + macBytes)
  return moved(own, Tag.headerLength)
}

/** The frame with room for a tag before it; a sender that left no headroom costs a copy. */
const roomy = (frame: Frame): Frame => {
  if (frame.start >= Tag.headerLength) return moved(frame, -Tag.headerLength)
  const end = Tag.headerLength + frame.end - frame.start
  const bytes = new Uint8Array(end)
  bytes.set(frame.bytes.subarray(frame.start, frame.end), Tag.headerLength)
  return moved({ ...frame, bytes, start: Tag.headerLength, end }, -Tag.headerLength)
}

/** Moves the addresses into the room and writes the tag behind them; the type of the packet stands behind it already. */
const writeTag = ({ bytes, start }: Frame, tag: Tag.Fields): void => {
  bytes.copyWithin(start, start + Tag.headerLength, start + Tag.headerLength + macBytes)
  Word.write16(Ethernet.EtherType.vlan, bytes, start + typeAt)
  const at = start + Ethernet.headerLength
  Tag.emit({ ...tag, type: Word.read16(bytes, at + 2) }, bytes, at)
}

/** Undoes {@link writeTag}: whoever sends keeps the frame as it was, taken or not. */
const eraseTag = ({ bytes, start }: Frame): void => {
  bytes.copyWithin(start + Tag.headerLength, start, start + macBytes)
}

const isTagged = (frame: Frame): boolean =>
  frame.end - frame.start >= Ethernet.headerLength &&
  Word.read16(frame.bytes, frame.start + typeAt) === Ethernet.EtherType.vlan

/** The link beneath while it is open. */
interface Line {
  readonly port: Port
  readonly scope: Scope.Closeable
}

/** Gives each of its links the frames of its VLAN. */
class Splitter implements Sink {
  readonly takers = new Map<number, Sink>()
  readonly lost = { unknownVlan: 0, malformed: 0 }
  /** What the link beneath has said last, for those who open later. */
  private state: LinkChange | undefined
  private mtu: LinkChange | undefined

  readonly frames = (batch: ReadonlyArray<Frame>): void => {
    // Runs of one VLAN stay together, so that the order of the wire holds.
    let run: Array<Frame> = []
    let taker: Sink | undefined
    for (const frame of batch) {
      const vlan = this.vlanOf(frame)
      const next = vlan === undefined ? undefined : this.takers.get(vlan)
      if (next === undefined) {
        if (vlan !== undefined) this.lost.unknownVlan += 1
        SlabPool.release([frame])
        continue
      }
      if (next !== taker) {
        if (run.length > 0) taker?.frames(run)
        run = []
        taker = next
      }
      run.push(isTagged(frame) ? stripped(frame) : frame)
    }
    if (run.length > 0) taker?.frames(run)
  }

  readonly changed = (change: LinkChange): void => {
    if (change._tag === "MtuChanged") this.mtu = change
    else this.state = change
    for (const taker of this.takers.values()) taker.changed(change)
  }

  /** Tells a new taker where the link stands. */
  catchUp(taker: Sink): void {
    if (this.state !== undefined && this.state._tag !== "Up") taker.changed(this.state)
    if (this.mtu !== undefined) taker.changed(this.mtu)
  }

  forget(): void {
    this.state = undefined
    this.mtu = undefined
  }

  /** The VLAN of a frame, {@link none} without one; undefined if it can't be told. */
  private vlanOf(frame: Frame): number | undefined {
    if (!isTagged(frame)) return none
    const tag = Tag.parse(frame.bytes, frame.start + Ethernet.headerLength, frame.end)
    if (!Malformed.isMalformed(tag)) return tag.identifier
    this.lost.malformed += 1
    return undefined
  }
}

/** The sending side of one VLAN. */
const tagging = (port: Port, tag: Tag.Fields): Port => {
  // A frame that is offered again is the same to the link beneath as well, which may know it by its identity.
  let refused = new Map<Frame, Frame>()
  return {
    ...port,
    send: (frames, from) => {
      const tagged: Array<Frame> = []
      for (let i = from; i < frames.length; i++) tagged.push(refused.get(frames[i]!) ?? roomy(frames[i]!))
      for (const frame of tagged) writeTag(frame, tag)
      const taken = port.send(tagged, 0)
      for (const frame of tagged) eraseTag(frame)
      if (refused.size > 0) refused = new Map()
      for (let i = taken; i < tagged.length; i++) refused.set(frames[from + i]!, tagged[i]!)
      return taken
    }
  }
}

/** Why there can be no such VLAN on the link. */
const refusalOf = (link: Link, identifier: number, priority: number): string | undefined => {
  if (link.medium !== "ethernet") return "only an Ethernet link has VLANs"
  if (!Number.isInteger(identifier) || identifier < leastVlan || identifier > greatestVlan) {
    return `a VLAN is ${leastVlan} to ${greatestVlan}`
  }
  const isPriority = Number.isInteger(priority) && priority >= 0 && priority <= greatestPriority
  return isPriority ? undefined : `a priority is 0 to ${greatestPriority}`
}

/** A link, shared by its VLANs. */
class SharedLink {
  readonly link: Link
  readonly splitter = new Splitter()
  private readonly permit = Semaphore.makeUnsafe(1)
  private line: Line | undefined

  constructor(link: Link) {
    this.link = link
  }

  /** Opens the link for one VLAN, or for what has none. */
  open(name: string, vlan: number, sink: Sink): Effect.Effect<Port, LinkError, Scope.Scope> {
    return Effect.map(
      Effect.acquireRelease(
        this.permit.withPermit(this.join(name, vlan, sink)),
        () => this.permit.withPermit(this.leave(vlan))
      ),
      (port) => ({ ...port, counters: () => ({ ...port.counters(), ...this.splitter.lost }) })
    )
  }

  private join(name: string, vlan: number, sink: Sink): Effect.Effect<Port, LinkError> {
    const { takers } = this.splitter
    return Effect.suspend(() => {
      if (takers.has(vlan)) return Effect.fail(inUse(name))
      takers.set(vlan, sink)
      if (this.line !== undefined) {
        this.splitter.catchUp(sink)
        return Effect.succeed(this.line.port)
      }
      return Effect.onError(this.start, () => Effect.sync(() => takers.delete(vlan)))
    })
  }

  private readonly start: Effect.Effect<Port, LinkError> = Effect.suspend(() => {
    const scope = Scope.makeUnsafe()
    return this.link.open(this.splitter).pipe(
      Scope.provide(scope),
      Effect.onError(() => Scope.close(scope, Exit.void)),
      Effect.tap((port) => Effect.sync(() => this.line = { port, scope }))
    )
  })

  private leave(vlan: number): Effect.Effect<void> {
    return Effect.suspend(() => {
      const { line, splitter } = this
      splitter.takers.delete(vlan)
      if (splitter.takers.size > 0 || line === undefined) return Effect.void
      this.line = undefined
      return Effect.andThen(Scope.close(line.scope, Exit.void), Effect.sync(() => splitter.forget()))
    })
  }
}

/** The links of one link: what has no tag, and as many VLANs as are asked for, each open at most once at a time. */
export const trunk = (link: Link): Trunk => {
  const shared = new SharedLink(link)
  return {
    untagged: { ...link, open: (sink) => shared.open(link.name, none, sink) },
    tagged: (identifier, { name = `${link.name}.${identifier}`, priority = 0 } = {}) => ({
      ...link,
      name,
      headroom: link.headroom + Tag.headerLength,
      open: (sink) => {
        const hint = refusalOf(link, identifier, priority)
        if (hint !== undefined) return Effect.fail(new LinkError({ link: name, operation: "open", hint }))
        const tag: Tag.Fields = { identifier, priority, dropEligible: false, type: 0 }
        return Effect.map(shared.open(name, identifier, sink), (port) => tagging(port, tag))
      }
    }),
    losses: () => ({ ...shared.splitter.lost })
  }
}

/** One VLAN of a link as a link, where nothing else uses that link. */
export const make = (link: Link, identifier: number, options?: TagOptions): Link =>
  trunk(link).tagged(identifier, options)

/** {@link make} as middleware. */
export const apply = (identifier: number, options?: TagOptions) => (link: Link): Link => make(link, identifier, options)
