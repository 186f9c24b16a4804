/**
 * A kernel and a peer with a bad network in between: a program of our own that loses, delays and reorders frames by seed. The peer is
 * another kernel, or the stack; what lies before it is the same.
 *
 *     namespace near                middle                                        far
 *     kernel 10.96.0.1 ─── near0 ─── relay ─── far0 ─────────────────────────────── kernel 10.96.0.2
 *                                                └── bridge ─── stack0 ─── stack 10.96.0.2
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import type * as Faults from "../../src/link/Faults.ts"
import * as Namespace from "./Namespace.ts"
import * as Process from "./Process.ts"

const nearAddress = "10.96.0.1"
const farAddress = "10.96.0.2"
const prefix = "/24"
const port = 7

export type Peer = "kernel" | "stack"

/** Congestion controls as both sides know them. */
export const congestions = ["cubic", "reno", "bbr"] as const
export type Congestion = typeof congestions[number]

/** The stack's names for them. */
const ours: { readonly [K in Congestion]: string } = { cubic: "cubic", reno: "newReno", bbr: "bbr" }

/** Those of them that this kernel has. */
export const available = (): ReadonlyArray<Congestion> => {
  const names = readFileSync("/proc/sys/net/ipv4/tcp_available_congestion_control", "utf8").split(/\s+/)
  return congestions.filter((name) => names.includes(name))
}

export interface Report {
  readonly bytes: number
  readonly sha256: string
  readonly millis: number
}

export interface Relay {
  /** `get` has the far side send, `put` the near kernel; both send with the congestion control that the relay was made for. */
  readonly transfer: (verb: "get" | "put", bytes: number) => Effect.Effect<Report, Process.ProcessError>
  /** Takes the relay down; what it did to the frames, as it tells it. */
  readonly end: Effect.Effect<string, Process.ProcessError>
}

const script = (path: string): string => fileURLToPath(new URL(path, import.meta.url))

/** A namespace in which IPv6 says nothing, so that the relay has only what it is to carry. */
const quiet = Effect.gen(function*() {
  const namespace = yield* Namespace.make
  yield* Namespace.setKernel(namespace, "net.ipv6.conf.default.disable_ipv6", "1")
  yield* Namespace.setKernel(namespace, "net.ipv6.conf.all.disable_ipv6", "1")
  return namespace
})

/** Moves an interface from one namespace to another, with an address there. */
const move = (from: Namespace.Namespace, to: Namespace.Namespace, device: string, address: string) =>
  Effect.gen(function*() {
    yield* from.succeed("ip", ["link", "set", device, "netns", to.name])
    yield* to.succeed("ip", ["address", "add", `${address}${prefix}`, "dev", device])
    yield* to.succeed("ip", ["link", "set", device, "up"])
  })

/** The kernel's server in a namespace of its own. */
const kernelServer = (middle: Namespace.Namespace, congestion: Congestion) =>
  Effect.gen(function*() {
    const far = yield* quiet
    yield* move(middle, far, "far0", farAddress)
    return yield* far.start(process.execPath, [script("kernel/bulk.ts"), "serve", String(port), congestion])
  })

/** The stack's server behind a bridge. */
const stackServer = (middle: Namespace.Namespace, congestion: Congestion) =>
  Effect.gen(function*() {
    yield* middle.succeed("ip", ["tuntap", "add", "dev", "stack0", "mode", "tap"])
    yield* middle.succeed("ip", ["link", "add", "bridge0", "type", "bridge"])
    for (const device of ["far0", "stack0"]) yield* middle.succeed("ip", ["link", "set", device, "master", "bridge0"])
    for (const device of ["far0", "stack0", "bridge0"]) yield* middle.succeed("ip", ["link", "set", device, "up"])
    const args = ["stack0", `${farAddress}${prefix}`, String(port), ours[congestion]]
    return yield* middle.start(process.execPath, [script("programs/bulk.ts"), ...args])
  })

/** A relay with these faults between the kernel and a peer, which serves. */
export const make = (
  peer: Peer,
  congestion: Congestion,
  faults: Faults.Options
): Effect.Effect<Relay, Process.ProcessError, Scope.Scope> =>
  Effect.gen(function*() {
    const middle = yield* quiet
    const near = yield* quiet
    const relay = yield* middle.start(process.execPath, [
      script("programs/relay.ts"),
      "near0",
      "far0",
      JSON.stringify(faults)
    ])
    yield* relay.line(/^ready$/)
    yield* move(middle, near, "near0", nearAddress)
    const server = yield* (peer === "kernel" ? kernelServer : stackServer)(middle, congestion)
    yield* server.line(/^ready$/)
    return {
      transfer: (verb, bytes) =>
        Effect.map(
          near.succeed(
            process.execPath,
            [script("kernel/bulk.ts"), verb, farAddress, port, bytes, congestion].map(String),
            { limit: "3 minutes" }
          ),
          ({ stdout }) => JSON.parse(stdout) as Report
        ),
      end: Effect.gen(function*() {
        yield* relay.endInput
        const [, told] = yield* relay.line(/^relayed (.*)$/)
        return told!
      })
    }
  })
