/**
 * Wireshark's dissectors as judge: nothing that the stack sends is malformed, and no checksum is wrong.
 */
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { join } from "node:path"
import * as Machine from "./Machine.ts"
import type { Namespace } from "./Namespace.ts"
import { suite } from "./Requirements.ts"

const services = ["echo:7", "discard:9", "chargen:19", "http:80"]

/** A little of everything that is spoken on the wire. */
const converse = (namespace: Namespace) =>
  Effect.gen(function*() {
    const { stackAddress } = Machine
    yield* namespace.succeed("ping", ["-c", "3", "-i", "0.3", stackAddress])
    yield* namespace.succeed("ping", ["-c", "2", "-i", "0.3", "-s", "20000", stackAddress])
    yield* namespace.succeed("arping", ["-c", "1", "-I", Machine.device, stackAddress])
    yield* namespace.succeed("curl", ["-sSf", "-o", "/dev/null", `http://${stackAddress}/`])
    yield* namespace.succeed("nc", ["-N", stackAddress, "7"], { input: "echo this\n".repeat(20_000) })
    yield* namespace.run("nc", ["-z", stackAddress, "81"])
    yield* namespace.run("nc", ["-u", "-w", "1", stackAddress, "81"], { input: "nobody there" })
    yield* namespace.succeed("bash", ["-c", `nc ${stackAddress} 19 </dev/null | head -c 100000 > /dev/null`])
  })

const checked = ["tcp.check_checksum", "udp.check_checksum", "ip.check_checksum"].flatMap((
  name
) => ["-o", `${name}:TRUE`])

const suspects = "_ws.malformed || tcp.checksum.status == Bad || udp.checksum.status == Bad || " +
  "ip.checksum.status == Bad || icmp.checksum.status == Bad"

/** The frames of a capture that a display filter picks. */
const select = (namespace: Namespace, file: string, filter: string) =>
  Effect.map(
    namespace.succeed("tshark", ["-n", "-r", file, ...checked, "-Y", filter]),
    ({ stdout }) => stdout.split("\n").filter((line) => line !== "")
  )

suite("wireshark", ["tshark", "ping", "arping", "curl", "nc", "tcpdump"], () => {
  it.live("tshark finds nothing malformed and no bad checksum in what the kernel saw", () =>
    Effect.gen(function*() {
      const machine = yield* Machine.make("wireshark kernel")
      // With offload the kernel shows checksums that neither side has finished.
      yield* Machine.up(machine, services, ["--no-offload"])
      const recording = yield* Machine.capture(machine, "whole", 65_535)
      yield* converse(machine.namespace)
      yield* recording.stop
      assert.deepStrictEqual(yield* select(machine.namespace, recording.file, suspects), [])
      const fromStack = yield* select(machine.namespace, recording.file, `ip.src == ${Machine.stackAddress}`)
      assert.isAbove(fromStack.length, 100)
    }))

  it.live("tshark reads the capture that the stack writes, and finds the same", () =>
    Effect.gen(function*() {
      const machine = yield* Machine.make("wireshark own")
      const file = join(machine.folder, "own.pcapng")
      const stack = yield* Machine.up(machine, services, ["--capture", file])
      yield* converse(machine.namespace)
      yield* stack.signal("SIGINT")
      yield* stack.ended("20 seconds")
      assert.deepStrictEqual(yield* select(machine.namespace, file, suspects), [])
      for (const filter of ["arp", "icmp", "tcp.flags.syn == 1", "http.response", "udp", "ip.flags.mf == 1"]) {
        assert.isAbove((yield* select(machine.namespace, file, filter)).length, 0, filter)
      }
      // Super-segments are one frame each.
      assert.isAbove((yield* select(machine.namespace, file, `ip.src == ${Machine.stackAddress}`)).length, 30)
      assert.isAbove((yield* select(machine.namespace, file, `ip.dst == ${Machine.stackAddress}`)).length, 30)
      assert.isAbove((yield* select(machine.namespace, file, "tcp && frame.len > 1514")).length, 0)
    }))
})
