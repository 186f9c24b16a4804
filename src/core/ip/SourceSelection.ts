/**
 * Which address of an interface to send from (RFC 1122 §3.3.4.3; RFC 6724 §5, whose rules fit both families).
 *
 * The rules are a table, asked in order: the first that prefers one of two candidates decides.
 */
import * as Address from "../../wire/Address.ts"
import { type Interface, type InterfaceAddress, isUsable } from "../Device.ts"

/** What the choice is for. */
export interface Target {
  readonly destination: Address.Address
  readonly nextHop: Address.Address
}

type Rule = (candidate: InterfaceAddress, target: Target) => number

/** 1 within the link, 2 anywhere (RFC 6724 §3.1). */
const scopeOf = (address: Address.Address): number =>
  Address.isLinkLocal(address) || Address.isLoopback(address) ? 1 : 2

const commonBits = (a: Address.Address, b: Address.Address, limit: number): number => {
  let low = 0
  let high = limit
  while (low < high) {
    const middle = (low + high + 1) >>> 1
    if (Address.samePrefix(a, b, middle)) low = middle
    else high = middle - 1
  }
  return low
}

/** Each rates a candidate; the higher rating wins. */
const rules: ReadonlyArray<Rule> = [
  // RFC 6724 §5 rule 1
  (candidate, { destination }) => Address.equals(candidate.address, destination) ? 1 : 0,
  // Rule 2: wide enough for the destination, and no wider.
  ({ address }, { destination }) =>
    scopeOf(address) === scopeOf(destination) ? 2 : scopeOf(address) > scopeOf(destination) ? 1 : 0,
  // Rule 3
  ({ state }) => state === "deprecated" ? 0 : 1,
  // rfc: 1122 §3.3.4.3: of the network through which the packet goes
  ({ address, prefixLength }, { nextHop }) => Address.samePrefix(address, nextHop, prefixLength) ? 1 : 0,
  // Rule 7: temporary ones hide who sends (RFC 8981).
  ({ origin }) => origin === "temporary" ? 1 : 0,
  // Rule 8
  ({ address, prefixLength }, { destination }) => commonBits(address, destination, prefixLength)
]

const isBetter = (a: InterfaceAddress, b: InterfaceAddress, target: Target): boolean => {
  for (const rule of rules) {
    const difference = rule(a, target) - rule(b, target)
    if (difference !== 0) return difference > 0
  }
  return false
}

/** The best address of the interface; `undefined` if it has none of the destination's version. */
export const select = (self: Interface, target: Target): Address.Address | undefined => {
  const version = Address.versionOf(target.destination)
  let best: InterfaceAddress | undefined = undefined
  for (const candidate of self.addresses) {
    if (Address.versionOf(candidate.address) !== version || !isUsable(candidate)) continue
    if (best === undefined || isBetter(candidate, best, target)) best = candidate
  }
  return best?.address
}
