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

suite("arp", ["arping", "nping", "ping", "tshark", "tcpdump"], () => {
  it.live("arping hears one answer to each request, always from the same MAC", () =>
    Effect.gen(function*() {
      const machine = yield* Machine.make("arp arping")
      yield* Machine.up(machine)
      const args = ["-c", "3", "-I", device, stackAddress]
      const { stdout } = yield* machine.namespace.succeed("arping", args)
      const answers = [...stdout.matchAll(/reply from 10\.99\.0\.2 \[([0-9A-F:]+)\]/g)].map((match) => match[1])
      assert.lengthOf(answers, 3)
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

  it.live("the stack announces its address as soon as it has it (RFC 5227 §2.3)", () =>
    Effect.gen(function*() {
      const machine = yield* Machine.make("arp announce")
      const recording = yield* Machine.capture(machine, "arp")
      yield* Machine.up(machine)
      yield* machine.namespace.succeed("ping", ["-c", "1", stackAddress])
      yield* recording.stop
      const [first] = yield* packets(machine.namespace, recording.file)
      assert.deepStrictEqual([first?.[0], ...first!.slice(2)], ["1", stackAddress, stackAddress])
    }))

  it.live("an address is probed three times before it is announced and used (RFC 5227 §2.1.1)", () =>
    Effect.gen(function*() {
      const machine = yield* Machine.make("arp probes")
      const recording = yield* Machine.capture(machine, "arp")
      const program = yield* Machine.program(machine, "address")
      yield* program.line(/^10\.99\.0\.2 is preferred$/)
      yield* machine.namespace.succeed("ping", ["-c", "1", stackAddress])
      yield* recording.stop
      const own = (yield* neighbour(machine.namespace)).mac
      const seen = yield* packets(machine.namespace, recording.file)
      const asked = seen.filter(([, mac, , target]) => mac === own && target === stackAddress).map(([, , sender]) =>
        sender
      )
      assert.deepStrictEqual(asked.slice(0, 4), ["0.0.0.0", "0.0.0.0", "0.0.0.0", stackAddress], JSON.stringify(seen))
    }))

  it.live("an address that the kernel has already is found to be a duplicate and not used (RFC 5227 §2.1.1)", () =>
    Effect.gen(function*() {
      const machine = yield* Machine.make("arp duplicate")
      yield* machine.namespace.succeed("ip", ["address", "add", `${stackAddress}/32`, "dev", device])
      const program = yield* Machine.start(machine, "address")
      yield* program.line(/AddressInUse/, "20 seconds")
      assert.strictEqual((yield* program.ended()).status, 1)
    }))

  it.live("the stack defends its address once when another claims it, and keeps working (RFC 5227 §2.4)", () =>
    Effect.gen(function*() {
      const machine = yield* Machine.make("arp defence")
      yield* Machine.up(machine)
      yield* machine.namespace.succeed("ping", ["-c", "1", stackAddress])
      const own = (yield* neighbour(machine.namespace)).mac
      const recording = yield* Machine.capture(machine, "arp")
      const claim = [
        "--arp-type",
        "ARP-reply",
        "--arp-sender-mac",
        "02:00:00:00:00:77",
        "--arp-sender-ip",
        stackAddress
      ]
      const to = [
        "--arp-target-ip",
        stackAddress,
        "--dest-mac",
        "ff:ff:ff:ff:ff:ff",
        "-e",
        device,
        "-c",
        "2",
        "--delay",
        "50ms"
      ]
      yield* machine.namespace.succeed("nping", [...claim, ...to, stackAddress])
      yield* machine.namespace.succeed("ping", ["-c", "2", "-i", "0.3", stackAddress])
      yield* recording.stop
      const seen = yield* packets(machine.namespace, recording.file)
      const defences = seen.filter(([, mac, sender, target]) =>
        mac === own && sender === stackAddress && target === stackAddress
      )
      assert.lengthOf(defences, 1, JSON.stringify(seen))
    }))
})
