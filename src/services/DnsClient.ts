/**
 * A stub resolver (RFC 1034 §5.3.1): it asks name servers that do the resolving, and remembers what they say.
 *
 * ```
 *   lookup ─▶ hosts ─▶ names to try (search list) ─▶ AAAA and A ──┐
 *   resolve, reverse ───────────────────────────────────────────▶ ask ─▶ cache ─▶ servers in turn, tries, aliases ─▶ DnsExchange
 * ```
 *
 * Everything that a name server could make grow has a bound: the cache (`DnsCache.Bounds`), the questions under way, the aliases that
 * are followed, the tries.
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Dns from "effect/net/Dns"
import * as Host from "effect/net/Host"
import * as NetAddress from "effect/net/NetAddress"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import { Netstack } from "../sockets/Netstack.ts"
import * as Network from "../sockets/Network.ts"
import * as Wire from "../wire/Dns.ts"
import * as DnsData from "../wire/DnsData.ts"
import * as DnsName from "../wire/DnsName.ts"
import * as DnsCache from "./DnsCache.ts"
import * as DnsExchange from "./DnsExchange.ts"
import * as DnsRecords from "./DnsRecords.ts"

export interface Options {
  /** In the order in which to ask them, each time anew: they may change while the program runs. */
  readonly nameServers: Effect.Effect<ReadonlyArray<NetAddress.InetAddress>>
  /** Domains that are tried behind names that are not absolute. */
  readonly search: ReadonlyArray<string>
  /** A name with fewer dots is tried behind the search list's domains first, as `ndots` of resolv.conf. */
  readonly ndots: number
  readonly hosts: Host.HostsTable
  /** For the first try of a server; doubles with each round over all of them (RFC 1035 §4.2.1: two to five seconds). */
  readonly timeout: Duration.Duration
  /** Rounds over all servers. */
  readonly tries: number
  /** Octets of the largest answer over UDP. */
  readonly payload: number
  readonly cache: DnsCache.Bounds
  /** Gives octets that nobody can guess. */
  readonly generate: (length: number) => Uint8Array
}

/** Fits one Ethernet frame over either IP, with room for tunnels. */
export const defaultPayload = 1232
/** Questions that are under way at once; others wait. */
export const maximumQuestions = 256
/** Aliases that are followed for one question (RFC 1034 §3.6.2 warns of loops). */
export const maximumAliases = 16
/** Questions that one may lead to, when servers leave aliases to be followed. */
const maximumReferrals = 8

type Failure = DnsExchange.DnsExchangeError

/** What a response says of a question: an answer, or the alias that has to be asked for. */
type Finding = { readonly _tag: "Answer"; readonly answer: DnsCache.Answer } | {
  readonly _tag: "Alias"
  readonly name: string
}

/** RFC 2308 §5: what does not exist, does not exist for as long as the zone says. */
const negativeTtl = ({ authorities }: Wire.Message): number => {
  for (const { data, ttl } of authorities) if (data._tag === "SOA") return Math.min(secondsOf(ttl), data.minimum)
  return 0
}

/** RFC 2181 §8: a time to live with its highest bit set is none. */
const secondsOf = (ttl: number): number => ttl > 0x7fff_ffff ? 0 : ttl

/** Follows aliases through the answers (RFC 1034 §3.6.2) to the records of the type. */
const findingOf = ({ message, size }: DnsExchange.Response, name: string, type: number): Finding => {
  const answers = message.answers.filter((record) => record.class === Wire.internet)
  const of = (target: string, type: number) =>
    answers.filter((record) => DnsData.typeOf(record.data) === type && DnsName.equals(record.name, target))
  let target = name
  let ttl = Number.POSITIVE_INFINITY
  for (let i = 0; i <= maximumAliases; i++) {
    const records = of(target, type)
    if (records.length > 0) {
      for (const record of records) ttl = Math.min(ttl, secondsOf(record.ttl))
      return { _tag: "Answer", answer: { records, ttl, size } }
    }
    const [alias] = of(target, DnsData.Type.CNAME)
    if (alias === undefined || alias.data._tag !== "CNAME") break
    ttl = Math.min(ttl, secondsOf(alias.ttl))
    target = DnsName.canonical(alias.data.name)
  }
  const isNegative = message.code === Wire.ResponseCode.nameError || negativeTtl(message) > 0
  return target === name || isNegative
    ? { _tag: "Answer", answer: { records: [], ttl: Math.min(ttl, negativeTtl(message)), size } }
    : { _tag: "Alias", name: target }
}

