/**
 * A place in the text of a script. Blanks and comments, to the end of the line behind `//` or `#` or between `/*` and its end, are
 * skipped between words.
 */
import { SyntaxFault } from "./Syntax.ts"

const blank = /(?:\s+|\/\/[^\n]*|#[^\n]*|\/\*[\s\S]*?\*\/)*/y

export class Scanner {
  readonly text: string
  at = 0

  constructor(text: string) {
    this.text = text
    this.skip()
  }

  get isAtEnd(): boolean {
    return this.at >= this.text.length
  }

  get line(): number {
    return this.text.slice(0, this.at).split("\n").length
  }

  /** Whether the text goes on like this; `expression` is sticky. */
  sees(expression: RegExp): boolean {
    expression.lastIndex = this.at
    return expression.test(this.text)
  }

  /** Takes a word, and the blanks behind it; `undefined` if the text does not go on like this. */
  take(expression: RegExp): RegExpExecArray | undefined {
    expression.lastIndex = this.at
    const found = expression.exec(this.text)
    if (found === null) return undefined
    this.at = expression.lastIndex
    this.skip()
    return found
  }

  /** Takes a word that has to be there. */
  expect(expression: RegExp, what: string): RegExpExecArray {
    return this.take(expression) ?? this.fail(`expected ${what}`)
  }

  fail(detail: string): never {
    const rest = this.text.slice(this.at, this.at + 30).split("\n")[0]!
    throw new SyntaxFault(this.line, `${detail} before ${rest === "" ? "the end" : JSON.stringify(rest)}`)
  }

  /** The text from a place up to here, in one line. */
  since(start: number): string {
    return this.text.slice(start, this.at).replace(/\/\/[^\n]*/g, "").replace(/\s+/g, " ").trim()
  }

  private skip(): void {
    blank.lastIndex = this.at
    blank.exec(this.text)
    this.at = blank.lastIndex
  }
}
