/**
 * Effect's `DatagramSocket` over the stack's own UDP, so that a program written against `effect/socket` moves by swapping a layer.
 *
 * ```
 *   acquire reader ──▶ bind     one fiber takes datagrams in batches ──▶ the reader's queue (bounded; beyond, counted as dropped)
 *   write ──▶ send              ICMP errors of a connected socket ──▶ `onError`, and the socket goes on
 * ```
 *
 * Options are named as in `NodeDatagramSocket`.
 *
 * @example
 * ```ts
 * const Discovery = Layer.provide(App, NetstackDatagramSocket.layer({ bind: { port: 5353 }, broadcast: true }))
 * ```
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Equal from "effect/Equal"
import type * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as NetAddress from "effect/net/NetAddress"
import type * as Scope from "effect/Scope"
import * as DatagramSocket from "effect/socket/DatagramSocket"
import * as Destination from "../src/sockets/Destination.ts"
import * as Failure from "../src/sockets/Failure.ts"
import { Netstack } from "../src/sockets/Netstack.ts"
import * as Network from "../src/sockets/Network.ts"
import * as Udp from "../src/sockets/Udp.ts"
import * as Edge from "../src/workers/Edge.ts"
import { withCause } from "./withCause.ts"

/** A far side; names are looked up with the service `Dns` of `effect/net`. */
export interface Endpoint {
  readonly address: string | NetAddress.IpAddress
  readonly port: number
}

export type Options =
  & {
    readonly bind?: {
      readonly address?: NetAddress.IpAddressInput | undefined
      /** Absent or 0 for an ephemeral one. */
      readonly port?: number | undefined
    } | undefined
    /** Takes datagrams over one IP version only; both if absent and nothing else decides. */
    readonly family?: "ipv4" | "ipv6" | undefined
    readonly reuseAddress?: boolean | undefined
    /** Sending to broadcast addresses is allowed. */
    readonly broadcast?: boolean | undefined
    /** The hop limit of what is sent; the stack's if absent. */
    readonly ttl?: number | undefined
    /** What is sent to groups: by which interface, how far, and whether it comes back to this stack (RFC 1112 §6.1). */
    readonly multicast?: {
      readonly interface?: NetAddress.MulticastInterface | undefined
      readonly loopback?: boolean | undefined
      readonly ttl?: number | undefined
    } | undefined
    /** Takes and sends datagrams over one interface of the stack only. */
    readonly link?: number | undefined
    readonly receiveBuffer?: DatagramSocket.ReceiveBufferOptions | undefined
    /** Hears of errors that no write could tell, such as ICMP reports. */
    readonly onError?: ((error: DatagramSocket.DatagramSocketError) => void) | undefined
  }
  & (
    | { readonly peer?: Endpoint | undefined; readonly connect?: undefined }
    | { readonly connect: Endpoint; readonly peer?: undefined }
  )

/** Datagrams that are taken from the stack at once. */
const batch = 64

const openKinds: { readonly [K in Failure.Any["_tag"]]?: DatagramSocket.DatagramSocketOpenError["kind"] } = {
  AddressInUse: "AddressInUse",
  AddressNotAvailable: "AddressNotAvailable",
  NameNotResolved: "AddressNotAvailable"
}

const openError = (cause: Udp.UdpError): DatagramSocket.DatagramSocketError =>
  new DatagramSocket.DatagramSocketError({
    reason: withCause(
      new DatagramSocket.DatagramSocketOpenError({ kind: openKinds[cause.reason._tag] ?? "Unknown", cause })
    )
  })

const kindOf = (reason: Failure.Any): DatagramSocket.IoErrorKind => {
  switch (reason._tag) {
    case "MessageTooLarge":
    case "ConnectionRefused":
      return reason._tag
    case "Unreachable":
      return reason.what === "prohibited" ? "PermissionDenied" : "Unreachable"
    case "LinkDown":
      return "Unreachable"
    default:
      return "Unknown"
  }
}

const closedError = (): DatagramSocket.DatagramSocketError =>
  new DatagramSocket.DatagramSocketError({ reason: new DatagramSocket.DatagramSocketClosedError() })

const readError = (cause: Udp.UdpError): DatagramSocket.DatagramSocketError =>
  new DatagramSocket.DatagramSocketError({
    reason: withCause(new DatagramSocket.DatagramSocketReadError({ kind: kindOf(cause.reason), cause }))
  })

