/**
 * The choice of an ephemeral port (RFC 6056 §3.3.3 and §3.3.4, algorithms 3 and 4).
 *
 *     port = first + (F(local, remote, remote port, key) + next) mod count,    next += 1
 *
 * Towards one destination the ports go up one by one, so a port comes back as late as can be; towards another they start elsewhere, so
 * what one peer sees says nothing about what another will. `next` is the caller's counter: one for the stack (algorithm 3), or
 * one of a few that {@link slot} picks (algorithm 4), which hides from a peer how many connections go elsewhere.
 */
import type * as Address from "../../wire/Address.ts"
import * as SipHash from "../data/SipHash.ts"
import * as FourTuple from "./FourTuple.ts"

const forOffset = 1
const forSlot = 2

/** The ends of a connection whose local port is to be chosen. */
export interface Ends {
  readonly local: Address.Address
  readonly remote: Address.Address
  readonly remotePort: number
}

/** The ephemeral ports, both ends included (RFC 6056 §3.2, RFC 6335 §6). */
export interface Range {
  readonly first: number
  readonly last: number
}

export interface Choice {
  readonly port: number
  /** What `next` is to be for the following choice. */
  readonly next: number
}

const hash = (key: SipHash.Key, purpose: number, ends: Ends): number =>
  SipHash.hashWords(
    key,
    FourTuple.words(purpose, { local: ends.local, localPort: 0, remote: ends.remote, remotePort: ends.remotePort })
  ).low >>> 0

/** Which of `slots` counters serves these ends (algorithm 4's index G). */
export const slot = (key: SipHash.Key, ends: Ends, slots: number): number => hash(key, forSlot, ends) % slots

/** The first port in turn that is free; undefined when all are taken. */
export const choose = (
  key: SipHash.Key,
  ends: Ends,
  range: Range,
  next: number,
  isFree: (port: number) => boolean
): Choice | undefined => {
  const count = range.last - range.first + 1
  const offset = hash(key, forOffset, ends) + next
  for (let i = 0; i < count; i++) {
    const port = range.first + (offset + i) % count
    if (isFree(port)) return { port, next: (next + i + 1) % 0x1_0000_0000 }
  }
  return undefined
}
