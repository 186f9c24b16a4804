/**
 * The table of UDP sockets: how a datagram finds its socket, the specific before the wildcard, and how a socket finds a port.
 *
 *     (local, port, remote, remote port) ─▶ (local, port) ─▶ (any address of the version, port)
 */
import * as Address from "../../wire/Address.ts"
import type { Context } from "../Context.ts"
import * as HashIndex from "../data/HashIndex.ts"
import * as Demux from "../Demux.ts"
import type { LinkId } from "../Device.ts"
import * as Entropy from "../Entropy.ts"
import type { Socket, State } from "./State.ts"

/** What a datagram is found by, seen from this host. */
export interface Ends {
  readonly local: Address.Address
  readonly port: number
  readonly remote: Address.Address
  readonly remotePort: number
  readonly link: LinkId
}

const hashOf = (
  ctx: Context,
  local: Address.Address,
  port: number,
  remote: Address.Address,
  remotePort: number
): number => Demux.hash(ctx.keys.demux, local, port, remote, remotePort)

/** The versions in which a socket without local address listens. */
const versionsOf = (socket: Socket): ReadonlyArray<Address.Version> =>
  socket.version === undefined ? [4, 6] : [socket.version]

/** Under which hashes a socket is found. */
const hashesOf = (ctx: Context, socket: Socket): ReadonlyArray<number> => {
  const { local, port, remote } = socket
  if (local === undefined) {
    return versionsOf(socket).map((version) => {
      const any = Address.unspecified(version)
      return hashOf(ctx, any, port, any, 0)
    })
  }
  if (remote !== undefined) return [hashOf(ctx, local, port, remote.address, remote.port)]
  return [hashOf(ctx, local, port, Address.unspecified(Address.versionOf(local)), 0)]
}

/** Adds a socket, or puts a changed one where it is found from now on. */
export const index = (ctx: Context, state: State, socket: Socket): void => {
  for (const hash of hashesOf(ctx, socket)) HashIndex.add(ctx, state.index, hash, socket.id)
}

export const unindex = (ctx: Context, state: State, socket: Socket): void => {
  for (const hash of hashesOf(ctx, socket)) HashIndex.remove(ctx, state.index, hash, socket.id)
}

const isLinkRight = (socket: Socket, link: LinkId): boolean => socket.link === undefined || socket.link === link

const isConnectedTo = (socket: Socket, ends: Ends): boolean =>
  socket.remote !== undefined && socket.local !== undefined && socket.remote.port === ends.remotePort &&
  Address.equals(socket.remote.address, ends.remote) && Address.equals(socket.local, ends.local)

const isBoundTo = (socket: Socket, ends: Ends): boolean =>
  socket.remote === undefined && socket.local !== undefined && Address.equals(socket.local, ends.local)

const isOpenTo = (socket: Socket, ends: Ends): boolean =>
  socket.local === undefined && (socket.version === undefined || socket.version === Address.versionOf(ends.local))

/** The three questions, the most specific first. */
const tiers: ReadonlyArray<{
  readonly hash: (ctx: Context, ends: Ends) => number
  readonly matches: (socket: Socket, ends: Ends) => boolean
}> = [
  {
    hash: (ctx, { local, port, remote, remotePort }) => hashOf(ctx, local, port, remote, remotePort),
    matches: isConnectedTo
  },
  {
    hash: (ctx, { local, port }) => hashOf(ctx, local, port, Address.unspecified(Address.versionOf(local)), 0),
    matches: isBoundTo
  },
  {
    hash: (ctx, { local, port }) => {
      const any = Address.unspecified(Address.versionOf(local))
      return hashOf(ctx, any, port, any, 0)
    },
    matches: isOpenTo
  }
]

/** The sockets that match in one tier, the last bound first. */
const matching = (ctx: Context, state: State, tier: typeof tiers[number], ends: Ends): ReadonlyArray<Socket> => {
  const ids = HashIndex.get(state.index, tier.hash(ctx, ends))
  const found: Array<Socket> = []
  for (let i = ids.length - 1; i >= 0; i--) {
    const socket = state.sockets.get(ids[i]!)
    if (
      socket !== undefined && socket.port === ends.port && isLinkRight(socket, ends.link) && tier.matches(socket, ends)
    ) {
      found.push(socket)
    }
  }
  return found
}

/** The one socket that a datagram to a single host is for. */
export const find = (ctx: Context, state: State, ends: Ends): Socket | undefined => {
  for (const tier of tiers) {
    const [socket] = matching(ctx, state, tier, ends)
    if (socket !== undefined) return socket
  }
  return undefined
}

/** All sockets that a datagram to a group or broadcast address is for (RFC 1122 §4.1.3.5; RFC 1112 §7). */
export const findAll = (ctx: Context, state: State, ends: Ends): ReadonlyArray<Socket> =>
  tiers.flatMap((tier) => matching(ctx, state, tier, ends))

/** What a socket would occupy. */
export type Claim = Pick<Socket, "local" | "version" | "port" | "link" | "options">

/** Whether two sockets could both be meant by one datagram. */
const overlaps = (a: Claim, b: Claim): boolean =>
  (a.link === undefined || b.link === undefined || a.link === b.link) &&
  (a.local === undefined || b.local === undefined
    ? a.version === undefined || b.version === undefined || a.version === b.version
    : Address.equals(a.local, b.local))

/** Whether a port may be bound. */
export const isFree = (state: State, claim: Claim): boolean => {
  for (const id of HashIndex.get(state.ports, claim.port)) {
    const other = state.sockets.get(id)
    if (other === undefined || (other.options.reuseAddress && claim.options.reuseAddress)) continue
    if (overlaps(other, claim)) return false
  }
  return true
}

/** A port that nobody has, from a place that can't be foretold (RFC 6056 §3.3.1); `undefined` when all are taken. */
export const choosePort = (ctx: Context, state: State): number | undefined => {
  // One range for the whole stack: a shard's is a part of what its siblings share (`link/Steering.ts`).
  const { firstEphemeralPort: first, lastEphemeralPort: last } = ctx.config.tcp
  const count = last - first + 1
  const salt = state.ephemeral.value + 1
  ctx.set(state.ephemeral, salt)
  const start = (Entropy.word(ctx.keys.port, [udpPurpose, salt]) >>> 0) % count
  for (let i = 0; i < count; i++) {
    const port = first + (start + i) % count
    if (!state.ports.has(port)) return port
  }
  return undefined
}

/** Sets the ports of UDP apart from what else is derived from the key. */
const udpPurpose = 17