const isClosed = ({ reason }: Udp.UdpError): boolean => reason._tag === "Closed"

const writeError = (cause: Udp.UdpError): DatagramSocket.DatagramSocketError =>
  isClosed(cause) ? closedError() : new DatagramSocket.DatagramSocketError({
    reason: withCause(new DatagramSocket.DatagramSocketWriteError({ kind: kindOf(cause.reason), cause }))
  })

/** What an unlistened port or a lost route does to a socket that lives on. */
const isPassing = ({ reason }: Udp.UdpError): boolean =>
  reason._tag === "ConnectionRefused" || reason._tag === "Unreachable" || reason._tag === "MessageTooLarge"

/** The sender as text; the zone of a link-local one is the number of the interface that it came by (RFC 4007 §11.2). */
const hostOf = ({ link, source }: Udp.Datagram): string => {
  const host = NetAddress.formatIp(source.address)
  return NetAddress.isIpv6Address(source.address) && NetAddress.isLinkLocal(source.address) ? `${host}%${link}` : host
}

/** Passes one batch on; false when the socket gives no more. */
const receive = (socket: Udp.UdpSocket, events: DatagramSocket.BackingEvents): Effect.Effect<boolean> =>
  Effect.matchEffect(socket.receiveMany(batch), {
    onSuccess: (datagrams) =>
      Effect.sync(() => {
        for (const datagram of datagrams) events.onPacket(datagram.bytes, hostOf(datagram), datagram.source.port)
        return true
      }),
    onFailure: (error) =>
      Effect.sync(() => {
        if (isClosed(error)) events.onClose()
        else if (isPassing(error)) events.onError(readError(error))
        else events.onReadError(readError(error))
        return isPassing(error)
      })
  })

const receiveAll = (socket: Udp.UdpSocket, events: DatagramSocket.BackingEvents): Effect.Effect<void> =>
  Effect.gen(function*() {
    let isOpen = true
    while (isOpen) isOpen = yield* receive(socket, events)
  })

type Backing = DatagramSocket.BackingAddress

/** The interface that a selector of the native form names: an address of it, or its number; nothing for the usual one. */
const linkOf = (
  stack: Netstack["Service"],
  selected: NetAddress.MulticastInterface | undefined
): Effect.Effect<number | undefined, Udp.UdpError> => {
  if (selected === undefined || selected === 0) return Effect.succeed(undefined)
  if (typeof selected === "number") return Effect.succeed(selected)
  if (Equal.equals(selected, NetAddress.ipv4Unspecified)) return Effect.succeed(undefined)
  return Effect.flatMap(Effect.provideService(Network.interfaces, Netstack, stack), (all) => {
    const found = all.find(({ addresses }) =>
      addresses.some((entry) => Equal.equals(entry.interface.address, selected))
    )
    if (found !== undefined) return Effect.succeed(found.link)
    return Effect.fail(new Udp.UdpError({ operation: "join", reason: new Failure.AddressNotAvailable() }))
  })
}

/** A bound socket in the form that `DatagramSocket` builds on. */
class Bound implements DatagramSocket.BackingSocket {
  readonly address: Backing
  readonly peer: Backing | undefined
  readonly connected: boolean
  private readonly stack: Netstack["Service"]
  private readonly socket: Udp.UdpSocket
  private readonly fork: <A, E>(effect: Effect.Effect<A, E>) => Fiber.Fiber<A, E>
  /** The last destination: most programs answer, or send to one. */
  private last: { readonly host: string; readonly inet: NetAddress.InetAddress } | undefined

  constructor(
    socket: Udp.UdpSocket,
    peer: Backing | undefined,
    connected: boolean,
    context: Context.Context<Netstack>
  ) {
    this.stack = Context.get(context, Netstack)
    this.address = { host: NetAddress.formatIp(socket.address.address), port: socket.address.port }
    this.peer = peer
    this.connected = connected
    this.socket = socket
    this.fork = Effect.runForkWith(context)
  }

  private inetOf({ host, port }: Backing): NetAddress.InetAddress {
    const { last } = this
    if (last !== undefined && last.host === host && last.inet.port === port) return last.inet
    const inet = NetAddress.inetAddressFromNativeUnsafe(host, port)
    this.last = { host, inet }
    return inet
  }

