/**
 * The stack's DHCP client and dnsmasq (RFC 2131).
 */
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Dnsmasq from "./Dnsmasq.ts"
import * as Machine from "./Machine.ts"
import { suite } from "./Requirements.ts"

const { kernelAddress } = Machine

suite("dhcp", ["dnsmasq", "ping", "tcpdump"], () => {
  it.live("`netstack up --dhcp` needs no numbers: an address, a route and an MTU come from dnsmasq, and go back in the end", () =>
    Effect.gen(function*() {
      const machine = yield* Machine.make("dhcp up")
      const server = yield* Dnsmasq.start(machine, [
        `--dhcp-option=option:router,${kernelAddress}`,
        "--dhcp-option=option:mtu,1400"
      ])
      const up = yield* Machine.netstack(machine, ["up", "--tap", Machine.device, "--dhcp", "--service", "echo:7"])
      const [, address] = yield* up.line(/^(10\.99\.0\.1\d\d)\/24 is up on tap0 \(.*, MTU 1400\)/)
      yield* up.line(/is granted by 10\.99\.0\.1 until \S+, and renewed before/)
      yield* up.line(/^echo on port 7/)
      const pinged = yield* machine.namespace.succeed("ping", ["-c", "1", "-W", "5", address!])
      assert.match(pinged.stdout, / 1 received/)
      yield* up.signal("SIGINT")
      assert.strictEqual((yield* up.ended()).status, 0)
      yield* server.line(new RegExp(`DHCPRELEASE\\(tap0\\) ${address}`))
      for (const step of ["DHCPDISCOVER", "DHCPOFFER", "DHCPREQUEST", "DHCPACK"]) assert.include(server.printed(), step)
    }))

  it.live("a program sees its lease, with classless routes, name servers and search domains, and keeps it", () =>
    Effect.gen(function*() {
      const machine = yield* Machine.make("dhcp program")
      const server = yield* Dnsmasq.start(machine, [
        `--dhcp-option=option:dns-server,${kernelAddress}`,
        "--dhcp-option=option:domain-search,eng.lan,lan",
        `--dhcp-option=option:ntp-server,${kernelAddress}`,
        `--dhcp-option=option:classless-static-route,192.0.2.0/24,10.99.0.7,0.0.0.0/0,${kernelAddress}`,
        // T1 in three seconds, so that a renewal is seen.
        "--dhcp-option-force=option:T1,3"
      ])
      const program = yield* Machine.program(machine, "lease")
      const [, text] = yield* program.line(/^lease (.*)$/)
      const lease = JSON.parse(text!) as Record<string, unknown>
      assert.deepInclude(lease, {
        server: kernelAddress,
        nameServers: [kernelAddress],
        searchDomains: ["eng.lan", "lan"],
        domainName: "lan",
        ntpServers: [kernelAddress]
      })
      const [, routes] = yield* program.line(/^routes (.*)$/)
      assert.strictEqual(routes, `0.0.0.0/0 via ${kernelAddress}, 192.0.2.0/24 via 10.99.0.7`)
      yield* program.line(/^renewed$/)
      const [address] = String(lease["address"]).split("/")
      assert.isAtLeast(server.printed().split(`DHCPACK(tap0) ${address}`).length, 3)
      yield* machine.namespace.succeed("ping", ["-c", "1", "-W", "5", address!])
    }))
})
