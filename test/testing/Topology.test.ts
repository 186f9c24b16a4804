import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { readFileSync } from "node:fs"
import * as Plan from "../../src/testing/Plan.ts"
import * as Topology from "../../src/testing/Topology.ts"

/** Two hosts, a router between them, and a switch on one side. */
const json = {
  hosts: {
    client: { ipv4: "10.0.0.2/24", gateway: "10.0.0.1" },
    router: {
      forwarding: true,
      interfaces: { wan0: { ipv4: "10.0.0.1/24" }, lan0: { ipv4: "10.0.1.1/24", mtu: 1400 } }
    },
    server: { ipv4: "10.0.1.2/24", gateway: "10.0.1.1" }
  },
  switches: { hub: { mtu: 1480 } },
  links: {
    far: { between: ["hub", "server"] },
    wan: {
      between: ["client", "router.wan0"],
      rate: 1e7,
      delay: "20 millis",
      loss: 0.01,
      back: { delay: "30 millis" }
    },
    lan: { between: ["router.lan0", "hub"] }
  },
  changes: [{ at: "5 seconds", link: "wan", partition: true, direction: "back" }, {
    at: "1 second",
    link: "lan",
    faults: { bursts: { enter: 0.1, leave: 0.5 } }
  }]
}

const refusal = (topology: Topology.Topology): string => {
  const result = Plan.make(topology)
  assert.isTrue(Result.isFailure(result))
  return Result.isFailure(result) ? result.failure.message : ""
}

