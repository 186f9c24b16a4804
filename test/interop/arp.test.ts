/**
 * Address resolution as the kernel does it (RFC 826), and address conflict detection (RFC 5227).
 */
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Machine from "./Machine.ts"
import type { Namespace } from "./Namespace.ts"
import { suite } from "./Requirements.ts"

const { device, stackAddress } = Machine

/** The kernel's entry for the stack: its MAC and state. */
const neighbour = (namespace: Namespace) =>
  Effect.map(namespace.succeed("ip", ["neigh", "show", stackAddress, "dev", device]), ({ stdout }) => ({
    mac: /lladdr ([0-9a-f:]+)/.exec(stdout)?.[1],
    state: stdout.trim().split(" ").at(-1)
  }))

/** ARP packets of a capture as `[opcode, sender MAC, sender IP, target IP]`. */
const packets = (namespace: Namespace, file: string) =>
  Effect.map(
    namespace.succeed("tshark", [
      "-n",
      "-r",
      file,
      "-Y",
      "arp",
      "-T",
      "fields",
      ...["arp.opcode", "arp.src.hw_mac", "arp.src.proto_ipv4", "arp.dst.proto_ipv4"].flatMap((field) => ["-e", field])
    ]),
    ({ stdout }) => stdout.split("\n").filter((line) => line !== "").map((line) => line.split("\t"))
  )

suite("arp", ["arping", "ping", "tshark", "tcpdump"], () => {
  it.live("arping hears one answer to each request, always from the same MAC", () =>
    Effect.gen(function*() {
      const machine = yield* Machine.make("arp arping")
      yield* Machine.up(machine)
      const args = ["-c", "5", "-i", "0.1", "-I", device, stackAddress]
      const { stdout } = yield* machine.namespace.succeed("arping", args)
      const answers = [...stdout.matchAll(/reply from 10\.99\.0\.2 \[([0-9A-F:]+)\]/g)].map((match) => match[1])
      assert.lengthOf(answers, 5)
      assert.strictEqual(new Set(answers).size, 1)
    }))

  it.live("the kernel learns the MAC that was asked for and finds it reachable", () =>
    Effect.gen(function*() {
      const machine = yield* Machine.make("arp neighbour")
      const mac = "02:aa:bb:cc:dd:ee"
      yield* Machine.up(machine, [], ["--mac", mac])
      yield* machine.namespace.succeed("ping", ["-c", "1", stackAddress])
      assert.deepStrictEqual(yield* neighbour(machine.namespace), { mac, state: "REACHABLE" })
    }))

  it.live("a probe for the stack's address finds it taken (RFC 5227 §2.1.1)", () =>
    Effect.gen(function*() {
      const machine = yield* Machine.make("arp probe")
      yield* Machine.up(machine)
      const args = ["-D", "-c", "2", "-w", "5", "-I", device]
      const taken = yield* machine.namespace.run("arping", [...args, stackAddress])
      assert.strictEqual(taken.status, 1, taken.stdout)
      const free = yield* machine.namespace.run("arping", [...args, "10.99.0.77"])
      assert.strictEqual(free.status, 0, free.stdout)
    }))

  it.live("the stack probes and announces its address before it says that it is ready (RFC 5227 §2.1.1, §2.3)", () =>
    Effect.gen(function*() {
      const machine = yield* Machine.make("arp announce")
      const recording = yield* Machine.capture(machine, "arp")
      yield* Machine.up(machine)
      yield* machine.namespace.succeed("ping", ["-c", "1", stackAddress])
      yield* recording.stop
      const seen = yield* packets(machine.namespace, recording.file)
      const probes = seen.filter(([, , sender, target]) => sender === "0.0.0.0" && target === stackAddress)
      const announcements = seen.filter(([, , sender, target]) => sender === stackAddress && target === stackAddress)
      assert.strictEqual(probes.length, 3, JSON.stringify(seen))
      assert.isAtLeast(announcements.length, 1, JSON.stringify(seen))
    }))

  it.live("the stack defends its address once when another claims it, and keeps working (RFC 5227 §2.4)", () =>
    Effect.gen(function*() {
      const machine = yield* Machine.make("arp defence")
      yield* Machine.up(machine)
      yield* machine.namespace.succeed("ping", ["-c", "1", stackAddress])
      const own = (yield* neighbour(machine.namespace)).mac
      const recording = yield* Machine.capture(machine, "arp")
      yield* machine.namespace.run("arping", ["-U", "-c", "1", "-s", stackAddress, "-I", device, stackAddress])
      yield* machine.namespace.succeed("ping", ["-c", "2", "-i", "0.1", stackAddress])
      yield* recording.stop
      const seen = yield* packets(machine.namespace, recording.file)
      const defences = seen.filter(([, mac, sender, target]) =>
        mac === own && sender === stackAddress && target === stackAddress
      )
      assert.lengthOf(defences, 1, JSON.stringify(seen))
    }))
})
