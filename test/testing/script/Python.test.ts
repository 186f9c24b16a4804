import { assert, describe, it } from "@effect/vitest"
import * as Python from "../../../src/testing/script/Python.ts"

const names = (): Python.Names => new Map<string, Python.Value>([["cwnd", 10], ["state", 1], ["rtt", 12_345.5]])

/** Whether an assertion holds. */
const holds = (expression: string): boolean => Python.run(`assert ${expression}`, names()).broken === undefined

describe("Python", () => {
  it("computes as Python does", () => {
    const so = [
      "cwnd == 10",
      "cwnd != 11 and not cwnd > 10",
      "1 < cwnd <= 10 < 11",
      "cwnd in (9, 10)",
      "cwnd not in [1, 2]",
      "2 + 3 * 4 == 14",
      "(2 + 3) * 4 == 20",
      "2 ** 3 ** 2 == 512",
      "-2 ** 2 == -4",
      "-7 // 2 == -4",
      "-7 % 3 == 2",
      "7 / 2 == 3.5",
      "1 << 40 == 1099511627776",
      "5 & 3 | 8 ^ 1 == 9",
      "0x10 == 16",
      "1.5e1 == 15",
      "abs(-3) == max(1, 2, 3) == min([5, 3])",
      "int(rtt) == 12345",
      "True and None is None and not False",
      "1 == 1.0",
      "'a' == \"a\"",
      "len([1, 2]) == 2",
      "(1, 2) == (1, 2)"
    ]
    for (const expression of so) assert.isTrue(holds(expression), expression)
    const notSo = [
      "cwnd == 11",
      "not cwnd",
      "1 < cwnd < 10",
      "cwnd in ()",
      "5 & 3 | 8 ^ 1 == 8",
      "'a' == 1",
      "0 or None",
      "1 and 0"
    ]
    for (const expression of notSo) assert.isFalse(holds(expression), expression)
  })

  it("tells the first assertion that does not hold, with its message", () => {
    const code = "assert cwnd == 10\nassert cwnd == 9, cwnd\nassert False"
    assert.deepStrictEqual(Python.run(code, names()).broken, { assertion: "cwnd == 9, cwnd", message: "10" })
    assert.deepStrictEqual(Python.run("assert 0", names()).broken, { assertion: "0", message: "" })
    assert.deepStrictEqual(Python.run("assert 0, 'cwnd is %d' % cwnd", names()).broken?.message, "")
  })

  it("keeps what is assigned, and passes over what prints", () => {
    const known = names()
    const nothing = { broken: undefined, unknown: [] }
    assert.deepStrictEqual(Python.run("before = cwnd * 2; print(before)\nimport os", known), nothing)
    assert.deepStrictEqual(Python.run("assert before == 20 # twice", known), nothing)
    assert.deepStrictEqual(Python.run("before += cwnd - 5; assert before == 25", known), nothing)
    assert.deepStrictEqual(Python.run("if before > 1e3: assert False\nif cwnd: x = 1 if state else 2", known), nothing)
    assert.strictEqual(known.get("x"), 1)
  })

  it("reads statements over several lines where a bracket is open or a backslash ends the line", () => {
    const ran = Python.run("assert (cwnd == 10 and\n  state == 1)\nassert cwnd == \\\n 10", names())
    assert.deepStrictEqual(ran, { broken: undefined, unknown: [] })
  })

  it("runs the branches and loops that are due, and tells what fails in them", () => {
    const broken = (code: string): string | undefined => Python.run(code, names()).broken?.assertion
    assert.strictEqual(broken("for i in range(3): assert i < 2"), "i < 2")
    assert.strictEqual(broken("i = 0\nwhile i < 3:\n  i += 1\nassert i == 4"), "i == 4")
    assert.strictEqual(
      broken("if False:\n  assert 1 == 2\nelif True:\n  assert 1 == 3\nelse:\n  assert 1 == 4"),
      "1 == 3"
    )
    assert.isUndefined(broken("if True: pass\nelse:\n  assert False"))
  })

  it("leaves out what it does not know, by name, and goes on", () => {
    const refusal = (code: string): string => {
      const { broken, unknown } = Python.run(`${code}\nassert cwnd == 1`, names())
      assert.strictEqual(broken?.assertion, "cwnd == 1")
      return unknown.join()
    }
    assert.strictEqual(refusal("assert tcpi_mystery == 1"), "assert tcpi_mystery == 1 (the name tcpi_mystery)")
    assert.strictEqual(refusal("assert sorted([1])"), "assert sorted([1]) (the function sorted)")
    assert.match(refusal("for i in 3: assert i"), /^for i in 3/)
    assert.match(refusal("def check():\n  assert False"), /^def check\(\)/)
    assert.match(Python.run("assert (1", names()).unknown.join(), /where \) should be/)
    assert.match(refusal("assert 1 +"), /ends too early/)
    assert.match(refusal("assert 1 ? 2"), /can't be read/)
    assert.match(refusal("assert 'a' + 1"), /arithmetic/)
  })
})
