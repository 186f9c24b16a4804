import { assert, describe, it } from "@effect/vitest"
import * as Config from "effect/Config"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as AddressResolver from "effect/net/AddressResolver"
import * as Dns from "effect/net/Dns"
import * as Host from "effect/net/Host"
import * as IpInterface from "effect/net/IpInterface"
import * as NetAddress from "effect/net/NetAddress"
import * as Scope from "effect/Scope"
import { TestClock } from "effect/testing"
import * as NetstackDns from "../../layers/NetstackDns.ts"
import { Netstack } from "../../src/sockets/Netstack.ts"
import * as Network from "../../src/sockets/Network.ts"
import * as Tcp from "../../src/sockets/Tcp.ts"
import * as Wire from "../../src/wire/Dns.ts"
import * as DnsData from "../../src/wire/DnsData.ts"
import * as DnsZone from "../services/DnsZone.ts"
import { addressTwo, on, pair } from "../workers/Hosts.ts"
import { settle } from "./Events.ts"

const { Type } = DnsData

/** A resolver on the first stack, and the server that it asks on the second. */
const resolving = (
  options: Partial<NetstackDns.Options> = {},
  behave?: DnsZone.Behaviour,
  records?: Parameters<typeof DnsZone.serve>[1]
) =>
  Effect.gen(function*() {
    const { one, two } = yield* pair()
    const asked = yield* on(two)(DnsZone.serve(behave, records))
    const dns = yield* on(one)(NetstackDns.make({ nameServers: [addressTwo], ...options }))
    return { one, two, asked, dns }
  })

const reasonOf = <A, R>(self: Effect.Effect<A, Dns.DnsError, R>) =>
  Effect.map(Effect.flip(self), ({ reason }) => reason)

/** Lets time pass until the effect is done. */
const inTime = <A, E, R>(self: Effect.Effect<A, E, R>, step = "100 millis" as const) =>
  Effect.gen(function*() {
    const fiber = yield* Effect.forkChild(self, { startImmediately: true })
    yield* settle
    while (fiber.pollUnsafe() === undefined) {
      yield* TestClock.adjust(step)
      yield* settle
    }
    return yield* Fiber.join(fiber)
  })

const names = (asked: ReadonlyArray<DnsZone.Asked>) => asked.map(({ name }) => name)

