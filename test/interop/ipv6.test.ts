/**
 * IPv6 between the kernel and a stack on a TAP device (RFC 8200, RFC 4861, RFC 4443): static addresses, fragments, TCP both ways.
 */
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import * as Machine from "./Machine.ts"
import type { Namespace } from "./Namespace.ts"
import { suite } from "./Requirements.ts"

const kernel = "2001:db8:99::1"
const stack = "2001:db8:99::2"

const make = (title: string, services: ReadonlyArray<string> = [], flags: ReadonlyArray<string> = []) =>
  Effect.gen(function*() {
    const machine = yield* Machine.make(title)
    const add = ["-6", "address", "add", `${kernel}/64`, "dev", Machine.device, "nodad"]
    yield* machine.namespace.succeed("ip", add)
    yield* Machine.up(machine, services, ["--address", `${stack}/64`, ...flags])
    return machine
  })

const suspects =
  "_ws.malformed || tcp.checksum.status == Bad || udp.checksum.status == Bad || icmpv6.checksum.status == Bad"
const checked = ["tcp.check_checksum", "udp.check_checksum"].flatMap((name) => ["-o", `${name}:TRUE`])

/** The frames of a capture that a display filter picks. */
const select = (namespace: Namespace, file: string, filter: string) =>
  Effect.map(
    namespace.succeed("tshark", ["-n", "-r", file, ...checked, "-Y", filter]),
    ({ stdout }) => stdout.split("\n").filter((line) => line !== "")
  )

suite("ipv6", ["ping", "curl", "nc", "tshark", "tcpdump"], () => {
  it.live("answers pings, also of 20,000 bytes in fragments and of the longest packet", () =>
    Effect.gen(function*() {
      const machine = yield* make("ipv6 ping")
      for (const size of [0, 56, 1452, 1453, 20_000, 65_527 - 8 - 100]) {
        const args = ["-6", "-c", "3", "-i", "0.3", "-s", String(size), stack]
        const { stdout } = yield* machine.namespace.succeed("ping", args)
        assert.match(stdout, /3 received, 0% packet loss/, `${size} bytes`)
      }
    }))

  it.live("is a neighbour whom the kernel finds reachable, and has a link-local address that answers too", () =>
    Effect.gen(function*() {
      const machine = yield* make("ipv6 neighbours")
      yield* machine.namespace.succeed("ping", ["-6", "-c", "1", stack])
      const { stdout } = yield* machine.namespace.succeed("ip", ["-6", "neighbour", "show", "dev", Machine.device])
      assert.match(stdout, new RegExp(`^${stack} lladdr \\S+ (REACHABLE|DELAY|STALE)`, "m"))
      // The kernel's own link-local address is still being probed.
      yield* machine.namespace.succeed("ip", ["-6", "address", "add", "fe80::99/64", "dev", Machine.device, "nodad"])
      const everybody = yield* machine.namespace.succeed("ping", ["-6", "-c", "2", `ff02::1%${Machine.device}`])
      const linkLocal = /from (fe80::[0-9a-f:]+)%/.exec(everybody.stdout)?.[1]
      assert.isDefined(linkLocal)
    }))

  it.live("speaks HTTP, echoes streams and datagrams, refuses ports, and tshark finds nothing wrong", () =>
    Effect.gen(function*() {
      // With offload the kernel shows checksums of TCP that neither side has finished.
      const machine = yield* make("ipv6 traffic", ["echo:7", "http:80", "chargen:19"], ["--no-offload"])
      const { namespace } = machine
      const recording = yield* Machine.capture(machine, "whole", 65_535)
      yield* namespace.succeed("ping", ["-6", "-c", "2", "-i", "0.3", "-s", "20000", stack])
      yield* namespace.succeed("curl", ["-6", "-sSf", "-o", "/dev/null", `http://[${stack}]/`])
      const text = "echo this\n".repeat(20_000)
      const { stdout } = yield* namespace.succeed("nc", ["-6", "-N", stack, "7"], { input: text })
      assert.strictEqual(stdout, text)
      yield* namespace.run("nc", ["-6", "-z", stack, "81"])
      yield* namespace.run("nc", ["-6", "-u", "-w", "1", stack, "81"], { input: "nobody there" })
      yield* recording.stop
      assert.deepStrictEqual(yield* select(namespace, recording.file, suspects), [])
      assert.isAbove((yield* select(namespace, recording.file, `ipv6.src == ${stack}`)).length, 100)
      assert.isAbove((yield* select(namespace, recording.file, "icmpv6.type == 1 && icmpv6.code == 4")).length, 0)
      assert.isAbove((yield* select(namespace, recording.file, `ipv6.src == ${stack} && ipv6.fraghdr`)).length, 20)
    }))

  it.live("`netstack ping` hears the kernel's answers", () =>
    Effect.gen(function*() {
      const machine = yield* Machine.make("ipv6 ping the kernel")
      yield* machine.namespace.succeed("ip", ["-6", "address", "add", `${kernel}/64`, "dev", Machine.device, "nodad"])
      const running = yield* Machine.netstack(machine, [
        "ping",
        "--tap",
        Machine.device,
        "--address",
        `${stack}/64`,
        "--size",
        "4000",
        kernel
      ])
      for (const sequence of [1, 2, 3]) yield* running.line(new RegExp(`${kernel}.*seq=${sequence}`))
    }))
})

