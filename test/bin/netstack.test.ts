import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as IpInterface from "effect/net/IpInterface"
import * as NetAddress from "effect/net/NetAddress"
import { execFile } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import * as Arguments from "../../bin/arguments.ts"
import * as Exit from "../../bin/exit.ts"
import * as Ping from "../../bin/ping.ts"
import * as Progress from "../../bin/progress.ts"
import { Failure, Tcp } from "../../src/index.ts"
import * as Ethernet from "../../src/wire/Ethernet.ts"
import * as Malformed from "../../src/wire/Malformed.ts"
import * as Pcapng from "../../src/wire/Pcapng.ts"

const program = fileURLToPath(new URL("../../bin/netstack.ts", import.meta.url))

interface Run {
  readonly status: number
  readonly stdout: string
  readonly stderr: string
}

/** Runs the program to its end. */
const run = (args: ReadonlyArray<string>, cwd = tmpdir()): Effect.Effect<Run> =>
  Effect.callback((resume) => {
    const child = execFile(process.execPath, [program, ...args], { cwd }, (error, stdout, stderr) => {
      const status = error === null ? 0 : typeof error.code === "number" ? error.code : -1
      resume(Effect.succeed({ status, stdout, stderr }))
    })
    return Effect.sync(() => child.kill("SIGKILL"))
  })

const lines = (text: string): ReadonlyArray<string> => text.split("\n").filter((line) => line !== "")

/** Runs the program with arguments that it can't use: each time it says why in one line, and ends with status 2. */
const refuses = (wrong: ReadonlyArray<{ readonly args: ReadonlyArray<string>; readonly says: RegExp }>) =>
  Effect.gen(function*() {
    const results = yield* Effect.forEach(wrong, ({ args }) => run(args), { concurrency: 2 })
    for (const [i, { status, stderr, stdout }] of results.entries()) {
      assert.deepStrictEqual([status, lines(stderr).length, stdout], [2, 1, ""], stderr)
      assert.match(stderr, wrong[i]!.says)
    }
  })

const host = ["--tap", "tap0", "--address", "10.0.0.2/24"]

