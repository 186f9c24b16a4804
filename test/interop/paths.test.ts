/**
 * Paths of several hops: a small MTU in the middle, and a router that dies while another one is there.
 *
 *     namespace one                        namespace two                   namespace three
 *     stack ─── tap0 ─── kernel (router) ─── cable, MTU 1300 ─── router ─── cable ─── kernel
 */
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import * as Machine from "./Machine.ts"
import * as Namespace from "./Namespace.ts"
import { suite } from "./Requirements.ts"

const { device } = Machine

const route = (namespace: Namespace.Namespace, to: string, via: string) =>
  namespace.succeed("ip", [via.includes(":") ? "-6" : "-4", "route", "add", to, "via", via])

const address6 = (namespace: Namespace.Namespace, address: string, on: string) =>
  namespace.succeed("ip", ["-6", "address", "add", address, "dev", on, "nodad"])

const forward = (namespace: Namespace.Namespace) =>
  Effect.andThen(
    Namespace.setKernel(namespace, "net.ipv4.ip_forward", "1"),
    Namespace.setKernel(namespace, "net.ipv6.conf.all.forwarding", "1")
  )

/** Behind the machine's kernel a router, and behind a cable with this MTU a host: 10.95.2.2 and 2001:db8:e::2. */
const path = (machine: Machine.Machine, mtu: number) =>
  Effect.gen(function*() {
    const one = machine.namespace
    const two = yield* Namespace.make
    const three = yield* Namespace.make
    for (const namespace of [one, two]) yield* forward(namespace)
    yield* Namespace.addCable(
      { namespace: one, device: "mid0", address: "10.95.1.1/24" },
      { namespace: two, device: "mid1", address: "10.95.1.2/24" },
      mtu
    )
    yield* Namespace.addCable(
      { namespace: two, device: "end0", address: "10.95.2.1/24" },
      { namespace: three, device: "end1", address: "10.95.2.2/24" }
    )
    const sides = [
      [one, "2001:db8:99::1/64", device],
      [one, "2001:db8:d::1/64", "mid0"],
      [two, "2001:db8:d::2/64", "mid1"],
      [two, "2001:db8:e::1/64", "end0"],
      [three, "2001:db8:e::2/64", "end1"]
    ] as const
    for (const [namespace, address, on] of sides) yield* address6(namespace, address, on)
    const ways = [
      [one, "10.95.2.0/24", "10.95.1.2"],
      [one, "2001:db8:e::/64", "2001:db8:d::2"],
      [two, "10.99.0.0/24", "10.95.1.1"],
      [two, "2001:db8:99::/64", "2001:db8:d::1"],
      [three, "default", "10.95.2.1"],
      [three, "default", "2001:db8:e::1"]
    ] as const
    for (const [namespace, to, via] of ways) yield* route(namespace, to, via)
    return three
  })

