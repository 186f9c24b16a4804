/**
 * Attacks a host blindly for as long as is asked, and tells what became of it.
 *
 *     npm run attack -- [--packets N] [--syns N] [--seed S]
 *
 * The status is 1 if a connection died or was changed, a real client did not come through, or memory grew beyond its bounds.
 */
import * as Arguments from "../../../../bench/Arguments.ts"
import * as Attack from "./Attack.ts"

const name = "attack"
const { values: flags } = Arguments.read(
  name,
  {
    options: {
      packets: { type: "string", default: "1000000" },
      syns: { type: "string", default: "100000" },
      seed: { type: "string", default: "1" }
    }
  },
  "npm run attack -- [--packets N] [--syns N] [--seed S]"
)
const packets = Arguments.positive(name, "packets", flags.packets)
const syns = Arguments.positive(name, "syns", flags.syns)
const seed = Arguments.whole(name, "seed", flags.seed)

const say = (line: string): void => void process.stdout.write(`${line}\n`)

const guessed = Attack.blind(packets, seed)
say(`${packets} guessed packets: ${JSON.stringify(guessed)}`)
const flooded = Attack.flood(syns, seed)
say(`${syns} SYNs: ${JSON.stringify(flooded)}`)

const isWell = guessed.states.every((state) => state === "ESTABLISHED") && guessed.isIntact && guessed.entries === 1 &&
  guessed.memory === 0 && guessed.defects === 0 && guessed.challenges <= guessed.challengesAllowed &&
  flooded.accepted === flooded.clients && flooded.halfOpen <= flooded.limit && flooded.isAlive &&
  flooded.defects === 0 &&
  flooded.memory < 1000 && flooded.parked <= flooded.parkedLimit
say(isWell ? "nothing died, nothing grew, everybody came through" : "FAILED")
process.exitCode = isWell ? 0 : 1
