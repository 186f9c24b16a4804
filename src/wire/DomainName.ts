/**
 * Domain names as lists of labels (RFC 1035 §3.1), without compression, as router advertisements and DHCP carry them.
 *
 *     3 w w w 7 e x a m p l e 3 c o m 0
 *
 * A name is a string of labels joined by dots, without a dot at the end.
 */

/** A label's limit (RFC 1035 §2.3.4). */
export const maximumLabel = 63
/** A name's limit on the wire, length octets and the final zero included. */
export const maximumName = 255

const dot = 0x2e

/** Octets that may stand in a label here: visible ASCII but for the dot, so that the string says what the wire says. */
const isLabelOctet = (octet: number): boolean => octet > 0x20 && octet < 0x7f && octet !== dot

/** A name read, and the offset behind it. */
export interface Read {
  readonly name: string
  readonly next: number
}

/** Reads one name; `undefined` if it is cut off, too long, compressed or holds octets that no host name has. */
export const read = (bytes: Uint8Array, start: number, end: number): Read | undefined => {
  const labels: Array<string> = []
  let at = start
  while (at < end && at - start < maximumName) {
    const length = bytes[at]!
    if (length === 0) return { name: labels.join("."), next: at + 1 }
    if (length > maximumLabel || at + 1 + length > end) return undefined
    let label = ""
    for (let i = at + 1; i <= at + length; i++) {
      if (!isLabelOctet(bytes[i]!)) return undefined
      label += String.fromCharCode(bytes[i]!)
    }
    labels.push(label)
    at += 1 + length
  }
  return undefined
}

/** Reads names to the end, which zeros may pad; `undefined` if one is bad. */
export const readList = (bytes: Uint8Array, start: number, end: number): ReadonlyArray<string> | undefined => {
  const names: Array<string> = []
  for (let at = start; at < end;) {
    const one = read(bytes, at, end)
    if (one === undefined) return undefined
    if (one.name !== "") names.push(one.name)
    at = one.next
  }
  return names
}

/** Whether a name can be written: labels of 1 to 63 visible ASCII octets, 255 in all. */
export const isValid = (name: string): boolean =>
  name.length + 2 <= maximumName &&
  name.split(".").every((label) => {
    if (label.length === 0 || label.length > maximumLabel) return false
    for (let i = 0; i < label.length; i++) if (!isLabelOctet(label.charCodeAt(i))) return false
    return true
  })

/** Bytes of a list on the wire. */
export const listSize = (names: ReadonlyArray<string>): number =>
  names.reduce((length, name) => length + name.length + 2, 0)

/** Writes names one behind the other, and returns the offset behind them; each must be valid. */
export const emitList = (names: ReadonlyArray<string>, bytes: Uint8Array, at: number): number => {
  let end = at
  for (const name of names) {
    for (const label of name.split(".")) {
      bytes[end++] = label.length
      for (let i = 0; i < label.length; i++) bytes[end++] = label.charCodeAt(i)
    }
    bytes[end++] = 0
  }
  return end
}