describe("NetstackDns.lookup", () => {
  it.effect("finds the addresses of the stack's own family, or of the one that is asked for", () =>
    Effect.gen(function*() {
      const { asked, dns } = yield* resolving()
      assert.deepStrictEqual((yield* dns.lookup("www.test")).map(String), ["192.0.2.1", "192.0.2.2"])
      assert.deepStrictEqual((yield* dns.lookup("WWW.Test.", { family: "IPv6" })).map(String), ["2001:db8::1"])
      assert.deepStrictEqual(asked.map(({ type }) => type), [Type.A, Type.AAAA])
    }))

  it.effect("finds those of both families when the stack has both, IPv6 first", () =>
    Effect.gen(function*() {
      const { asked, dns, one } = yield* resolving()
      yield* on(one)(Network.addAddress(1, "2001:db8::1/64"))
      assert.deepStrictEqual((yield* dns.lookup("www.test")).map(String), ["2001:db8::1", "192.0.2.1", "192.0.2.2"])
      assert.deepStrictEqual(asked.map(({ type }) => type), [Type.AAAA, Type.A])
    }))

  it.effect("follows aliases, and asks again for those that a server leaves (RFC 1034 §3.6.2)", () =>
    Effect.gen(function*() {
      const { dns } = yield* resolving()
      assert.deepStrictEqual((yield* dns.lookup("alias.test")).map(String), ["192.0.2.1", "192.0.2.2"])
      const lazy: DnsZone.Behaviour = (query) => {
        const whole = DnsZone.answer(DnsZone.zone, query)
        return { ...whole, answers: whole.answers.slice(0, 1), authorities: [] }
      }
      const second = yield* resolving({}, lazy)
      assert.deepStrictEqual((yield* second.dns.lookup("alias.test")).map(String), ["192.0.2.1"])
      assert.deepStrictEqual(names(second.asked), ["alias.test.", "middle.test.", "www.test."])
    }))

  it.effect("ends where aliases lead in circles", () =>
    Effect.gen(function*() {
      const { asked, dns } = yield* resolving()
      const reason = yield* reasonOf(dns.lookup("loop.test"))
      assert.include(["NotFound", "InvalidResponse"], reason)
      assert.isAtMost(asked.length, 8)
    }))

  it.effect("tries names behind the search list, by the dots that they have", () =>
    Effect.gen(function*() {
      const { asked, dns } = yield* resolving({ search: ["nowhere.test", "test"] })
      assert.deepStrictEqual((yield* dns.lookup("www")).map(String), ["192.0.2.1", "192.0.2.2"])
      assert.deepStrictEqual(names(asked), ["www.nowhere.test.", "www.test."])
      assert.strictEqual(yield* reasonOf(dns.lookup("www.")), "NotFound")
      assert.deepStrictEqual(names(asked).slice(2), ["www."])
      assert.strictEqual(yield* reasonOf(dns.lookup("a.b")), "NotFound")
      assert.deepStrictEqual(names(asked).slice(3), ["a.b.", "a.b.nowhere.test.", "a.b.test."])
    }))

  it.effect("knows hosts and reserved names without asking (RFC 6761 §6.3, §6.4)", () =>
    Effect.gen(function*() {
      const { asked, dns } = yield* resolving({ hosts: { "db.internal": ["10.1.2.3", "fd00::3"] } })
      assert.deepStrictEqual((yield* dns.lookup("DB.internal.")).map(String), ["10.1.2.3", "fd00::3"])
      assert.deepStrictEqual((yield* dns.lookup("db.internal", { family: "IPv6" })).map(String), ["fd00::3"])
      assert.deepStrictEqual((yield* dns.lookup("api.localhost", { family: "IPv4" })).map(String), ["127.0.0.1"])
      assert.strictEqual(yield* reasonOf(dns.lookup("name.invalid")), "NotFound")
      assert.deepStrictEqual(yield* dns.reverse("10.1.2.3"), ["db.internal"] as [Host.DomainName])
      assert.deepStrictEqual(yield* dns.reverse("127.0.0.1"), ["localhost"] as [Host.DomainName])
      assert.deepStrictEqual(asked, [])
      const table = Host.parseHostsFile("10.9.9.9 other # comment")
      const file = yield* resolving({ hosts: table })
      assert.deepStrictEqual((yield* file.dns.lookup("other")).map(String), ["10.9.9.9"])
    }))

  it.effect("takes the addresses of one family when the other fails", () =>
    Effect.gen(function*() {
      const behave: DnsZone.Behaviour = (query) =>
        query.questions[0]!.type === Type.AAAA ? DnsZone.respond(query, { code: 2 }) : undefined
      const { dns, one } = yield* resolving({}, behave)
      yield* on(one)(Network.addAddress(1, "2001:db8::1/64"))
      assert.strictEqual(yield* reasonOf(dns.lookup("www.test", { family: "IPv6" })), "ServerFailure")
      assert.strictEqual((yield* dns.lookup("www.test")).length, 2)
    }))
})