/** The router of the system on the kernel's end of the wire. */
const advertise = (machine: Machine.Machine) =>
  Effect.gen(function*() {
    const { namespace } = machine
    yield* namespace.succeed("ip", ["-6", "address", "add", "fe80::1/64", "dev", Machine.device, "nodad"])
    yield* namespace.succeed("ip", ["-6", "address", "add", "2001:db8:7::1/64", "dev", Machine.device, "nodad"])
    yield* namespace.succeed("sysctl", ["-qw", "net.ipv6.conf.all.forwarding=1"])
    const file = join(machine.folder, "radvd.conf")
    writeFileSync(
      file,
      `interface ${Machine.device} {
  AdvSendAdvert on;
  MinRtrAdvInterval 3;
  MaxRtrAdvInterval 4;
  AdvLinkMTU 1400;
  prefix 2001:db8:7::/64 { AdvOnLink on; AdvAutonomous on; };
  RDNSS 2001:db8:7::53 { };
};
`
    )
    const args = ["-n", "-C", file, "-p", join(machine.folder, "radvd.pid"), "-m", "stderr"]
    yield* namespace.start("radvd", args, { log: join(machine.folder, "radvd.log") })
  })

suite("ipv6 autoconfiguration", ["radvd", "ping", "ip", "tshark", "tcpdump"], () => {
  it.live("takes a stable and a temporary address and a route from radvd, and is reached by them", () =>
    Effect.gen(function*() {
      const machine = yield* Machine.make("ipv6 radvd")
      const recording = yield* Machine.capture(machine, "whole", 65_535)
      yield* advertise(machine)
      const running = yield* Machine.up(machine, ["echo:7"], ["--slaac"])
      const [, first] = yield* running.line(/^(2001:db8:7:\S+) is preferred/, "20 seconds")
      const [, second] = yield* running.line(new RegExp(`^(?!${first} )(2001:db8:7:\\S+) is preferred`), "20 seconds")
      for (const address of [first!, second!]) {
        const { stdout } = yield* machine.namespace.succeed("ping", ["-6", "-c", "2", "-s", "3000", address])
        assert.match(stdout, /2 received, 0% packet loss/)
      }
      const joined = yield* select(machine.namespace, recording.file, "icmpv6.type == 143 && eth.src != eth.dst")
      assert.isAbove(joined.length, 0)
      yield* recording.stop
      assert.deepStrictEqual(yield* select(machine.namespace, recording.file, suspects), [])
    }))
})
