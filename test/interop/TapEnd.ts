/**
 * Both ends of a TAP or TUN device that this process opens itself: the link here, the interface in a namespace of its own.
 *
 *     this process ─── link ─── device ─── kernel 10.98.0.1 in the namespace
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { LinkChange, Sink } from "../../src/link/Link.ts"
import * as Frame from "../../src/wire/Frame.ts"
import * as Namespace from "./Namespace.ts"
import * as Process from "./Process.ts"

export const kernelAddress = "10.98.0.1"
export const ownAddress = "10.98.0.2"

let named = 0

/** A name that no other run uses. */
export const freshName = (): string => `nst${process.pid}t${++named}`

/** Moves the interface of an open device into a fresh namespace, with an address and up. IPv6 says nothing there. */
export const intoNamespace = (
  device: string
): Effect.Effect<Namespace.Namespace, Process.ProcessError, Scope.Scope> =>
  Effect.gen(function*() {
    const namespace = yield* Namespace.make
    yield* Namespace.setKernel(namespace, "net.ipv6.conf.default.disable_ipv6", "1")
    yield* Process.succeed("ip", ["link", "set", device, "netns", namespace.name])
    yield* namespace.succeed("ip", ["address", "add", `${kernelAddress}/24`, "dev", device])
    yield* namespace.succeed("ip", ["link", "set", device, "up"])
    return namespace
  })

/** A sink that keeps copies, and lets a test wait for what it will see. */
export interface Watcher extends Sink {
  readonly received: Array<Frame.Frame>
  readonly changes: Array<LinkChange>
  /** The first frame, received already or still to come, that fits. */
  readonly frame: (fits: (bytes: Uint8Array) => boolean) => Effect.Effect<Frame.Frame>
  readonly change: (tag: LinkChange["_tag"]) => Effect.Effect<LinkChange>
}

/** `onFrame` runs inside the delivery, for answers. */
export const watcher = (onFrame: (frame: Frame.Frame) => void = () => {}): Watcher => {
  const received: Array<Frame.Frame> = []
  const changes: Array<LinkChange> = []
  const waiting = new Set<() => void>()
  const wake = () => {
    for (const look of waiting) look()
  }
  const first = <A>(find: () => A | undefined): Effect.Effect<A> =>
    Effect.callback<A>((resume) => {
      const look = () => {
        const found = find()
        if (found === undefined) return
        waiting.delete(look)
        resume(Effect.succeed(found))
      }
      waiting.add(look)
      look()
      return Effect.sync(() => {
        waiting.delete(look)
      })
    })
  return {
    received,
    changes,
    frames: (batch) => {
      for (const frame of batch) {
        const bytes = Frame.copy(frame)
        const kept = { ...frame, bytes, start: 0, end: bytes.length, slab: undefined }
        received.push(kept)
        onFrame(kept)
        frame.slab?.release()
      }
      wake()
    },
    changed: (change) => {
      changes.push(change)
      wake()
    },
    frame: (fits) => first(() => received.find(({ bytes }) => fits(bytes))),
    change: (tag) => first(() => changes.find(({ _tag }) => _tag === tag))
  }
}
