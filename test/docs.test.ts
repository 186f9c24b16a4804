/**
 * Holds the documentation to what it says: its programs compile and run, its links lead somewhere.
 */
import { assert, describe, it } from "@effect/vitest"
import { existsSync } from "node:fs"
import { dirname, join } from "node:path"
import * as Anchors from "../scripts/anchors.ts"
import * as Bounds from "../scripts/bounds.ts"
import * as Knobs from "../scripts/knobs.ts"
import { compileErrors, documents, extract, read, root, runErrors } from "./docs/Programs.ts"

const programs = documents().flatMap((document) => extract(document, read(document)))

const link = /\]\((?!https?:|#)([^)#\s]+)(?:#L(\d+))?[^)]*\)/g

/** The links of a document to files that do not exist, or to lines past their end. */
const brokenLinks = (document: string, text: string): ReadonlyArray<string> =>
  Array.from(text.matchAll(link)).flatMap(([, target, line]) => {
    const path = join(dirname(document), target!)
    if (!existsSync(join(root, path))) return [`${document}: ${path} does not exist`]
    if (line !== undefined && read(path).split("\n").length < Number(line)) {
      return [`${document}: ${path} has no line ${line}`]
    }
    return []
  })

const { files } = JSON.parse(read("package.json")) as { readonly files: ReadonlyArray<string> }

/** What npm packs: what `files` names, and these in any case. */
const isPacked = (path: string): boolean =>
  [...files, "README.md", "LICENSE", "package.json"].some((entry) => path === entry || path.startsWith(`${entry}/`))

/** The links of a document of the packed package to what is not packed. */
const linksOutside = (document: string, text: string): ReadonlyArray<string> =>
  Array.from(text.matchAll(link)).flatMap(([, target]) => {
    const path = join(dirname(document), target!)
    return isPacked(path) ? [] : [`${document}: ${path} is not in the package`]
  })

const planted = `# A page

\`\`\`ts run
import * as Option from "effect/Option"
export const one: string = Option.some(1)
throw new Error("at once")
\`\`\`

\`\`\`ts
export const two: number = 2
\`\`\`

\`\`\`text
not a program
\`\`\`
`

describe("the documentation", () => {
  it("has programs that compile", () => {
    assert.deepStrictEqual(compileErrors(programs), [])
  })

  it("has programs that run to their end", () => {
    assert.deepStrictEqual(runErrors(programs), [])
  }, 180_000)

  it("lists the bounds as the core has them (npm run docs)", () => {
    assert.strictEqual(read("docs/bounds.md"), Bounds.page)
  })

  it("lists the knobs of TCP as the core has them (npm run docs)", () => {
    assert.strictEqual(read("docs/tcp-knobs.md"), Knobs.page)
  })

  it("follows one SYN along the lines where they are today (npm run docs)", () => {
    const text = read("docs/control-flow.md")
    assert.strictEqual(text, Anchors.refresh(text, (path) => read(join("docs", path))))
    assert.notInclude(text, "#L0")
  })

  it("has no link that leads nowhere", () => {
    assert.deepStrictEqual(documents().flatMap((document) => brokenLinks(document, read(document))), [])
  })

  it("has no link out of the package that is published", () => {
    const published = [...documents(), "bench/README.md"].filter(isPacked)
    assert.includeMembers(published, ["README.md", "docs/README.md", "docs/rfc/coverage.md"])
    assert.deepStrictEqual(published.flatMap((document) => linksOutside(document, read(document))), [])
  })
})

describe("the check of the documentation", () => {
  const found = extract("docs/page.md", planted)

  it("takes the blocks fenced as ts, with the lines they stand on", () => {
    assert.deepStrictEqual(found.map(({ line, runs }) => ({ line, runs })), [{ line: 4, runs: true }, {
      line: 10,
      runs: false
    }])
  })

  it("finds a program that does not compile, at its line", () => {
    const errors = compileErrors(found)
    assert.strictEqual(errors.length, 1)
    assert.match(errors[0]!.message, /^\(5,14\): error TS2322/)
  })

  it("finds a program that fails", () => {
    const errors = runErrors(found)
    assert.strictEqual(errors.length, 1)
    assert.match(errors[0]!.message, /at once/)
  })

  it("moves a link to the line of its member, and finds one that is gone", () => {
    const source = "const a = 1\nexport const arrives = (): void => {}\n  private send(port: Port) {}\n"
    const text = "[`Listen.arrives`](a.ts#L9) [`send`](a.ts#L1) [`gone`](a.ts#L1) [arrives](a.ts#L9)"
    assert.strictEqual(
      Anchors.refresh(text, () => source),
      "[`Listen.arrives`](a.ts#L2) [`send`](a.ts#L3) [`gone`](a.ts#L0) [arrives](a.ts#L9)"
    )
  })

  it("finds a link to a file or a line that does not exist", () => {
    const text =
      "[a](nowhere.md) [b](../package.json#L99999) [c](../package.json#L1) [d](https://example.com) [e](#here)"
    assert.strictEqual(brokenLinks("docs/page.md", text).length, 2)
  })

  it("finds a link to what is not published", () => {
    const text = "[a](../test/docs.test.ts) [b](../src/index.ts#L1) [c](core.md) [d](../package.json) [e](../srcs/a.ts)"
    assert.deepStrictEqual(linksOutside("docs/page.md", text), [
      "docs/page.md: test/docs.test.ts is not in the package",
      "docs/page.md: srcs/a.ts is not in the package"
    ])
  })
})
