/**
 * A kernel and a stack on one wire: a namespace with a TAP device, and in it a program that puts a stack on the device.
 *
 *     10.99.0.1 kernel ─── tap0 ─── stack 10.99.0.2
 *
 * All that a failed test leaves for its reader, what every program printed and the frames that the kernel saw, is kept in
 * `test-artifacts/`; a test that passes leaves nothing.
 */
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as ExitModule from "effect/Exit"
import type * as Scope from "effect/Scope"
import { mkdirSync, rmSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import * as Namespace from "./Namespace.ts"
import type * as Process from "./Process.ts"

const root = fileURLToPath(new URL("../..", import.meta.url))

export const kernelAddress = "10.99.0.1"
export const stackAddress = "10.99.0.2"
export const prefixLength = 24
export const device = "tap0"

export interface Machine {
  readonly namespace: Namespace.Namespace
  /** Where what a failed test leaves is kept. */
  readonly folder: string
}

/** A folder that stays only if the scope ends in failure. */
export const artifacts = (title: string): Effect.Effect<string, never, Scope.Scope> => {
  const folder = join(root, "test-artifacts", title.replaceAll(/[^A-Za-z0-9]+/g, "-"))
  return Effect.acquireRelease(
    Effect.sync(() => {
      rmSync(folder, { recursive: true, force: true })
      mkdirSync(folder, { recursive: true })
      return folder
    }),
    (_, exit: Exit.Exit<unknown, unknown>) =>
      Effect.sync(() => {
        if (ExitModule.isSuccess(exit)) rmSync(folder, { recursive: true, force: true })
      })
  )
}

/** Bytes of each frame that captures keep: every header and its options. */
const keptBytes = 192

/** `tcpdump` at once, frame by frame, with kibibytes for a thousand whole frames that it has not read yet: its room is counted in longest frames. */
const captureOptions = ["-U", "--immediate-mode", "-B", "65536", "-Z", "root"]

/** Records the frames on the device as the kernel sees them, from when this returns to the end of the scope. */
export const capture = (
  machine: Machine,
  name = "kernel",
  bytes = keptBytes
): Effect.Effect<
  { readonly file: string; readonly stop: Effect.Effect<void, Process.ProcessError> },
  Process.ProcessError,
  Scope.Scope
> =>
  Effect.gen(function*() {
    const file = join(machine.folder, `${name}.pcap`)
    const options = [...captureOptions, "-i", device, "-s", String(bytes), "-w", file]
    const tcpdump = yield* machine.namespace.start("tcpdump", options)
    yield* tcpdump.line(/listening on/)
    const stop = Effect.andThen(tcpdump.signal("SIGINT"), Effect.asVoid(tcpdump.ended()))
    return { file, stop }
  })

export interface Options {
  readonly mtu?: number
}

/** A namespace with a TAP device that nobody has opened yet. */
export const make = (
  title: string,
  options: Options = {}
): Effect.Effect<Machine, Process.ProcessError, Scope.Scope> =>
  Effect.gen(function*() {
    const folder = yield* artifacts(title)
    const namespace = yield* Namespace.make
    yield* Namespace.addTap(namespace, { name: device, address: `${kernelAddress}/${prefixLength}`, ...options })
    const machine: Machine = { namespace, folder }
    yield* capture(machine)
    return machine
  })

/** The arguments for Node that run `netstack`. */
export const netstackCommand: ReadonlyArray<string> = [join(root, "bin/netstack.ts")]

/** Starts `netstack` with arguments of its own. */
export const netstack = (
  machine: Machine,
  args: ReadonlyArray<string>
): Effect.Effect<Process.Running, Process.ProcessError, Scope.Scope> =>
  machine.namespace.start(process.execPath, [...netstackCommand, ...args], {
    log: join(machine.folder, "netstack.log")
  })

/** Where a `netstack` command finds the wire. */
export const onWire = ["--tap", device, "--address", `${stackAddress}/${prefixLength}`] as const

/** `netstack up` with services such as `echo:7`, ready to answer. */
export const up = (
  machine: Machine,
  services: ReadonlyArray<string> = [],
  flags: ReadonlyArray<string> = []
): Effect.Effect<Process.Running, Process.ProcessError, Scope.Scope> =>
  Effect.gen(function*() {
    const wanted = services.flatMap((service) => ["--service", service])
    const running = yield* netstack(machine, ["up", ...onWire, ...wanted, ...flags])
    yield* isUp(running, services)
    return running
  })

/** Waits until `netstack up` has its address and all services. */
export const isUp = (
  running: Process.Running,
  services: ReadonlyArray<string>
): Effect.Effect<void, Process.ProcessError> =>
  Effect.forEach(
    [/ (is|are) up on /, ...services.map((service) => new RegExp(`^${service.replace(":", " on port ")}\\b`))],
    (line) => running.line(line, "30 seconds"),
    { discard: true }
  )

/** Starts a program of the stack's side, `programs/NAME.ts`. */
export const start = (
  machine: Machine,
  name: string,
  args: ReadonlyArray<string | number> = []
): Effect.Effect<Process.Running, Process.ProcessError, Scope.Scope> =>
  machine.namespace.start(
    process.execPath,
    [fileURLToPath(new URL(`programs/${name}.ts`, import.meta.url)), ...args.map(String)],
    { log: join(machine.folder, `${name}.log`) }
  )

/** The same, once it has said that it is ready. */
export const program = (
  machine: Machine,
  name: string
): Effect.Effect<Process.Running, Process.ProcessError, Scope.Scope> =>
  Effect.tap(start(machine, name), (running) => running.line(/^ready$/, "30 seconds"))

/** Runs a script of the kernel's side, `kernel/NAME.ts`, to its end and reads the JSON that it prints last. */
export const kernelScript = (
  machine: Machine,
  name: string,
  args: ReadonlyArray<string | number>,
  limit = "2 minutes" as const
): Effect.Effect<unknown, Process.ProcessError> =>
  Effect.map(
    machine.namespace.succeed(process.execPath, kernelCommand(name, args), {
      log: join(machine.folder, `${name}.log`),
      limit
    }),
    ({ stdout }) => JSON.parse(stdout.trim().split("\n").at(-1)!) as unknown
  )

/** Where a script of the kernel's side lies. */
export const kernelScriptPath = (file: string): string => fileURLToPath(new URL(`kernel/${file}`, import.meta.url))

/** The arguments for Node that run a script of the kernel's side. */
export const kernelCommand = (name: string, args: ReadonlyArray<string | number>): ReadonlyArray<string> => [
  fileURLToPath(new URL(`kernel/${name}.ts`, import.meta.url)),
  ...args.map(String)
]
