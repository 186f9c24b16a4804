/**
 * What happens to a stack: a frame came in, a local program asked for something, a timer rang. Nothing else does.
 */
import type { Frame } from "../wire/Frame.ts"
import type { LinkId } from "./Device.ts"
import type { Request, Ticket } from "./Request.ts"
import type { Instant } from "./Time.ts"
import type { TimerId } from "./Timer.ts"

export type Event =
  | {
    readonly _tag: "Frame"
    readonly link: LinkId
    /** Borrowed until the step returns. */
    readonly frame: Frame
    /** When the link took it; for round-trip times and captures only. */
    readonly receivedAt: Instant
    /**
     * The next event of the batch brings the text behind this one's, of the same flow. What an ACK would tell now, that of the next event tells as well; left out, it
     * costs the core nothing (row `offload-receive`). False if absent.
     */
    readonly isFollowed?: boolean
    /** The frame came in a slab that may be kept, so that text is charged as if it were; a recording has this and no slab. False if absent. */
    readonly isLent?: boolean
  }
  | { readonly _tag: "Request"; readonly ticket: Ticket; readonly request: Request }
  | { readonly _tag: "Timer"; readonly timer: TimerId; readonly due: Instant }
