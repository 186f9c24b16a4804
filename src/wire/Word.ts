/**
 * Integers in network order, by index: no view object, and the engine inlines each.
 *
 * The caller has checked the bounds. 32-bit values are int32 in both directions, which the engine keeps unboxed.
 */

export const read16 = (bytes: Uint8Array, at: number): number => (bytes[at]! << 8) | bytes[at + 1]!

export const read24 = (bytes: Uint8Array, at: number): number =>
  (bytes[at]! << 16) | (bytes[at + 1]! << 8) | bytes[at + 2]!

/** As a signed integer; `>>> 0` gives the unsigned one. */
export const read32 = (bytes: Uint8Array, at: number): number =>
  (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!

export const write16 = (value: number, bytes: Uint8Array, at: number): void => {
  bytes[at] = value >>> 8
  bytes[at + 1] = value
}

export const write24 = (value: number, bytes: Uint8Array, at: number): void => {
  bytes[at] = value >>> 16
  bytes[at + 1] = value >>> 8
  bytes[at + 2] = value
}

export const write32 = (value: number, bytes: Uint8Array, at: number): void => {
  bytes[at] = value >>> 24
  bytes[at + 1] = value >>> 16
  bytes[at + 2] = value >>> 8
  bytes[at + 3] = value
}
