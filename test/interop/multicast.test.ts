/**
 * Groups of both families between the kernel and a stack (RFC 3376, RFC 3810): who belongs reports it, and hears what is said.
 */
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { fileURLToPath } from "node:url"
import * as Machine from "./Machine.ts"
import { suite } from "./Requirements.ts"

const script = fileURLToPath(new URL("kernel/groups.py", import.meta.url))
const groups = ["239.7.7.7", "ff15::7777"] as const

suite("multicast", ["python3", "tshark", "tcpdump", "ip"], () => {
  it.live("reports its groups as IGMPv3 and MLDv2 want it, hears what the kernel says to them, and is heard", () =>
    Effect.gen(function*() {
      const machine = yield* Machine.make("multicast")
      const { namespace } = machine
      const own = ["-6", "address", "add", "2001:db8:99::1/64", "dev", Machine.device, "nodad"]
      yield* namespace.succeed("ip", own)
      const recording = yield* Machine.capture(machine, "whole", 65_535)
      const stack = yield* Machine.program(machine, "groups")
      for (const group of groups) {
        const text = `to-${group}`
        yield* namespace.succeed("python3", [script, "say", group, Machine.device, text])
        yield* stack.line(new RegExp(`^${group} heard ${text} from `))
        const kernel = yield* namespace.start("python3", [script, "hear", group, Machine.device])
        yield* kernel.line(/^ready$/)
        const { stdout } = yield* namespace.succeed("ip", ["maddr", "show", "dev", Machine.device])
        assert.include(stdout, group)
        yield* stack.write(`say ${group} from-the-stack\n`)
        yield* kernel.line(/^from-the-stack$/)
      }
      yield* recording.stop
      const seen = (filter: string) =>
        Effect.map(
          namespace.succeed("tshark", ["-n", "-r", recording.file, "-Y", filter]),
          ({ stdout }) => stdout.split("\n").filter((line) => line !== "").length
        )
      const isStack = "ip.src == 10.99.0.2 && ip.ttl == 1 && ip.opt.ra"
      assert.isAbove(yield* seen(`igmp.type == 0x22 && igmp.maddr == 239.7.7.7 && ${isStack}`), 0)
      const isReport = "icmpv6.type == 143 && icmpv6.mldr.mar.multicast_address == ff15::7777"
      const isListener = "ipv6.hlim == 1 && ipv6.opt.router_alert && ipv6.dst == ff02::16"
      assert.isAbove(yield* seen(`${isReport} && ${isListener}`), 0)
      assert.strictEqual(yield* seen("_ws.malformed || igmp.checksum.status == 0 || icmpv6.checksum.status == 0"), 0)
    }))
})
