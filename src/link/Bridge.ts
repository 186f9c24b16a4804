/**
 * Several Ethernet links as one: stations on each reach those on the others, and the opener of the bridge reaches them all
 * (IEEE 802.1D-2004 §7).
 *
 * ```
 *   tap0 ══ patch ══ port ┐
 *   tap1 ══ patch ══ port ┼ switch ─ bridge0 ─ the stack
 *   wire ══ patch ══ port ┘
 * ```
 *
 * Learning, ageing, flooding and their bounds are those of the `Switch` in the middle. VLAN tags pass as they are, so a
 * `Vlan` on top of the bridge sees those of every member. **There is no spanning tree**: members that are connected by another
 * way as well make a loop, in which one broadcast circles until the line is full. So don't.
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import type { Frame } from "../wire/Frame.ts"
import type * as Mac from "../wire/Mac.ts"
import { type Capabilities, type Link, type LinkChange, LinkError, ownMac, type Port } from "./Link.ts"
import { named } from "./named.ts"
import * as Offload from "./Offload.ts"
import * as Signal from "./Signal.ts"
import * as SlabPool from "./SlabPool.ts"
import * as Switch from "./Switch.ts"

export interface Options extends Pick<Switch.Options, "ageing" | "tableSize" | "queueFrames" | "bufferBytes"> {
  /** The name of the bridge as a link; `bridge0` if absent. */
  readonly name?: string
  /** The opener's own address; that of the first member that has one if absent. */
  readonly mac?: Mac.Input
}

export interface Bridge {
  /** The bridge as a link for a stack. The members open and close with it. */
  readonly link: Link
  /** The names of the members, or of the bridge itself, behind which stations are believed to be. */
  readonly table: Switch.Switch["table"]
  readonly notLearned: Switch.Switch["notLearned"]
  /** What each open member lost: frames from it that the bridge did not forward, and frames to it. */
  readonly counters: () => ReadonlyMap<string, Readonly<Record<string, number>>>
}

/** Frames that are fitted to a member and offered to it at once; what waits behind them stays in the memory of the switch. */
const fittedFrames = 64

/** Hands the frames of a switch port on to a member, and keeps them while that is full. The memory of the port bounds them. */
class Relay {
  private readonly limits: Offload.Limits
  private readonly headroom: number
  private readonly filled = Signal.make()
  private port: Port | undefined
  private waiting: Array<Frame> = []
  /** The first of those that wait, as the member can carry them. */
  private fitted: ReadonlyArray<Frame> = []

  constructor(member: Link) {
    this.limits = member
    this.headroom = member.headroom
  }

  readonly put = (batch: ReadonlyArray<Frame>): void => {
    const isIdle = this.waiting.length === 0 && this.fitted.length === 0
    for (const frame of batch) this.waiting.push(frame)
    if (!isIdle) return
    this.pump()
    if (this.fitted.length > 0) this.filled.notify()
  }

  /** Begins to send by `port`, and goes on as often as it was full and is no more. */
  run(port: Port): Effect.Effect<never> {
    this.port = port
    this.pump()
    return Effect.forever(
      Effect.suspend(() => this.fitted.length === 0 ? this.filled.wait : Effect.map(port.writable, () => this.pump()))
    )
  }

  close(): void {
    SlabPool.release(this.fitted)
    SlabPool.release(this.waiting)
    this.fitted = []
    this.waiting = []
    this.port = undefined
  }

  private pump(): void {
    const { port } = this
    if (port === undefined) return
    while (this.fitted.length > 0 || this.waiting.length > 0) {
      if (this.fitted.length === 0) {
        const next = this.waiting.splice(0, fittedFrames)
        this.fitted = Offload.lowered(this.limits, this.headroom, next)
      }
      const taken = port.send(this.fitted, 0)
      SlabPool.release(this.fitted.slice(0, taken))
      this.fitted = this.fitted.slice(taken)
      if (this.fitted.length > 0) return
    }
  }
}

/** Connects a member with its port of the switch for as long as the scope lasts; gives the counters of both. */
const patch = (
  member: Link,
  socket: Link,
  unplugged: () => void
): Effect.Effect<ReadonlyArray<Port>, LinkError, Scope.Scope> =>
  Effect.gen(function*() {
    const relay = yield* Effect.acquireRelease(
      Effect.sync(() => new Relay(member)),
      (self) => Effect.sync(() => self.close())
    )
    const inner = yield* socket.open({ frames: relay.put, changed: () => {} })
    const outer = yield* member.open({
      frames: (batch) => {
        inner.send(batch, 0)
        SlabPool.release(batch)
      },
      changed: (change: LinkChange) => {
        if (change._tag === "Down" || change._tag === "Gone") unplugged()
      }
    })
    yield* Effect.forkScoped(named("bridge", relay.run(outer)), { startImmediately: true })
    return [inner, outer]
  })

const sum = (all: ReadonlyArray<Readonly<Record<string, number>>>): Readonly<Record<string, number>> => {
  const total: Record<string, number> = {}
  for (const counters of all) {
    for (const [reason, count] of Object.entries(counters)) total[reason] = (total[reason] ?? 0) + count
  }
  return total
}

/** Whatever any member can do: what another can't, the bridge does for it. */
const capabilitiesOf = (members: ReadonlyArray<Link>): Capabilities => ({
  checksumOffload: members.some(({ capabilities }) => capabilities.checksumOffload),
  segmentation: new Set(members.flatMap(({ capabilities }) => [...capabilities.segmentation])),
  maxSegmentBytes: Math.max(0, ...members.map(({ capabilities }) => capabilities.maxSegmentBytes))
})

/** Why there can be no such bridge. */
const refusalOf = (members: ReadonlyArray<Link>, name: string): string | undefined => {
  if (members.some(({ medium }) => medium !== "ethernet")) return "only Ethernet links can be bridged"
  const names = new Set([name, ...members.map((member) => member.name)])
  return names.size === members.length + 1 ? undefined : "each member and the bridge need a name of their own"
}

/** A bridge of these links. */
export const make = (members: ReadonlyArray<Link>, options: Options = {}): Bridge => {
  const name = options.name ?? "bridge0"
  const { checksumOffload, segmentation } = capabilitiesOf(members)
  const hub = Switch.make({
    ...options,
    ports: [...members.map((member) => member.name), name],
    mtu: Math.min(65_535, ...members.map(({ mtu }) => mtu)),
    checksumOffload,
    segmentation,
    headroom: Math.max(0, ...members.map(({ headroom }) => headroom))
  })
  const own = hub.ports[members.length]!
  const mac = ownMac(name, options.mac)
  let patched: ReadonlyArray<readonly [string, ReadonlyArray<Port>]> = []
  const link: Link = {
    ...own,
    mac: Result.getOrUndefined(mac) ?? members.find(({ mac }) => mac !== undefined)?.mac,
    open: (sink) =>
      Effect.gen(function*() {
        const hint = refusalOf(members, name)
        yield* Effect.fromResult(mac)
        if (hint !== undefined) return yield* new LinkError({ link: name, operation: "open", hint })
        const port = yield* own.open(sink)
        patched = yield* Effect.forEach(members, (member, index) =>
          Effect.map(
            patch(member, hub.ports[index]!, () => hub.forget(member.name)),
            (ports) => [member.name, ports] as const
          ))
        return port
      })
  }
  return {
    link,
    table: hub.table,
    notLearned: hub.notLearned,
    counters: () => new Map(patched.map(([member, ports]) => [member, sum(ports.map((port) => port.counters()))]))
  }
}
