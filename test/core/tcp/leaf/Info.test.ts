/** The table of `docs/tcp-info.md` names what there is. */
import { assert, describe, it } from "@effect/vitest"
import * as fs from "node:fs"
import * as path from "node:path"
import { tcpInfo } from "../../../../src/testing/script/tcpInfo.ts"
import { established, host } from "../Peer.ts"

const page = fs.readFileSync(path.join(import.meta.dirname, "../../../../docs/tcp-info.md"), "utf8")

/** The names in a column of the table, and behind it what is left out. */
const [table = "", rest = ""] = page.split("\nNot told")
const namesIn = (text: string): ReadonlyArray<string> => [...text.matchAll(/`(\w+)`/g)].map(([, name]) => name!)
const column = (index: number): ReadonlyArray<string> =>
  table.split("\n").filter((line) => line.startsWith("| `")).flatMap((line) => namesIn(line.split("|")[index]!))

describe("What is known of a connection (docs/tcp-info.md)", () => {
  const self = host()
  const { connection } = established(self, { listenOptions: { pacing: true } })
  const info = self.call({ _tag: "TcpGetInfo", connection })

  it("every field of the table is there", () => {
    assert.isAbove(column(2).length, 50)
    for (const name of column(2)) assert.property(info, name)
  })
  it("every name of Linux that scripts may ask for is in the table, or said to be left out", () => {
    const told = new Set([...column(1), ...namesIn(rest)])
    const known = [...tcpInfo(info).keys()].filter((name) => name.startsWith("tcpi_"))
    assert.deepStrictEqual(known.filter((name) => !told.has(name)), [])
    const strange = column(1).filter((name) => !tcpInfo(info).has(name) && name !== "tcpi_pacing_rate")
    assert.deepStrictEqual(strange, [])
  })
})
