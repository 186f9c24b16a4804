/**
 * Bytes that both ends of a transfer can make by themselves: a block of noise, in which each repetition carries its number, so that
 * a block lost, doubled or out of place changes the hash of the whole.
 */
import { createHash } from "node:crypto"

export const blockBytes = 64 * 1024

const noise = ((): Uint8Array => {
  const bytes = new Uint8Array(blockBytes)
  // A xorshift generator (Marsaglia 2003, §3): any noise does, if it is the same everywhere.
  let state = 0x9e37_79b9
  for (let i = 0; i < bytes.length; i++) {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    bytes[i] = state
  }
  return bytes
})()

/** The bytes from `offset`, up to the end of their block or of the whole. */
export const part = (offset: number, total: number): Uint8Array => {
  const number = Math.floor(offset / blockBytes)
  const block = noise.slice()
  new DataView(block.buffer).setUint32(0, number)
  return block.subarray(offset % blockBytes, Math.min(blockBytes, total - number * blockBytes))
}

/** All parts of the whole in order. */
export function* parts(total: number): Generator<Uint8Array> {
  for (let offset = 0; offset < total; offset += blockBytes) yield part(offset, total)
}

/** The SHA-256 of the whole, in hexadecimal. */
export const sha256 = (total: number): string => {
  const hash = createHash("sha256")
  for (const bytes of parts(total)) hash.update(bytes)
  return hash.digest("hex")
}