suite("paths", ["ping", "nc", "curl", "tshark", "tcpdump", "sha256sum"], () => {
  it.live("a small MTU in the middle is found out by TCP and UDP of both families, by the stack and by the kernel", () =>
    Effect.gen(function*() {
      const machine = yield* Machine.make("paths small MTU")
      const far = yield* path(machine, 1300)
      const recording = yield* Machine.capture(machine, "whole", 200)
      yield* Machine.up(machine, ["echo:7"], [
        "--address",
        "2001:db8:99::2/64",
        "--gateway",
        Machine.kernelAddress,
        "--gateway",
        "2001:db8:99::1"
      ])
      const text = "a line of no special length\n".repeat(30_000)
      for (const address of [Machine.stackAddress, "2001:db8:99::2"]) {
        const { stdout } = yield* far.succeed("nc", ["-n", "-N", address, "7"], { input: text })
        assert.strictEqual(stdout, text)
        const ping = yield* far.succeed("ping", ["-c", "3", "-i", "0.3", "-s", "4000", address])
        // What tells the MTU may cost the first of them.
        assert.match(ping.stdout, /[23] received/)
        const datagram = "d".repeat(1400)
        const echoed = yield* far.run("nc", ["-n", "-u", "-w", "1", address, "7"], { input: datagram })
        assert.strictEqual(echoed.stdout, datagram)
      }
      yield* recording.stop
      const seen = (filter: string) =>
        Effect.map(
          machine.namespace.succeed("tshark", ["-n", "-r", recording.file, "-Y", filter]),
          ({ stdout }) => stdout.split("\n").filter((line) => line !== "").length
        )
      assert.isAbove(yield* seen("icmp.type == 3 && icmp.code == 4 && icmp.mtu == 1300"), 0)
      assert.isAbove(yield* seen("icmpv6.type == 2 && icmpv6.mtu == 1300"), 0)
      assert.isAbove(yield* seen("tcp.srcport == 7 && tcp.len > 1200"), 50)
    }))

  it.live("`netstack traceroute` finds the routers on the way, over both families", () =>
    Effect.gen(function*() {
      const machine = yield* Machine.make("paths traceroute")
      yield* path(machine, 1500)
      const trace = (...args: ReadonlyArray<string>) =>
        Effect.gen(function*() {
          const running = yield* Machine.netstack(machine, [
            "traceroute",
            "--tap",
            device,
            "-q",
            "2",
            "-w",
            "5",
            ...args
          ])
          const { status, stdout } = yield* running.ended()
          assert.strictEqual(status, 0, stdout)
          return stdout.split("\n").slice(1, -1).map((line) => line.replaceAll(/ +[\d.]+ ms/g, "").trim())
        })
      const v4 = ["--address", "10.99.0.2/24", "--gateway", Machine.kernelAddress, "10.95.2.2"]
      assert.deepStrictEqual(yield* trace(...v4), ["1  10.99.0.1", "2  10.95.1.2", "3  10.95.2.2"])
      const v6 = ["--address", "2001:db8:99::2/64", "--gateway", "2001:db8:99::1", "--icmp", "2001:db8:e::2"]
      assert.deepStrictEqual(yield* trace(...v6), ["1  2001:db8:99::1", "2  2001:db8:d::2", "3  2001:db8:e::2"])
    }))

  it.live("a router that dies is left for another, and the connection goes on", () =>
    Effect.gen(function*() {
      const machine = yield* Machine.make("paths fail-over")
      const { folder, namespace } = machine
      // The machine's kernel is only a switch here: the routers and the stack are on its bridge.
      const [first, second, server] = [yield* Namespace.make, yield* Namespace.make, yield* Namespace.make]
      yield* namespace.succeed("ip", ["link", "add", "lan0", "type", "bridge"])
      yield* namespace.succeed("ip", ["link", "set", "lan0", "up"])
      yield* namespace.succeed("ip", ["link", "set", device, "master", "lan0"])
      for (const [index, router] of [first, second].entries()) {
        yield* forward(router)
        const port = `port${index}`
        const lan = { namespace, device: port, address: `10.94.${index}.1/24` }
        yield* Namespace.addCable(lan, { namespace: router, device: "lan", address: `10.94.${index}.2/24` })
        yield* namespace.succeed("ip", ["link", "set", port, "master", "lan0"])
        const wan = { namespace: router, device: "wan", address: `10.93.${index}.1/24` }
        yield* Namespace.addCable(wan, { namespace: server, device: `wan${index}`, address: `10.93.${index}.2/24` })
        yield* address6(router, `fe80::${index + 1}/64`, "lan")
        yield* address6(router, `2001:db8:1${index}::1/64`, "wan")
        yield* address6(server, `2001:db8:1${index}::2/64`, `wan${index}`)
        const file = join(folder, `radvd${index}.conf`)
        const preference = index === 0 ? "high" : "low"
        const timers = "MinRtrAdvInterval 3; MaxRtrAdvInterval 10;"
        const prefix = "prefix 2001:db8:f::/64 { AdvOnLink on; AdvAutonomous on; };"
        writeFileSync(
          file,
          `interface lan { AdvSendAdvert on; ${timers} AdvDefaultPreference ${preference}; ${prefix} };\n`
        )
        yield* route(router, "2001:db8:aa::/64", `2001:db8:1${index}::2`)
        yield* router.succeed("ip", ["-6", "route", "add", "2001:db8:f::/64", "dev", "lan"])
        const args = ["-n", "-C", file, "-p", join(folder, `radvd${index}.pid`), "-m", "stderr"]
        yield* router.start("radvd", args, { log: join(folder, `radvd${index}.log`) })
      }
      // The server's answers take the second router, which lives.
      yield* server.succeed("ip", ["-6", "address", "add", "2001:db8:aa::1/64", "dev", "lo", "nodad"])
      yield* route(server, "2001:db8:f::/64", "2001:db8:11::1")
      const listening = yield* server.start("nc", ["-6", "-n", "-v", "-l", "5001"])
      yield* listening.line(/Listening/)
      const client = yield* Machine.netstack(machine, [
        "nc",
        "--tap",
        device,
        "--slaac",
        "2001:db8:aa::1",
        "5001"
      ])
      yield* client.write("before\n")
      yield* listening.line(/^before$/, "30 seconds")
      yield* first.succeed("ip", ["link", "set", "lan", "down"])
      yield* client.write("after\n")
      yield* listening.line(/^after$/, "30 seconds")
      yield* listening.write("answer\n")
      yield* client.line(/^answer$/, "30 seconds")
    }))
})
