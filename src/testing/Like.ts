/**
 * What is expected of a packet, or of any value: a part of it, in the value's own shape.
 *
 * @example
 * ```ts
 * { ip: { destination: "10.0.0.2" }, tcp: { flags: /S/, window: (n) => n > 0 }, payload: { length: 0 } }
 * ```
 */
import type * as Packet from "./Packet.ts"

/**
 * What is expected of a value: a value like it, a test, a regular expression for text, or for a record, of any of its parts.
 */
export type Pattern<A> =
  | ((value: A) => boolean)
  | (A extends string ? A | RegExp
    : A extends Uint8Array ? A | { readonly length: Pattern<number> } :
    A extends object ? { readonly [K in keyof A]?: Pattern<A[K]> }
    : A)

export type PacketPattern = Pattern<Packet.Packet>

const equalBytes = (a: Uint8Array, b: Uint8Array): boolean =>
  a.length === b.length && a.every((byte, i) => byte === b[i])

/** Where a value is not as expected: the path to the part; `undefined` if it is. */
export const mismatch = (value: unknown, pattern: unknown, path: string): string | undefined => {
  if (typeof pattern === "function") return pattern(value) === true ? undefined : `${path} is ${show(value)}`
  if (pattern instanceof RegExp) return pattern.test(String(value)) ? undefined : `${path} is ${show(value)}`
  if (pattern instanceof Uint8Array) {
    return value instanceof Uint8Array && equalBytes(value, pattern) ? undefined : `${path} is ${show(value)}`
  }
  if (typeof pattern !== "object" || pattern === null) {
    return Object.is(value, pattern) ? undefined : `${path} is ${show(value)}`
  }
  if (typeof value !== "object" || value === null) return `${path} is ${show(value)}`
  for (const [key, part] of Object.entries(pattern)) {
    const wrong = mismatch((value as Record<string, unknown>)[key], part, path === "" ? key : `${path}.${key}`)
    if (wrong !== undefined) return wrong
  }
  return undefined
}

/** A value or a pattern, for a message. */
export const show = (value: unknown): string =>
  value === undefined
    ? "absent"
    : value instanceof Uint8Array
    ? `${value.length} bytes`
    : typeof value === "function"
    ? "as a test tells"
    : value instanceof RegExp
    ? String(value)
    : typeof value === "object" && value !== null
    ? `{ ${Object.entries(value).map(([key, part]) => `${key}: ${show(part)}`).join(", ")} }`
    : JSON.stringify(value)

/** Whether a packet is like a pattern. */
export const isLike = (packet: Packet.Packet, pattern: PacketPattern): boolean =>
  mismatch(packet, pattern, "") === undefined
