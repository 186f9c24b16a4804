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
import { Unsupported } from "./Descriptor.ts"
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

/** When a call that blocks returns: `...0.3`, or `...+0.3`, which is the same. */
const parseUntil = (scanner: Scanner): number | undefined => {
  if (scanner.take(/\.\.\./y) === undefined) return undefined
  scanner.take(/\+/y)
  return parseSpan(scanner)
}

const parseCall = (scanner: Scanner): Call => {
  const until = parseUntil(scanner)
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
  try {
    const action = parseAction(scanner)
    return { line, time, action, text: scanner.since(start) }
  } catch (error) {
    if (error instanceof Unsupported) error.line = line
    throw error
  }
}

/** Behind an equals sign, or alone on the rest of the line. */
const option =
  /--([a-z]\w*)(?:(?:=|[ \t]+(?=[^\s/-](?:"[^"]*"|\S)*[ \t]*(?:\n|$)))((?:"[^"]*"|\S)+))?|-D\s*([A-Za-z_]\w*=(?:"[^"]*"|\S*))/y

/** `NAME=VALUE` of `--define` and `-D`. */
const definition = /^([A-Za-z_]\w*)=(?:"(.*)"|(.*))$/

/** The options at the beginning: by name, and the words that they define. */
const parseHead = (scanner: Scanner): { options: Map<string, string>; definitions: Map<string, string> } => {
  const options = new Map<string, string>()
  const definitions = new Map<string, string>()
  for (let found = scanner.take(option); found !== undefined; found = scanner.take(option)) {
    const [, name = "define", value = "true", short] = found
    if (name !== "define") options.set(name, value.replace(/^"(.*)"$/, "$1"))
    else define(definitions, short ?? value)
  }
  return { options, definitions }
}

/** Adds what `--define NAME=VALUE` says. */
export const define = (definitions: Map<string, string>, text: string): void => {
  const [, name, quoted, bare] = definition.exec(text) ?? []
  if (name !== undefined) definitions.set(name, quoted ?? bare ?? "")
}

/**
 * Words that stand for others, as the programs that run collections of scripts define them: an address family's names, and the cookies of a server whose
 * key the collection sets.
 */
const usualDefinitions: Readonly<Record<string, string>> = {
  CMSG_LEVEL_IP: "SOL_IP",
  CMSG_TYPE_RECVERR: "IP_RECVERR",
  TFO_COOKIE: "3021b9d889017eeb",
  TFO_COOKIE_ZERO: "b7c12350a90dc8f5"
}

/** The text with each defined word replaced; lines stay where they are. */
const replaced = (text: string, definitions: ReadonlyMap<string, string>): string =>
  text.replace(
    /[A-Za-z_]\w*/g,
    (word) => definitions.get(word) ?? (Object.hasOwn(usualDefinitions, word) ? usualDefinitions[word]! : word)
  )

/** Reads a script. Throws a `SyntaxFault` where it can't be. */
export const parseScript = (written: string, given: ReadonlyMap<string, string> = new Map()): Syntax => {
  const text = written.replace(/\r\n?/g, "\n")
  const head = new Scanner(text)
  const { definitions, options } = parseHead(head)
  const body = replaced(text.slice(head.at), new Map([...definitions, ...given]))
  const scanner = new Scanner(text.slice(0, head.at) + body)
  scanner.at = head.at
  const events: Array<Event> = []
  while (!scanner.isAtEnd) events.push(parseEvent(scanner))
  return { options, events }
}
