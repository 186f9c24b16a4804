/**
 * Prints the tables of `docs/tcp-performance.md`.
 *
 *     npm run tables -- [--bytes N] [--seeds N] [--seconds N]
 *
 * Each goodput is the mean over so many transfers, the spread of 2 MB is that of eight times as many, each shared line is looked at for so many seconds. All time is virtual: the same
 * arguments print the same tables on any machine.
 */
import { parseArgs } from "node:util"
import * as Tables from "./Tables.ts"

const { values: flags } = parseArgs({
  options: {
    bytes: { type: "string", default: "5000000" },
    seeds: { type: "string", default: "5" },
    seconds: { type: "string", default: "20" }
  }
})

const say = (text: string): void => void process.stdout.write(`${text}\n\n`)

say(Tables.goodput(Number(flags.bytes), Number(flags.seeds)))
say(Tables.spread(8 * Number(flags.seeds)))
say(Tables.sharing(Number(flags.seconds)))
say(Tables.recovery())
