/**
 * Stacks as IPv6 routers of the kernel, hosts of dnsmasq's, and what happens when two have one address (RFC 4861, RFC 4862).
 */
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { join } from "node:path"
import * as Dnsmasq from "./Dnsmasq.ts"
import * as Machine from "./Machine.ts"
import { suite } from "./Requirements.ts"

/** What the kernel tells of its IPv6 addresses and routes from now on. */
const watch = ({ folder, namespace }: Machine.Machine) =>
  namespace.start("ip", ["-6", "monitor", "address", "route"], { log: join(folder, "monitor.log") })

const { device } = Machine

suite("advertising", ["ping", "dnsmasq", "tcpdump"], () => {
  it.live("configures the kernel, which has an address and a route by it, and none when it has gone", () =>
    Effect.gen(function*() {
      const machine = yield* Machine.make("advertising router")
      const { namespace } = machine
      const flags = ["--forward", "--vlan", "10", "--router-advertise", "2001:db8:5::/64"]
      const kernel = yield* watch(machine)
      const router = yield* Machine.up(machine, [], flags)
      yield* kernel.line(/^(?!.*(Deleted|tentative)).*inet6 2001:db8:5:\S+ scope global/)
      yield* kernel.line(new RegExp(`^(?!.*Deleted).*default via fe80::\\S+ dev ${device} proto ra`))
      const { stdout } = yield* namespace.succeed("ping", ["-6", "-c", "2", "2001:db8:5::1"])
      assert.match(stdout, /2 received/)
      yield* router.signal("SIGINT")
      yield* router.ended()
      // rfc: 4861 §6.2.5: who ceases to be a router says so
      yield* kernel.line(/Deleted.*default via fe80::/)
    }))

  it.live("takes stable and temporary addresses and a route from dnsmasq, and is reached by both", () =>
    Effect.gen(function*() {
      const machine = yield* Machine.make("advertising dnsmasq")
      const { namespace } = machine
      yield* namespace.succeed("ip", ["-6", "address", "add", "2001:db8:8::1/64", "dev", device, "nodad"])
      yield* Dnsmasq.start(machine, ["--enable-ra", "--dhcp-range=2001:db8:8::,ra-only,64,600"])
      const running = yield* Machine.up(machine, [], ["--slaac"])
      const [, first = ""] = yield* running.line(/^(2001:db8:8:\S+) is preferred/, "20 seconds")
      const other = new RegExp(`^(?!${first} )(2001:db8:8:\\S+) is preferred`)
      const [, second = ""] = yield* running.line(other, "20 seconds")
      for (const address of [first, second]) {
        const { stdout } = yield* namespace.succeed("ping", ["-6", "-c", "2", "-i", "0.3", "-s", "3000", address])
        assert.match(stdout, /2 received/)
      }
    }))

  it.live("does not take an address that the kernel has, nor the kernel one of the stack's", () =>
    Effect.gen(function*() {
      const machine = yield* Machine.make("advertising duplicates")
      const { namespace } = machine
      yield* namespace.succeed("ip", ["-6", "address", "add", "2001:db8:9::7/64", "dev", device, "nodad"])
      const taken = yield* Machine.netstack(machine, ["up", "--tap", device, "--address", "2001:db8:9::7/64"])
      const { status, stderr } = yield* taken.ended("30 seconds")
      assert.strictEqual(status, 1)
      assert.match(stderr, /^netstack: .*address in use$/m)
      yield* Machine.up(machine, [], ["--address", "2001:db8:9::8/64"])
      const kernel = yield* watch(machine)
      yield* namespace.succeed("ip", ["-6", "address", "add", "2001:db8:9::8/64", "dev", device])
      yield* kernel.line(/inet6 2001:db8:9::8\/64 .*dadfailed/)
    }))
})
