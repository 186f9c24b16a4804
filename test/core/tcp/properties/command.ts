/**
 * Runs random programs on a random network for as long as is asked.
 *
 *     npm run properties -- [--runs N] [--seed S]
 *
 * Run number i has the seed S + i, and goes the same way each time. One in which something is wrong is told with its seed, and its
 * frames are written to `test-artifacts/` as a capture, as both hosts sent and received them; `--runs 1 --seed` runs it again. The status
 * is 1 if there was one.
 */
import { mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import * as Arguments from "../../../../bench/Arguments.ts"
import * as Pcapng from "../../../../src/wire/Pcapng.ts"
import * as Piece from "../../../../src/wire/Piece.ts"
import { type Result, World } from "./World.ts"

const name = "properties"
const { values: flags } = Arguments.read(
  name,
  { options: { runs: { type: "string", default: "100000" }, seed: { type: "string", default: "1" } } },
  "npm run properties -- [--runs N] [--seed S]"
)

const runs = Arguments.whole(name, "runs", flags.runs)
const first = Arguments.whole(name, "seed", flags.seed)
const runsPerLine = 5000

const say = (line: string): void => void process.stdout.write(`${line}\n`)

/** What goes over the network of a run, up to where it fails. */
const record = (seed: number): string => {
  const names = ["client", "server"]
  const blocks: Array<Uint8Array> = [
    Pcapng.sectionHeader({ application: "effect-netstack properties", comment: `seed ${seed}` }),
    ...names.map((name) => Pcapng.interfaceDescription({ linkType: Pcapng.LinkType.ethernet, name }))
  ]
  const world = new World(seed)
  world.witness = (host, direction, frame) => {
    const side = world.hosts.indexOf(host)
    blocks.push(Pcapng.enhancedPacket({ interface: side, at: host.now, data: Piece.make(frame), direction }))
  }
  try {
    world.run()
  } catch {
    // It fails as it did before.
  }
  const folder = fileURLToPath(new URL("../../../../test-artifacts", import.meta.url))
  mkdirSync(folder, { recursive: true })
  const file = join(folder, `properties-${seed}.pcapng`)
  writeFileSync(file, Buffer.concat(blocks))
  return file
}

const total = { connections: 0, sent: 0, received: 0, ended: 0 }
let failed = 0

const add = (result: Result): void => {
  total.connections += result.connections
  total.sent += result.sent
  total.received += result.received
  total.ended += result.ended
}

const one = (seed: number): void => {
  try {
    add(new World(seed).run())
  } catch (error) {
    failed += 1
    say(`seed ${seed} failed: ${error instanceof Error ? error.stack : String(error)}`)
    say(`frames: ${record(seed)}`)
    say(`again:  npm run properties -- --runs 1 --seed ${seed}`)
  }
}

for (let i = 0; i < runs; i++) {
  one(first + i)
  if ((i + 1) % runsPerLine === 0) say(`${i + 1} runs, ${failed} failed`)
}
const megabytes = (bytes: number): string => (bytes / 1e6).toFixed(1)
say(
  `${runs} runs from seed ${first}: ${total.connections} ends of connections, ${megabytes(total.sent)} MB written, ` +
    `${megabytes(total.received)} MB read, ${total.ended} streams read to their end, ${failed} failed`
)
process.exitCode = failed > 0 ? 1 : 0
