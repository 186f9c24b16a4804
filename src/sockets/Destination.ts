/**
 * Where to: an address and a port as programs write them, or a name that somebody has to look up first.
 */
import * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import * as Dns from "effect/net/Dns"
import * as Host from "effect/net/Host"
import * as NetAddress from "effect/net/NetAddress"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import type { AnswerOf, Request } from "../core/Request.ts"
import * as Edge from "../workers/Edge.ts"
import * as Readings from "../workers/Readings.ts"
import type * as Stack from "../workers/Stack.ts"
import * as Failure from "./Failure.ts"

/**
 * An address with a port (`NetAddress.InetAddress`), a text such as `10.0.0.1:80`, `[fe80::1%2]:80` or `example.org:80`, or
 * `{ host, port }`. Names are looked up with the service `Dns` of `effect/net`, if the program has one.
 */
export type Input = NetAddress.InetAddress | Host.HostPortInput

type Address = NonNullable<Extract<Request, { readonly _tag: "TcpConnect" }>["local"]>
type LinkId = AnswerOf<Extract<Request, { readonly _tag: "AttachLink" }>>

/** As requests want it. */
export interface Destination {
  readonly address: Address
  readonly port: number
  /** The interface that a scoped IPv6 address names. */
  readonly link: LinkId | undefined
}

const invalid = (detail: string): Effect.Effect<never, Failure.Any> =>
  Effect.fail(new Failure.InvalidArgument({ detail }))

const ofInet = (inet: NetAddress.InetAddress): Destination => ({
  address: Edge.addressOf(inet.address),
  port: inet.port,
  link: NetAddress.isInetAddressV6(inet) && inet.scopeId !== 0 ? inet.scopeId : undefined
})

/** What knows interfaces by their names. */
type Interfaces = Pick<Stack.Stack, "read">

/** The number of the interface that a zone names: `2`, or `eth0` where a stack is there to ask (RFC 4007 §11.2). */
const linkOf = (zone: string, interfaces: Interfaces | undefined): Effect.Effect<LinkId, Failure.Any> => {
  if (/^\d+$/.test(zone)) return Effect.succeed(Number(zone))
  if (interfaces === undefined) return invalid(`the zone ${zone} is no number of an interface`)
  return Effect.flatMap(interfaces.read(Readings.interfaces), (all) => {
    const found = all.find(({ name }) => name === zone)
    return found === undefined ? Effect.fail(new Failure.NotFound({ what: "interface" })) : Effect.succeed(found.id)
  })
}

/** `fe80::1%2` or `fe80::1%eth0`; no zone, or zone 0, leaves the interface open. */
const ofScoped = (literal: string, port: number, interfaces: Interfaces | undefined) =>
  Effect.gen(function*() {
    const [text = "", zone = "0"] = literal.split("%")
    const address = NetAddress.ipFromString(text)
    if (Result.isFailure(address)) return yield* invalid(address.failure.message)
    const link = yield* linkOf(zone, interfaces)
    return { address: Edge.addressOf(address.success), port, link: link === 0 ? undefined : link }
  })

/** The addresses of a name: of one family, or of those that the service `Dns` chooses. */
export const lookUp = (
  name: Host.DomainName,
  family?: NetAddress.IpFamily
): Effect.Effect<Arr.NonEmptyReadonlyArray<Address>, Failure.Any> =>
  Effect.gen(function*() {
    const dns = yield* Effect.serviceOption(Dns.Dns)
    if (Option.isNone(dns)) {
      const detail = "the program has no service Dns (layers/NetstackDns.ts has one)"
      return yield* Effect.fail(new Failure.NameNotResolved({ host: name, detail }))
    }
    const addresses = yield* Effect.mapError(
      dns.value.lookup(name, { family }),
      (error) => {
        const { cause, message } = error
        const because = cause instanceof Error && cause.message !== "" ? ` (${cause.message})` : ""
        return new Failure.NameNotResolved({ host: name, detail: `${message}${because}` })
      }
    )
    return Arr.map(addresses, Edge.addressOf)
  })

/** Where an address with a port leads, which needs no parsing and no look-up: the usual case for answers. */
export const ofInetAddress = (input: Input | undefined): Destination | undefined =>
  NetAddress.isInetAddress(input) ? ofInet(input) : undefined

/** A name with a port, whose addresses nobody has looked up yet. */
export interface Named {
  readonly name: Host.DomainName
  readonly port: number
}

/** What the input says by itself. Zones may be names of interfaces if a stack is given. */
export const parse = (input: Input, interfaces?: Interfaces): Effect.Effect<Destination | Named, Failure.Any> => {
  if (NetAddress.isInetAddress(input)) return Effect.succeed(ofInet(input))
  const target = Host.hostPortFromInput(input)
  if (Result.isFailure(target)) return invalid(target.failure.message)
  const { host, port } = target.success
  if (NetAddress.isIpAddress(host)) return Effect.succeed({ address: Edge.addressOf(host), port, link: undefined })
  return NetAddress.isScopedIpv6Literal(host)
    ? ofScoped(host, port, interfaces)
    : Effect.succeed({ name: host, port })
}

/** Every address that the input stands for, in the order of the service `Dns`. */
export const resolve = (
  input: Input,
  interfaces?: Interfaces
): Effect.Effect<Arr.NonEmptyReadonlyArray<Destination>, Failure.Any> =>
  Effect.flatMap(parse(input, interfaces), (parsed) => {
    if (!("name" in parsed)) return Effect.succeed(Arr.of(parsed))
    const { name, port } = parsed
    return Effect.map(lookUp(name), Arr.map((address) => ({ address, port, link: undefined })))
  })

/** An address without a port. */
export const ip = (input: NetAddress.IpAddressInput): Effect.Effect<Address, Failure.Any> => {
  const address = NetAddress.ipFromInput(input)
  return Result.isSuccess(address)
    ? Effect.succeed(Edge.addressOf(address.success))
    : invalid(address.failure.message)
}

/** An address without a port, with the interface that its zone names: `fe80::1%eth0`. */
export const ipWithZone = (
  input: NetAddress.IpAddressInput,
  interfaces: Interfaces
): Effect.Effect<Destination, Failure.Any> =>
  typeof input === "string" && input.includes("%")
    ? ofScoped(input, 0, interfaces)
    : Effect.map(ip(input), (address) => ({ address, port: 0, link: undefined }))

/** A local port: 0 for an ephemeral one. */
export const port = (input: number | undefined): Effect.Effect<number, Failure.Any> =>
  input === undefined || (Number.isInteger(input) && input >= 0 && input <= 65_535)
    ? Effect.succeed(input ?? 0)
    : invalid(`port ${input}`)
