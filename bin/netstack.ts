/**
 * The program `netstack`: a network stack of one's own on the command line.
 */
import * as NodeDns from "@effect/platform-node/NodeDns"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as CliOutput from "effect/cli/CliOutput"
import * as Command from "effect/cli/Command"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Demo from "./demo.ts"
import * as Exit from "./exit.ts"
import * as Get from "./get.ts"
import * as Nc from "./nc.ts"
import * as Ping from "./ping.ts"
import { presenter } from "./presenter.ts"
import * as Replay from "./replay.ts"
import * as Script from "./script.ts"
import * as Sim from "./sim.ts"
import * as Traceroute from "./traceroute.ts"
import * as Up from "./up.ts"
import { version } from "./version.ts"
import * as Watch from "./watch.ts"

const netstack = Command.make("netstack").pipe(
  Command.withDescription(
    "A TCP/IP network stack in TypeScript: hosts with their own MAC and IP address, on a TAP device or on wires in memory. " +
      "'demo', 'replay', 'sim', 'script' and 'watch' run anywhere and need no rights; the others are a host on a TAP device of Linux."
  ),
  Command.withSubcommands([
    Demo.command,
    Up.command,
    Ping.command,
    Traceroute.command,
    Nc.command,
    Get.command,
    Replay.command,
    Sim.command,
    Script.command,
    Watch.command
  ])
)

const program = Command.run(netstack, { version }).pipe(
  Effect.provide(Layer.mergeAll(NodeServices.layer, NodeDns.layer, CliOutput.layerPresenter(presenter))),
  Effect.tapCause((cause) => Effect.sync(() => process.stderr.write(Exit.lineOf(cause) ?? "")))
)

NodeRuntime.runMain(program, { disableErrorReporting: true, teardown: Exit.teardown })
