/**
 * Finding what a segment is for (RFC 9293 §3.10.7): the record of its four-tuple, else the most specific listener of its port.
 *
 * Records with one hash are chained through their `next`, newest first; `demuxChain` bounds the chain, so an attacker that found colliding tuples
 * would only lose the means to open more.
 */
import * as Address from "../../wire/Address.ts"
import * as Checksum from "../../wire/Checksum.ts"
import * as IpProtocol from "../../wire/IpProtocol.ts"
import type { Context } from "../Context.ts"
import * as Demux from "../Demux.ts"
import type { LinkId } from "../Device.ts"
import type { Tuple } from "./Connection.ts"
import * as Progress from "./Progress.ts"
import type { Entry, Listener, State } from "./State.ts"

export const tupleOf = (
  ctx: Context,
  local: Address.Address,
  localPort: number,
  remote: Address.Address,
  remotePort: number
): Tuple => ({
  local,
  localPort,
  remote,
  remotePort,
  hash: Demux.hash(ctx.keys.demux, local, localPort, remote, remotePort),
  pseudo: Checksum.pseudo(local, remote, IpProtocol.tcp, 0)
})

const isFor = (
  tuple: Tuple,
  local: Address.Address,
  localPort: number,
  remote: Address.Address,
  remotePort: number
): boolean =>
  tuple.localPort === localPort && tuple.remotePort === remotePort &&
  Address.equals(tuple.remote, remote) && Address.equals(tuple.local, local)

/** The record of a four-tuple; `local` is this stack's side. */
export const find = (
  ctx: Context,
  state: State,
  local: Address.Address,
  localPort: number,
  remote: Address.Address,
  remotePort: number
): Entry | undefined => {
  let id = state.demux.get(Demux.hash(ctx.keys.demux, local, localPort, remote, remotePort))
  while (id !== undefined && id !== 0) {
    const entry = state.entries.get(id)
    if (entry === undefined) return undefined
    if (isFor(entry.tuple, local, localPort, remote, remotePort)) return entry
    id = entry.next
  }
  return undefined
}

/** Whether one more record of this hash may be added. */
export const hasRoom = (ctx: Context, state: State, hash: number): boolean => {
  let left = ctx.config.limits.demuxChain
  let id = state.demux.get(hash) ?? 0
  while (id !== 0 && left > 0) {
    left--
    id = state.entries.get(id)?.next ?? 0
  }
  return left > 0
}

/** What the `next` of a new record is to be. */
export const firstOf = (state: State, hash: number): number => state.demux.get(hash) ?? 0

/** Adds a record, made with {@link firstOf} as its `next`. */
export const add = (ctx: Context, state: State, entry: Entry): void => {
  ctx.put(state.entries, entry.id, entry)
  ctx.put(state.demux, entry.tuple.hash, entry.id)
  if (ctx.config.telemetry) Progress.opening(ctx, entry)
}

/** Takes a record out of the index; its entry is the caller's to remove. */
export const unlink = (ctx: Context, state: State, entry: Entry): void => {
  const hash = entry.tuple.hash
  const first = state.demux.get(hash)
  if (first === entry.id) {
    if (entry.next === 0) ctx.remove(state.demux, hash)
    else ctx.put(state.demux, hash, entry.next)
    return
  }
  let id = first ?? 0
  while (id !== 0) {
    const before = state.entries.get(id)
    if (before === undefined) return
    if (before.next === entry.id) return ctx.put(state.entries, id, { ...before, next: entry.next })
    id = before.next
  }
}

/** Higher is more specific: a link, then an address, then a version. */
const specificity = (listener: Listener): number =>
  (listener.local === undefined ? 0 : 4) + (listener.link === undefined ? 0 : 2) +
  (listener.version === undefined ? 0 : 1)

const takes = (listener: Listener, local: Address.Address, link: LinkId): boolean =>
  (listener.link === undefined || listener.link === link) &&
  (listener.local === undefined
    ? listener.version === undefined || listener.version === Address.versionOf(local)
    : Address.equals(listener.local, local))

/** The most specific listener that takes connections to this address and port. */
export const listenerFor = (
  state: State,
  local: Address.Address,
  port: number,
  link: LinkId
): Listener | undefined => {
  const ids = state.listening.get(port)
  if (ids === undefined) return undefined
  for (const id of ids) {
    const listener = state.listeners.get(id)
    if (listener !== undefined && takes(listener, local, link)) return listener
  }
  return undefined
}

const isSame = (a: Listener, b: Listener): boolean =>
  a.link === b.link && a.version === b.version &&
  (a.local === undefined || b.local === undefined ? a.local === b.local : Address.equals(a.local, b.local))

/** Adds a listener behind the more specific ones of its port; false if one with the same ends is there. */
export const addListener = (ctx: Context, state: State, listener: Listener): boolean => {
  const ids = state.listening.get(listener.port) ?? []
  const there = ids.map((id) => state.listeners.get(id)!)
  if (there.some((other) => isSame(other, listener))) return false
  const at = there.findIndex((other) => specificity(other) < specificity(listener))
  const position = at < 0 ? ids.length : at
  ctx.put(state.listeners, listener.id, listener)
  ctx.put(state.listening, listener.port, [...ids.slice(0, position), listener.id, ...ids.slice(position)])
  return true
}

export const removeListener = (ctx: Context, state: State, listener: Listener): void => {
  const ids = (state.listening.get(listener.port) ?? []).filter((id) => id !== listener.id)
  ctx.remove(state.listeners, listener.id)
  if (ids.length === 0) ctx.remove(state.listening, listener.port)
  else ctx.put(state.listening, listener.port, ids)
}
