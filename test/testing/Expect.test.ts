import { assert, describe, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Time from "../../src/core/Time.ts"
import * as Tcp from "../../src/sockets/Tcp.ts"
import { describePacket } from "../../src/testing/describePacket.ts"
import * as Expect from "../../src/testing/Expect.ts"
import * as Host from "../../src/testing/Host.ts"
import * as Packet from "../../src/testing/Packet.ts"
import * as Simulator from "../../src/testing/Simulator.ts"
import * as TestNetwork from "../../src/testing/TestNetwork.ts"
import * as Topology from "../../src/testing/Topology.ts"
import * as Transfer from "../../src/testing/Transfer.ts"
import * as VirtualTime from "../../src/testing/VirtualTime.ts"
import * as Address from "../../src/wire/Address.ts"

const there = Address.v4(10, 0, 0, 2)

/** A host that has sent a SYN to a neighbour it knows. */
const opening = () => {
  const host = Host.make({ interfaces: [{ addresses: [[Address.v4(10, 0, 0, 1), 24]] }] })
  host.call({ _tag: "SetNeighbor", link: 1, address: there, mac: 0x0200_0000_0099 })
  const { connection } = host.call({
    _tag: "TcpConnect",
    remote: there,
    remotePort: 80,
    local: undefined,
    localPort: 5000,
    link: undefined,
    options: {},
    block: false
  })
  return { host, connection, frames: host.takeFrames(1) }
}

const unmet = (check: () => unknown): string => {
  try {
    check()
  } catch (error) {
    if (error instanceof Expect.Unmet) return error.message
    throw error
  }
  return assert.fail("the expectation was met")
}

describe("Packet", () => {
  it("reads a segment whole, and tells it in a line", () => {
    const { frames } = opening()
    const packet = Packet.read(frames[0]!)
    assert.strictEqual(packet.ethernet?.destination, "02:00:00:00:00:99")
    assert.deepInclude(packet.ip, {
      version: 4,
      source: "10.0.0.1",
      destination: "10.0.0.2",
      protocol: 6,
      hopLimit: 64
    })
    assert.deepInclude(packet.tcp, {
      sourcePort: 5000,
      destinationPort: 80,
      flags: "S",
      acknowledgment: 0,
      isIntact: true
    })
    assert.match(
      describePacket(packet),
      /^10\.0\.0\.1:5000 > 10\.0\.0\.2:80 S (\d+):\1\(0\) win \d+ <mss 1460,sackOK,TS val \d+ ecr 0,wscale \d+>$/
    )
  })

  it("tells a damaged segment from a whole one, and says what can't be read", () => {
    const { frames } = opening()
    const damaged = frames[0]!.slice()
    damaged[40] = damaged[40]! ^ 1
    assert.isFalse(Packet.read(damaged).tcp?.isIntact)
    assert.match(describePacket(Packet.read(damaged)), /bad checksum$/)
    assert.match(describePacket(Packet.read(frames[0]!.slice(0, 30))), /type 0x0800 malformed, Ipv4 Truncated/)
    assert.match(describePacket(Packet.read(new Uint8Array(3))), /^no frame malformed, Ethernet Truncated/)
  })

  it("reads ARP, ICMP, UDP and unknown frames", () => {
    const host = Host.make({ interfaces: [{ addresses: [[Address.v4(10, 0, 0, 1), 24]] }] })
    const { socket } = host.call({
      _tag: "UdpBind",
      local: undefined,
      version: undefined,
      port: 9,
      link: undefined,
      options: {}
    })
    const send = { _tag: "UdpSend", socket, remotePort: 53, bytes: new Uint8Array(5), block: true } as const
    host.request({ ...send, remote: Address.v4(10, 0, 0, 7) })
    assert.strictEqual(Expect.render(host.takeFrames(1)), "  ARP who has 10.0.0.7? tell 10.0.0.1")
    host.call({ _tag: "SetNeighbor", link: 1, address: there, mac: 0x0200_0000_0099 })
    host.request({ ...send, remote: there })
    host.request({
      _tag: "Ping",
      destination: there,
      source: undefined,
      payload: new Uint8Array(8),
      hopLimit: undefined,
      dontFragment: false,
      timeout: Time.seconds(1),
      link: undefined
    })
    const frames = [...host.takeFrames(1), Uint8Array.from({ length: 60 }, () => 2)]
    assert.deepStrictEqual(Expect.render(frames).split("\n"), [
      "  10.0.0.1:9 > 10.0.0.2:53 UDP (5)",
      "  10.0.0.1 > 10.0.0.2 ICMP EchoRequest (8)",
      "  02:02:02:02:02:02 > 02:02:02:02:02:02 type 0x0202"
    ])
  })
})

describe("Expect", () => {
  it("finds a frame by a part of it: values, tests and regular expressions", () => {
    const { frames } = opening()
    const packet = Expect.frame(frames, {
      ip: { destination: "10.0.0.2" },
      tcp: { flags: /^S$/, window: (window) => window > 1000, options: { maximumSegmentSize: 1460 } },
      payload: new Uint8Array(0)
    })
    assert.strictEqual(packet.tcp?.destinationPort, 80)
    Expect.noFrame(frames, { tcp: { flags: /R/ } })
    Expect.noFrame([])
  })

  it("says what was there instead of the frame, and why it is not that", () => {
    const { frames } = opening()
    assert.match(
      unmet(() => Expect.frame(frames, { tcp: { flags: "S.", sourcePort: 5000 } })),
      /^expected a frame like \{ tcp: \{ flags: "S\.", sourcePort: 5000 \} \}\namong\n {2}10\.0\.0\.1:5000 > .* {3}\(tcp\.flags is "S"\)$/
    )
    assert.match(unmet(() => Expect.frame(frames, { udp: { sourcePort: 5000 } })), /\(udp is absent\)$/)
    assert.match(unmet(() => Expect.frame(frames, { payload: new Uint8Array(3) })), /\(payload is 0 bytes\)$/)
    assert.match(unmet(() => Expect.frame([], { tcp: { flags: "S" } })), /but there was none$/)
    assert.match(unmet(() => Expect.noFrame(frames, { tcp: { flags: "S" } })), /but there was\n {2}10\.0\.0\.1:5000/)
  })

  it("finds frames in an order, with others between", () => {
    const { frames, host } = opening()
    host.advance(Time.seconds(4))
    const all = [...frames, ...host.takeFrames(1)]
    assert.isAbove(all.length, 2)
    Expect.sequence(all, [{ tcp: { flags: "S" } }, { tcp: { flags: "S" } }])
    const tooMany = all.map(() => ({ tcp: { flags: "S" } }) as const).concat({ tcp: { flags: "S" } })
    assert.match(unmet(() => Expect.sequence(all, tooMany)), new RegExp(`number ${tooMany.length}`))
  })

  it("compares counters, drops and the states of connections", () => {
    const { connection, host } = opening()
    Expect.counters(host, { tcpSegmentsSent: 1, framesSent: (n) => n >= 1 })
    Expect.drops(host, { TcpNoListener: 0 })
    Expect.connections(host, { "SYN-SENT": 1 })
    assert.match(
      unmet(() => Expect.counters(host, { tcpSegmentsSent: 2, tcpResetsSent: 0 })),
      /but tcpSegmentsSent is 1$/
    )
    assert.match(unmet(() => Expect.drops(host, { TcpNoListener: 1 })), /but TcpNoListener is 0$/)
    assert.match(unmet(() => Expect.connections(host, { ESTABLISHED: 1 })), /but there were 1 in SYN-SENT$/)
    assert.match(unmet(() => Expect.connections(host, {})), /but there were 1 in SYN-SENT$/)
    host.call({ _tag: "TcpAbort", connection })
    Expect.connections(host, {})
    assert.match(unmet(() => Expect.connections(host, { ESTABLISHED: 1 })), /but there were none$/)
  })

  it("waits in a simulation until something is so, and tells when", () => {
    const simulation = Simulator.make(Topology.pair({ delay: "10 millis" }), { trace: "frames" })
    Transfer.start(simulation, { from: "local", to: "remote", bytes: 1000 })
    const remote = simulation.host("remote")
    const at = Expect.eventually(
      simulation,
      "it is open",
      () => Expect.connections(remote, { ESTABLISHED: 1 }),
      Time.seconds(1)
    )
    // ARP there and back, then SYN, SYN/ACK and ACK.
    assert.strictEqual(Time.toMillis(at), 50)
    Expect.eventually(
      simulation,
      "it is closed",
      () => simulation.host("local").connections().has("TIME-WAIT"),
      Time.seconds(1)
    )
    Expect.sequence(simulation.trace, [{ tcp: { flags: "S" } }, { tcp: { flags: "S." } }, { tcp: { flags: /F/ } }])
    assert.match(
      unmet(() =>
        Expect.eventually(
          simulation,
          "it is open again",
          () => Expect.connections(remote, { ESTABLISHED: 1 }),
          Time.seconds(2)
        )
      ),
      /^expected it is open again within 2000 ms\nexpected connections .*\nbut there were none$/
    )
  })

  it.effect("waits in virtual time until a check succeeds", () =>
    VirtualTime.run(Effect.gen(function*() {
      const isLate = Effect.map(Clock.currentTimeMillis, (now) => {
        if (now < 50) throw new Expect.Unmet({ expected: "a later time", found: `but it is ${now}` })
        return now
      })
      assert.strictEqual(yield* Expect.soon(isLate, { every: "5 millis" }), 50)
      const error = yield* Effect.flip(Expect.soon(Effect.fail("never"), { within: "10 millis" }))
      assert.strictEqual(error, "never")
      assert.strictEqual(yield* Clock.currentTimeMillis, 60)
    })))
})

describe("Expectations of a running network", () => {
  const connect = Effect.gen(function*() {
    const listener = yield* Tcp.listen({ port: 7 })
    yield* Effect.forkScoped(listener.serve((connection) => connection.readAll))
    yield* TestNetwork.on("remote")(Effect.scoped(Tcp.connect("10.0.0.1:7")))
  })

  it.effect("are met, at once or soon", () =>
    TestNetwork.run(
      Effect.gen(function*() {
        yield* connect
        yield* Expect.network.counters("remote", { tcpActiveOpens: 1, tcpSegmentsSent: (n) => n > 2 })
        yield* Expect.network.drops("local", { IpNotForUs: 0 })
        yield* Expect.soon(Expect.network.connections("remote", { "TIME-WAIT": 1 }))
        yield* Expect.soon(Expect.network.connections("remote", {}), { within: "61 seconds", every: "1 second" })
        const syn = yield* Expect.network.frame({ tcp: { flags: "S" } })
        assert.strictEqual(syn.tcp!.destinationPort, 7)
        yield* Expect.network.sequence([{ tcp: { flags: "S" } }, { tcp: { flags: "S." } }, { tcp: { flags: /F/ } }])
        yield* Expect.network.noFrame({ tcp: { flags: /R/ } })
      }),
      { faults: { delay: "1 millis" }, trace: "frames" }
    ))

  it.effect("fail with what was there instead", () =>
    TestNetwork.run(
      Effect.gen(function*() {
        yield* connect
        const message = <E extends Error>(expectation: Effect.Effect<unknown, E, TestNetwork.TestNetwork>) =>
          Effect.map(Effect.flip(expectation), (error) => error.message)
        assert.strictEqual(
          yield* message(Expect.network.counters("remote", { tcpActiveOpens: 2 })),
          "expected counters of remote { tcpActiveOpens: 2 }\nbut tcpActiveOpens is 1"
        )
        assert.match(yield* message(Expect.network.drops("local", { IpNotForUs: 1 })), /but IpNotForUs is 0/)
        assert.match(yield* message(Expect.network.connections("local", {})), /but there were 1 in/)
        assert.match(yield* message(Expect.network.frame({ udp: {} })), /expected a frame like(.|\n)*udp is absent/)
        assert.match(yield* message(Expect.network.noFrame({ tcp: { flags: "S" } })), /expected no frame(.|\n)* S /)
        assert.match(yield* message(Expect.network.drops("nobody", {})), /no host has this name/)
      }),
      { trace: "frames" }
    ))

  it.effect("of frames want a trace", () =>
    Effect.gen(function*() {
      const exit = yield* Effect.exit(TestNetwork.run(Expect.network.noFrame()))
      assert.match(String(exit), /trace: "frames"/)
    }))
})
