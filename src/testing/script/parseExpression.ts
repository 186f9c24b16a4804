/** Arguments and results of system calls: numbers, names, text, `...`, `A|B`, `[…]`, `{name=…, …}`, `f(…)`. */
import type { Scanner } from "./Scanner.ts"
import type { Expression } from "./Syntax.ts"

const ellipsis: Expression = { _tag: "Ellipsis" }

const escapes: Readonly<Record<string, string>> = { n: "\n", r: "\r", t: "\t", "0": "\0" }

const unescaped = (text: string): string =>
  text.replace(
    /\\(x[0-9a-fA-F]{2}|[\s\S])/g,
    (_, code: string) =>
      code.startsWith("x") ? String.fromCharCode(Number.parseInt(code.slice(1), 16)) : escapes[code] ?? code
  )

const list = (scanner: Scanner, end: RegExp, what: string): ReadonlyArray<Expression> => {
  const items: Array<Expression> = []
  if (scanner.take(end) !== undefined) return items
  do items.push(parseExpression(scanner))
  while (scanner.take(/,/y) !== undefined)
  scanner.expect(end, what)
  return items
}

/** `{a=1, b=2}`, or `{…, 1000}` without names, whose fields are named by their places. */
const record = (scanner: Scanner): Expression => {
  const fields: Array<readonly [string, Expression]> = []
  if (scanner.take(/\}/y) !== undefined) return { _tag: "Record", fields }
  do {
    const name = scanner.take(/([A-Za-z_]\w*)\s*(?:\(\s*(?:\.\.\.|\w+)\s*\))?\s*=(?!=)/y)?.[1]
    fields.push([name ?? String(fields.length), parseExpression(scanner)])
  } while (scanner.take(/,/y) !== undefined)
  scanner.expect(/\}/y, "}")
  return { _tag: "Record", fields }
}

/** What the compiler would know of a type: nothing that is looked at. */
const sizeOf = /sizeof\s*\(\s*struct\s+\w+\s*\)/y

const named = (scanner: Scanner, name: string): Expression =>
  scanner.take(/\(/y) === undefined
    ? { _tag: "Name", name }
    : { _tag: "Apply", name, args: list(scanner, /\)/y, ")") }

const primary = (scanner: Scanner): Expression => {
  if (scanner.take(/\.\.\./y) !== undefined) return ellipsis
  const text = scanner.take(/"((?:\\.|[^"\\])*)"(?:\s*\.\.\.)?/y)
  if (text !== undefined) return { _tag: "Text", value: unescaped(text[1]!) }
  const number = scanner.take(/-?(?:0[xX][0-9a-fA-F]+|\d+)(?![\w.])/y)
  if (number !== undefined) {
    const [word] = number
    return { _tag: "Number", value: word.startsWith("-") ? -Number(word.slice(1)) : Number(word) }
  }
  if (scanner.take(sizeOf) !== undefined) return ellipsis
  // `&sin6_addr` is the place that a call writes to.
  const name = scanner.take(/&?[A-Za-z_]\w*/y)
  if (name !== undefined) return named(scanner, name[0])
  if (scanner.take(/\[/y) !== undefined) return { _tag: "List", items: list(scanner, /\]/y, "]") }
  if (scanner.take(/\{/y) !== undefined) return record(scanner)
  return scanner.fail("expected a value")
}

export const parseExpression = (scanner: Scanner): Expression => {
  const parts = [primary(scanner)]
  while (scanner.take(/\|/y) !== undefined) parts.push(primary(scanner))
  return parts.length === 1 ? parts[0]! : { _tag: "Or", parts }
}

/** The arguments of a call, from behind its opening parenthesis. */
export const parseArguments = (scanner: Scanner): ReadonlyArray<Expression> => list(scanner, /\)/y, ")")
