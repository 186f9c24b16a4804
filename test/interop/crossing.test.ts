/**
 * The stack between two kernels: as a router of both families, and as a bridge.
 */
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Crossing from "./Crossing.ts"
import type { Namespace } from "./Namespace.ts"
import { suite } from "./Requirements.ts"

const megabyte = 1_000_000

const pings = (from: Namespace, to: string, size: number) =>
  Effect.map(
    from.succeed("ping", ["-c", "3", "-i", "0.3", "-s", String(size), to]),
    ({ stdout }) => assert.match(stdout, /3 received, 0% packet loss/, `${to}, ${size} bytes`)
  )

const router = (title: string, mtus: ReadonlyArray<string> = []) =>
  Crossing.make(
    title,
    [
      "--forward",
      ...["left0=10.97.1.1/24", "right0=10.97.2.1/24", "left0=2001:db8:a::1/64", "right0=2001:db8:b::1/64"]
        .flatMap((address) => ["--address", address]),
      ...mtus
    ],
    {
      addresses: ["10.97.1.2/24", "2001:db8:a::2/64"],
      routes: [["10.97.2.0/24", "10.97.1.1"], ["2001:db8:b::/64", "2001:db8:a::1"]]
    },
    {
      addresses: ["10.97.2.2/24", "2001:db8:b::2/64"],
      routes: [["10.97.1.0/24", "10.97.2.1"], ["2001:db8:a::/64", "2001:db8:b::1"]]
    }
  )

suite("crossing", ["ping", "nc", "iperf3", "sha256sum"], () => {
  it.live("a router: pings, fragments and streams of both families arrive as they were sent", () =>
    Effect.gen(function*() {
      const { left, right } = yield* router("crossing router")
      for (const address of ["10.97.2.2", "2001:db8:b::2"]) {
        for (const size of [56, 1400, 20_000]) yield* pings(left, address, size)
        const [sent, received] = yield* Crossing.send(left, right, address, 50 * megabyte)
        assert.strictEqual(received, sent)
      }
      const [sent, received] = yield* Crossing.send(right, left, "2001:db8:a::2", 20 * megabyte)
      assert.strictEqual(received, sent)
    }))

  it.live("a router tells who sends too far or nowhere, and moves bytes at a rate", () =>
    Effect.gen(function*() {
      const { left, right } = yield* router("crossing errors")
      const far = yield* left.run("ping", ["-c", "1", "-t", "1", "10.97.2.2"])
      assert.match(far.stdout, /From 10\.97\.1\.1 .*Time to live exceeded/)
      const far6 = yield* left.run("ping", ["-6", "-c", "1", "-t", "1", "2001:db8:b::2"])
      assert.match(far6.stdout, /From 2001:db8:a::1 .*Hop limit/)
      yield* left.succeed("ip", ["route", "add", "10.97.9.0/24", "via", "10.97.1.1"])
      const nowhere = yield* left.run("ping", ["-c", "1", "10.97.9.9"])
      assert.match(nowhere.stdout, /From 10\.97\.1\.1 .*Net Unreachable/)
      const server = yield* right.start("iperf3", ["-s", "-1", "--forceflush"])
      yield* server.line(/listening/)
      const { stdout } = yield* left.succeed("iperf3", ["-c", "10.97.2.2", "-t", "2", "-J"])
      const report = JSON.parse(stdout) as {
        readonly end: { readonly sum_received: { readonly bits_per_second: number } }
      }
      assert.isAbove(report.end.sum_received.bits_per_second, 10 * megabyte)
    }))

  it.live("a bridge: the kernels are neighbours, and the stack is one of both", () =>
    Effect.gen(function*() {
      const { left, right } = yield* Crossing.make(
        "crossing bridge",
        ["--bridge", "--address", "10.97.3.3/24", "--address", "2001:db8:c::3/64"],
        { addresses: ["10.97.3.1/24", "2001:db8:c::1/64"] },
        { addresses: ["10.97.3.2/24", "2001:db8:c::2/64"] }
      )
      for (const address of ["10.97.3.2", "10.97.3.3", "2001:db8:c::2", "2001:db8:c::3"]) {
        yield* pings(left, address, 3000)
      }
      yield* pings(right, "10.97.3.3", 56)
      const { stdout } = yield* left.succeed("ip", ["neighbour", "show", "10.97.3.2"])
      const own = yield* right.succeed("cat", ["/sys/class/net/right0/address"])
      assert.include(stdout, own.stdout.trim())
      for (const address of ["10.97.3.2", "2001:db8:c::2"]) {
        const [sent, received] = yield* Crossing.send(left, right, address, 50 * megabyte)
        assert.strictEqual(received, sent)
      }
    }))
})
