/**
 * A network namespace of a test's own: a kernel with its own interfaces, neighbours and routes, beside the machine's.
 *
 *      namespace nst-4711-1
 *     +---------------------------------------------------+
 *     |  ping, curl, nc …  ─── Linux ─── tap0 ─── netstack |
 *     +---------------------------------------------------+
 *
 * A namespace lives as long as the scope that made it, and nothing in it is reachable from outside. So every test may use
 * the same device name and the same addresses.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { existsSync, readdirSync } from "node:fs"
import * as Process from "./Process.ts"

export interface Namespace {
  readonly name: string
  /** Runs a program in the namespace to its end; it must end with status 0. */
  readonly succeed: (
    program: string,
    args: ReadonlyArray<string>,
    options?: Process.RunOptions
  ) => Effect.Effect<Process.Ended, Process.ProcessError>
  /** The same, however it ends. */
  readonly run: Namespace["succeed"]
  /** Starts a program in the namespace that ends with the scope. */
  readonly start: (
    program: string,
    args: ReadonlyArray<string>,
    options?: Process.Options
  ) => Effect.Effect<Process.Running, Process.ProcessError, Scope.Scope>
}

const prefix = "nst"
const mountPoint = "/run/netns"

let made = 0

const inside = (name: string): Namespace => {
  const within = (program: string, args: ReadonlyArray<string>) => ["netns", "exec", name, program, ...args]
  return {
    name,
    succeed: (program, args, options) => Process.succeed("ip", within(program, args), options),
    run: (program, args, options) => Process.run("ip", within(program, args), options),
    start: (program, args, options) => Process.start("ip", within(program, args), options)
  }
}

/** Namespaces of runs that were killed before they could clean up: the process that a name tells is gone. */
const removeAbandoned = Effect.gen(function*() {
  const names = existsSync(mountPoint) ? readdirSync(mountPoint) : []
  for (const name of names) {
    const owner = new RegExp(`^${prefix}-(\\d+)-\\d+$`).exec(name)?.[1]
    if (owner !== undefined && !existsSync(`/proc/${owner}`)) yield* Process.run("ip", ["netns", "del", name])
  }
})

/** A fresh namespace in which only the loopback device is up. */
export const make: Effect.Effect<Namespace, Process.ProcessError, Scope.Scope> = Effect.gen(function*() {
  yield* removeAbandoned
  const name = `${prefix}-${process.pid}-${++made}`
  yield* Effect.acquireRelease(
    Process.succeed("ip", ["netns", "add", name]),
    () => Effect.orDie(Process.succeed("ip", ["netns", "del", name]))
  )
  const namespace = inside(name)
  yield* namespace.succeed("ip", ["link", "set", "lo", "up"])
  return namespace
})

export interface TapOptions {
  readonly name?: string
  /** The kernel's address with its prefix length. */
  readonly address: string
  readonly mtu?: number
  /** For several descriptors at once; one if absent. */
  readonly queues?: "one" | "several"
}

/** A persistent TAP device with the kernel's address on it. It has no carrier until somebody opens it. */
export const addTap = (namespace: Namespace, options: TapOptions): Effect.Effect<void, Process.ProcessError> =>
  Effect.gen(function*() {
    const name = options.name ?? "tap0"
    const queues = options.queues === "several" ? ["multi_queue"] : []
    yield* namespace.succeed("ip", ["tuntap", "add", "dev", name, "mode", "tap", ...queues])
    if (options.mtu !== undefined) yield* namespace.succeed("ip", ["link", "set", name, "mtu", String(options.mtu)])
    yield* namespace.succeed("ip", ["address", "add", options.address, "dev", name])
    yield* namespace.succeed("ip", ["link", "set", name, "up"])
  })

/** One end of a cable between two namespaces. */
export interface CableEnd {
  readonly namespace: Namespace
  readonly device: string
  readonly address: string
}

/** A veth pair, each end in its namespace, with address and up. */
export const addCable = (
  one: CableEnd,
  other: CableEnd,
  mtu = 1500
): Effect.Effect<void, Process.ProcessError> =>
  Effect.gen(function*() {
    const peer = ["peer", "name", other.device, "netns", other.namespace.name]
    yield* one.namespace.succeed("ip", ["link", "add", one.device, "type", "veth", ...peer])
    for (const { address, device, namespace } of [one, other]) {
      yield* namespace.succeed("ip", ["address", "add", address, "dev", device])
      yield* namespace.succeed("ip", ["link", "set", device, "mtu", String(mtu), "up"])
    }
  })

/**
 * Switches segmentation and merging by a device, which let the kernel move up to 64 KiB at a time over an MTU of 1500. Checksums stay
 * as they are: over veth nobody computes them.
 */
export const setOffloads = (
  namespace: Namespace,
  device: string,
  on: boolean
): Effect.Effect<void, Process.ProcessError> =>
  Effect.asVoid(
    namespace.succeed("ethtool", ["-K", device, ...["tso", "gso", "gro"].flatMap((name) => [name, on ? "on" : "off"])])
  )

/** Sets a kernel parameter of the namespace alone. */
export const setKernel = (
  namespace: Namespace,
  name: string,
  value: string
): Effect.Effect<void, Process.ProcessError> =>
  Effect.asVoid(namespace.succeed("sysctl", ["-q", "-w", `${name}=${value}`]))
