import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Time from "../../src/core/Time.ts"
import * as Ping from "../../src/sockets/Ping.ts"
import * as Expect from "../../src/testing/Expect.ts"
import * as Simulator from "../../src/testing/Simulator.ts"
import * as TestNetwork from "../../src/testing/TestNetwork.ts"
import type { Topology } from "../../src/testing/Topology.ts"
import * as Transfer from "../../src/testing/Transfer.ts"

/** A client and a server on networks of their own, with a router between them. */
const routed: Topology = {
  hosts: {
    client: { ipv4: "10.0.0.2/24", gateway: "10.0.0.1" },
    server: { ipv4: "10.0.1.2/24", gateway: "10.0.1.1" }
  },
  routers: { router: { interfaces: { wan: { ipv4: "10.0.0.1/24" }, lan: { ipv4: "10.0.1.1/24" } } } },
  links: {
    wan: { between: ["client", "router.wan"], delay: "5 millis" },
    lan: { between: ["router.lan", "server"], delay: "7 millis", rate: 10e6 }
  }
}

describe("A topology with a router", () => {
  it("carries a transfer from one network to the other (RFC 1812 §5.2.1)", () => {
    const simulation = Simulator.make(routed, { trace: "frames" })
    const report = Transfer.run(simulation, { from: "client", to: "server", bytes: 300_000 })
    assert.isTrue(report.isIntact)
    assert.isAbove(report.sender.minimumRtt, Time.millis(24))
    const onWan = simulation.trace.entries.filter(({ link }) => link === "wan")
    const onLan = simulation.trace.entries.filter(({ link }) => link === "lan")
    // One hop less on the far side (RFC 1812 §5.3.1).
    const [near, far] = [onWan, onLan].map((entries) => Expect.frame(entries, { tcp: { flags: "S" } }))
    assert.deepStrictEqual([near!.ip!.hopLimit, far!.ip!.hopLimit], [64, 63])
  })

  it.effect("is the same for running stacks, and a host is cut off by its name", () =>
    TestNetwork.run(
      Effect.gen(function*() {
        const ping = Ping.ping("10.0.1.2", { timeout: "1 second" })
        yield* ping
        const { hopLimit, roundTrip } = yield* ping
        assert.strictEqual(hopLimit, 63)
        assert.closeTo(Duration.toMillis(roundTrip), 24, 1)
        yield* TestNetwork.partition("router")
        assert.strictEqual((yield* Effect.exit(ping))._tag, "Failure")
        const links = yield* TestNetwork.TestNetwork
        assert.deepStrictEqual(links.linksAt.get("router")!.length, 2)
        yield* TestNetwork.heal("router")
        yield* ping
        yield* TestNetwork.setFaults("server", { delay: "50 millis" })
        yield* Effect.sleep("1 second")
        assert.closeTo(Duration.toMillis((yield* ping).roundTrip), 2 * 55, 1)
        const error = yield* Effect.flip(TestNetwork.partition("nobody"))
        assert.match(error.message, /nobody: no link, host or switch has this name; there are: /)
      }),
      { topology: routed }
    ))
})
