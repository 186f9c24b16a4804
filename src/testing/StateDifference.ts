/**
 * What an event has changed in the state of a stack, part by part.
 *
 * ```
 *   tcp.entries[3].snd.nxt   1001 → 2449
 *   neighbor.entries[…]      absent → { state: "INCOMPLETE", … }
 * ```
 *
 * Records are immutable, so what is the same object is not looked into.
 */
import * as Address from "../wire/Address.ts"
import * as Mac from "../wire/Mac.ts"

export interface Difference {
  readonly path: string
  readonly before: unknown
  readonly after: unknown
}

type Fields = Readonly<Record<string, unknown>>

const isFields = (value: unknown): value is Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Map) &&
  !(value instanceof Set) && !ArrayBuffer.isView(value)

const tagOf = (value: unknown): unknown => isFields(value) ? value["_tag"] : undefined

const add = (path: string, before: unknown, after: unknown, found: Array<Difference>): void => {
  if (Object.is(before, after)) return
  if (before instanceof Map && after instanceof Map) {
    for (const key of new Set([...before.keys(), ...after.keys()])) {
      add(`${path}[${textOf(key)}]`, before.get(key), after.get(key), found)
    }
  } else if (Array.isArray(before) && Array.isArray(after) && before.length === after.length) {
    before.forEach((each, i) => add(`${path}[${i}]`, each, after[i], found))
  } else if (isFields(before) && isFields(after) && tagOf(before) === tagOf(after)) {
    for (const key of new Set([...Object.keys(before), ...Object.keys(after)])) {
      add(path === "" ? key : `${path}.${key}`, before[key], after[key], found)
    }
  } else found.push({ path, before, after })
}

/** What is different between two snapshots, in the order of their parts. */
export const between = (before: Fields, after: Fields): ReadonlyArray<Difference> => {
  const found: Array<Difference> = []
  add("", before, after, found)
  return found
}

/** Fields of a record, and items of a list, that a line has room for. */
const mostFields = 6
const mostItems = 8

/** Fields of any record that hold an address, a link-layer address or a sequence number. */
const addressField = /^(address|local|remote|source|target|destination|gateway|prefix|nextHop)$/
const macField = /^mac$/
const sequenceField = /^(iss|irs|una|nxt|wl1|wl2|edge|fack|border|start|end|read|recover|endSeq|lastAck)$/

const numberText = (value: number, name: string): string => {
  if (addressField.test(name)) return Address.format(value)
  if (macField.test(name)) return Mac.format(value)
  return String(sequenceField.test(name) && value < 0 ? value >>> 0 : value)
}

const isV6 = (value: Fields): boolean => "w0" in value && "w3" in value

const listText = (items: ReadonlyArray<unknown>): string =>
  items.length > mostItems ? `${items.length} items` : `[${items.map((each) => textOf(each)).join(", ")}]`

const fieldsText = (fields: Fields): string => {
  const { _tag, ...rest } = fields
  const all = Object.entries(rest).filter(([, part]) => part !== undefined)
  const parts = all.slice(0, mostFields).map(([key, part]) =>
    `${key}: ${isFields(part) && !isV6(part) ? tagOf(part) ?? "{…}" : textOf(part, key)}`
  )
  const tag = _tag === undefined ? [] : [String(_tag)]
  if (parts.length === 0) return tag[0] ?? "{}"
  return [...tag, `{ ${parts.join(", ")}${all.length > parts.length ? ", …" : ""} }`].join(" ")
}

/** A value in one line; `name` is that of the field that holds it. */
export const textOf = (value: unknown, name = ""): string => {
  if (value === undefined) return "absent"
  if (typeof value === "number") return numberText(value, name)
  if (typeof value !== "object" || value === null) return String(value)
  if (ArrayBuffer.isView(value)) return `${value.byteLength} bytes`
  if (value instanceof Map || value instanceof Set) return `${value.size} entries`
  if (Array.isArray(value)) return listText(value)
  const fields = value as Fields
  return isV6(fields) ? Address.format(value as Address.Ipv6) : fieldsText(fields)
}

/** A difference in one line. */
export const render = ({ after, before, path }: Difference): string => {
  const name = path.slice(path.lastIndexOf(".") + 1)
  return `${path}: ${textOf(before, name)} → ${textOf(after, name)}`
}
