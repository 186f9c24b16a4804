/**
 * dnsmasq on the kernel's side of a machine's wire: DHCP and DNS as small networks have them.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { join } from "node:path"
import { device, type Machine } from "./Machine.ts"
import type * as Process from "./Process.ts"

export const firstAddress = "10.99.0.100"
export const lastAddress = "10.99.0.150"

/** Starts it; what it does with DHCP messages it prints. `options` are further ones of its command line. */
export const start = (
  machine: Machine,
  options: ReadonlyArray<string> = []
): Effect.Effect<Process.Running, Process.ProcessError, Scope.Scope> =>
  Effect.tap(
    machine.namespace.start("dnsmasq", [
      "--keep-in-foreground",
      "--conf-file=/dev/null",
      "--user=root",
      "--pid-file",
      "--log-facility=-",
      "--log-dhcp",
      `--interface=${device}`,
      "--bind-interfaces",
      "--no-resolv",
      "--no-hosts",
      "--no-ping",
      "--domain=lan",
      `--dhcp-leasefile=${join(machine.folder, "leases")}`,
      `--dhcp-range=${firstAddress},${lastAddress},2m`,
      ...options
    ], { log: join(machine.folder, "dnsmasq.log") }),
    (running) => running.line(/DHCP, sockets bound|DHCP, IP range/)
  )
