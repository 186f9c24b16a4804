/** A connection's two ends as words for a keyed hash: what initial sequence numbers, cookies and timestamp offsets depend on. */
import type * as Address from "../../wire/Address.ts"

/** RFC 9293 §3.2: the pair of sockets that names a connection. */
export interface FourTuple {
  readonly local: Address.Address
  readonly localPort: number
  readonly remote: Address.Address
  readonly remotePort: number
}

const pushAddress = (words: Array<number>, address: Address.Address): void => {
  if (typeof address === "number") words.push(address)
  else words.push(address.w0, address.w1, address.w2, address.w3)
}

/** `prefix` says what the hash is for, so that two purposes under one key never hash the same words. */
export const words = (prefix: number, self: FourTuple): Array<number> => {
  const words = [prefix]
  pushAddress(words, self.local)
  pushAddress(words, self.remote)
  words.push((self.localPort << 16) | self.remotePort)
  return words
}
