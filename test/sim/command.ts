/**
 * Prints the tables of `docs/tcp-performance.md`.
 *
 *     npm run tables -- [--bytes N] [--seeds N] [--seconds N]
 *
 * Each goodput is the mean over so many transfers, the spread of 2 MB is that of eight times as many, each shared line is looked at for so many seconds. All time is virtual: the same
 * arguments print the same tables on any machine.
 */
import * as Arguments from "../../bench/Arguments.ts"
import * as Tables from "./Tables.ts"

const name = "tables"
const { values: flags } = Arguments.read(
  name,
  {
    options: {
      bytes: { type: "string", default: "5000000" },
      seeds: { type: "string", default: "5" },
      seconds: { type: "string", default: "20" }
    }
  },
  "npm run tables -- [--bytes N] [--seeds N] [--seconds N]"
)
const bytes = Arguments.positive(name, "bytes", flags.bytes)
const seeds = Arguments.positive(name, "seeds", flags.seeds)
const seconds = Arguments.positive(name, "seconds", flags.seconds)

const say = (text: string): void => void process.stdout.write(`${text}\n\n`)

say(Tables.goodput(bytes, seeds))
say(Tables.spread(8 * seeds))
say(Tables.sharing(seconds))
say(Tables.recovery())