describe("NetstackDns.resolve and reverse", () => {
  it.effect("read every type that Effect names", () =>
    Effect.gen(function*() {
      const { dns } = yield* resolving()
      const resolved = (name: string, type: Dns.RecordType) =>
        Effect.map(dns.resolve(name, type), (records) => records.map((record) => Dns.formatRecord(record)))
      const expected: ReadonlyArray<readonly [string, Dns.RecordType, ReadonlyArray<string>]> = [
        ["www.test", "A", ["A 192.0.2.1", "A 192.0.2.2"]],
        ["www.test", "AAAA", ["AAAA 2001:db8::1"]],
        ["test", "CAA", ["CAA 128 issue \"ca.test\""]],
        ["alias.test", "CNAME", ["CNAME middle.test."]],
        ["test", "MX", ["MX 10 mail.test."]],
        ["naptr.test", "NAPTR", ["NAPTR 100 10 \"u\" \"E2U+sip\" \"!^.*$!sip:info@test!\" ."]],
        ["test", "NS", ["NS ns.test."]],
        ["_ipp._tcp.test", "PTR", ["PTR My\\032Printer\\.v2._ipp._tcp.test."]],
        ["test", "SOA", ["SOA ns.test. john\\.doe.test. 4000000000 7200 600 3600000 30"]],
        ["_http._tcp.test", "SRV", ["SRV 1 2 8080 www.test."]],
        ["_443._tcp.test", "TLSA", ["TLSA 3 1 1 010203"]],
        ["test", "TXT", ["TXT \"v=spf1 \" \"gr\\195\\182\\195\\159e\""]]
      ]
      for (const [name, type, records] of expected) assert.deepStrictEqual(yield* resolved(name, type), records, type)
      assert.deepStrictEqual(expected.map(([, type]) => type).toSorted(), Dns.recordTypes.toSorted())
      assert.deepStrictEqual(yield* dns.reverse("192.0.2.1"), ["www.test."] as [Host.DomainName])
    }))

  it.effect("fail with typed reasons", () =>
    Effect.gen(function*() {
      const { dns } = yield* resolving()
      assert.strictEqual(yield* reasonOf(dns.resolve("missing.test", "A")), "NotFound")
      assert.strictEqual(yield* reasonOf(dns.resolve("www.test", "MX")), "NotFound")
      assert.strictEqual(yield* reasonOf(dns.resolve("bad.test", "MX")), "InvalidResponse")
      assert.strictEqual(yield* reasonOf(dns.resolve("a b", "A")), "BadName")
      assert.strictEqual(yield* reasonOf(dns.reverse("192.0.2.99")), "NotFound")
    }))
})

describe("the cache of NetstackDns", () => {
  it.effect("answers for as long as the records say, aliases included", () =>
    Effect.gen(function*() {
      const { asked, dns } = yield* resolving()
      yield* dns.lookup("www.test")
      yield* TestClock.adjust("59 seconds")
      yield* dns.lookup("www.test")
      assert.strictEqual(asked.length, 1)
      yield* TestClock.adjust("2 seconds")
      yield* dns.lookup("www.test")
      assert.strictEqual(asked.length, 2)
      yield* dns.lookup("alias.test")
      yield* TestClock.adjust("21 seconds")
      yield* dns.lookup("alias.test")
      assert.strictEqual(asked.length, 4)
    }))

  it.effect("remembers that there is nothing for as long as the zone says (RFC 2308 §5)", () =>
    Effect.gen(function*() {
      const { asked, dns } = yield* resolving()
      for (const [name, type] of [["missing.test", "A"], ["www.test", "MX"]] as const) {
        asked.length = 0
        yield* reasonOf(dns.resolve(name, type))
        yield* TestClock.adjust("29 seconds")
        assert.strictEqual(yield* reasonOf(dns.resolve(name, type)), "NotFound")
        assert.strictEqual(asked.length, 1)
        yield* TestClock.adjust("2 seconds")
        yield* reasonOf(dns.resolve(name, type))
        assert.strictEqual(asked.length, 2)
      }
    }))

  it.effect("keeps nothing that has no time to live, or one with its highest bit set (RFC 1035 §3.2.1, RFC 2181 §8)", () =>
    Effect.gen(function*() {
      const { asked, dns } = yield* resolving({}, undefined, [
        DnsZone.record("zero.test.", { _tag: "A", address: 1 }, 0),
        DnsZone.record("huge.test.", { _tag: "A", address: 1 }, 0x8000_0000)
      ])
      for (const name of ["zero.test", "zero.test", "huge.test", "huge.test"]) yield* dns.lookup(name)
      assert.strictEqual(asked.length, 4)
    }))

  it.effect("stays within its bounds, and forgets first what was used longest ago", () =>
    Effect.gen(function*() {
      const records = ["a", "b", "c"].map((name) => DnsZone.record(`${name}.test.`, { _tag: "A", address: 1 }))
      const { asked, dns } = yield* resolving({ cache: { entries: 2 } }, undefined, records)
      for (const name of ["a", "b", "a", "c", "a", "b"]) yield* dns.lookup(`${name}.test`)
      assert.deepStrictEqual(names(asked), ["a.test.", "b.test.", "c.test.", "b.test."])
      const small = yield* resolving({ cache: { bytes: 10 } }, undefined, records)
      yield* small.dns.lookup("a.test")
      yield* small.dns.lookup("a.test")
      assert.strictEqual(small.asked.length, 2)
      const short = yield* resolving({ cache: { ttl: 5 } }, undefined, records)
      yield* short.dns.lookup("a.test")
      yield* TestClock.adjust("6 seconds")
      yield* short.dns.lookup("a.test")
      assert.strictEqual(short.asked.length, 2)
    }))
})

