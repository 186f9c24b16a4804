/** Which sockets there are, and why others are not to be had. */
import { constants } from "./constants.ts"
import { Unsupported } from "./Descriptor.ts"
import { isEllipsis, nameOf } from "./evaluate.ts"
import type { Expression } from "./Syntax.ts"

const families = /^[AP]F_INET6?$/

/** Families by number that a host has beside those of IP: nothing can be said about their sockets. */
const otherFamilies: ReadonlySet<number> = new Set([1, 16, 17])

const isIp = (family: Expression | undefined): boolean =>
  isEllipsis(family) || families.test(nameOf(family)) ||
  (family?._tag === "Number" && (family.value === constants["AF_INET"] || family.value === constants["AF_INET6"]))

/** The number of a protocol, or its name where that is none that scripts could count with. */
const protocolOf = (protocol: Expression | undefined): number | string => {
  if (protocol?._tag === "Number") return protocol.value
  const name = nameOf(protocol)
  return name === "" ? 0 : constants[name] ?? name
}

/** The error of a socket that no host has; `undefined` for one of TCP or UDP. */
export const refusalOf = (
  family: Expression | undefined,
  type: number,
  protocol: Expression | undefined
): string | undefined => {
  if (!isIp(family)) {
    if (family?._tag === "Number" && !otherFamilies.has(family.value)) return "EAFNOSUPPORT"
    throw new Unsupported("sockets of other families than IP's")
  }
  const kind = type & 0xf
  const wanted = protocolOf(protocol)
  if (typeof wanted === "string") throw new Unsupported(`protocol ${wanted}`)
  if (kind === constants["SOCK_RAW"]) throw new Unsupported("sockets of other kinds than TCP's and UDP's")
  const own =
    { [constants["SOCK_STREAM"]!]: constants["IPPROTO_TCP"]!, [constants["SOCK_DGRAM"]!]: constants["IPPROTO_UDP"]! }[
      kind
    ]
  if (own === undefined) return kind > 10 ? "EINVAL" : "ESOCKTNOSUPPORT"
  return wanted === 0 || wanted === own ? undefined : "EPROTONOSUPPORT"
}
