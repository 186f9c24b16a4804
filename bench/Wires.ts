/**
 * The wires on which the kernel measures a peer: a kernel over veth, or the stack over TAP. All are made alike: the client on
 * one core, the server on the other, the same addresses, services and client program.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { fileURLToPath } from "node:url"
import * as Namespace from "../test/interop/Namespace.ts"
import type * as Process from "../test/interop/Process.ts"

export const clientAddress = "10.99.0.1"
export const serverAddress = "10.99.0.2"
export const prefix = "/24"

/** The classic ports, on every server. */
export const ports = { echo: 7, discard: 9, source: 19 } as const
const services = Object.entries(ports).map(([kind, port]) => `${kind}:${port}`)

const peerProgram = fileURLToPath(new URL("kernel/peer.py", import.meta.url))
const stackProgram = fileURLToPath(new URL("../bin/netstack.ts", import.meta.url))

const httpProgram = fileURLToPath(new URL("programs/http.ts", import.meta.url))
const idleProgram = fileURLToPath(new URL("programs/idle.ts", import.meta.url))

/** The cores of the two sides. */
const clientCore = "0"
export const serverCore = "1"

/** What the kernel's client reports; which fields depends on the command. */
export interface Report {
  readonly bytes: number
  readonly count: number
  readonly nanos: number
  readonly p50: number
  readonly p99: number
  /** Jain's index of the bytes of connections that ran at once: 1 if all got the same, 1/n if one got all. */
  readonly fairness: number
}

export type Command = "send" | "receive" | "latency" | "connects" | "parallel-send" | "parallel-receive"

const portOf: { readonly [K in Command]: number } = {
  send: ports.discard,
  receive: ports.source,
  latency: ports.echo,
  connects: ports.echo,
  "parallel-send": ports.discard,
  "parallel-receive": ports.source
}

/** A server and the kernel that measures it. */
export interface Wire {
  readonly name: string
  readonly client: Namespace.Namespace
  /** The server's address as the client sees it; {@link serverAddress} if absent. */
  readonly address?: string
  readonly server: Process.Running
}

type Made = Effect.Effect<Wire, Process.ProcessError, Scope.Scope>

/** A namespace for thousands of connections. */
export const preparedNamespace = Effect.gen(function*() {
  const namespace = yield* Namespace.make
  // Thousands of short connections to one port: their ends must not run out of ports for the next.
  yield* Namespace.setKernel(namespace, "net.ipv4.ip_local_port_range", "1024 65535")
  yield* Namespace.setKernel(namespace, "net.ipv4.tcp_tw_reuse", "1")
  return namespace
})

/** The services on the sockets of a namespace's kernel. */
export const serveByKernel = (
  namespace: Namespace.Namespace,
  address: string
): Effect.Effect<Process.Running, Process.ProcessError, Scope.Scope> =>
  Effect.gen(function*() {
    const args = ["-c", serverCore, "python3", peerProgram, "serve", address, ...services]
    const running = yield* namespace.start("taskset", args)
    yield* running.line(/^ready$/)
    return running
  })

/** Two kernels and a veth pair. */
export const veth = (offloads: boolean): Made =>
  Effect.gen(function*() {
    const client = yield* preparedNamespace
    const server = yield* preparedNamespace
    yield* Namespace.addCable(
      { namespace: client, device: "eth0", address: clientAddress + prefix },
      { namespace: server, device: "eth0", address: serverAddress + prefix }
    )
    for (const namespace of [client, server]) yield* Namespace.setOffloads(namespace, "eth0", offloads)
    const running = yield* serveByKernel(server, serverAddress)
    return { name: offloads ? "veth" : "veth, offloads off", client, server: running }
  })

/** A kernel, a TAP device, and the stack as the program `netstack up`, with flags for its Node and for itself. */
export const tap = (flags: ReadonlyArray<string> = [], further: ReadonlyArray<string> = []): Made =>
  Effect.gen(function*() {
    const client = yield* preparedNamespace
    yield* Namespace.addTap(client, { address: clientAddress + prefix })
    const up = ["up", "--tap", "tap0", "--address", serverAddress + prefix]
    const wanted = services.flatMap((service) => ["--service", service])
    const node = [process.execPath, ...flags, stackProgram]
    const running = yield* client.start("taskset", ["-c", serverCore, ...node, ...up, ...wanted, ...further])
    for (const service of services) yield* running.line(new RegExp(`^${service.replace(":", " on port ")}\\b`))
    return { name: "stack over TAP", client, server: running }
  })

