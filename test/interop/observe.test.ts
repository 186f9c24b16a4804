/**
 * A stack on a TAP device, seen by programs of the system: curl, `netstack watch` and a collector of OpenTelemetry.
 */
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { fileURLToPath } from "node:url"
import * as Exposition from "../sockets/Exposition.ts"
import * as Machine from "./Machine.ts"
import { suite } from "./Requirements.ts"

const { kernelAddress, stackAddress } = Machine
const site = `http://${stackAddress}`
const collectorProgram = fileURLToPath(new URL("kernel/collector.ts", import.meta.url))

suite("observe", ["curl", "tcpdump"], () => {
  it.live("curl gets the page and the metrics, which count curl itself", () =>
    Effect.gen(function*() {
      const machine = yield* Machine.make("observe metrics")
      yield* Machine.up(machine, ["http:80"])
      const page = yield* machine.namespace.succeed("curl", ["-sS", `${site}/`])
      assert.include(page.stdout, `${stackAddress}/24 (preferred)`)
      const { stdout } = yield* machine.namespace.succeed("curl", ["-sSi", `${site}/metrics`])
      assert.match(stdout, /^Content-Type: text\/plain; version=0\.0\.4; charset=utf-8\r$/m)
      const families = Exposition.read(stdout.slice(stdout.indexOf("\r\n\r\n") + 4))
      assert.strictEqual(Exposition.valueOf(families, "netstack_tcp_opens_total", { netstack_tcp_opener: "peer" }), 2)
      assert.isAbove(Exposition.valueOf(families, "netstack_tcp_rtt_seconds_count")!, 0)
      assert.isAbove(Exposition.valueOf(families, "netstack_batch_duration_seconds_count")!, 0)
    }))

  it.live("netstack watch shows the stack, with the connection that it comes by", () =>
    Effect.gen(function*() {
      const machine = yield* Machine.make("observe watch")
      yield* Machine.up(machine, ["http:80"])
      const watch = yield* Machine.netstack(machine, ["watch", site, "--interval", "0.2", "--count", "2"])
      const { status, stdout } = yield* watch.ended()
      assert.strictEqual(status, 0)
      assert.match(stdout, new RegExp(`^tap0 +up +ethernet .* ${stackAddress}/24 \\(preferred\\)`, "m"))
      assert.match(stdout, new RegExp(`^ESTABLISHED +${stackAddress}:80 +${kernelAddress}:\\d+ .* cubic$`, "m"))
    }))

  it.live("a collector gets the spans of connections from netstack up --otlp", () =>
    Effect.gen(function*() {
      const machine = yield* Machine.make("observe otlp")
      const collector = yield* machine.namespace.start(process.execPath, [collectorProgram])
      const url = (yield* collector.line(/^http:.*$/))[0]!
      const running = yield* Machine.up(machine, ["http:80"], ["--otlp", url])
      yield* machine.namespace.succeed("curl", ["-sS", `${site}/status.json`])
      yield* running.signal("SIGINT")
      yield* running.ended()
      const [line] = yield* collector.line(/^\{"name":"TCP connection".*$/)
      const span = JSON.parse(line!)
      assert.strictEqual(span.kind, 2)
      assert.deepInclude(span.attributes, { "client.address": kernelAddress, "network.local.port": 80 })
      assert.includeMembers(span.events, ["established", "first-byte-received", "first-byte-sent"])
    }))
})