describe("netstack", () => {
  it.live("explains every command, with flags and examples", () =>
    Effect.gen(function*() {
      const all = yield* run(["--help"])
      assert.deepStrictEqual([all.status, all.stderr], [0, ""])
      for (const command of ["demo", "up", "ping", "traceroute", "nc", "get", "replay", "sim", "watch"]) {
        assert.match(all.stdout, new RegExp(`^ {2}${command} +\\S`, "m"))
        const { status, stdout } = yield* run([command, "--help"])
        assert.strictEqual(status, 0)
        assert.match(stdout, /FLAGS\n(.|\n)*EXAMPLES\n/)
        if (!["demo", "replay", "sim", "watch"].includes(command)) {
          assert.match(stdout, /--tap NAME(.|\n)*--address, -a \[INTERFACE=\]ADDRESS\/PREFIX/)
        }
      }
    }))

  it.live("answers wrong arguments with one line and status 2", () =>
    Effect.gen(function*() {
      const wrong = [
        { args: ["fly"], says: /Unknown subcommand "fly"/ },
        { args: ["up"], says: /--tap/ },
        { args: ["up", "--tap", "tap0", "--address", "10.0.0.2"], says: /such as 10\.0\.0\.2\/24/ },
        {
          args: ["up", "--tap", "tap0", "--address", "10.0.0/24"],
          says:
            /"10\.0\.0\/24"\. Expected: an address with its prefix, such as 10\.0\.0\.2\/24 \(exactly four decimal octets\)\. /
        },
        {
          args: ["up", ...host, "--mac", "02:00"],
          says: /Expected: an address such as 02:00:00:00:00:01 \(six two-digit /
        },
        {
          args: ["up", ...host, "--gateway", "10.0.0"],
          says: /Expected: an address such as 10\.0\.0\.1 or 2001:db8::1 \(/
        },
        { args: ["up", "--tap", "tap0"], says: /a host needs an address: --address, --dhcp or --slaac/ },
        { args: ["up", ...host, "--address", "tap9=10.0.1.2/24"], says: /no interface tap9; there are: tap0/ },
        { args: ["up", ...host, "--address", "=10.0.1.2/24"], says: /INTERFACE=VALUE/ },
        { args: ["up", ...host, "--vlan", "4095"], says: /from 1 to 4094/ },
        { args: ["up", ...host, "--bridge"], says: /--bridge needs at least two --tap/ },
        { args: ["up", ...host, "--router-advertise", "10.0.0.0/24"], says: /an IPv6 prefix/ },
        { args: ["traceroute", ...host, "10.0.0.1", "--max-hops", "0"], says: /from 1 to 255/ },
        { args: ["up", ...host, "--service", "fax:1"], says: /one of echo, discard/ },
        { args: ["up", ...host, "--service", "echo:0"], says: /from 1 to 65535/ },
        { args: ["ping", ...host, "not-an-address"], says: /not-an-address/ },
        { args: ["ping", ...host, "10.0.0.1", "--count", "many"], says: /a whole number/ },
        { args: ["nc", ...host, "80"], says: /HOST PORT/ },
        { args: ["get", ...host, "ftp://10.0.0.1/"], says: /http/ },
        { args: ["demo", "--loss", "99"], says: /from 0 to 50/ }
      ]
      yield* refuses(wrong)
    }), 60_000)

  it.live("answers a device that can't be, and a file that isn't there, in the same way", () =>
    refuses([
      { args: ["up", "--tap", "a/b", "--address", "10.0.0.2/24"], says: /a\/b.*a device's name: 1 to 15 octets/ },
      { args: ["up", "--tap", "sixteen-octets--", "--address", "10.0.0.2/24"], says: /1 to 15 octets/ },
      { args: ["sim", "none.yaml"], says: /^netstack: none\.yaml: / },
      { args: ["replay", "none.recording"], says: /^netstack: none\.recording: / },
      { args: ["script", "none.pkt"], says: /^netstack: none\.pkt can't be read: / }
    ]))

  it.live("refuses with --shards what a host in shards does not do", () => {
    const shards = ["up", ...host, "--shards", "2"]
    const others = [
      ["--vlan", "10"],
      ["--dhcp"],
      ["--slaac"],
      ["--forward"],
      ["--router-advertise", "2001:db8:1::/64"],
      ["--capture", "shards.pcapng"],
      ["--otlp", "http://127.0.0.1:4318"]
    ]
    return refuses([
      { args: [...shards, "--tap", "tap1", "--bridge"], says: /one --tap/ },
      { args: ["up", "--tap", "tap0", "--shards", "2"], says: /--shards needs an --address/ },
      { args: [...shards, "--address", "tap9=10.0.1.2/24"], says: /no interface tap9; there are: tap0/ },
      { args: ["up", ...host, "--shards", "0"], says: /from 1 to 256/ },
      ...others.map((flags) => ({
        args: [...shards, ...flags],
        says: new RegExp(`${flags[0]} does not go with --shards`)
      }))
    ])
  }, 60_000)

  it.live("shows its help and ends with status 2 without a subcommand", () =>
    Effect.gen(function*() {
      const { status, stderr, stdout } = yield* run([])
      assert.deepStrictEqual([status, stderr], [2, ""])
      assert.match(stdout, /^ {2}demo +\S/m)
    }))

  it.live("tells what is wrong with a capture in one line, and ends with status 1", () =>
    Effect.gen(function*() {
      const { status, stderr } = yield* run(["demo", "--capture", "no/such/folder/demo.pcapng"])
      assert.deepStrictEqual([status, lines(stderr).length], [1, 1], stderr)
      assert.match(stderr, /^netstack: no\/such\/folder\/demo\.pcapng: the capture could not be opened/)
    }))

  it.live("demo shows two hosts, and leaves a capture that can be read", () =>
    Effect.gen(function*() {
      const folder = mkdtempSync(join(tmpdir(), "netstack-"))
      yield* Effect.addFinalizer(() => Effect.sync(() => rmSync(folder, { recursive: true })))
      const { status, stderr, stdout } = yield* run(["demo", "--size", "1", "--seed", "3"], folder)
      assert.deepStrictEqual([status, stderr], [0, ""])
      assert.match(stdout, /64 bytes from 10\.0\.0\.2: seq=0/)
      assert.match(stdout, / {2}200, \d+ bytes in /)
      assert.match(stdout, /100 % {3}1\.0 MB of 1\.0 MB/)
      for (const row of ["pings", "transfer", "round trip", "congestion", "retransmissions", "the wire", "capture"]) {
        assert.match(stdout, new RegExp(`^ {2}${row} +\\S`, "m"))
      }
      const contents = Pcapng.read(readFileSync(join(folder, "demo.pcapng")))
      assert.isFalse(Malformed.isMalformed(contents))
      if (Malformed.isMalformed(contents)) return
      assert.isAbove(contents.packets.length, 700)
      const frames = contents.packets.map(({ bytes, end, start }) => Ethernet.parse(bytes, start, end))
      assert.isTrue(frames.every((frame) => !Malformed.isMalformed(frame)))
    }))
})

describe("lines of the program", () => {
  it("a progress bar shows share, bytes and rate", () => {
    const half = { done: () => 5_000_000, total: 10_000_000, elapsed: () => 2 }
    assert.strictEqual(Progress.line(half), `[${"#".repeat(15)}${"-".repeat(15)}]  50 %   5.0 MB of 10.0 MB   2.5 MB/s`)
    const none = { done: () => 0, total: 0, elapsed: () => 0 }
    assert.strictEqual(Progress.line(none), `[${"#".repeat(30)}] 100 %   0.0 MB of 0.0 MB   `)
  })

  it("pings are summed up", () => {
    assert.strictEqual(
      Ping.summary({ sent: 4, times: [1, 2, 6] }),
      "4 sent, 3 answered, 25 % lost, round trip 1.000 / 3.000 / 6.000 ms (min / mean / max)"
    )
    assert.strictEqual(Ping.summary({ sent: 2, times: [] }), "2 sent, 0 answered, 100 % lost")
  })

  it("the far side of a device gets the gateway's address, or the first other one", () => {
    const far = (address: string, gateway?: string) =>
      Arguments.farAddress(
        IpInterface.fromStringUnsafe(address),
        gateway === undefined ? undefined : NetAddress.ipFromStringUnsafe(gateway)
      )
    assert.strictEqual(far("10.0.0.2/24"), "10.0.0.1/24")
    assert.strictEqual(far("10.0.0.1/24"), "10.0.0.2/24")
    assert.strictEqual(far("10.0.0.7/28", "10.0.0.14"), "10.0.0.14/28")
  })

  it("a failure names its place once", () => {
    const reason = new Failure.ConnectionRefused()
    const remote = { host: "10.0.0.1", port: 80 }
    const at = Exit.at("host.example:80")
    const connecting = at(new Tcp.TcpError({ operation: "connect", reason, remote }))
    assert.strictEqual(connecting.message, "connect 10.0.0.1:80: connection refused")
    const reading = at(new Tcp.TcpError({ operation: "read", reason }))
    assert.strictEqual(reading.message, "host.example:80: read: connection refused")
  })

  it("a failure is its message, an interruption nothing, and a bug its trace", () => {
    const refused = new Tcp.TcpError({ operation: "connect", reason: new Failure.ConnectionRefused() })
    assert.strictEqual(Exit.lineOf(Cause.fail(refused)), "netstack: connect: connection refused\n")
    assert.isUndefined(Exit.lineOf(Cause.interrupt(1)))
    assert.match(Exit.lineOf(Cause.die(new Error("oops"))) ?? "", /oops\n +at /)
  })
})
