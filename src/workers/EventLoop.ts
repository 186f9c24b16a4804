/**
 * Whoever runs a program in a time of its own hears here that a part of it waits for the process's event loop: streams of Node,
 * promises. Such a part does not show among the fibers, so a clock that jumps when they all wait has to let it have its turn first.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"

export interface Listener {
  /** Something in this program lives on the event loop from now on. */
  readonly joined: () => void
}

/** Nobody listens unless the program runs in virtual time. */
export const EventLoop: Context.Reference<Listener> = Context.Reference("effect-netstack/workers/EventLoop", {
  defaultValue: () => ({ joined: () => {} })
})

/** What bridges to Node says when it is made. */
export const join: Effect.Effect<void> = Effect.map(EventLoop, ({ joined }) => joined())
