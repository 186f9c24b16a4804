/**
 * Attacks a host blindly for as long as is asked, and tells what became of it.
 *
 *     npm run attack -- [--packets N] [--syns N] [--seed S]
 *
 * The status is 1 if a connection died or was changed, a real client did not come through, or memory grew beyond its bounds.
 */
import { parseArgs } from "node:util"
import * as Attack from "./Attack.ts"

const { values: flags } = parseArgs({
  options: {
    packets: { type: "string", default: "1000000" },
    syns: { type: "string", default: "100000" },
    seed: { type: "string", default: "1" }
  }
})

const say = (line: string): void => void process.stdout.write(`${line}\n`)

const guessed = Attack.blind(Number(flags.packets), Number(flags.seed))
say(`${flags.packets} guessed packets: ${JSON.stringify(guessed)}`)
const flooded = Attack.flood(Number(flags.syns), Number(flags.seed))
say(`${flags.syns} SYNs: ${JSON.stringify(flooded)}`)

const isWell = guessed.states.every((state) => state === "ESTABLISHED") && guessed.isIntact && guessed.entries === 1 &&
  guessed.memory === 0 && guessed.defects === 0 && guessed.challenges <= guessed.challengesAllowed &&
  flooded.accepted === flooded.clients && flooded.halfOpen <= flooded.limit && flooded.isAlive &&
  flooded.defects === 0 &&
  flooded.memory < 1000 && flooded.parked <= flooded.parkedLimit
say(isWell ? "nothing died, nothing grew, everybody came through" : "FAILED")
process.exitCode = isWell ? 0 : 1
