/**
 * Unpredictable numbers from keys alone. The operating system gives 128 bits when the stack starts; everything that a blind attacker must
 * not guess (initial sequence numbers, ports, cookies, identifications, hash seeds) is SipHash of what it is for under a key of its own.
 * So the core stays deterministic, and a test that seeds the keys gets the same run twice.
 */
import * as SipHash from "./data/SipHash.ts"

/** A 128-bit SipHash key as four int32. */
export type Key = SipHash.Key

export interface Keys {
  readonly demux: Key
  readonly sequence: Key
  readonly port: Key
  readonly cookie: Key
  readonly identification: Key
  readonly transaction: Key
  readonly jitter: Key
  readonly interfaceId: Key
  /** Not the one of stable identifiers (RFC 8981 §3.3.2). */
  readonly temporaryId: Key
}

/** Derives one key per purpose from sixteen bytes of entropy. Secret: whoever knows them can forge segments. */
export const derive = (seed: Uint8Array): Keys => {
  const master = SipHash.keyFrom(seed)
  const make = (purpose: number): Key => {
    const low = SipHash.hashWords(master, [purpose, 0])
    const high = SipHash.hashWords(master, [purpose, 1])
    return { k0: low.low, k1: low.high, k2: high.low, k3: high.high }
  }
  return {
    demux: make(1),
    sequence: make(2),
    port: make(3),
    cookie: make(4),
    identification: make(5),
    transaction: make(6),
    jitter: make(7),
    interfaceId: make(8),
    temporaryId: make(9)
  }
}

/** 32 bits for the given words under a key, as an int32. */
export const word = (key: Key, words: ReadonlyArray<number>): number => SipHash.hashWords(key, words).low

/** A number in [0, 1) for the given words under a key. */
export const fraction = (key: Key, words: ReadonlyArray<number>): number => (word(key, words) >>> 0) / 0x1_0000_0000
