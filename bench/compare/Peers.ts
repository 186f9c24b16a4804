/**
 * The stacks that are measured beside this one, by the same client of the kernel on the same cores, each on wires of its own.
 *
 * ```
 *   kernel ── TAP ── this stack, or lwIP                       the stack ends the connection
 *   kernel ── TAP ── slirp4netns, or pasta ── kernel's server   the stack ends it, and opens one on loopback to a server
 * ```
 *
 * What the second kind does for each byte is therefore more: it is what those programs are for.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { execFileSync, spawnSync } from "node:child_process"
import { existsSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import * as Namespace from "../../test/interop/Namespace.ts"
import type * as Process from "../../test/interop/Process.ts"
import * as Wires from "../Wires.ts"

export interface Peer {
  readonly name: string
  readonly make: Effect.Effect<Wires.Wire, Process.ProcessError, Scope.Scope>
  /** Bytes of bulk data, for those that would take minutes for {@link bulk}. */
  readonly bytes?: number
  /** How to get what it needs and what is not there. */
  readonly missing?: string
}

/** Bytes that most can move within seconds. */
export const bulk = 1_000_000_000

const isInstalled = (program: string): boolean => spawnSync("which", [program]).status === 0

/** Addresses as these two programs have them by custom. */
const outside = { client: "10.0.2.15", netmask: "255.255.255.0", gateway: "10.0.2.2" } as const

/** Two namespaces: the client's, and one with a server on loopback, where the program runs that joins them. */
const joined = (
  name: string,
  start: (client: Namespace.Namespace, host: Namespace.Namespace) => ReturnType<Namespace.Namespace["start"]>
) =>
  Effect.gen(function*() {
    const client = yield* Wires.preparedNamespace
    const host = yield* Wires.preparedNamespace
    yield* Wires.serveByKernel(host, "127.0.0.1")
    const server = yield* start(client, host)
    return { name, client, server, address: outside.gateway } satisfies Wires.Wire
  })

const onCore = (...command: ReadonlyArray<string>): readonly [string, ReadonlyArray<string>] => [
  "taskset",
  ["-c", Wires.serverCore, ...command]
]

const namespaceFile = ({ name }: Namespace.Namespace): string => join("/run/netns", name)

const slirp = (mtu: number): Peer => {
  const name = `slirp4netns, MTU ${mtu}`
  return {
    name,
    make: joined(name, (client, host) =>
      Effect.gen(function*() {
        const flags = ["--configure", `--mtu=${mtu}`, "--netns-type=path"]
        const running = yield* host.start(...onCore("slirp4netns", ...flags, namespaceFile(client), "tap0"))
        yield* running.line(/received tapfd/)
        yield* client.succeed("ip", ["-4", "route", "get", outside.gateway])
        return running
      })),
    bytes: mtu === 1500 ? bulk / 5 : bulk,
    ...(isInstalled("slirp4netns") ? {} : { missing: "apt-get install slirp4netns" })
  }
}

/** It takes its addresses from an interface that has a default route, so that one is made. */
const pastaHost = (host: Namespace.Namespace) =>
  Effect.gen(function*() {
    for (
      const line of [
        "link add up0 type veth peer name up1",
        `address add ${outside.client}/24 dev up0`,
        "link set up0 up",
        "link set up1 up",
        `route add default via ${outside.gateway}`
      ]
    ) yield* host.succeed("ip", line.split(" "))
  })

const pasta = (mtu: number): Peer => {
  const name = `pasta, MTU ${mtu}`
  const { client: address, gateway, netmask } = outside
  const flags = ["--foreground", "--stderr", "--runas", "0", "--config-net", "--ipv4-only", "--mtu", String(mtu)]
  const noPorts = ["-t", "none", "-u", "none", "-T", "none", "-U", "none"]
  const addresses = ["--address", address, "--netmask", netmask, "--gateway", gateway]
  return {
    name,
    make: joined(name, (client, host) =>
      Effect.gen(function*() {
        yield* pastaHost(host)
        const all = [...flags, ...noPorts, "-I", "tap0", ...addresses, "--netns", namespaceFile(client)]
        const running = yield* host.start(...onCore("pasta", ...all))
        yield* running.line(/router: /)
        return running
      })),
    bytes: mtu === 1500 ? bulk / 20 : bulk,
    ...(isInstalled("pasta") ? {} : { missing: "apt-get install passt" })
  }
}

const lwipSource = fileURLToPath(new URL("lwip.c", import.meta.url))

/** The program, in a folder that goes with the scope. */
const buildLwip = Effect.acquireRelease(
  Effect.sync(() => {
    const folder = mkdtempSync(join(tmpdir(), "netstack-bench-"))
    const program = join(folder, "lwip")
    execFileSync("cc", ["-O2", "-I/usr/include/lwip", "-o", program, lwipSource, "-llwip", "-lpthread"])
    return { folder, program }
  }),
  ({ folder }) => Effect.sync(() => rmSync(folder, { recursive: true }))
)

const lwipNeeds = (): string | undefined => {
  if (!isInstalled("cc")) return "apt-get install gcc libc6-dev"
  return existsSync("/usr/include/lwip/lwip/tcp.h") ? undefined : "apt-get install liblwip-dev"
}

const lwip = (): Peer => {
  const missing = lwipNeeds()
  return {
    name: "lwIP of Debian",
    make: Effect.gen(function*() {
      const { program } = yield* buildLwip
      const client = yield* Wires.preparedNamespace
      yield* Namespace.addTap(client, { address: Wires.clientAddress + Wires.prefix })
      const server = yield* client.start(...onCore(program, "tap0", Wires.serverAddress, outside.netmask))
      yield* server.line(/^ready$/)
      return { name: "lwIP", client, server }
    }),
    ...(missing === undefined ? {} : { missing })
  }
}

/** This stack, and the one that the others are compared with. */
export const ours: Peer = { name: "this stack", make: Wires.tap([], ["--no-offload"]) }

/** In the order of the table. */
export const all: ReadonlyArray<Peer> = [
  ours,
  { name: "this stack, offload", make: Wires.tap([], ["--offload"]) },
  lwip(),
  slirp(1500),
  slirp(65_520),
  pasta(1500),
  pasta(65_520),
  { name: "Linux over veth, offloads off", make: Wires.veth(false) },
  { name: "Linux over veth, offloads on", make: Wires.veth(true) }
]