describe("Topology", () => {
  it.effect("is read from JSON, with times as text", () =>
    Effect.gen(function*() {
      const topology = yield* Topology.decode(json)
      assert.strictEqual(Duration.toMillis(topology.links["wan"]!.delay!), 20)
      assert.deepStrictEqual(topology.hosts["client"], { ipv4: "10.0.0.2/24", gateway: "10.0.0.1" })
    }))

  it.effect("refuses words that mean nothing, and numbers out of range", () =>
    Effect.gen(function*() {
      const wrong = [
        { ...json, links: { wan: { between: ["client", "server"], los: 0.1 } } },
        { ...json, links: { wan: { between: ["client", "server"], loss: 1.1 } } },
        { ...json, links: { wan: { between: ["client"] } } },
        { ...json, links: { wan: { between: ["client", "server"], delay: "soon" } } },
        { ...json, links: { wan: { between: ["client", "server"], mtu: 20 } } },
        { links: {} }
      ]
      for (const each of wrong) {
        assert.strictEqual((yield* Effect.flip(Topology.decode(each)))._tag, "TopologyError", JSON.stringify(each))
      }
    }))

  it.effect("is read from YAML, as from JSON", () =>
    Effect.gen(function*() {
      const yaml = `
hosts:
  client: { ipv4: 10.0.0.2/24, gateway: 10.0.0.1, tcp: { congestionControl: newReno, minRto: 1 second } }
  server: { ipv4: 10.0.1.2/24, gateway: 10.0.1.1 }
routers:
  router:
    interfaces:
      wan0: { ipv4: 10.0.0.1/24 }
      lan0: { ipv4: 10.0.1.1/24 }
links:
  wan: # the bad one
    between: [client, router.wan0]
    rate: 10e6
    delay: 20 millis
    jitter: 2 millis
    jitterDistribution: pareto
    outage: { every: 10 seconds, length: 500 millis }
    largestFrame: 1300
    lostFrames: [3, 4]
    losing: [{ like: { tcp: { flags: /S/ }, payload: { length: 0 } }, numbers: [1] }]
  lan: { between: [router.lan0, server] }
changes:
  - { at: 5 seconds, link: lan, partition: true }
`
      const topology = yield* Topology.parse(yaml)
      const { wan } = topology.links
      assert.strictEqual(wan!.rate, 10e6)
      assert.strictEqual(wan!.jitterDistribution, "pareto")
      assert.strictEqual(Duration.toMillis(wan!.outage!.length), 500)
      assert.deepStrictEqual(wan!.losing, [{ like: { tcp: { flags: /S/ }, payload: { length: 0 } }, numbers: [1] }])
      assert.strictEqual(topology.hosts["client"]!.tcp!.congestionControl, "newReno")
      assert.isTrue(Result.isSuccess(Plan.make(topology)))
      assert.deepStrictEqual(yield* Topology.parse(JSON.stringify(json)), yield* Topology.decode(json))
    }))

  it.effect("has every fault that the documentation lists in YAML, but the one that is a function", () =>
    Effect.gen(function*() {
      const faults = {
        loss: "0.1",
        bursts: "{ enter: 0.01, leave: 0.3, lossInGood: 0.001, lossInBad: 0.9 }",
        lostFrames: "[1, 2]",
        outage: "{ every: 1 minute, length: 1 second }",
        largestFrame: "1300",
        losing: "[{ like: { tcp: { flags: /S/ } }, numbers: [1] }]",
        delay: "20 millis",
        jitter: "5 millis",
        jitterDistribution: "exponential",
        rate: "1e6",
        queueBytes: "50000",
        duplication: "0.01",
        reordering: "0.02",
        corruption: "0.03",
        reorderingDelay: "30 millis"
      }
      const table = /\| fault \| says \|\n.*\n((?:\|.*\n)+)/.exec(readFileSync("docs/testing-kit.md", "utf8"))![1]!
      const listed = table.split("\n").flatMap((row) =>
        Array.from(row.split(" | ")[0]!.matchAll(/`(\w+)`/g), ([, name]) => name!)
      )
      assert.deepStrictEqual(listed.filter((name) => name !== "lose"), Object.keys(faults))
      const lines = Object.entries(faults).map(([name, value]) => `    ${name}: ${value}`)
      const { links } = yield* Topology.parse(
        ["hosts: { a: {}, b: {} }", "links:", "  wire:", "    between: [a, b]", ...lines].join("\n")
      )
      assert.deepStrictEqual(
        Object.keys(links["wire"]!).toSorted(),
        [...listed, "between"].filter((name) => name !== "lose").toSorted()
      )
      assert.deepStrictEqual(links["wire"]!.losing, [{ like: { tcp: { flags: /S/ } }, numbers: [1] }])
    }))

  it.effect("says what is wrong with a text", () =>
    Effect.gen(function*() {
      const message = (text: string) => Effect.map(Effect.flip(Topology.parse(text)), (error) => error.message)
      assert.match(yield* message("hosts: { a: [ }"), /^YAML: /)
      const host = (more: string) => `hosts: { a: { ipv4: 10.0.0.1/24, tcp: { ${more} } } }\nlinks: {}`
      assert.match(yield* message(host("congestion: newReno")), /knobs of TCP/)
      assert.match(yield* message(host("minRto: soon")), /knobs of TCP/)
      assert.match(yield* message(host("sack: yes")), /knobs of TCP/)
      assert.strictEqual((yield* Topology.parse(host("sack: false, timeWait: 1 minute"))).hosts["a"]!.tcp!.sack, false)
    }))

  it("has routers, which are hosts that forward", () => {
    const { hosts } = Result.getOrThrow(Plan.make({
      hosts: { a: {}, b: {} },
      routers: { r: { interfaces: { x: {}, y: {} } } },
      links: { one: { between: ["a", "r.x"] }, two: { between: ["r.y", "b"] } }
    }))
    assert.deepStrictEqual(hosts.map(({ description, name }) => [name, description.forwarding]), [
      ["a", undefined],
      ["b", undefined],
      ["r", true]
    ])
  })

  it.effect("joins hosts and switches by what the links name", () =>
    Effect.gen(function*() {
      const plan = yield* Effect.fromResult(Plan.make(yield* Topology.decode(json)))
      assert.deepStrictEqual(plan.hosts.map(({ name }) => name), ["client", "router", "server"])
      assert.deepStrictEqual(plan.links.map(({ ends, mtu, name }) => [name, ...ends, mtu]), [
        ["far", { _tag: "Port", switch: 0, port: 0 }, { _tag: "Interface", host: 2, interface: 0 }, 1480],
        ["wan", { _tag: "Interface", host: 0, interface: 0 }, { _tag: "Interface", host: 1, interface: 0 }, 1500],
        ["lan", { _tag: "Interface", host: 1, interface: 1 }, { _tag: "Port", switch: 0, port: 1 }, 1480]
      ])
      assert.deepStrictEqual(plan.hosts.map(({ interfaces }) => interfaces.map(({ mtu, name }) => [name, mtu])), [
        [["eth0", 1500]],
        [["wan0", 1500], ["lan0", 1400]],
        [["eth0", 1480]]
      ])
      assert.strictEqual(new Set(plan.hosts.flatMap(({ interfaces }) => interfaces.map(({ mac }) => mac))).size, 4)
      assert.strictEqual(plan.switches[0]!.ports, 2)
    }))

  it("has faults of both directions, which one direction may replace", () => {
    const { links } = Result.getOrThrow(Plan.make({
      ...Topology.pair(),
      links: { wire: { between: ["remote", "local"], mtu: 900, loss: 0.5, back: { delay: "1 second" } } }
    }))
    assert.deepStrictEqual(links[0]!.faults, { forth: { loss: 0.5 }, back: { delay: "1 second" } })
  })

  it.effect("has its changes in the order of their times", () =>
    Effect.gen(function*() {
      const plan = yield* Effect.fromResult(Plan.make(yield* Topology.decode(json)))
      assert.deepStrictEqual(
        plan.changes.map(({ at, directions, link, partition }) => [at, link, directions, partition]),
        [[1000, "lan", ["forth", "back"], undefined], [5000, "wan", ["back"], true]]
      )
    }))

  it("gives an end without an interface the first that no link names", () => {
    const two = { interfaces: { a: {}, b: {} } }
    const { links } = Result.getOrThrow(Plan.make({
      hosts: { left: two, right: two },
      links: { free: { between: ["left", "right"] }, named: { between: ["left.a", "right.b"] } }
    }))
    assert.deepStrictEqual(links[0]!.ends, [
      { _tag: "Interface", host: 0, interface: 1 },
      { _tag: "Interface", host: 1, interface: 0 }
    ])
  })

  it("says what makes no sense, and where", () => {
    const { hosts } = Topology.pair()
    const between = (...ends: readonly [string, string]) => ({ hosts, links: { wire: { between: ends } } })
    assert.match(refusal(between("local", "nobody")), /link wire: no host, interface or switch is called nobody/)
    assert.match(refusal(between("local.eth7", "remote")), /link wire: .*local\.eth7/)
    assert.match(refusal(between("local", "local")), /link wire: every interface of local has a link already/)
    assert.match(refusal(between("local.eth0", "local.eth0")), /local\.eth0 has a link already/)
    assert.match(refusal({ hosts, links: {} }), /local\.eth0: the interface has no link/)
    assert.match(refusal({ ...Topology.pair(), switches: { local: {} } }), /switch local: a host has the same name/)
    assert.match(refusal({ ...Topology.pair(), routers: { local: {} } }), /router local: a host has the same name/)
    assert.match(
      refusal({ ...Topology.pair(), changes: [{ at: 0, link: "cable" }] }),
      /change 1: no link is called cable/
    )
    assert.match(refusal(Topology.pair({}, { local: { mtu: 9000 } })), /local\.eth0: an MTU of 9000 exceeds the 1500/)
  })

  it("refuses faults that make no sense, also in one direction and in changes", () => {
    assert.match(refusal(Topology.pair({ loss: 5 })), /link wire: loss is a probability, from 0 to 1, and not 5/)
    assert.match(refusal(Topology.pair({ corruption: NaN })), /link wire: corruption is a probability/)
    assert.match(refusal(Topology.pair({ bursts: { enter: 0.1, leave: -1 } })), /link wire: bursts\.leave is a probab/)
    assert.match(refusal(Topology.pair({ back: { delay: "-5 millis" } })), /link wire: delay is no time to wait: -5ms/)
    assert.match(
      refusal(Topology.pair({ forth: { jitter: "5 milis" as "5 millis" } })),
      /jitter is no duration: 5 milis/
    )
    assert.match(refusal(Topology.pair({ rate: 0 })), /link wire: rate is more than 0, and not 0/)
    assert.match(
      refusal({ ...Topology.pair(), changes: [{ at: 0, link: "wire", faults: { reordering: 2 } }] }),
      /change 1: reordering is a probability/
    )
  })

  it("finds a host whose name has a dot", () => {
    const { links } = Result.getOrThrow(Plan.make({
      hosts: { "a.example": { ipv4: "10.0.0.1/24" }, b: { ipv4: "10.0.0.2/24" } },
      links: { wire: { between: ["a.example.eth0", "b"] } }
    }))
    assert.deepStrictEqual(links[0]!.ends[0], { _tag: "Interface", host: 0, interface: 0 })
  })
})
