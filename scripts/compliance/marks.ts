/**
 * Where code, tests and scripts say which requirement they meet: marks such as `rfc: 9293 §3.8.1 MUST-18, 6298 §3`, and mentions such as `RFC 6298 §2.3`.
 */
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"

/** What a mark is about: a requirement of RFC 9293 by its identifier (`9293 MUST-18`), or a section (`6298 §3`). */
export type Key = string

/** Files that have a mark, by what it is about. */
export type Marks = ReadonlyMap<Key, ReadonlySet<string>>

const token = /\b(\d{3,4})(?= §)|§(\d+(?:\.\d+)*)|\b((?:MUST|SHLD|MAY|REC)-\d+)\b/g

/** The RFC that a text is about if it names one only: its sections need no number then. */
export const subjectOf = (text: string): string => {
  const named = new Set([...text.matchAll(/\bRFC (\d{3,4})\b/g)].map(([, number]) => number!))
  return named.size === 1 ? [...named][0]! : ""
}

/** What is said of §4.9.2 is said of §4.9. */
const parentOf = (section: string): string => section.split(".").slice(0, 2).join(".")

/** The keys that a line has marks of, in a text about an RFC. */
export const keysOf = (line: string, subject = ""): ReadonlyArray<Key> => {
  if (subject === "" && !/\brfc: |\bRFC \d/.test(line)) return []
  const keys: Array<Key> = []
  let rfc = subject
  for (const [, number, section, id] of line.matchAll(token)) {
    if (number !== undefined) rfc = number
    else if (section !== undefined && rfc !== "") {
      keys.push(...[section, parentOf(section)].map((each) => `${rfc} §${each}`))
    } else if (id !== undefined) keys.push(`9293 ${id}`)
  }
  return keys
}

const filesBelow = (root: string, folder: string, suffix: string): ReadonlyArray<string> =>
  (readdirSync(join(root, folder), { recursive: true }) as ReadonlyArray<string>)
    .filter((name) => name.endsWith(suffix))
    .map((name) => join(folder, name).replaceAll("\\", "/"))
    .toSorted()

/** What of a file counts, and which RFC it is about. */
interface Reading {
  readonly lines: ReadonlyArray<string>
  readonly subject: string
}

const marksIn = (root: string, files: ReadonlyArray<string>, read: (text: string) => Reading): Marks => {
  const marks = new Map<Key, Set<string>>()
  for (const file of files) {
    const { lines, subject } = read(readFileSync(join(root, file), "utf8"))
    for (const line of lines) {
      for (const key of keysOf(line, subject)) {
        const known = marks.get(key)
        if (known === undefined) marks.set(key, new Set([file]))
        else known.add(file)
      }
    }
  }
  return marks
}

const code = (text: string): Reading => ({
  lines: text.split("\n"),
  // The comment that a file opens with says what it is about.
  subject: subjectOf(text.slice(0, Math.max(0, text.indexOf("*/"))))
})

/** Comments of the code. */
export const ofCode = (root: string): Marks => marksIn(root, filesBelow(root, "src", ".ts"), code)

/** Titles of tests, and of what they are in. */
const titles = (text: string): Reading => {
  const found = text.matchAll(/\b(?:it|describe)(?:\.\w+)?\(\s*(["'`])((?:\\.|(?!\1)[\s\S])*)\1/g)
  const lines = [...found].map(([, , title]) => title!)
  return { lines, subject: subjectOf(lines.join("\n")) }
}

const head = (text: string): Reading => {
  const all = text.split("\n")
  return { lines: all.slice(0, all.findIndex((line) => !line.startsWith("//"))), subject: "" }
}

const joined = (a: Marks, b: Marks): Marks => {
  const all = new Map<Key, Set<string>>()
  for (const marks of [a, b]) {
    for (const [key, files] of marks) all.set(key, new Set([...all.get(key) ?? [], ...files]))
  }
  return all
}

/** Titles of tests and heads of scripts. */
export const ofTests = (root: string): Marks =>
  joined(
    marksIn(root, filesBelow(root, "test", ".pkt"), head),
    marksIn(root, filesBelow(root, "test", ".test.ts"), titles)
  )
