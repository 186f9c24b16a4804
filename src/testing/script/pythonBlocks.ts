/**
 * The shape of Python: statements, and those that belong to another by their indentation.
 *
 * ```
 *   if a:            ┐ one statement with a body of two
 *     assert b       │
 *     assert c; d    ┘ three, in fact
 *   else: assert e     one with a body in its own line
 * ```
 */

export interface Statement {
  /** Without what belongs to it, and without the colon before that. */
  readonly text: string
  readonly body: ReadonlyArray<Statement>
}

/** What begins a statement that others belong to. */
const heads = /^(?:if|elif|else|for|while|def|with|try|except|finally|class)\b/

interface Line {
  readonly indent: number
  readonly text: string
}

/** Lines, joined where a bracket is open, without comments. */
const linesOf = (code: string): ReadonlyArray<Line> => {
  const all: Array<Line> = []
  let depth = 0
  let text = ""
  for (const line of code.replace(/\\\n/g, " ").split("\n")) {
    const bare = line.replace(/#.*$/, "")
    text += depth > 0 ? ` ${bare.trim()}` : bare.trimEnd()
    depth += (bare.match(/[([]/g)?.length ?? 0) - (bare.match(/[)\]]/g)?.length ?? 0)
    if (depth > 0) continue
    if (text.trim() !== "") all.push({ indent: text.length - text.trimStart().length, text: text.trim() })
    text = ""
  }
  return text.trim() === "" ? all : [...all, { indent: 0, text: text.trim() }]
}

/** Where the colon of a head stands, which is none of a slice's. */
const colonOf = (text: string): number => {
  let depth = 0
  for (let i = 0; i < text.length; i++) {
    if ("([{".includes(text[i]!)) depth++
    else if (")]}".includes(text[i]!)) depth--
    else if (text[i] === ":" && depth === 0) return i
  }
  return -1
}

const parts = (text: string): ReadonlyArray<string> =>
  text.split(";").map((part) => part.trim()).filter((part) => part !== "")

/** The statements of one line; what follows a head in its line belongs to it. */
const inLine = (text: string): ReadonlyArray<Statement> => {
  const colon = heads.test(text) ? colonOf(text) : -1
  if (colon >= 0) return [{ text: text.slice(0, colon).trim(), body: inLine(text.slice(colon + 1).trim()) }]
  const [first, ...rest] = parts(text)
  if (first === undefined) return []
  return [{ text: first, body: [] }, ...(rest.length === 0 ? [] : inLine(rest.join(";")))]
}

/** The statements that are indented by more than `outside`, and the line behind them. */
const blockOf = (lines: ReadonlyArray<Line>, from: number, outside: number): [Array<Statement>, number] => {
  const block: Array<Statement> = []
  let at = from
  while (at < lines.length && lines[at]!.indent > outside) {
    const { indent, text } = lines[at++]!
    const found = inLine(text)
    const head = found.at(-1)
    if (head === undefined || head.body.length > 0 || !text.endsWith(":")) {
      block.push(...found)
      continue
    }
    const [body, behind] = blockOf(lines, at, indent)
    block.push(...found.slice(0, -1), { text: head.text, body })
    at = behind
  }
  return [block, at]
}

export const parse = (code: string): ReadonlyArray<Statement> => blockOf(linesOf(code), 0, -1)[0]
