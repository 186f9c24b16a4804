/**
 * Two kernels with the stack in between, on a TAP device to each: the stack forwards, or it bridges.
 *
 *     namespace left                     the stack                    namespace right
 *     kernel ─── left0 ──────────── netstack up … ──────────────── right0 ─── kernel
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { join } from "node:path"
import * as Machine from "./Machine.ts"
import * as Namespace from "./Namespace.ts"
import type * as Process from "./Process.ts"

export const leftDevice = "left0"
export const rightDevice = "right0"

export interface Crossing {
  readonly left: Namespace.Namespace
  readonly right: Namespace.Namespace
  readonly stack: Process.Running
}

interface Side {
  readonly device: string
  readonly addresses: ReadonlyArray<string>
  /** What is behind the stack, and the stack's address on this side. */
  readonly routes?: ReadonlyArray<readonly [to: string, via: string]>
}

/** The device of an open link, moved into a namespace with addresses and routes there. */
const furnish = (middle: Namespace.Namespace, { addresses, device, routes = [] }: Side) =>
  Effect.gen(function*() {
    const namespace = yield* Namespace.make
    yield* middle.succeed("ip", ["link", "set", device, "netns", namespace.name])
    for (const address of addresses) {
      const noProbe = address.includes(":") ? ["nodad"] : []
      yield* namespace.succeed("ip", ["address", "add", address, "dev", device, ...noProbe])
    }
    yield* namespace.succeed("ip", ["link", "set", device, "up"])
    for (const [to, via] of routes) {
      yield* namespace.succeed("ip", [via.includes(":") ? "-6" : "-4", "route", "add", to, "via", via])
    }
    return namespace
  })

/** Starts `netstack up` on both devices with these flags, and gives each its kernel. */
export const make = (
  title: string,
  flags: ReadonlyArray<string>,
  left: Omit<Side, "device">,
  right: Omit<Side, "device">
): Effect.Effect<Crossing, Process.ProcessError, Scope.Scope> =>
  Effect.gen(function*() {
    const middle = yield* Namespace.make
    yield* Namespace.setKernel(middle, "net.ipv6.conf.default.disable_ipv6", "1")
    const folder = yield* Machine.artifacts(title)
    const stack = yield* middle.start(process.execPath, [
      ...Machine.netstackCommand,
      "up",
      "--tap",
      leftDevice,
      "--tap",
      rightDevice,
      ...flags
    ], { log: join(folder, "netstack.log") })
    yield* Machine.isUp(stack, [])
    return {
      stack,
      left: yield* furnish(middle, { device: leftDevice, ...left }),
      right: yield* furnish(middle, { device: rightDevice, ...right })
    }
  })

/** Sends so many bytes over TCP from one kernel to the other; the hashes of what was sent and of what came. */
export const send = (
  from: Namespace.Namespace,
  to: Namespace.Namespace,
  address: string,
  bytes: number
): Effect.Effect<readonly [sent: string, received: string], Process.ProcessError> =>
  Effect.scoped(Effect.gen(function*() {
    const family = address.includes(":") ? "-6" : "-4"
    const server = yield* to.start("bash", ["-c", `nc ${family} -n -v -l 5001 | sha256sum`])
    yield* server.line(/Listening/i)
    const script = `head -c ${bytes} /dev/urandom | tee >(sha256sum >&2) | nc ${family} -n -N ${address} 5001`
    const { stderr } = yield* from.succeed("bash", ["-c", script])
    const { stdout } = yield* server.ended()
    const hashOf = (text: string) => /[0-9a-f]{64}/.exec(text)?.[0] ?? text
    return [hashOf(stderr), hashOf(stdout)] as const
  }))
