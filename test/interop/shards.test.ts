/**
 * One host in two threads on two queues of a TAP device, against the kernel of this machine.
 */
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Machine from "./Machine.ts"
import * as Namespace from "./Namespace.ts"
import * as Pattern from "./Pattern.ts"
import { datagramPort, fatalPorts } from "./programs/shardProgram.ts"
import { suite } from "./Requirements.ts"

const kernelPort = 8007

/** A device with several queues. */
const several = (title: string) =>
  Effect.gen(function*() {
    const folder = yield* Machine.artifacts(title)
    const namespace = yield* Namespace.make
    const address = `${Machine.kernelAddress}/${Machine.prefixLength}`
    yield* Namespace.addTap(namespace, { name: Machine.device, address, queues: "several" })
    return { namespace, folder } satisfies Machine.Machine
  })

/** A device with several queues, an echo service of the kernel's, and the shards. */
const sharded = (title: string, offload = false) =>
  Effect.gen(function*() {
    const machine = yield* several(title)
    const { namespace } = machine
    const server =
      `require("node:net").createServer({ allowHalfOpen: true }, (socket) => socket.pipe(socket)).listen(${kernelPort}, () => console.log("listening"))`
    const echo = yield* namespace.start(process.execPath, ["--eval", server])
    yield* echo.line(/^listening$/)
    const running = yield* Machine.start(machine, "sharded", [kernelPort, offload ? "offload" : "plain"])
    yield* running.line(/^ready$/, "60 seconds")
    return { machine, running }
  })

interface Seen {
  readonly established: ReadonlyArray<number>
  readonly opened: ReadonlyArray<number>
  readonly handedOver: number
}

suite("shards", ["python3", "ping", "curl"], () => {
  it.live("serve connections on both queues, and ask the kernel from both", () =>
    Effect.gen(function*() {
      const { machine, running } = yield* sharded("shards connections")
      const told = JSON.parse((yield* running.line(/^\[\[.*\]\]$/))[0]) as ReadonlyArray<readonly [number, unknown]>
      assert.sameDeepMembers(told.slice(), [0, 1].flatMap((shard) => [[shard, "echo"], [shard, { answered: 20 }]]))
      const count = 300
      const result = yield* Machine.kernelScript(machine, "connections", ["parallel", Machine.stackAddress, 7, count])
      assert.deepStrictEqual(result, { echoed: count, failures: [] })
      yield* running.write("look\n")
      const { opened } = JSON.parse((yield* running.line(/^\{.*\}$/))[0]) as Seen
      assert.strictEqual(opened.reduce((sum, each) => sum + each, 0), count)
      // Of so many flows a fair hash leaves neither side below a third but once in a hundred million times.
      for (const each of opened) assert.isAbove(each, count / 3)
    }))

  for (const offload of [false, true]) {
    it.live(`carry bulk data both ways as it is, ${offload ? "with" : "without"} offload`, () =>
      Effect.gen(function*() {
        const { machine } = yield* sharded(`shards bulk ${offload ? "offload" : "plain"}`, offload)
        const [connections, size] = [8, 20_000_000]
        const result = yield* Machine.kernelScript(machine, "hashes", [Machine.stackAddress, 7, connections, size])
        assert.deepStrictEqual(result, { hashes: { [Pattern.sha256(size)]: connections } })
      }))
  }

  it.live("hand datagrams for an ephemeral port to the shard whose it is", () =>
    Effect.gen(function*() {
      const { machine, running } = yield* sharded("shards datagrams")
      const ask = Machine.kernelScript(machine, "datagrams", ["echo", Machine.stackAddress, datagramPort, 10, 1000])
      const results = yield* Effect.replicateEffect(ask, 12)
      assert.deepStrictEqual(results, results.map(() => ({ echoed: 2, failures: [] })))
      yield* running.write("look\n")
      const { handedOver } = JSON.parse((yield* running.line(/^\{.*\}$/))[0]) as Seen
      // Each comes from a port of its own, and so on whichever queue; neighbours' frames are handed over as well.
      assert.isAbove(handedOver, 0)
    }))

  it.live("are what `netstack up --shards` runs, with its services on all of them, until Ctrl-C", () =>
    Effect.gen(function*() {
      const machine = yield* several("shards up")
      const up = yield* Machine.up(machine, ["echo:7", "http:80"], ["--shards", "2"])
      for (const service of ["echo on port 7", "http on port 80"]) yield* up.line(new RegExp(`^${service}, 2 shards$`))
      const count = 100
      const result = yield* Machine.kernelScript(machine, "connections", ["parallel", Machine.stackAddress, 7, count])
      assert.deepStrictEqual(result, { echoed: count, failures: [] })
      yield* machine.namespace.succeed("ping", ["-c", "1", "-W", "5", Machine.stackAddress])
      // Each from a port of its own, and so from either shard.
      for (let i = 0; i < 8; i++) {
        const page = yield* machine.namespace.succeed("curl", ["-sSf", `http://${Machine.stackAddress}/`])
        assert.match(page.stdout, /<html/)
      }
      yield* up.signal("SIGINT")
      assert.strictEqual((yield* up.ended()).status, 0)
    }))

  for (const [how, port] of Object.entries(fatalPorts)) {
    it.live(`end together when one of them dies, and say which: its program ${how}`, () =>
      Effect.gen(function*() {
        const { machine, running } = yield* sharded(`shards death ${how}`)
        yield* machine.namespace.run("python3", [
          "-c",
          `import socket; socket.create_connection(("${Machine.stackAddress}", ${port}), 5).recv(1)`
        ])
        const { status, stdout } = yield* running.ended()
        assert.match(stdout, /^ShardFailed of shard [01]$/m)
        assert.strictEqual(status, 1)
      }))
  }
})
