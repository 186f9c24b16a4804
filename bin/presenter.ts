/**
 * What is shown of the command line itself: help as it is, and one line for arguments that are wrong.
 */
import * as CliOutput from "effect/cli/CliOutput"
import * as Console from "effect/Console"

/** Whole messages have suggestions on further lines; the first one says what is wrong. */
const firstLine = (message: string): string => {
  const [first, ...rest] = message.split("\n").map((line) => line.trim()).filter((line) => line !== "")
  const suggestion = rest.length === 2 ? ` (did you mean ${rest[1]}?)` : ""
  return `${first}${suggestion}`
}

export const presenter: CliOutput.Presenter = {
  present: (event) => {
    if (event._tag !== "InvalidInvocation") return CliOutput.defaultPresenter.present(event)
    const command = event.commandPath.join(" ")
    const errors = event.errors.map((error) => firstLine(error.message)).join("; ")
    return Console.error(`${command}: ${errors}. '${command} --help' tells more.`)
  }
}