  private transmit(payload: Uint8Array, destination: Backing | undefined): Effect.Effect<void, Udp.UdpError> {
    return this.socket.send(payload, destination === undefined ? undefined : this.inetOf(destination))
  }

  readonly send: DatagramSocket.BackingSocket["send"] = (payload, destination, done) => {
    const sending = Effect.match(this.transmit(payload, destination), {
      onSuccess: () => done(),
      onFailure: (error) => done(writeError(error))
    })
    this.fork(sending)
  }

  readonly sendMany: DatagramSocket.BackingSocket["sendMany"] = (payloads, destinations, done) => {
    let at = 0
    const one = Effect.suspend(() => this.transmit(payloads[at]!, destinations[at]))
    const all = Effect.whileLoop({ while: () => at < payloads.length, body: () => one, step: () => at++ })
    const sending = Effect.match(all, { onSuccess: () => done(), onFailure: (error) => done(writeError(error), at) })
    this.fork(sending)
  }

  readonly joinMulticast: DatagramSocket.BackingSocket["joinMulticast"] = ({ group, interface: selected, source }) =>
    Effect.gen({ self: this }, function*() {
      const link = yield* linkOf(this.stack, selected)
      const on = link === undefined ? {} : { link }
      yield* this.socket.join(group, source === undefined ? on : { ...on, from: [source] })
      return () => Effect.ignore(this.socket.leave(group, on))
    }).pipe(Effect.mapError(openError))

  close(): void {
    this.fork(this.socket.close)
  }
}

const defined = <A extends object>(options: A) =>
  Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as {
    readonly [K in keyof A]?: Exclude<A[K], undefined>
  }

const bindOptions = (options: Options, multicastLink: number | undefined): Udp.BindOptions => ({
  ...defined({
    address: options.bind?.address,
    port: options.bind?.port,
    family: options.family === undefined ? undefined : options.family === "ipv4" ? "IPv4" as const : "IPv6" as const,
    link: options.link
  }),
  options: defined({
    reuseAddress: options.reuseAddress,
    broadcast: options.broadcast,
    hopLimit: options.ttl,
    multicastLink,
    multicastHopLimit: options.multicast?.ttl,
    multicastLoopback: options.multicast?.loopback
  })
})

/** Looks a far side up, if it is a name. */
const resolve = ({ address, port }: Endpoint): Effect.Effect<NetAddress.InetAddress, Udp.UdpError> =>
  Effect.mapBoth(Destination.resolve({ host: address, port }), {
    onSuccess: ([first]) =>
      first.link === undefined || typeof first.address !== "object"
        ? Edge.inetOf(first.address, port)
        : NetAddress.inetAddressFromNativeUnsafe(`${Edge.ipOf(first.address)}%${first.link}`, port),
    onFailure: (reason) => new Udp.UdpError({ operation: "connect", reason })
  })

const open = (
  options: Options,
  events: DatagramSocket.BackingEvents
): Effect.Effect<Bound, DatagramSocket.DatagramSocketError, Netstack | Scope.Scope> =>
  Effect.gen(function*() {
    const far = options.connect ?? options.peer
    const remote = far === undefined ? undefined : yield* resolve(far)
    const egress = yield* linkOf(yield* Netstack, options.multicast?.interface)
    const socket = yield* Udp.bind(bindOptions(options, egress))
    if (options.connect !== undefined) yield* socket.connect(remote!)
    yield* Effect.forkScoped(receiveAll(socket, events), { startImmediately: true })
    const peer = remote === undefined
      ? undefined
      : { host: NetAddress.formatNativeHost(remote, new Map()), port: remote.port }
    return new Bound(socket, peer, options.connect !== undefined, yield* Effect.context<Netstack>())
  }).pipe(Effect.mapError(openError))

/** A socket that binds to the stack each time its reader is acquired. */
export const make = (options: Options = {}): Effect.Effect<DatagramSocket.DatagramSocket, never, Netstack> =>
  DatagramSocket.makeFromBackingSocket((events) => open(options, events), options)

export const layer = (options?: Options): Layer.Layer<DatagramSocket.DatagramSocket, never, Netstack> =>
  Layer.effect(DatagramSocket.DatagramSocket, make(options))
