import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { parseHTML } from "linkedom"
import { execFile } from "node:child_process"
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import * as report from "../../bin/plots/report.ts"
import * as Scenario from "../../src/testing/Scenario.ts"
import * as Run from "../../src/testing/scenario/Run.ts"

const program = fileURLToPath(new URL("../../bin/netstack.ts", import.meta.url))
const examples = fileURLToPath(new URL("../../examples/sim/", import.meta.url))

const sim = (args: ReadonlyArray<string>, cwd: string) =>
  Effect.callback<{ readonly status: unknown; readonly stdout: string; readonly stderr: string }>((resume) => {
    const child = execFile(
      process.execPath,
      [program, "sim", ...args],
      { cwd },
      (error, stdout, stderr) => resume(Effect.succeed({ status: error === null ? 0 : error.code, stdout, stderr }))
    )
    return Effect.sync(() => child.kill("SIGKILL"))
  })

const folder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "netstack-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true }))
)

/** The files of the report of an example. */
const filesOf = (name: string) =>
  Effect.map(
    Scenario.parse(readFileSync(join(examples, name), "utf8")),
    (scenario) => report.files(Run.run(scenario), `netstack sim ${name} --seed 1`)
  )

/** The lines and marks that a picture has, by what names their part. */
const shapes = (svg: string): number => parseHTML(svg).document.querySelectorAll("path, line, circle, rect").length

describe("netstack sim", () => {
  it.live("runs a scenario and leaves a report with pictures", () =>
    Effect.gen(function*() {
      const path = yield* folder
      const { status, stderr, stdout } = yield* sim([join(examples, "fast-retransmit.yaml"), "--seed", "4"], path)
      assert.deepStrictEqual([status, stderr], [0, ""])
      assert.match(
        stdout,
        /^Fast retransmit: 3 s, seed 4\n {2}1 segment sent again after 1 fast retransmit, 0 timeouts\n/
      )
      assert.match(stdout, /fast-retransmit-report\/index\.html: 5 pictures\n$/)
      assert.deepStrictEqual(readdirSync(join(path, "fast-retransmit-report")).toSorted(), [
        "index.html",
        "queues.svg",
        "throughput.svg",
        "upload-round-trips.svg",
        "upload-sequence.svg",
        "upload-windows.svg"
      ])
    }))

  it.live("ends with status 1 and tells what is not as the scenario expects, with 2 if it can't be run; a topology will do as well", () =>
    Effect.gen(function*() {
      const path = yield* folder
      const text = readFileSync(join(examples, "slow-start.yaml"), "utf8")
      writeFileSync(join(path, "wrong.yaml"), text.replace("upload.retransmitted: 0", "upload.retransmitted: 3"))
      const wrong = yield* sim(["wrong.yaml", "--out", "none"], path)
      assert.deepStrictEqual([wrong.status, wrong.stderr], [1, "netstack: upload.retransmitted is 0, and not 3\n"])
      assert.deepStrictEqual(readdirSync(path), ["wrong.yaml"])
      const network =
        "hosts: { a: { ipv4: 10.0.0.1/24 }, b: { ipv4: 10.0.0.2/24 } }\nlinks: { wire: { between: [a, b] } }\n"
      writeFileSync(join(path, "network.yaml"), network)
      const plain = yield* sim(["network.yaml", "--out", "none", "--measures"], path)
      assert.strictEqual(plain.status, 0)
      assert.match(plain.stdout, /^ {2}b\.isIntact +1$/m)
      writeFileSync(join(path, "bad.yaml"), network.replace("[a, b]", "[a, c]"))
      const bad = yield* sim(["bad.yaml"], path)
      assert.deepStrictEqual([bad.status, bad.stderr], [
        2,
        "netstack: link wire: no host, interface or switch is called c\n"
      ])
    }))
})

describe("The report of a run", () => {
  it.effect("has every picture in itself and follows the reader's light or dark, with nothing from elsewhere", () =>
    Effect.gen(function*() {
      const [page, ...pictures] = yield* filesOf("bufferbloat.yaml")
      assert.deepStrictEqual(pictures.map(({ name }) => name), [
        "upload-sequence.svg",
        "upload-windows.svg",
        "upload-round-trips.svg",
        "questions-answers.svg",
        "throughput.svg",
        "queues.svg"
      ])
      const { document } = parseHTML(page!.text)
      assert.strictEqual(document.querySelectorAll("figure > svg").length, pictures.length)
      assert.strictEqual(document.querySelectorAll("script, link, img, [src]").length, 0)
      assert.match(document.querySelector(".headline")!.textContent!, /^an answer took /)
      assert.match(document.querySelector("footer")!.textContent!, /netstack sim bufferbloat\.yaml --seed 1/)
      for (const { name, text } of pictures) {
        assert.match(text, /^<svg xmlns="http:\/\/www\.w3\.org\/2000\/svg" /, name)
        assert.match(text, /@media \(prefers-color-scheme: dark\)/)
        assert.notMatch(text, /NaN|undefined|Infinity/, name)
        assert.isAbove(shapes(text), 10, name)
      }
    }))

  it.effect("marks what was lost and what was sent again", () =>
    Effect.gen(function*() {
      const files = yield* filesOf("fast-retransmit.yaml")
      const { document } = parseHTML(files.find(({ name }) => name === "upload-sequence.svg")!.text)
      const marked = (colour: string) =>
        document.querySelectorAll(`[aria-label="dot"][stroke="var(--${colour})"] > path`)
      assert.strictEqual(marked("lost").length, 1)
      assert.strictEqual(document.querySelectorAll("[aria-label=\"dot\"][fill=\"var(--again)\"] > circle").length, 1)
    }))

  it.effect("escapes what a scenario says", () =>
    Effect.gen(function*() {
      const text = readFileSync(join(examples, "slow-start.yaml"), "utf8").replace("Slow start", "<b>A & B</b>")
      const [page] = report.files(Run.run(yield* Scenario.parse(text)), "x")
      assert.include(page!.text, "<h1>&lt;b&gt;A &amp; B&lt;/b&gt;</h1>")
    }))
})
