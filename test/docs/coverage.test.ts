import { assert, describe, it } from "@effect/vitest"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import * as Marks from "../../scripts/compliance/marks.ts"
import { requirements } from "../../scripts/compliance/requirements.ts"
import * as Coverage from "../../scripts/coverage.ts"

const root = join(import.meta.dirname, "../..")

describe("the coverage of TCP's RFCs", () => {
  it("is as the committed page has it (`node scripts/coverage.ts` makes it anew)", () => {
    assert.strictEqual(readFileSync(join(root, Coverage.path), "utf8"), Coverage.page())
  })

  it("has nothing that is neither met and tested nor declared as a deviation", () => {
    assert.deepStrictEqual(Coverage.gaps(), [])
  })

  it("declares no deviation from what is not asked for", () => {
    assert.deepStrictEqual(Coverage.strays(), [])
    const keys = Coverage.deviations("- **9293 MUST-1**, **6298 §2.4**: because\n- **a thing**: no\n")
    assert.deepStrictEqual([...keys], ["9293 MUST-1", "6298 §2.4"])
  })

  it("lists every requirement of Appendix B of RFC 9293 once", () => {
    const ids = requirements.map(([id]) => id)
    assert.strictEqual(new Set(ids).size, ids.length)
    const numbers = (prefix: string): ReadonlyArray<number> =>
      ids.filter((id) => id.startsWith(prefix)).map((id) => Number(id.slice(prefix.length))).toSorted((a, b) => a - b)
    const upTo = (last: number): ReadonlyArray<number> => Array.from({ length: last }, (_, i) => i + 1)
    assert.deepStrictEqual(numbers("MUST-"), upTo(69))
    assert.deepStrictEqual(numbers("SHLD-"), upTo(31))
    assert.deepStrictEqual(numbers("MAY-"), upTo(18))
    assert.deepStrictEqual(numbers("REC-"), [1])
  })

  it("reads marks and mentions, with several sections and RFCs in a line", () => {
    assert.deepStrictEqual(Marks.keysOf("// rfc: 9293 §3.8.1 MUST-18, 6298 §3 §5.4"), [
      "9293 §3.8.1",
      "9293 §3.8",
      "9293 MUST-18",
      "6298 §3",
      "6298 §3",
      "6298 §5.4",
      "6298 §5.4"
    ])
    assert.deepStrictEqual(Marks.keysOf("as RFC 5961 §7 says"), ["5961 §7", "5961 §7"])
    assert.deepStrictEqual(Marks.keysOf("step 2 (§4.9.2)", "9438"), ["9438 §4.9.2", "9438 §4.9"])
    assert.deepStrictEqual(Marks.keysOf("see §4 of 1234 things"), [])
    assert.strictEqual(Marks.subjectOf("CUBIC (RFC 9438), as RFC 9438 has it"), "9438")
    assert.strictEqual(Marks.subjectOf("RFC 1 and RFC 9438 and RFC 5681"), "")
  })
})
