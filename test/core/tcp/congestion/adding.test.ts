import { assert, it } from "@effect/vitest"
import { execFileSync } from "node:child_process"
import { fileURLToPath } from "node:url"
import * as Table from "../../../../src/core/tcp/congestion/table.ts"

it("adding a controller is one file and one line: the knob takes it, and a connection repairs its losses with it", () => {
  const program = fileURLToPath(new URL("withToy.ts", import.meta.url))
  assert.deepStrictEqual(JSON.parse(execFileSync(process.execPath, [program], { encoding: "utf8" })), {
    values: { kind: "choice", among: [...Table.names, "toy"].toSorted() },
    isIntact: true,
    hasRepaired: true,
    used: "toy"
  })
})
