/**
 * Makes `docs/rfc/coverage.md`: each requirement of TCP's RFCs with where it is met and tested, from the marks in code, tests and scripts.
 *
 *     src/ comments ─────┐
 *     test/ titles ──────┼─▶ marks ─▶ a row for each requirement: code, tests, or "see deviations.md"
 *     test/scripts heads ┘
 */
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import * as Marks from "./compliance/marks.ts"
import { requirements } from "./compliance/requirements.ts"
import { statements } from "./compliance/statements.ts"

const root = fileURLToPath(new URL("..", import.meta.url))

/** What is declared in `deviations.md`, by the key that its items begin with: `- **9293 MUST-51**: …`. */
export const deviations = (page: string): ReadonlySet<Marks.Key> =>
  new Set(
    [...page.matchAll(/^- ((?:\*\*\d+ [^*]+\*\*(?:, )?)+):/gm)].flatMap(([, keys]) =>
      [...keys!.matchAll(/\*\*([^*]+)\*\*/g)].map(([, key]) => key!)
    )
  )

/** A row of a table. */
interface Row {
  readonly key: Marks.Key
  readonly level: string
  readonly text: string
}

const code = Marks.ofCode(root)
const tests = Marks.ofTests(root)
const declared = deviations(readFileSync(join(root, "docs/rfc/deviations.md"), "utf8"))

/** At most so many files are named; the rest is counted. */
const named = 3

const listed = (files: ReadonlySet<string> | undefined, show: (file: string) => string): string => {
  const all = [...files ?? []].toSorted()
  const rest = all.length > named ? ` and ${all.length - named} more` : ""
  return all.slice(0, named).map(show).join(", ") + rest
}

const linked = (file: string): string => `[${file.replace(/^src\//, "")}](../../${file})`

/** Without a link: the package that users install has this page, and no tests. */
const mentioned = (file: string): string => `\`${file.replace(/^test\/(?:scripts\/)?/, "")}\``

const row = ({ key, level, text }: Row): string => {
  const isDeclared = declared.has(key)
  const where = isDeclared ? "see [deviations](deviations.md)" : ""
  const [met, tested] = [listed(code.get(key), linked), listed(tests.get(key), mentioned)]
  return `| ${key.replace(/^\d+ /, "")} | ${level} | ${text} | ${[met, where].filter(Boolean).join("; ")} | ${tested} |`
}

const table = (rows: ReadonlyArray<Row>): string =>
  ["| | level | requirement | code | tests |", "| --- | --- | --- | --- | --- |", ...rows.map(row)].join("\n")

const rowsOf9293 = requirements.map(([id, section, level, , feature]): Row & { readonly group: string } => ({
  key: `9293 ${id}`,
  level,
  text: `${feature} (§${section})`,
  group: requirements.find(([other]) => other === id)![3]
}))

const groups = [...new Set(rowsOf9293.map(({ group }) => group))]

const others = statements.map(([rfc, title, list]) => ({
  heading: `RFC ${rfc}: ${title}`,
  rows: list.map(({ level, section, text }): Row => ({ key: `${rfc} §${section}`, level, text }))
}))

/** Every requirement that is listed. */
export const rows: ReadonlyArray<Row> = [...rowsOf9293, ...others.flatMap((each) => each.rows)]

/** Requirements that are not met, or not tested, and not declared either. */
export const gaps = (): ReadonlyArray<string> =>
  rows.flatMap(({ key }) => {
    if (declared.has(key)) return []
    const missing = [code.has(key) ? [] : ["code"], tests.has(key) ? [] : ["test"]].flat()
    return missing.length === 0 ? [] : [`${key}: no mark in ${missing.join(" and ")}`]
  })

/** Declared deviations that are about nothing that is listed. */
export const strays = (): ReadonlyArray<string> => {
  const keys = new Set(rows.map(({ key }) => key))
  return [...declared].filter((key) => !keys.has(key))
}

/** The page. */
export const page = (): string =>
  [
    "# What TCP's RFCs ask for, and where it is met",
    "",
    "Made by `node scripts/coverage.ts` from the marks in code (`// rfc: 9293 §3.8.1 MUST-18`), in titles of tests and in the heads of the scripts under",
    "`test/scripts`. Tests are named by their paths below `test`, scripts by those below `test/scripts`. A requirement that is not met as it stands has its reason in [deviations.md](deviations.md).",
    "",
    "## RFC 9293, Appendix B",
    ...groups.flatMap((group) => ["", `### ${group}`, "", table(rowsOf9293.filter((each) => each.group === group))]),
    ...others.flatMap(({ heading, rows }) => ["", `## ${heading}`, "", table(rows)]),
    ""
  ].join("\n")

export const path = "docs/rfc/coverage.md"

if (import.meta.main) writeFileSync(join(root, path), page())
