/** What the programs for measuring and testing have in common: arguments that can't be used are told in one line, with status 2. */
import { parseArgs, type ParseArgsConfig } from "node:util"

export const fail = (program: string, line: string): never => {
  process.stderr.write(`${program}: ${line}\n`)
  process.exit(2)
}

/** `parseArgs`, whose errors end the program, as does `--help` where a usage is given for it. */
export const read = <const Config extends ParseArgsConfig>(
  program: string,
  config: Config,
  usage?: string
): ReturnType<typeof parseArgs<Config>> => {
  if (usage !== undefined && process.argv.slice(2).some((arg) => arg === "--help" || arg === "-h")) {
    process.stdout.write(`${usage}\n`)
    process.exit(0)
  }
  try {
    return parseArgs(config)
  } catch (error) {
    // The first sentence says what is wrong; what follows is about arguments that begin with a dash.
    return fail(program, `${(error as Error).message.split(". ")[0]}; --help shows what there is`)
  }
}

/** A whole number above 0. */
export const positive = (program: string, name: string, text: string): number => {
  const value = Number(text)
  return Number.isInteger(value) && value > 0
    ? value
    : fail(program, `--${name} is a whole number above 0, and not ${text}`)
}

/** A whole number, or 0. */
export const whole = (program: string, name: string, text: string): number => {
  const value = Number(text)
  return text !== "" && Number.isSafeInteger(value) && value >= 0
    ? value
    : fail(program, `--${name} is a whole number, and not ${text}`)
}

/** Who reads the output may have seen enough (`| head`): what is left is nobody's. */
export const mayBeCutOff = (): void => {
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error
    process.exit()
  })
}
