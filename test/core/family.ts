/**
 * The IP version in which the tests of transports run: 4, and again 6 in the project `unit-ipv6` of `vitest.config.ts`, from one source.
 *
 * A link carries packets that are as much longer as IPv6's header is, so that segments and datagrams have the same sizes in both.
 */
import * as Address from "../../src/wire/Address.ts"

export const version: Address.Version = process.env["NETSTACK_TEST_IP"] === "6" ? 6 : 4

/** What differs between the versions. */
export const choose = <A, B = A>(v4: A, v6: B): A | B => version === 4 ? v4 : v6

/** Address number `n` of a network that all tests share. */
export const address = (n: number): Address.Address =>
  version === 4 ? Address.v4(10, 0, 0, n) : Address.v6(0x20010db8, 0, 0, n)

export const prefixLength = choose(24, 64)

/** Bytes of the header without options or extensions. */
export const headerLength = choose(20, 40)

/** The MTU with which packets carry as much as those of IPv4 with `mtu`. */
export const mtuOf = (mtu: number): number => mtu + headerLength - 20