describe("questions of NetstackDns", () => {
  it.effect("have identifiers and ports that differ, and EDNS with what fits a frame", () =>
    Effect.gen(function*() {
      const { asked, dns } = yield* resolving({ cache: { entries: 0 } })
      for (let i = 0; i < 20; i++) yield* dns.lookup("www.test")
      assert.strictEqual(new Set(asked.map(({ id }) => id)).size, 20)
      assert.isAbove(new Set(asked.map(({ port }) => port)).size, 17)
      assert.isTrue(asked.every(({ hasEdns, transport }) => hasEdns && transport === "udp"))
    }))

  it.effect("go over TCP when the answer is too long for UDP (RFC 7766 §5)", () =>
    Effect.gen(function*() {
      const { asked, dns } = yield* resolving()
      const [{ chunks }] = yield* dns.resolve("large.test", "TXT")
      assert.strictEqual(chunks.length, 12)
      assert.deepStrictEqual(asked.map(({ transport }) => transport), ["udp", "tcp"])
      assert.notStrictEqual(asked[0]!.id, asked[1]!.id)
    }))

  it.effect("leave out EDNS for a server that does not know it (RFC 6891 §6.2.2)", () =>
    Effect.gen(function*() {
      for (const code of [Wire.ResponseCode.formatError, Wire.ResponseCode.notImplemented]) {
        const old: DnsZone.Behaviour = (query) =>
          Wire.toEdns(query) === undefined
            ? undefined
            : DnsZone.respond(query, { code, questions: code === 1 ? [] : query.questions })
        const { asked, dns } = yield* resolving({}, old)
        assert.strictEqual((yield* dns.lookup("www.test")).length, 2)
        assert.deepStrictEqual(asked.map(({ hasEdns }) => hasEdns), [true, false])
      }
    }))

  it.effect("are asked once by many who ask at the same time, also when the first of them leaves", () =>
    Effect.gen(function*() {
      const { asked, dns } = yield* resolving()
      const first = yield* Effect.forkChild(dns.lookup("www.test"))
      const others = yield* Effect.forEach(Array.from({ length: 10 }), () => Effect.forkChild(dns.lookup("www.test")))
      yield* Effect.yieldNow
      yield* Fiber.interrupt(first)
      for (const other of others) assert.strictEqual((yield* Fiber.join(other)).length, 2)
      assert.strictEqual(asked.length, 1)
    }))

  it.effect("take no answer that is not to them", () =>
    Effect.gen(function*() {
      const forged: ReadonlyArray<(query: Wire.Message) => Partial<Wire.Message>> = [
        ({ id }) => ({ id: id ^ 1 }),
        () => ({ isResponse: false }),
        () => ({ opcode: 4 }),
        () => ({ questions: [{ name: "other.test.", type: Type.A, class: 1 }] }),
        ({ questions }) => ({ questions: [{ ...questions[0]!, type: Type.AAAA }] }),
        () => ({ questions: [] })
      ]
      for (const forge of forged) {
        const behave: DnsZone.Behaviour = (query) => ({
          ...DnsZone.answer([DnsZone.a("www.test.", 6, 6, 6, 6)], query),
          ...forge(query)
        })
        const { dns } = yield* resolving({ tries: 1 }, behave)
        assert.strictEqual(yield* inTime(reasonOf(dns.lookup("www.test"))), "Timeout")
      }
    }))

  it.effect("end with their scope", () =>
    Effect.gen(function*() {
      const { one, two } = yield* pair()
      yield* on(two)(DnsZone.serve(() => "silent"))
      const scope = yield* Scope.make()
      const dns = yield* Scope.provide(on(one)(NetstackDns.make({ nameServers: [addressTwo] })), scope)
      const asking = yield* Effect.forkChild(dns.lookup("www.test"), { startImmediately: true })
      yield* settle
      yield* Scope.close(scope, Exit.void)
      assert.isTrue(Exit.isFailure(yield* Fiber.await(asking)))
      assert.isTrue(Exit.isFailure(yield* Effect.exit(dns.lookup("other.test"))))
      assert.strictEqual((yield* one.census).waiting, 0)
    }))
})

