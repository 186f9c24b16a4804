/**
 * How the program ends: its exit status, and one line for what went wrong.
 */
import * as Cause from "effect/Cause"
import * as CliError from "effect/cli/CliError"
import * as Exit from "effect/Exit"
import type * as Runtime from "effect/Runtime"
import * as Schema from "effect/Schema"

/** What a command could not do, as the line that it ends with. */
export class CommandFailure extends Schema.TaggedError<CommandFailure>()("CommandFailure", {
  message: Schema.String,
  /** The program's exit status; 1 if absent. */
  status: Schema.optionalKey(Schema.Int)
}) {}

const failureStatus = 1
/** For whatever the user gave that can't be used: arguments, or a file that they name. */
export const usageStatus = 2
const interruptedStatus = 130

/** The failure of a file that is to be read and can't be, or has not in it what it should. */
export const badInput = (message: string): CommandFailure => new CommandFailure({ message, status: usageStatus })

/** The failure of what was done at a place, named once: errors of opening a socket there name it themselves. */
export const at = (place: string) => (error: Error): CommandFailure => {
  const isNamed = "remote" in error || "local" in error
  return new CommandFailure({ message: isNamed ? error.message : `${place}: ${error.message}` })
}

/** Ctrl-C is how a command ends that runs until then; any other that it ends has not done what it should. */
export const interruption = { status: interruptedStatus }

/** Says that the command at hand runs until it is interrupted. */
export const endsByInterruption = (): void => {
  interruption.status = 0
}

const statusOf = (cause: Cause.Cause<unknown>): number => {
  if (Cause.hasInterruptsOnly(cause)) return interruption.status
  const error = Cause.squash(cause)
  if (error instanceof CommandFailure) return error.status ?? failureStatus
  // Who asks for help with --help succeeds; help that nobody asked for stands for a subcommand that is missing.
  return CliError.isCliError(error) ? usageStatus : failureStatus
}

/** The line to print: a failure that the program foresees has a message, and anything else is a bug with its trace. */
export const lineOf = (cause: Cause.Cause<unknown>): string | undefined => {
  const error = Cause.squash(cause)
  // Wrong arguments have been told of already.
  if (Cause.hasInterruptsOnly(cause) || CliError.isCliError(error)) return undefined
  const isForeseen = Cause.hasFails(cause) && error instanceof Error
  return `netstack: ${isForeseen ? error.message : Cause.pretty(cause)}\n`
}

export const teardown: Runtime.Teardown = (exit, onExit) => onExit(Exit.isSuccess(exit) ? 0 : statusOf(exit.cause))