class Resolver {
  private readonly options: Options
  private readonly settings: DnsExchange.Settings
  private readonly cache: DnsCache.DnsCache
  private readonly scope: Scope.Scope
  private readonly clock: Clock.Clock
  private readonly places = Semaphore.makeUnsafe(maximumQuestions)
  /** Who asks what is being asked waits for that, and no second question leaves. */
  private readonly pending: Map<string, Fiber.Fiber<DnsCache.Answer, Failure>> = new Map()
  /** The server that answered last. */
  private preferred: string | undefined

  constructor(options: Options, scope: Scope.Scope, clock: Clock.Clock) {
    this.options = options
    this.scope = scope
    this.clock = clock
    this.cache = new DnsCache.DnsCache(options.cache)
    this.settings = { ...options, connections: new Map() }
  }

  private get now(): number {
    return Number(this.clock.monotonicTimeNanosUnsafe()) / 1e9
  }

  /** The records of a name and type, which may be none. */
  ask(name: string, type: number): Effect.Effect<ReadonlyArray<Wire.Record>, Failure, Netstack> {
    const answer = Effect.uninterruptibleMask((restore) =>
      Effect.suspend(() => {
        const key = `${type} ${name}`
        const known = this.cache.get(key, this.now)
        if (known !== undefined) return Effect.succeed(known)
        const waiting = this.pending.get(key)
        return waiting === undefined ? this.begin(restore, key, name, type) : restore(Fiber.join(waiting))
      })
    )
    return Effect.map(answer, ({ records }) => records)
  }

  /** The question goes on when who asked first has lost interest: others may wait for it, and its answer is kept. */
  private begin(
    restore: <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>,
    key: string,
    name: string,
    type: number
  ): Effect.Effect<DnsCache.Answer, Failure, Netstack> {
    const asking = Effect.forkIn(this.places.withPermit(this.follow(name, type)), this.scope)
    return Effect.flatMap(asking, (fiber) => {
      this.pending.set(key, fiber)
      fiber.addObserver((exit) => {
        this.pending.delete(key)
        if (Exit.isSuccess(exit)) this.cache.put(key, exit.value, this.now)
      })
      return restore(Fiber.join(fiber))
    })
  }

  /** Asks, and asks for the alias where a server has left that to be done. */
  private follow(name: string, type: number): Effect.Effect<DnsCache.Answer, Failure, Netstack> {
    return Effect.gen({ self: this }, function*() {
      let target = name
      for (let i = 0; i < maximumReferrals; i++) {
        const finding = findingOf(yield* this.askServers(target, type), target, type)
        if (finding._tag === "Answer") return finding.answer
        target = finding.name
      }
      return yield* new DnsExchange.DnsExchangeError({ server: "every one", reason: "Malformed" })
    })
  }

  /** The servers, the one that answered last before the others. */
  private get servers(): Effect.Effect<Array<NetAddress.InetAddress>> {
    return Effect.map(this.options.nameServers, (all) => {
      const isPreferred = (server: NetAddress.InetAddress) => String(server) === this.preferred
      return [...all.filter(isPreferred), ...all.filter((server) => !isPreferred(server))]
    })
  }

