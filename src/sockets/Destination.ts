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

/** `fe80::1%2`: the zone is the number of an interface of the stack (RFC 4007 §11.2). */
const ofScoped = (literal: string, port: number): Effect.Effect<Destination, Failure.Any> => {
  const inet = NetAddress.inetAddressFromString(`[${literal}]:${port}`)
  return Result.isSuccess(inet) ? Effect.succeed(ofInet(inet.success)) : invalid(inet.failure.message)
}

const lookUp = (
  name: Host.DomainName,
  port: number
): Effect.Effect<Arr.NonEmptyReadonlyArray<Destination>, Failure.Any> =>
  Effect.gen(function*() {
    const dns = yield* Effect.serviceOption(Dns.Dns)
    if (Option.isNone(dns)) {
      const detail = "the program has no service Dns"
      return yield* Effect.fail(new Failure.NameNotResolved({ host: name, detail }))
    }
    const addresses = yield* Effect.mapError(
      dns.value.lookup(name),
      (error) => new Failure.NameNotResolved({ host: name, detail: error.message })
    )
    return Arr.map(addresses, (address) => ({ address: Edge.addressOf(address), port, link: undefined }))
  })

/** Where an address with a port leads, which needs no parsing and no look-up: the usual case for answers. */
export const ofInetAddress = (input: Input | undefined): Destination | undefined =>
  NetAddress.isInetAddress(input) ? ofInet(input) : undefined

/** Every address that the input stands for, in the order in which to try them. */
export const resolve = (input: Input): Effect.Effect<Arr.NonEmptyReadonlyArray<Destination>, Failure.Any> => {
  if (NetAddress.isInetAddress(input)) return Effect.succeed([ofInet(input)])
  const target = Host.hostPortFromInput(input)
  if (Result.isFailure(target)) return invalid(target.failure.message)
  const { host, port } = target.success
  if (NetAddress.isIpAddress(host)) return Effect.succeed([{ address: Edge.addressOf(host), port, link: undefined }])
  return NetAddress.isScopedIpv6Literal(host) ? Effect.map(ofScoped(host, port), Arr.of) : lookUp(host, port)
}

/** An address without a port. */
export const ip = (input: NetAddress.IpAddressInput): Effect.Effect<Address, Failure.Any> => {
  const address = NetAddress.ipFromInput(input)
  return Result.isSuccess(address)
    ? Effect.succeed(Edge.addressOf(address.success))
    : invalid(address.failure.message)
}

/** A local port: 0 for an ephemeral one. */
export const port = (input: number | undefined): Effect.Effect<number, Failure.Any> =>
  input === undefined || (Number.isInteger(input) && input >= 0 && input <= 65_535)
    ? Effect.succeed(input ?? 0)
    : invalid(`port ${input}`)
