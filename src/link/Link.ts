/**
 * A link: something that carries frames, as a plain value.
 *
 * TAP, TUN, an in-memory wire, a port of a switch are links; middleware (`Faults`, `Capture`) takes a link and gives one.
 * Frames go both ways as ranges of slabs (`wire/Frame.ts`), so a batch costs no allocation per byte. Opening is scoped:
 * when the scope closes, nothing is delivered any more and every handle is gone.
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type { Frame, GsoKind } from "../wire/Frame.ts"
import * as Mac from "../wire/Mac.ts"

/** What a link does by itself, so that the stack need not. */
export interface Capabilities {
  /** Received frames come with checksums verified or partial where they say so; frames with partial checksums may be sent. */
  readonly checksumOffload: boolean
  /** Kinds of super-segments that `send` takes (and `receive` may deliver). */
  readonly segmentation: ReadonlySet<GsoKind>
  /** The largest super-segment in bytes of IP packet; the MTU where there is none. */
  readonly maxSegmentBytes: number
}

/** A link that does nothing by itself. */
export const noCapabilities = (mtu: number): Capabilities => ({
  checksumOffload: false,
  segmentation: new Set(),
  maxSegmentBytes: mtu
})

/** What happened to a link while it was open. */
export type LinkChange =
  | { readonly _tag: "Up" }
  | { readonly _tag: "Down" }
  | { readonly _tag: "MtuChanged"; readonly mtu: number }
  /** The link is gone for good (the device was deleted, the far side closed). */
  | { readonly _tag: "Gone"; readonly error: LinkError | undefined }

/** Where a link delivers. All three are synchronous, never throw, and must not be called from within `Port.send` of the same link's own opener re-entrantly for more than one batch. */
export interface Sink {
  /** A batch of received frames, in order. Frames with a slab are released one by one when processed; the others must stay untouched for good. */
  readonly frames: (batch: ReadonlyArray<Frame>) => void
  readonly changed: (change: LinkChange) => void
}

/** The sending side of an open link. */
export interface Port {
  /**
   * Sends `frames[from..]` as far as the link takes them now; returns how many it took (0 when it is full: then wait for
   * `writable`). It has copied or written what it took when it returns. A frame that the link can't carry is taken, dropped and counted.
   * Bytes before `frame.start` (as many as the link's `headroom`) may be overwritten.
   */
  readonly send: (frames: ReadonlyArray<Frame>, from: number) => number
  /** Completes when `send` may take more; at once if it may now. */
  readonly writable: Effect.Effect<void>
  /**
   * The port itself, if its `send` takes frames that lie in pieces (`Frame.rest`). A port that middleware makes from another's parts is not that port: so it gets
   * whole frames until it says the same of itself.
   */
  readonly gathers?: Port
  /** Frames that the link itself lost, by reason (ring overflow, carrier down, write error). */
  readonly counters: () => Readonly<Record<string, number>>
}

/** The port, whose `send` takes frames in pieces. */
export const gathering = (port: Omit<Port, "gathers">): Port => {
  const self: Port & { gathers?: Port } = { ...port }
  self.gathers = self
  return self
}

export interface Link {
  /** Unique in a stack, e.g. `tap0`. */
  readonly name: string
  /** Absent on links without link-layer addresses; the stack makes one up on an ethernet link without. */
  readonly mac: Mac.Mac | undefined
  readonly medium: "ethernet" | "ip"
  /** Largest IP packet in bytes. */
  readonly mtu: number
  readonly capabilities: Capabilities
  /**
   * Everybody on it is known, as on a wire in memory: IPv6 addresses that a program gives are used without asking whether somebody else has them
   * (RFC 4862 §5.1: a DupAddrDetectTransmits of zero). False if absent.
   */
  readonly isClosed?: boolean
  /** Bytes that the stack leaves free before every frame it sends. */
  readonly headroom: number
  /** Starts delivering to `sink`. One opener at a time. */
  readonly open: (sink: Sink) => Effect.Effect<Port, LinkError, Scope.Scope>
}

/** The operating system or the medium refused; `hint` says what to do about it. */
export class LinkError extends Schema.TaggedError<LinkError>()("LinkError", {
  link: Schema.String,
  /** e.g. `open`, `configure`, `read`, `write` */
  operation: Schema.String,
  /** The system's error name where there is one: `EPERM`, `EBUSY` … */
  code: Schema.optional(Schema.String),
  hint: Schema.optional(Schema.String),
  cause: Schema.optional(Schema.Defect())
}) {
  override get message(): string {
    const code = this.code === undefined ? "" : ` (${this.code})`
    const hint = this.hint === undefined ? "" : `: ${this.hint}`
    return `${this.link}: ${this.operation} failed${code}${hint}`
  }
}

/** A link that is open already. */
export const inUse = (link: string): LinkError =>
  new LinkError({ link, operation: "open", code: "EBUSY", hint: "a link has one opener at a time" })

/** The address that a program gives to a link, or the error of whoever opens that link. */
export const ownMac = (link: string, input: Mac.Input | undefined): Result.Result<Mac.Mac | undefined, LinkError> =>
  input === undefined ?
    Result.succeed(undefined) :
    Result.mapError(
      Mac.fromInput(input),
      ({ message }) =>
        new LinkError({ link, operation: "open", hint: `${String(input)} is no MAC address: ${message}` })
    )
