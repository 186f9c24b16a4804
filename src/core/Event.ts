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
  }
  | { readonly _tag: "Request"; readonly ticket: Ticket; readonly request: Request }
  | { readonly _tag: "Timer"; readonly timer: TimerId; readonly due: Instant }