/** A kernel, a TAP device with several queues, and the stack in so many shards, on any core, beside the client on any. */
export const shards = (count: number): Made =>
  Effect.gen(function*() {
    const client = yield* preparedNamespace
    yield* Namespace.addTap(client, { address: clientAddress + prefix, queues: "several" })
    const up = ["up", "--tap", "tap0", "--address", serverAddress + prefix, "--shards", String(count)]
    const wanted = services.flatMap((service) => ["--service", service])
    const running = yield* client.start(process.execPath, [stackProgram, ...up, ...wanted])
    for (const service of services) yield* running.line(new RegExp(`^${service.replace(":", " on port ")}\\b`))
    return { name: `${count} shards over TAP`, client, server: running }
  })

/** A kernel, a TAP device, and on it a server whose connections do nothing; it tells what it holds. */
export const idle: Made = Effect.gen(function*() {
  const client = yield* preparedNamespace
  yield* Namespace.addTap(client, { address: clientAddress + prefix })
  const program = ["--expose-gc", idleProgram, "tap0", serverAddress + prefix, String(ports.echo)]
  const running = yield* client.start("taskset", ["-c", serverCore, process.execPath, ...program])
  yield* running.line(/^ready$/)
  return { name: "idle stack over TAP", client, server: running }
})

const clientArgs = (
  command: string,
  port: number,
  count: number,
  address = serverAddress
): ReadonlyArray<string> => [
  "-c",
  clientCore,
  "python3",
  peerProgram,
  command,
  address,
  String(port),
  String(count)
]

/** Runs one measurement of the kernel's client. */
export const measure = (wire: Wire, command: Command, count: number): Effect.Effect<Report, Process.ProcessError> =>
  Effect.map(
    wire.client.succeed("taskset", clientArgs(command, portOf[command], count, wire.address), { limit: "5 minutes" }),
    ({ stdout }): Report => JSON.parse(stdout) as Report
  )

/**
 * So many short runs go before a measurement, each of whose connections ends. An engine compiles for what it has seen: the first end of a connection is news to
 * code that has been compiled since, and takes that back, so that what comes next would be measured half compiled. A server that lives for long has seen many ends.
 */
const shortRuns = 3
/** What a short run does, of what is measured. */
const shortPart = 1 / 40

/** Lets a server settle for a measurement: by short runs, and then by a run of so many parts of what is measured. */
export const settle = (
  wire: Wire,
  command: Command,
  count: number,
  parts: number
): Effect.Effect<void, Process.ProcessError> =>
  Effect.asVoid(Effect.andThen(
    Effect.replicateEffect(measure(wire, command, Math.ceil(count * shortPart)), shortRuns, { discard: true }),
    measure(wire, command, Math.ceil(count * parts))
  ))

/** Opens connections that do nothing, until the scope closes. */
export const holdIdle = (
  wire: Wire,
  count: number
): Effect.Effect<Process.Running, Process.ProcessError, Scope.Scope> =>
  Effect.gen(function*() {
    const running = yield* wire.client.start("taskset", clientArgs("idle", ports.echo, count))
    yield* running.line(/^open$/, "2 minutes")
    return running
  })

/** An HTTP server on port 80, on the stack over TAP or on the kernel's sockets over veth. */
export const http = (where: "stack" | "kernel", kind: "node" | "effect"): Made =>
  Effect.gen(function*() {
    const client = yield* preparedNamespace
    const server = where === "stack" ? client : yield* preparedNamespace
    if (where === "stack") {
      yield* Namespace.addTap(client, { address: clientAddress + prefix })
    } else {
      yield* Namespace.addCable(
        { namespace: client, device: "eth0", address: clientAddress + prefix },
        { namespace: server, device: "eth0", address: serverAddress + prefix }
      )
      for (const namespace of [client, server]) yield* Namespace.setOffloads(namespace, "eth0", false)
    }
    const args = ["-c", serverCore, process.execPath, httpProgram, "serve", where, kind, serverAddress]
    const running = yield* server.start("taskset", args)
    yield* running.line(/^ready$/)
    return { name: where, client, server: running }
  })

/** Requests over so many connections, each of which waits for its answer. */
export const requests = (
  wire: Wire,
  connections: number,
  count: number
): Effect.Effect<Pick<Report, "count" | "nanos">, Process.ProcessError> =>
  Effect.map(
    wire.client.succeed(
      "taskset",
      ["-c", clientCore, process.execPath, httpProgram, "ask", serverAddress, String(connections), String(count)],
      { limit: "5 minutes" }
    ),
    ({ stdout }) => JSON.parse(stdout) as Pick<Report, "count" | "nanos">
  )

/** {@link settle} for {@link requests}. */
export const settleRequests = (
  wire: Wire,
  connections: number,
  count: number,
  parts: number
): Effect.Effect<void, Process.ProcessError> =>
  Effect.asVoid(Effect.andThen(
    Effect.replicateEffect(requests(wire, connections, Math.ceil(count * shortPart)), shortRuns, { discard: true }),
    requests(wire, connections, Math.ceil(count * parts))
  ))
