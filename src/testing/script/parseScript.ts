/**
 * A script: `--name=value` options, then events, each a time and an action.
 *
 * ```
 *   0     socket(..., SOCK_STREAM, IPPROTO_TCP) = 3         absolute, from the start
 *   +.1   < S 0:0(0) win 65535 <mss 1460>                   behind the event before
 *   *     > S. 0:0(0) ack 1 <...>                           whenever it comes
 *   +.2~+.3 > . 1:1(0) ack 1                                in a range
 *   +0...0.3 read(4, ..., 1000) = 1000                      a call that blocks, and when it returns
 *   +0    `sysctl -q net.ipv4.tcp_sack=0`                   a command
 *   +0    %{ assert tcpi_snd_cwnd == 10 }%                  an assertion
 * ```
 */
import { parseArguments, parseExpression } from "./parseExpression.ts"
import { parsePacket } from "./parsePacket.ts"
import { Scanner } from "./Scanner.ts"
import type { Action, Call, Event, EventTime, Syntax } from "./Syntax.ts"

const number = /\d+\.\d+|\.\d+|\d+(?:\.(?!\.))?/y

/** Seconds, as microseconds. */
const parseSpan = (scanner: Scanner): number => Math.round(Number(scanner.expect(number, "a time")[0]) * 1e6)

const parseTime = (scanner: Scanner): EventTime => {
  if (scanner.take(/\*/y) !== undefined) return { _tag: "Any" }
  // A command may stand at the beginning without a time.
  if (scanner.sees(/`/y)) return { _tag: "At", isRelative: true, from: 0, to: undefined }
  const isRelative = scanner.take(/\+/y) !== undefined
  const from = parseSpan(scanner)
  if (scanner.take(/~/y) === undefined) return { _tag: "At", isRelative, from, to: undefined }
  scanner.take(/\+/y)
  return { _tag: "At", isRelative, from, to: parseSpan(scanner) }
}

const parseCall = (scanner: Scanner): Call => {
  const until = scanner.take(/\.\.\./y) === undefined ? undefined : parseSpan(scanner)
  const [name] = scanner.expect(/[A-Za-z_]\w*/y, "a packet, a system call, a command or an assertion")
  scanner.expect(/\(/y, "( behind the name of a call")
  const args = parseArguments(scanner)
  scanner.expect(/=/y, "= and the result of the call")
  const result = parseExpression(scanner)
  const errno = scanner.take(/E[A-Z0-9]+\b/y)?.[0]
  // What the error means, in words.
  scanner.take(/\([^)\n]*\)/y)
  return { _tag: "Call", name, args, result, errno, until }
}

const parseAction = (scanner: Scanner): Action => {
  const command = scanner.take(/`((?:\\[\s\S]|[^`\\])*)`/y)
  if (command !== undefined) return { _tag: "Command", text: command[1]! }
  const code = scanner.take(/%\{([\s\S]*?)\}%/y)
  if (code !== undefined) return { _tag: "Code", text: code[1]! }
  return parsePacket(scanner) ?? parseCall(scanner)
}

const parseEvent = (scanner: Scanner): Event => {
  const { line } = scanner
  const time = parseTime(scanner)
  const start = scanner.at
  const action = parseAction(scanner)
  return { line, time, action, text: scanner.since(start) }
}

/** Reads a script. Throws a `SyntaxFault` where it can't be. */
export const parseScript = (text: string): Syntax => {
  const scanner = new Scanner(text)
  const options = new Map<string, string>()
  for (let found = scanner.take(option); found !== undefined; found = scanner.take(option)) {
    options.set(found[1]!, (found[2] ?? "true").replace(/^"(.*)"$/, "$1"))
  }
  const events: Array<Event> = []
  while (!scanner.isAtEnd) events.push(parseEvent(scanner))
  return { options, events }
}

const option = /--([a-z]\w*)(?:=("[^"]*"|\S+))?/y