/** A resolver with two servers, of which the first is as told. */
const twoServers = (behave: DnsZone.Behaviour, options: Partial<NetstackDns.Options> = {}) =>
  Effect.gen(function*() {
    const { one, two } = yield* pair()
    yield* on(two)(Network.addAddress(1, "10.0.0.3/24"))
    const asked = yield* on(two)(DnsZone.serve(behave))
    const dns = yield* on(one)(NetstackDns.make({ nameServers: ["10.0.0.77", addressTwo], ...options }))
    yield* on(one)(Network.setNeighbor(1, "10.0.0.77", "02:00:00:00:00:77"))
    return { asked, dns, one }
  })

describe("name servers", () => {
  it.effect("are asked in turn when they are silent, and the one that answered last comes first", () =>
    Effect.gen(function*() {
      const { dns } = yield* twoServers(() => undefined)
      const before = yield* Effect.clockWith((clock) => clock.currentTimeMillis)
      yield* inTime(dns.lookup("www.test"))
      const after = yield* Effect.clockWith((clock) => clock.currentTimeMillis)
      assert.approximately(after - before, 2000, 200)
      assert.strictEqual((yield* dns.lookup("alias.test")).length, 2)
    }))

  it.effect("have twice the time in each round, and no EDNS in the last", () =>
    Effect.gen(function*() {
      const { asked, dns } = yield* resolving({ timeout: "1 second", tries: 3 }, () => "silent")
      const before = yield* Effect.clockWith((clock) => clock.currentTimeMillis)
      assert.strictEqual(yield* inTime(reasonOf(dns.lookup("www.test"))), "Timeout")
      const after = yield* Effect.clockWith((clock) => clock.currentTimeMillis)
      assert.approximately(after - before, 7000, 400)
      assert.deepStrictEqual(asked.map(({ hasEdns }) => hasEdns), [true, true, false])
    }))

  it.effect("that fail are not asked again for the same question", () =>
    Effect.gen(function*() {
      const failures = [
        [Wire.ResponseCode.serverFailure, "ServerFailure"],
        [Wire.ResponseCode.refused, "Refused"],
        [9, "Unknown"]
      ] as const
      for (const [code, reason] of failures) {
        const { asked, dns } = yield* resolving({}, (query) => DnsZone.respond(query, { code }))
        assert.strictEqual(yield* reasonOf(dns.lookup("www.test")), reason)
        assert.strictEqual(asked.length, 1)
      }
    }))

  it.effect("that speak no DNS, or can't be reached, are typed failures", () =>
    Effect.gen(function*() {
      const garbled = yield* resolving({}, () => "garbage")
      assert.strictEqual(yield* reasonOf(garbled.dns.lookup("www.test")), "InvalidResponse")
      const closed = yield* resolving({ nameServers: [`${addressTwo}:54`] })
      assert.strictEqual(yield* inTime(reasonOf(closed.dns.lookup("www.test"))), "Refused")
      const unreachable = yield* resolving({ nameServers: ["192.0.2.53"] })
      assert.strictEqual(yield* reasonOf(unreachable.dns.lookup("www.test")), "Refused")
      const none = yield* resolving({ nameServers: [] })
      assert.strictEqual(yield* reasonOf(none.dns.lookup("www.test")), "Refused")
    }))

  it.effect("and the rest of the configuration are checked when the layer is made", () =>
    Effect.gen(function*() {
      const { one } = yield* pair()
      const wrong: ReadonlyArray<NetstackDns.Options> = [
        { nameServers: ["ns.example"] },
        { nameServers: [], search: ["-"] },
        { nameServers: [], hosts: { "a b": [] } },
        { nameServers: [], hosts: { a: ["10.0.0"] } }
      ]
      for (const options of wrong) {
        const error = yield* Effect.flip(Effect.scoped(on(one)(NetstackDns.make(options))))
        assert.strictEqual(error._tag, "NetAddressError")
      }
    }))
})

