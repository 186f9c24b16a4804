/**
 * Domain names in DNS messages, with compression (RFC 1035 §3.1, §4.1.4).
 *
 *     3 w w w 7 e x a m p l e 3 c o m 0         labels to the end
 *     3 f t p 11oooooo oooooooo                 labels, and a pointer to where the rest stands already
 *
 * A name is text in presentation form (RFC 1035 §5.1) that ends with a dot: `www.example.com.`, the root is `.`. Octets that are no
 * visible ASCII stand as `\DDD`, a dot or a backslash inside a label behind a backslash, so that no two names look the same.
 */
import * as Malformed from "./Malformed.ts"

/** A label's limit (RFC 1035 §2.3.4). */
export const maximumLabel = 63
/** A name's limit on the wire, length octets and the final zero included (RFC 1035 §2.3.4). */
export const maximumName = 255

/** Pointers that a name may be read through: no name has more labels. */
const maximumPointers = 127

export const root = "."

const dot = 0x2e
const backslash = 0x5c
const pointerBits = 0xc0

const truncated = Malformed.make("Dns", "Truncated", "a name is cut off")
const badLabel = Malformed.make("Dns", "BadField", "a label of a reserved kind")
const tooLong = Malformed.make("Dns", "BadLength", "a name is longer than 255 octets")
const badPointer = Malformed.make("Dns", "BadField", "a compression pointer does not point back")

/** Where a message lies; pointers count from its start. */
export interface Message {
  readonly bytes: Uint8Array
  readonly start: number
  readonly end: number
}

/** A name read, and the offset behind it. */
export interface Read {
  readonly name: string
  readonly next: number
}

const textOf = (octet: number): string => {
  if (octet === dot || octet === backslash) return `\\${String.fromCharCode(octet)}`
  return octet > 0x20 && octet < 0x7f ? String.fromCharCode(octet) : `\\${String(octet).padStart(3, "0")}`
}

const labelOf = (bytes: Uint8Array, at: number, length: number): string => {
  let label = ""
  for (let i = at; i < at + length; i++) label += textOf(bytes[i]!)
  return `${label}.`
}

/**
 * Reads the name at `at`. A pointer leads to an earlier place than any that the name has been read from, so no message can make a
 * reader run in circles; there are at most 127 of them, and no name is longer than 255 octets, wherever they stand.
 */
export const read = ({ bytes, end, start }: Message, at: number): Read | Malformed.Malformed => {
  let name = ""
  let length = 1
  let next = -1
  let earliest = at
  let from = at
  for (let pointers = 0;;) {
    if (from >= end) return truncated
    const octet = bytes[from]!
    if (octet === 0) return { name: name === "" ? root : name, next: next < 0 ? from + 1 : next }
    if ((octet & pointerBits) === pointerBits) {
      if (from + 1 >= end) return truncated
      const target = start + (((octet & ~pointerBits) << 8) | bytes[from + 1]!)
      if (next < 0) next = from + 2
      if (target >= earliest || ++pointers > maximumPointers) return badPointer
      earliest = target
      from = target
    } else {
      if (octet > maximumLabel) return badLabel
      if (from + 1 + octet > end) return truncated
      length += 1 + octet
      if (length > maximumName) return tooLong
      name += labelOf(bytes, from + 1, octet)
      from += 1 + octet
    }
  }
}

/** An octet of a name in text, and where the text goes on; `isDot` for the end of a label. */
interface Unit {
  readonly octet: number
  readonly isDot: boolean
  readonly next: number
}

const unitAt = (name: string, at: number): Unit | undefined => {
  const code = name.charCodeAt(at)
  if (code > 0x7e || code <= 0x20) return undefined
  if (code !== backslash) return { octet: code, isDot: code === dot, next: at + 1 }
  const [escaped, character] = /^(?:\d{3}|([!-/:-~]))/.exec(name.slice(at + 1, at + 4)) ?? []
  if (character !== undefined) return { octet: character.charCodeAt(0), isDot: false, next: at + 2 }
  const octet = Number(escaped ?? Infinity)
  return octet <= 0xff ? { octet, isDot: false, next: at + 4 } : undefined
}

/** The octets of a name without compression; nothing for text that is no name. The final dot may be absent. */
export const encode = (name: string): ReadonlyArray<number> | undefined => {
  if (name === root) return [0]
  const octets: Array<number> = [0]
  let label = 0
  for (let at = 0; at < name.length;) {
    const unit = unitAt(name, at)
    if (unit === undefined) return undefined
    if (unit.isDot) {
      octets[label] = octets.length - label - 1
      if (octets[label] === 0 || octets[label]! > maximumLabel) return undefined
      label = octets.push(0) - 1
    } else {
      octets.push(unit.octet)
    }
    at = unit.next
  }
  const last = octets.length - label - 1
  if (last > maximumLabel || octets.length === 1) return undefined
  if (last > 0) {
    octets[label] = last
    octets.push(0)
  }
  return octets.length <= maximumName ? octets : undefined
}

/** Whether a text is a name that can be written. */
export const isValid = (name: string): boolean => encode(name) !== undefined

const lowered = (octet: number): number => octet >= 0x41 && octet <= 0x5a ? octet | 0x20 : octet

/** One text for names that are the same: absolute, in lower case (ASCII letters only), escaped as {@link read} does. */
export const canonical = (name: string): string => {
  if (/^[a-z0-9_-]+(\.[a-z0-9_-]+)*\.$/.test(name)) return name
  const octets = encode(name)
  if (octets === undefined) return name
  const bytes = Uint8Array.from(octets, lowered)
  const parsed = read({ bytes, start: 0, end: bytes.length }, 0)
  return Malformed.isMalformed(parsed) ? name : parsed.name
}

/** Whether two names are the same (RFC 1035 §2.3.3: case does not count). */
export const equals = (a: string, b: string): boolean => a === b || canonical(a) === canonical(b)

/** Octets of a name that is valid; one that is not counts, and is written, as the root. */
export const size = (name: string): number => (encode(name) ?? [0]).length

/** Writes a name without compression, and returns the offset behind it. */
export const emit = (name: string, bytes: Uint8Array, at: number): number => {
  const octets = encode(name) ?? [0]
  for (let i = 0; i < octets.length; i++) bytes[at + i] = octets[i]!
  return at + octets.length
}