  /**
   * Asks one server after the other, round by round (RFC 1035 §4.2.1, §7.2: others first, before the same again). One that gives an
   * error is asked no more; one that is silent is, with twice the time, at last without EDNS, which some firewalls swallow.
   */
  private askServers(name: string, type: number): Effect.Effect<DnsExchange.Response, Failure, Netstack> {
    return Effect.gen({ self: this }, function*() {
      const { timeout, tries } = this.options
      let servers = yield* this.servers
      let last = new DnsExchange.DnsExchangeError({ server: DnsExchange.noServer, reason: "Unreachable" })
      for (let round = 0; round < tries && servers.length > 0; round++) {
        const silent: Array<NetAddress.InetAddress> = []
        const time = Duration.times(timeout, 2 ** round)
        const withEdns = round === 0 || round < tries - 1
        for (const server of servers) {
          const asked = yield* Effect.result(DnsExchange.ask(server, { name, type }, time, this.settings, withEdns))
          if (Result.isSuccess(asked)) {
            this.preferred = String(server)
            return asked.success
          }
          last = asked.failure
          if (last.reason === "Timeout") silent.push(server)
        }
        servers = silent
      }
      return yield* last
    })
  }
}

const reasons: { readonly [K in Failure["reason"]]: Dns.DnsErrorReason } = {
  Timeout: "Timeout",
  Unreachable: "Refused",
  Malformed: "InvalidResponse",
  FormatError: "InvalidResponse",
  ServerFailure: "ServerFailure",
  NotImplemented: "Unsupported",
  Refused: "Refused",
  UnknownCode: "Unknown"
}

const errorOf = (method: Dns.DnsError["method"], hostname: string, recordType?: Dns.RecordType) => (cause: Failure) =>
  new Dns.DnsError({ reason: reasons[cause.reason], method, hostname, recordType, cause })

const localNames = /^(?:.*\.)?localhost$/
const localAddresses = [NetAddress.ipFromStringUnsafe("::1"), NetAddress.ipFromStringUnsafe("127.0.0.1")]

/** RFC 6761 §6.3, §6.4 (its text is not among this project's sources): names that no server is asked for. */
const reservedAddresses = (name: string): ReadonlyArray<NetAddress.IpAddress> | undefined => {
  if (localNames.test(name)) return localAddresses
  return /^(?:.*\.)?invalid$/.test(name) ? [] : undefined
}

/** The absolute names that a name may mean, in the order in which to try them. */
const candidates = (name: string, search: ReadonlyArray<string>, ndots: number): ReadonlyArray<string> => {
  if (name.endsWith(".")) return [DnsName.canonical(name)]
  const itself = DnsName.canonical(name)
  const longer = search.map((domain) => DnsName.canonical(`${name}.${domain}`)).filter(DnsName.isValid)
  return name.split(".").length - 1 >= ndots ? [itself, ...longer] : [...longer, itself]
}

/** The families of the stack's own addresses beyond the link (as `AI_ADDRCONFIG`); both, if it has none. */
const usableFamilies: Effect.Effect<ReadonlyArray<NetAddress.IpFamily>, never, Netstack> = Effect.map(
  Network.interfaces,
  (all) => {
    const addresses = all.flatMap((each) => each.addresses.map((entry) => entry.interface.address))
    const own = addresses.filter((address) => !NetAddress.isLoopback(address) && !NetAddress.isLinkLocal(address))
    const families: ReadonlyArray<NetAddress.IpFamily> = ["IPv6", "IPv4"]
    const usable = families.filter((family) => own.some((address) => NetAddress.isFamily(address, family)))
    return usable.length > 0 ? usable : families
  }
)

const addressOf = (record: Wire.Record): ReadonlyArray<NetAddress.IpAddress> => {
  const converted = DnsRecords.of(record)
  if (converted === undefined || Result.isFailure(converted)) return []
  const { success } = converted
  return success._tag === "A" || success._tag === "AAAA" ? [success.address] : []
}

/** The addresses of one absolute name. One family's failure does not matter when the other has some. */
const addressesOf = (
  resolver: Resolver,
  name: string,
  families: ReadonlyArray<NetAddress.IpFamily>
): Effect.Effect<ReadonlyArray<NetAddress.IpAddress>, Failure, Netstack> =>
  Effect.gen(function*() {
    // RFC 8305 §3: AAAA first, A right behind it.
    const askFor = (family: NetAddress.IpFamily) =>
      Effect.result(resolver.ask(name, family === "IPv6" ? DnsData.Type.AAAA : DnsData.Type.A))
    const results = yield* Effect.forEach(families, askFor, { concurrency: "unbounded" })
    const addresses = results.flatMap((result) => Result.isSuccess(result) ? result.success.flatMap(addressOf) : [])
    const failed = results.find(Result.isFailure)
    return addresses.length === 0 && failed !== undefined ? yield* failed.failure : addresses
  })

