/**
 * DNS records as `effect/net` has them: names that end with a dot, text instead of octets, times as durations.
 */
import * as Duration from "effect/Duration"
import * as Dns from "effect/net/Dns"
import * as Host from "effect/net/Host"
import type * as NetAddress from "effect/net/NetAddress"
import * as Result from "effect/Result"
import * as Address from "../wire/Address.ts"
import type * as Wire from "../wire/Dns.ts"
import * as DnsData from "../wire/DnsData.ts"
import * as DnsName from "../wire/DnsName.ts"

type Converted = Result.Result<Dns.DnsRecord, NetAddress.NetAddressError>

const decoder = new TextDecoder()

const text = (octets: Uint8Array): string => decoder.decode(octets)

/** A name as readable text: UTF-8, with dots and backslashes inside a label escaped. */
export const textOf = (name: string): string => {
  if (!name.includes("\\")) return name
  const octets = DnsName.encode(name) ?? [0]
  const out: Array<number> = []
  for (let at = 0; octets[at]! > 0;) {
    const end = at + 1 + octets[at]!
    for (const octet of octets.slice(at + 1, end)) {
      if (octet === 0x2e || octet === 0x5c) out.push(0x5c)
      out.push(octet)
    }
    out.push(0x2e)
    at = end
  }
  return text(Uint8Array.from(out))
}

const soa = (data: Extract<DnsData.Data, { readonly _tag: "SOA" }>): Converted =>
  Result.flatMap(Host.domainNameFromString(data.primary), (primary) =>
    Dns.makeRecord("SOA", {
      primary,
      admin: textOf(data.mailbox),
      serial: data.serial,
      refresh: Duration.seconds(data.refresh),
      retry: Duration.seconds(data.retry),
      expire: Duration.seconds(data.expire),
      minimum: Duration.seconds(data.minimum)
    }))

const naptr = (data: Extract<DnsData.Data, { readonly _tag: "NAPTR" }>): Converted =>
  Result.flatMap(Host.domainNameFromString(data.replacement), (replacement) =>
    Dns.makeRecord("NAPTR", {
      order: data.order,
      preference: data.preference,
      flags: text(data.flags),
      service: text(data.service),
      regexp: text(data.regexp),
      replacement
    }))

const txt = ({ strings }: Extract<DnsData.Data, { readonly _tag: "TXT" }>): Converted => {
  const [first, ...rest] = strings.map(text)
  return Dns.makeRecord("TXT", { chunks: [first ?? "", ...rest] })
}

const srv = ({ port, priority, target, weight }: Extract<DnsData.Data, { readonly _tag: "SRV" }>): Converted =>
  Result.flatMap(
    Host.domainNameFromString(target),
    (target) => Dns.makeRecord("SRV", { target, port, priority, weight })
  )

const caa = ({ flags, property, value }: Extract<DnsData.Data, { readonly _tag: "CAA" }>): Converted =>
  // RFC 8659 §4.1: bit 0, the highest, is "critical"; the others mean nothing yet.
  Dns.makeRecord("CAA", { critical: (flags & 0x80) !== 0, tag: text(property), value: text(value) })

const tlsa = ({ data, matching, selector, usage }: Extract<DnsData.Data, { readonly _tag: "TLSA" }>): Converted =>
  Dns.makeRecord("TLSA", { certUsage: usage, selector, matchingType: matching, data })

/** The record; nothing for types that `effect/net` has no words for. */
export const of = ({ data }: Wire.Record): Converted | undefined => {
  switch (data._tag) {
    case "A":
      return Dns.makeRecord("A", { address: Address.toNet(data.address) as NetAddress.Ipv4Address })
    case "AAAA":
      return Dns.makeRecord("AAAA", { address: Address.toNet(data.address) as NetAddress.Ipv6Address })
    case "NS":
      return Result.flatMap(Host.domainNameFromString(data.name), (host) => Dns.makeRecord("NS", { host }))
    case "CNAME":
      return Result.flatMap(Host.domainNameFromString(data.name), (target) => Dns.makeRecord("CNAME", { target }))
    case "PTR":
      return Dns.makeRecord("PTR", { host: textOf(data.name) })
    case "MX":
      return Result.flatMap(
        Host.domainNameFromString(data.exchange),
        (exchange) => Dns.makeRecord("MX", { exchange, priority: data.preference })
      )
    case "SOA":
      return soa(data)
    case "TXT":
      return txt(data)
    case "SRV":
      return srv(data)
    case "NAPTR":
      return naptr(data)
    case "CAA":
      return caa(data)
    case "TLSA":
      return tlsa(data)
    case "OPT":
    case "Other":
      return undefined
  }
}
