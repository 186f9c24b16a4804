/**
 * Throws mutated and random frames at a running stack for as long as is asked.
 *
 *     node --expose-gc test/fuzz/run.ts [--frames N | --seconds N] [--seed S] [--from R | --round R]
 *
 * The frames come in rounds, each with a fresh stack and a seed of its own made from S and the round's number; the eighth and every
 * eighth after it go through the real workers, the others through the core and the synchronous parts of the shell. Whatever goes
 * wrong ends the run: the frames of that round up to then are written to `test-artifacts/` as a capture, and the command
 * is printed that runs this round again. A run by frames is the same every time; a run by seconds only ends elsewhere. A long run
 * can be cut in pieces: `--from` begins at a later round, `--round` runs one alone.
 */
import { mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import * as Arguments from "../../bench/Arguments.ts"
import * as Pcapng from "../../src/wire/Pcapng.ts"
import * as Piece from "../../src/wire/Piece.ts"
import { type Report, Session, type Witness } from "./Session.ts"
import * as StackSession from "./StackSession.ts"

const framesPerRound = 200_000
/** Each so many rounds one goes through the real workers; shorter, since it is slower. */
const workersEvery = 8
const framesPerWorkersRound = 20_000
const throughWorkers = (round: number): boolean => round % workersEvery === workersEvery - 1
/** What the heap may have grown by between the first round's end and a later one's. */
const mostGrowth = 64 * 1024 * 1024

const program = "fuzz"
const { values: flags } = Arguments.read(
  program,
  {
    options: {
      frames: { type: "string" },
      seconds: { type: "string" },
      seed: { type: "string" },
      from: { type: "string" },
      round: { type: "string" }
    }
  },
  "npm run fuzz -- [--frames N | --seconds N] [--seed S] [--from R | --round R]"
)

const whole = (name: string, text: string | undefined, otherwise: number): number =>
  text === undefined ? otherwise : Arguments.whole(program, name, text)

const seed = whole("seed", flags.seed, Math.floor(Math.random() * 2 ** 31))
const seconds = flags.seconds === undefined ? Infinity : whole("seconds", flags.seconds, 0)
const frames = whole("frames", flags.frames, seconds === Infinity ? 1_000_000 : Number.MAX_SAFE_INTEGER)
const from = whole("from", flags.from, 0)
const only = flags.round === undefined ? undefined : whole("round", flags.round, 0)
const begin = performance.now()
const inTime = () => performance.now() - begin < seconds * 1000

const say = (line: string): void => void process.stdout.write(`${line}\n`)

/** The first collection only begins to free the memory of array buffers, beside the program; the second waits until it is done. */
const usedHeap = (): number => {
  globalThis.gc?.()
  globalThis.gc?.()
  const { arrayBuffers, heapUsed } = process.memoryUsage()
  return heapUsed + arrayBuffers
}

/** The frames of a round as a capture, up to the one at which it fails. */
const record = (round: number, length: number): string => {
  const blocks: Array<Uint8Array> = [
    Pcapng.sectionHeader({ application: "effect-netstack fuzz", comment: `seed ${seed}, round ${round}` }),
    Pcapng.interfaceDescription({ linkType: Pcapng.LinkType.ethernet, name: "fuzz" })
  ]
  const witness: Witness = (bytes, at) =>
    void blocks.push(Pcapng.enhancedPacket({ interface: 0, at, data: Piece.make(bytes), direction: "in" }))
  try {
    new Session(seed, round, witness).run(length)
  } catch {
    // It fails as it did before, and the frames are all there.
  }
  const folder = fileURLToPath(new URL("../../test-artifacts", import.meta.url))
  mkdirSync(folder, { recursive: true })
  const file = join(folder, `fuzz-${seed}-${round}.pcapng`)
  writeFileSync(file, Buffer.concat(blocks))
  return file
}

const fail = (round: number, session: Session | undefined, length: number, error: unknown): never => {
  const at = session === undefined ? "at its start" : `at frame ${session.delivered}`
  say(`round ${round} failed ${at}: ${error instanceof Error ? error.stack : String(error)}`)
  if (session !== undefined) say(`frames: ${record(round, length)}`)
  say(`again:  node --expose-gc test/fuzz/run.ts --seed ${seed} --round ${round} --frames ${length}`)
  process.exit(1)
}

let done = 0

const describe = (report: Report, since: number): string => {
  const speed = Math.round(report.frames / (performance.now() - since))
  const common = report.drops.slice(0, 5).map(([reason, count]) => `${reason} ${count}`).join(", ")
  return `${report.frames} frames in, ${report.sent} out, ${report.accepted} connections, ${speed} k frames/s, ` +
    `${report.drops.length} reasons to drop: ${common} …`
}

const runRound = async (round: number, most: number): Promise<void> => {
  const length = Math.min(most, throughWorkers(round) ? framesPerWorkersRound : framesPerRound)
  const since = performance.now()
  let session: Session | undefined = undefined
  try {
    if (throughWorkers(round)) {
      await StackSession.run(seed, round, length)
      done += length
      say(`round ${round}: ${length} frames through the workers`)
    } else {
      session = new Session(seed, round)
      const report = session.run(length, inTime)
      done += report.frames
      say(`round ${round}: ${describe(report, since)}`)
    }
  } catch (error) {
    fail(round, session, length, error)
  }
}

/** Rounds until the frames or the time are used up; the heap may not grow from one to the next. */
const runAll = async (): Promise<void> => {
  let first: number | undefined = undefined
  for (let round = from; done < frames && inTime(); round++) {
    // oxlint-disable-next-line no-await-in-loop -- One round after the other.
    await runRound(round, frames - done)
    const heap = usedHeap()
    first ??= heap
    if (heap - first > mostGrowth) {
      fail(
        round,
        undefined,
        framesPerRound,
        new Error(`the heap grew from ${first} to ${heap} bytes over ${round} rounds`)
      )
    }
  }
}

say(`fuzz: seed ${seed}`)
await (only === undefined ? runAll() : runRound(only, frames))
const took = Math.round((performance.now() - begin) / 1000)
say(`${done} frames in ${took} s: nothing threw, nothing was left, and it still answers`)