const lookup =
  (resolver: Resolver, options: Options) => (host: Host.DomainName, family: NetAddress.IpFamily | undefined) =>
    Effect.gen(function*() {
      const relative = Host.toRelative(host)
      const known = options.hosts.get(relative) ?? reservedAddresses(relative)
      if (known !== undefined) return known
      const families = family === undefined ? yield* usableFamilies : [family]
      for (const name of candidates(host, options.search, options.ndots)) {
        const found = yield* addressesOf(resolver, name, families)
        if (found.length > 0) return found
      }
      return []
    }).pipe(Effect.mapError(errorOf("lookup", host)))

/** Converts what can be converted; when nothing can, that is the server's fault. */
const converted = (records: ReadonlyArray<Wire.Record>, hostname: string, recordType: Dns.RecordType) => {
  const results = records.map(DnsRecords.of).filter((result) => result !== undefined)
  const good = results.flatMap((result) => Result.isSuccess(result) ? [result.success] : [])
  const bad = results.find(Result.isFailure)
  if (good.length > 0 || bad === undefined) return Effect.succeed(good)
  const cause = bad.failure
  return Effect.fail(new Dns.DnsError({ reason: "InvalidResponse", method: "resolve", hostname, recordType, cause }))
}

const resolve = (resolver: Resolver) => (name: Host.DomainName, type: Dns.RecordType) =>
  Effect.flatMap(
    Effect.mapError(resolver.ask(DnsName.canonical(name), DnsData.Type[type]), errorOf("resolve", name, type)),
    (records) => converted(records, name, type)
  )

const reverse = (resolver: Resolver, options: Options) => (address: NetAddress.IpAddress) =>
  Effect.suspend(() => {
    const text = NetAddress.formatIp(address)
    const known = Array.from(options.hosts).filter(([, addresses]) =>
      addresses.some((other) => NetAddress.formatIp(other) === text)
    )
    if (known.length > 0) return Effect.succeed(known.map(([name]) => name))
    if (NetAddress.isLoopback(address)) return Effect.succeed(["localhost"])
    const asked = resolver.ask(DnsName.canonical(Dns.reverseName(address)), DnsData.Type.PTR)
    return Effect.mapBoth(asked, {
      onSuccess: (records) => records.flatMap(({ data }) => data._tag === "PTR" ? [DnsRecords.textOf(data.name)] : []),
      onFailure: errorOf("reverse", text)
    })
  })

/** A resolver that lives as long as the scope. */
export const make = (options: Options): Effect.Effect<Dns.Dns["Service"], never, Netstack | Scope.Scope> =>
  Effect.gen(function*() {
    const stack = yield* Netstack
    const resolver = new Resolver(options, yield* Effect.scope, yield* Clock.Clock)
    const onStack = <A>(
      method: Dns.DnsError["method"],
      name: string,
      self: Effect.Effect<ReadonlyArray<A>, Dns.DnsError, Netstack>
    ) => {
      // That there is no such name, or nothing of the kind, is an answer, and no failure of the look-up.
      const told = Effect.tap(self, ({ length }) => Effect.annotateCurrentSpan("netstack.dns.answers", length))
      const attributes = { "dns.question.name": name }
      return Effect.withSpan(Effect.provideService(told, Netstack, stack), `Dns.${method}`, {
        captureStackTrace: false,
        kind: "client",
        attributes
      })
    }
    const lookUp = lookup(resolver, options)
    const ask = resolve(resolver)
    const nameOf = reverse(resolver, options)
    return Dns.make({
      lookup: (host, family) => onStack("lookup", host, lookUp(host, family)),
      resolve: (name, type) => onStack("resolve", name, ask(name, type)),
      reverse: (address) => onStack("reverse", NetAddress.formatIp(address), nameOf(address))
    })
  })
