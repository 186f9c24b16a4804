/**
 * As much of Python as assertions in scripts are written in: `assert` with comparisons, arithmetic and logic over numbers, and
 * names that are given or assigned, in blocks of `if`, `elif`, `else`, `for` and `while`.
 *
 * ```
 *   expression:  or ─ and ─ not ─ comparison (chained) ─ | ─ ^ ─ & ─ << >> ─ + - ─ * / // % ─ unary ─ ** ─ atom
 * ```
 */

import * as Blocks from "./pythonBlocks.ts"

/** The code uses something of Python that is not known here. */
export class UnknownPython extends Error {}

export type Value = number | string | boolean | null | ReadonlyArray<Value>

/** The names in force; assignments add to them. */
export type Names = Map<string, Value>

/** An assertion that did not hold. */
export interface Broken {
  readonly assertion: string
  readonly message: string
}

const token =
  /\s*(?:(0[xX][0-9a-fA-F]+|(?:\d+\.\d*|\.\d+|\d+)(?:[eE][-+]?\d+)?)|("(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')|([A-Za-z_]\w*)|(\*\*|\/\/|<<|>>|<=|>=|==|!=|<>|[-+*/%&|^~<>()[\],=.:]))/y

interface Token {
  readonly kind: "number" | "text" | "name" | "sign"
  readonly word: string
}

const tokenize = (text: string): ReadonlyArray<Token> => {
  const tokens: Array<Token> = []
  token.lastIndex = 0
  while (token.lastIndex < text.trimEnd().length) {
    const at = token.lastIndex
    const found = token.exec(text)
    if (found === null) throw new UnknownPython(`${text.slice(at).trim()} can't be read`)
    const kinds = ["number", "text", "name", "sign"] as const
    const kind = kinds.find((_, i) => found[i + 1] !== undefined)!
    tokens.push({ kind, word: found[0].trim() })
  }
  return tokens
}

const isTrue = (value: Value): boolean => Array.isArray(value) ? value.length > 0 : Boolean(value)

const numberOf = (value: Value): number => {
  if (typeof value === "number") return value
  if (typeof value === "boolean") return value ? 1 : 0
  throw new UnknownPython("arithmetic with something else than numbers")
}

/** Whole numbers of more than 32 bits are exact up to 2^53, which is enough for what a kernel counts. */
const bitwise = (operation: (a: bigint, b: bigint) => bigint) => (a: number, b: number): number =>
  Number(operation(BigInt(Math.trunc(a)), BigInt(Math.trunc(b))))

type Binary = (a: number, b: number) => number

/** Operators of two numbers, the loosest first. */
const levels: ReadonlyArray<Readonly<Record<string, Binary>>> = [
  { "|": bitwise((a, b) => a | b) },
  { "^": bitwise((a, b) => a ^ b) },
  { "&": bitwise((a, b) => a & b) },
  { "<<": bitwise((a, b) => a << b), ">>": bitwise((a, b) => a >> b) },
  { "+": (a, b) => a + b, "-": (a, b) => a - b },
  {
    "*": (a, b) => a * b,
    "/": (a, b) => a / b,
    "//": (a, b) => Math.floor(a / b),
    "%": (a, b) => a - b * Math.floor(a / b)
  }
]

const equal = (a: Value, b: Value): boolean =>
  Array.isArray(a) && Array.isArray(b)
    ? a.length === b.length && a.every((item, i) => equal(item, b[i] as Value))
    : typeof a === "string" || typeof b === "string" || a === null || b === null
    ? a === b
    : numberOf(a) === numberOf(b)

const contains = (all: Value, one: Value): boolean => {
  if (typeof all === "string") return typeof one === "string" && all.includes(one)
  return Array.isArray(all) && all.some((each) => equal(each as Value, one))
}

const comparisons: Readonly<Record<string, (a: Value, b: Value) => boolean>> = {
  "==": equal,
  "!=": (a, b) => !equal(a, b),
  "<>": (a, b) => !equal(a, b),
  "<": (a, b) => numberOf(a) < numberOf(b),
  "<=": (a, b) => numberOf(a) <= numberOf(b),
  ">": (a, b) => numberOf(a) > numberOf(b),
  ">=": (a, b) => numberOf(a) >= numberOf(b),
  "in": (a, b) => contains(b, a),
  "is": equal
}

const functions: Readonly<Record<string, (args: ReadonlyArray<Value>) => Value>> = {
  int: ([value]) => Math.trunc(typeof value === "string" ? Number(value) : numberOf(value!)),
  float: ([value]) => typeof value === "string" ? Number(value) : numberOf(value!),
  bool: ([value]) => isTrue(value!),
  abs: ([value]) => Math.abs(numberOf(value!)),
  min: (args) => Math.min(...spread(args)),
  max: (args) => Math.max(...spread(args)),
  round: ([value]) => Math.round(numberOf(value!)),
  len: ([value]) => Array.isArray(value) || typeof value === "string" ? value.length : 0,
  str: ([value]) => format(value!),
  range: (args) => {
    const [first = 0, second, step = 1] = args.map(numberOf)
    const [from, to] = second === undefined ? [0, first] : [first, second]
    const count = step === 0 ? 0 : Math.min(longestRange, Math.max(0, Math.ceil((to - from) / step)))
    return Array.from({ length: count }, (_, i) => from + i * step)
  },
  hex: ([value]) => `0x${numberOf(value!).toString(16)}`
}

const spread = (args: ReadonlyArray<Value>): ReadonlyArray<number> =>
  args.flatMap((arg) => Array.isArray(arg) ? arg.map((each) => numberOf(each as Value)) : [numberOf(arg)])

const format = (value: Value): string =>
  value === null
    ? "None"
    : value === true
    ? "True"
    : value === false
    ? "False"
    : Array.isArray(value)
    ? `[${value.map((each) => format(each as Value)).join(", ")}]`
    : String(value)

const constants: Readonly<Record<string, Value>> = { True: true, False: false, None: null }

/** Reads and computes an expression at once. */
class Evaluation {
  private readonly tokens: ReadonlyArray<Token>
  private readonly names: Names
  at = 0

  constructor(tokens: ReadonlyArray<Token>, names: Names) {
    this.tokens = tokens
    this.names = names
  }

  get isAtEnd(): boolean {
    return this.at >= this.tokens.length
  }

  takes(word: string): boolean {
    const next = this.tokens[this.at]
    if (next?.word !== word || next.kind === "text") return false
    this.at++
    return true
  }

  private expect(word: string): void {
    if (!this.takes(word)) throw new UnknownPython(`${this.tokens[this.at]?.word ?? "the end"} where ${word} should be`)
  }

  /** `a if condition else b`, or one alone. */
  expression(): Value {
    const value = this.disjunction()
    if (!this.takes("if")) return value
    const isSo = isTrue(this.disjunction())
    this.expect("else")
    const other = this.expression()
    return isSo ? value : other
  }

  private disjunction(): Value {
    let value = this.conjunction()
    while (this.takes("or")) {
      const other = this.conjunction()
      value = isTrue(value) ? value : other
    }
    return value
  }

  private conjunction(): Value {
    let value = this.negation()
    while (this.takes("and")) {
      const other = this.negation()
      value = isTrue(value) ? other : value
    }
    return value
  }

  private negation(): Value {
    return this.takes("not") ? !isTrue(this.negation()) : this.comparison()
  }

  private comparison(): Value {
    let left = this.binary(0)
    let isSo: boolean | undefined
    for (let sign = this.comparisonSign(); sign !== undefined; sign = this.comparisonSign()) {
      const right = this.binary(0)
      isSo = (isSo ?? true) && sign(left, right)
      left = right
    }
    return isSo ?? left
  }

  private comparisonSign(): ((a: Value, b: Value) => boolean) | undefined {
    if (this.takes("not")) {
      this.expect("in")
      return (a, b) => !contains(b, a)
    }
    const word = Object.keys(comparisons).find((sign) => this.takes(sign))
    if (word === "is" && this.takes("not")) return (a, b) => !equal(a, b)
    return word === undefined ? undefined : comparisons[word]
  }

  private binary(level: number): Value {
    const operators = levels[level]
    if (operators === undefined) return this.unary()
    let left = this.binary(level + 1)
    for (;;) {
      const sign = Object.keys(operators).find((each) => this.takes(each))
      if (sign === undefined) return left
      left = operators[sign]!(numberOf(left), numberOf(this.binary(level + 1)))
    }
  }

  private unary(): Value {
    if (this.takes("-")) return -numberOf(this.unary())
    if (this.takes("+")) return numberOf(this.unary())
    if (this.takes("~")) return ~numberOf(this.unary())
    const base = this.atom()
    return this.takes("**") ? numberOf(base) ** numberOf(this.unary()) : base
  }

  private list(end: string): ReadonlyArray<Value> {
    const items: Array<Value> = []
    while (!this.takes(end)) {
      items.push(this.expression())
      if (!this.takes(",")) {
        this.expect(end)
        break
      }
    }
    return items
  }

  private atom(): Value {
    const next = this.tokens[this.at++]
    if (next === undefined) throw new UnknownPython("an expression that ends too early")
    if (next.kind === "number") return Number(next.word)
    if (next.kind === "text") return next.word.slice(1, -1)
    if (next.word === "[") return this.list("]")
    if (next.word === "(") {
      const items = this.list(")")
      return items.length === 1 ? items[0]! : items
    }
    if (next.kind !== "name") throw new UnknownPython(`${next.word} where a value should be`)
    return this.takes("(") ? this.apply(next.word) : this.lookUp(next.word)
  }

  private apply(name: string): Value {
    const args = this.list(")")
    const known = functions[name]
    if (known === undefined) throw new UnknownPython(`the function ${name}`)
    return known(args)
  }

  private lookUp(name: string): Value {
    const value = Object.hasOwn(constants, name) ? constants[name] : this.names.get(name)
    if (value === undefined) throw new UnknownPython(`the name ${name}`)
    return value
  }
}

const whole = (text: string, names: Names): Value => {
  const evaluation = new Evaluation(tokenize(text), names)
  const value = evaluation.expression()
  if (!evaluation.isAtEnd && !evaluation.takes(",")) throw new UnknownPython(text)
  return value
}

/** What an assertion says when it does not hold; nothing if that can't be told here. */
const messageOf = (evaluation: Evaluation): string => {
  try {
    return evaluation.takes(",") ? format(evaluation.expression()) : ""
  } catch {
    return ""
  }
}

const runAssertion = (text: string, names: Names): Broken | undefined => {
  const evaluation = new Evaluation(tokenize(text), names)
  if (isTrue(evaluation.expression())) return undefined
  return { assertion: text, message: messageOf(evaluation) }
}

const assertion = /^assert\b\s*([\s\S]*)$/
const assignment = /^([A-Za-z_]\w*)\s*(\+|-|\*|\/\/?|%|&|\||\^|<<|>>)?=(?!=)\s*([\s\S]*)$/
const runStatement = (statement: string, names: Names): Broken | undefined => {
  const asserted = assertion.exec(statement)
  if (asserted !== null) return runAssertion(asserted[1]!, names)
  const [, name, operator, value] = assignment.exec(statement) ?? []
  if (name !== undefined) {
    names.set(name, whole(operator === undefined ? value! : `${name} ${operator} (${value})`, names))
    return undefined
  }
  if (/^(?:print|pass|import|from)\b/.test(statement)) return undefined
  throw new UnknownPython(statement)
}

/** What came of a block: the first assertion that does not hold, and what was not understood. */
export interface Ran {
  readonly broken: Broken | undefined
  readonly unknown: ReadonlyArray<string>
}

/** More than a script can count to. */
const longestRange = 1_000_000

/** A loop that goes on for longer is left. */
const mostTurns = 10_000

/** Runs the body for each item of a list. */
const runFor = (head: string, body: ReadonlyArray<Blocks.Statement>, names: Names, unknown: Array<string>) => {
  const [, name, list] = /^for\s+([A-Za-z_]\w*)\s+in\s+([\s\S]+)$/.exec(head) ?? []
  const items = list === undefined ? undefined : whole(list, names)
  if (name === undefined || !Array.isArray(items)) throw new UnknownPython(head)
  for (const item of items.slice(0, mostTurns)) {
    names.set(name, item as Value)
    const broken = runBlock(body, names, unknown)
    if (broken !== undefined) return broken
  }
  return undefined
}

const runWhile = (condition: string, body: ReadonlyArray<Blocks.Statement>, names: Names, unknown: Array<string>) => {
  for (let turn = 0; turn < mostTurns && isTrue(whole(condition, names)); turn++) {
    const broken = runBlock(body, names, unknown)
    if (broken !== undefined) return broken
  }
  return undefined
}

/** Which statements of a block stand in the way of an `elif` or `else` behind them: one was taken, or none can be told. */
type Branch = "open" | "closed"

/** One statement of a block, and whether the branches behind it are still open. */
const runOne = (
  { text, body }: Blocks.Statement,
  branch: Branch,
  names: Names,
  unknown: Array<string>
): [Broken | undefined, Branch] => {
  const [, word = "", rest = ""] =
    /^(if|elif|else|for|while|def|with|try|except|finally|class)\b\s*([\s\S]*)$/.exec(text) ?? []
  switch (word) {
    case "":
      return [runStatement(text, names), "closed"]
    case "for":
      return [runFor(text, body, names, unknown), "closed"]
    case "while":
      return [runWhile(rest, body, names, unknown), "closed"]
    case "if":
    case "elif":
    case "else": {
      if (word !== "if" && branch === "closed") return [undefined, "closed"]
      const isTaken = word === "else" || isTrue(whole(rest, names))
      return isTaken ? [runBlock(body, names, unknown), "closed"] : [undefined, "open"]
    }
    default:
      throw new UnknownPython(text)
  }
}

/** Runs statements; what is not understood is left out, with what belongs to it. */
const runBlock = (block: ReadonlyArray<Blocks.Statement>, names: Names, unknown: Array<string>): Broken | undefined => {
  let branch: Branch = "closed"
  for (const statement of block) {
    try {
      const [broken, next] = runOne(statement, branch, names, unknown)
      if (broken !== undefined) return broken
      branch = next
    } catch (error) {
      if (!(error instanceof UnknownPython)) throw error
      unknown.push(`${statement.text} (${error.message})`)
      branch = "closed"
    }
  }
  return undefined
}

/** Runs a block; what is not understood is left out. */
export const run = (code: string, names: Names): Ran => {
  const unknown: Array<string> = []
  return { broken: runBlock(Blocks.parse(code), names, unknown), unknown }
}