describe("the layers of NetstackDns", () => {
  it.effect("give names to programs that connect, and resolve zones of the stack's interfaces", () =>
    Effect.gen(function*() {
      const { one, two } = yield* pair()
      const local = DnsZone.a("server.test.", 10, 0, 0, 2)
      yield* on(two)(DnsZone.serve(undefined, [local]))
      const listener = yield* on(two)(Tcp.listen({ port: 80 }))
      const Names = NetstackDns.layerConfig({
        nameServers: Config.map(Config.String("DNS"), (server) => [server]),
        search: Config.succeed(["test"])
      }).pipe(
        Layer.provide(Layer.succeed(Netstack, one)),
        Layer.provide(ConfigProvider.layer(ConfigProvider.fromUnknown({ DNS: addressTwo })))
      )
      yield* Effect.gen(function*() {
        const connection = yield* on(one)(Tcp.connect("server:80"))
        assert.strictEqual((yield* listener.accept).remote.toString(), connection.local.toString())
        const resolver = yield* AddressResolver.AddressResolver
        assert.deepStrictEqual((yield* resolver.resolve("server:80")).map(String), [`${addressTwo}:80`])
        assert.deepStrictEqual((yield* resolver.resolve("[fe80::1%memory0]:80")).map(String), ["[fe80::1%1]:80"])
      }).pipe(Effect.provide(Names))
    }))
})

describe("NetstackDns without name servers of its own", () => {
  it.effect("asks those that the network has told of, which may change, and tries the domains of the network", () =>
    Effect.gen(function*() {
      const { one, two } = yield* pair()
      yield* on(two)(DnsZone.serve())
      const lease: Network.Lease = {
        link: 1,
        address: IpInterface.makeUnsafe(NetAddress.ipFromStringUnsafe("10.0.0.9"), 24) as IpInterface.Ipv4Interface,
        server: NetAddress.ipFromStringUnsafe(addressTwo) as NetAddress.Ipv4Address,
        routes: [],
        nameServers: [],
        searchDomains: ["test", "no name"],
        ntpServers: []
      }
      yield* on(one)(Network.setLease(1, lease))
      const dns = yield* on(one)(NetstackDns.make())
      assert.strictEqual(yield* reasonOf(dns.lookup("www")), "Refused")
      yield* on(one)(Network.setLease(1, { ...lease, nameServers: [lease.server] }))
      assert.deepStrictEqual((yield* dns.lookup("www")).map(String), ["192.0.2.1", "192.0.2.2"])
    }))
})
