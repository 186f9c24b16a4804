/**
 * Values of events as JSON and back: what JSON lacks is an object with the one key `$` that names it.
 *
 * ```
 *   bytes  {"$":"bytes","v":"base64"}     undefined  {"$":"undefined"}     Infinity, NaN, -0  {"$":"number","v":"Infinity"}
 *   set    {"$":"set","v":[…]}            map  {"$":"map","v":[[k,v],…]}   bigint  {"$":"bigint","v":"1"}
 * ```
 *
 * A range of bytes (`{ bytes, start, end, … }`: a frame, a piece, the data of a write) is stored as what it covers, so that
 * a slab of many frames is not stored with each. Whatever is no data (a function, an object of some class) becomes its text.
 */
import * as Base64 from "effect/encoding/Base64"
import * as Result from "effect/Result"

/** What `JSON.parse` gives. */
export type Json = null | boolean | number | string | ReadonlyArray<Json> | { readonly [key: string]: Json }

const tagged = (tag: string, value: Json): Json => ({ $: tag, v: value })

interface Range {
  readonly bytes: Uint8Array
  readonly start: number
  readonly end: number
}

const isRange = (value: object): value is Range =>
  "bytes" in value && value.bytes instanceof Uint8Array && "start" in value && typeof value.start === "number" &&
  "end" in value && typeof value.end === "number"

const isPlain = (value: object): boolean => {
  const prototype = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}

const encodeFields = (value: object): Json => {
  const fields: Record<string, Json> = {}
  const range = isRange(value)
    ? { bytes: value.bytes.slice(value.start, value.end), start: 0, end: value.end - value.start }
    : {}
  for (const [key, field] of Object.entries({ ...value, ...range })) {
    // A slab belongs to whoever made the frame.
    if (key === "slab" && isRange(value)) continue
    fields[key] = encode(field)
  }
  return "$" in fields ? tagged("object", fields) : fields
}

const encodeObject = (value: object): Json => {
  if (Array.isArray(value)) return value.map(encode)
  if (value instanceof Uint8Array) return tagged("bytes", Base64.encode(value))
  if (value instanceof Set) return tagged("set", Array.from(value, encode))
  if (value instanceof Map) return tagged("map", Array.from(value, ([key, item]) => [encode(key), encode(item)]))
  return isPlain(value) ? encodeFields(value) : tagged("text", String(value))
}

export const encode = (value: unknown): Json => {
  switch (typeof value) {
    case "string":
    case "boolean":
      return value
    case "number":
      return Number.isFinite(value) && !Object.is(value, -0)
        ? value
        : tagged("number", Object.is(value, -0) ? "-0" : String(value))
    case "undefined":
      return { $: "undefined" }
    case "bigint":
      return tagged("bigint", String(value))
    case "object":
      return value === null ? null : encodeObject(value)
    default:
      return tagged("text", String(value))
  }
}

const decodeTagged = (tag: Json, value: Json): unknown => {
  switch (tag) {
    case "undefined":
      return undefined
    case "number":
      return Number(value)
    case "bigint":
      return BigInt(value as string)
    case "bytes":
      return Result.getOrThrow(Base64.decode(value as string))
    case "set":
      return new Set((value as ReadonlyArray<Json>).map(decode))
    case "map":
      return new Map((value as ReadonlyArray<readonly [Json, Json]>).map(([key, item]) => [decode(key), decode(item)]))
    case "object":
      return decodeFields(value as { readonly [key: string]: Json })
    default:
      return value
  }
}

const decodeFields = (value: { readonly [key: string]: Json }): object =>
  Object.fromEntries(Object.entries(value).map(([key, field]) => [key, decode(field)]))

/** The value that was encoded. Throws on what {@link encode} never writes. */
export const decode = (value: Json): unknown => {
  if (value === null || typeof value !== "object") return value
  if (Array.isArray(value)) return value.map(decode)
  const fields = value as { readonly [key: string]: Json }
  return "$" in fields ? decodeTagged(fields["$"]!, fields["v"] ?? null) : decodeFields(fields)
}
