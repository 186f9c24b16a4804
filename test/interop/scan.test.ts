/**
 * The stack under nmap: half-open scans, UDP probes, the odd segments by which it tells systems apart. It must take all of it for
 * what it is and go on.
 */
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Machine from "./Machine.ts"
import { suite } from "./Requirements.ts"

const services = ["echo:7", "discard:9", "daytime:13", "http:80"]

suite("scan", ["nmap", "ping", "curl", "tcpdump"], () => {
  it.live("nmap -sS -sU -O finds what is open and closed, and the stack still answers", () =>
    Effect.gen(function*() {
      const machine = yield* Machine.make("scan nmap")
      const stack = yield* Machine.up(machine, services)
      const ports = "T:1-40,80,443,8080,U:1-20,53,123"
      const args = ["-n", "-Pn", "-sS", "-sU", "-O", "-p", ports, "--max-retries", "2", Machine.stackAddress]
      const { stdout } = yield* machine.namespace.succeed("nmap", args, { limit: "2 minutes" })
      for (const port of [7, 9, 13, 80]) assert.match(stdout, new RegExp(`^${port}/tcp +open `, "m"))
      assert.match(stdout, /^Not shown: 39 closed tcp ports \(reset\), 19 closed udp ports \(port-unreach\)$/m)
      assert.notInclude(stack.printed(), "Defect")

      const ping = yield* machine.namespace.succeed("ping", ["-c", "3", "-i", "0.3", Machine.stackAddress])
      assert.match(ping.stdout, /3 received/)
      yield* machine.namespace.succeed("curl", ["-sSf", "-o", "/dev/null", `http://${Machine.stackAddress}/`])
    }))

  it.live("nmap -6 -sS -sU -O finds the same over IPv6, and the stack still answers", () =>
    Effect.gen(function*() {
      const machine = yield* Machine.make("scan nmap IPv6")
      const address = "2001:db8:99::2"
      const own = ["-6", "address", "add", "2001:db8:99::1/64", "dev", Machine.device, "nodad"]
      yield* machine.namespace.succeed("ip", own)
      const stack = yield* Machine.up(machine, services, ["--address", `${address}/64`])
      const ports = "T:1-40,80,443,8080,U:7,9,13,53"
      const args = ["-6", "-n", "-Pn", "-sS", "-sU", "-O", "-p", ports, "--max-retries", "2", address]
      const { stdout } = yield* machine.namespace.succeed("nmap", args, { limit: "2 minutes" })
      for (const port of [7, 9, 13, 80]) assert.match(stdout, new RegExp(`^${port}/tcp +open `, "m"))
      assert.match(stdout, /39 closed tcp ports \(reset\)/)
      assert.notInclude(stack.printed(), "Defect")
      const ping = yield* machine.namespace.succeed("ping", ["-6", "-c", "3", "-i", "0.3", address])
      assert.match(ping.stdout, /3 received/)
    }))

  it.live("nmap's other scans, segments without a flag, with all, with FIN alone, get the answers of a closed port", () =>
    Effect.gen(function*() {
      const machine = yield* Machine.make("scan flags")
      yield* Machine.up(machine, services)
      for (const scan of ["-sN", "-sF", "-sX", "-sA"]) {
        const args = ["-n", "-Pn", scan, "-p", "7,81", Machine.stackAddress]
        const { stdout } = yield* machine.namespace.succeed("nmap", args)
        // RFC 9293 §3.10.7.2: LISTEN drops what has neither ACK nor RST nor SYN; §3.10.7.1: CLOSED answers RST.
        assert.match(stdout, scan === "-sA" ? /^7\/tcp +unfiltered/m : /^7\/tcp +open\|filtered/m, scan)
        assert.match(stdout, scan === "-sA" ? /^81\/tcp +unfiltered/m : /^81\/tcp +closed/m, scan)
      }
    }))
})
