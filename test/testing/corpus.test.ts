import { assert, describe, it } from "@effect/vitest"
import * as fs from "node:fs"
import * as path from "node:path"
import * as Script from "../../src/testing/Script.ts"

const root = path.join(import.meta.dirname, "../scripts")

/** Scripts about what only one version of IP has. */
const ofOneVersion = /^(?:icmp|ipv6|language)\//

const names = (fs.readdirSync(root, { recursive: true }) as ReadonlyArray<string>)
  .filter((name) => name.endsWith(".pkt"))
  .toSorted()

/** The head of a script: a sentence, and marks of what it holds to. */
const headOf = (text: string): ReadonlyArray<string> =>
  text.split("\n").slice(0, text.split("\n").findIndex((line) => !line.startsWith("//")))

describe("the corpus of scripts", () => {
  it("has one behaviour in each file, which its head tells with the section that asks for it", () => {
    assert.isAtLeast(names.length, 250)
    for (const name of names) {
      const head = headOf(fs.readFileSync(path.join(root, name), "utf8"))
      assert.match(head[0] ?? "", /^\/\/ .{10,}[.]$/, name)
      assert.isTrue(head.some((line) => line.startsWith("// rfc: ")), name)
    }
  })

  for (const name of names) {
    it(name, () => {
      const text = fs.readFileSync(path.join(root, name), "utf8")
      for (const ipVersion of ofOneVersion.test(name) ? [undefined] : [4, 6] as const) {
        const outcome = Script.run(text, ipVersion === undefined ? {} : { ipVersion })
        assert.strictEqual(outcome.status, "passed", Script.render(outcome))
        assert.deepStrictEqual(outcome.skips, [])
      }
    })
  }
})
