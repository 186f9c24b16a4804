/**
 * VLANs on a TAP device (IEEE 802.1Q): between two stacks on a bridge of the kernel's, and against a peer that tags its own frames. This
 * kernel need not know VLANs.
 */
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { fileURLToPath } from "node:url"
import * as Machine from "./Machine.ts"
import type { Namespace } from "./Namespace.ts"
import { suite } from "./Requirements.ts"

const device = Machine.device
const peerDevice = "tap1"
const peer = fileURLToPath(new URL("kernel/vlanPeer.py", import.meta.url))

/** The flags of a host with VLAN 10 and 20 beside the untagged network; `last` is the last octet of its addresses. */
const flagsOf = (tap: string, last: number): ReadonlyArray<string> =>
  [
    `--tap ${tap} --vlan 10 --vlan 20 --address 10.99.0.${last}/24`,
    `--address ${tap}.10=10.99.10.${last}/24`,
    `--address ${tap}.20=10.99.20.${last}/24 --address ${tap}.20=2001:db8:20::${last}/64`
  ].flatMap((words) => words.split(" "))

const isUp = (tap: string) => [
  new RegExp(` up on ${tap} `),
  new RegExp(` up on ${tap}\\.10 `),
  new RegExp(` up on ${tap}\\.20 `)
]

const host = (machine: Machine.Machine, tap: string, last: number) =>
  Effect.gen(function*() {
    const running = yield* Machine.netstack(machine, ["up", ...flagsOf(tap, last), "--service", "echo:7"])
    for (const line of [...isUp(tap), /^echo on port 7/]) yield* running.line(line, "30 seconds")
    return running
  })

/** How many frames of a capture a display filter picks. */
const count = (namespace: Namespace, file: string, filter: string) =>
  Effect.map(
    namespace.succeed("tshark", ["-n", "-r", file, "-Y", filter]),
    ({ stdout }) => stdout.split("\n").filter((line) => line !== "").length
  )

suite("vlan", ["python3", "tshark", "tcpdump", "ping"], () => {
  it.live("answers a peer that tags its own frames, in the same VLAN and in no other, and without a tag", () =>
    Effect.gen(function*() {
      const machine = yield* Machine.make("vlan peer")
      yield* host(machine, device, 2)
      const ask = (vlan: number, own: string, address: string, ...more: ReadonlyArray<string>) =>
        machine.namespace.run("python3", [peer, device, String(vlan), own, address, ...more])
      for (const vlan of [10, 20]) {
        const { stdout } = yield* ask(vlan, `10.99.${vlan}.9`, `10.99.${vlan}.2`)
        assert.match(stdout, new RegExp(`^found \\S+ in VLAN ${vlan}\npong in VLAN ${vlan}\n$`))
      }
      const bare = yield* ask(0, "10.99.0.9", "10.99.0.2", "untagged")
      assert.match(bare.stdout, /^found \S+ untagged\npong untagged\n$/)
      const priority = yield* ask(0, "10.99.0.9", "10.99.0.2")
      assert.match(priority.stdout, /^found \S+ untagged\npong untagged\n$/)
      const wrong = yield* Effect.all([
        ask(10, "10.99.20.9", "10.99.20.2"),
        ask(30, "10.99.10.9", "10.99.10.2")
      ], { concurrency: 2 })
      assert.deepStrictEqual(wrong.map(({ stdout }) => stdout), ["", ""])
    }))

  it.live("two stacks are neighbours in each of two VLANs and without, and tshark sees the tags", () =>
    Effect.gen(function*() {
      const machine = yield* Machine.make("vlan stacks")
      const { namespace } = machine
      const ip = (...args: ReadonlyArray<string>) => namespace.succeed("ip", args)
      yield* ip("link", "add", "bridge0", "type", "bridge")
      yield* ip("tuntap", "add", "dev", peerDevice, "mode", "tap")
      for (const tap of [device, peerDevice]) yield* ip("link", "set", tap, "master", "bridge0", "up")
      yield* ip("link", "set", "bridge0", "up")
      const recording = yield* Machine.capture(machine, "whole", 65_535)
      yield* host(machine, device, 2)
      for (const target of ["10.99.0.2", "10.99.10.2", "10.99.20.2", "2001:db8:20::2"]) {
        const args = ["ping", "-c", "2", "-i", "0.3", "-W", "5", "-s", "3000", ...flagsOf(peerDevice, 3), target]
        const pinging = yield* Machine.netstack(machine, args)
        const { status, stdout } = yield* pinging.ended()
        assert.deepStrictEqual([status, /2 answered/.test(stdout)], [0, true], `${target}: ${stdout}`)
      }
      yield* recording.stop
      const seen = (filter: string) => count(namespace, recording.file, filter)
      assert.isAbove(yield* seen("vlan.id == 10 && ip.addr == 10.99.10.2 && icmp"), 3)
      assert.isAbove(yield* seen("vlan.id == 20 && ip.addr == 10.99.20.2 && icmp"), 3)
      assert.isAbove(yield* seen("vlan.id == 20 && ipv6.addr == 2001:db8:20::2 && icmpv6.type == 129"), 1)
      assert.isAbove(yield* seen("!vlan && ip.addr == 10.99.0.2 && icmp"), 3)
      assert.strictEqual(yield* seen("vlan && ip.addr == 10.99.0.2"), 0)
      assert.strictEqual(yield* seen("_ws.malformed || (vlan && vlan.id != 10 && vlan.id != 20)"), 0)
    }))
})
