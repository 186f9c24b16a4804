/**
 * A headless Chromium for tests of pages: loads one, lets its own time pass, and gives the document as it is then.
 *
 * CI installs the browser and has to have it. Elsewhere a test without one says loudly what it leaves out.
 */
import * as Effect from "effect/Effect"
import { execFile } from "node:child_process"
import { existsSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { delimiter, join } from "node:path"

/** Where the browser is, if it is. */
export const program: string | undefined = (process.env["PATH"] ?? "").split(delimiter).flatMap((folder) =>
  ["chromium", "chromium-browser", "google-chrome"].map((name) => join(folder, name))
).find(existsSync)

export type Scheme = "light" | "dark"

export interface Options {
  /** What the reader prefers; light if absent. */
  readonly scheme?: Scheme
}

export interface Seen {
  /** The document after some seconds of the page's own time. */
  readonly html: string
  /** What the page has written to its console, errors that nobody caught among it. */
  readonly console: ReadonlyArray<string>
}

/** As Blink's settings number them. */
const schemes: { readonly [K in Scheme]: number } = { dark: 0, light: 1 }

const load = (browser: string, profile: string, url: string, scheme: Scheme): Effect.Effect<Seen> =>
  Effect.callback<Seen>((resume) => {
    const args = [
      "--headless",
      "--no-sandbox",
      "--disable-gpu",
      "--enable-logging=stderr",
      `--blink-settings=preferredColorScheme=${schemes[scheme]}`,
      `--user-data-dir=${profile}`,
      "--virtual-time-budget=5000",
      "--dump-dom",
      url
    ]
    const child = execFile(browser, args, { maxBuffer: 1 << 24 }, (error, stdout, stderr) => {
      if (error !== null) return resume(Effect.die(error))
      const console = stderr.split("\n").filter((line) => line.includes(":CONSOLE"))
      resume(Effect.succeed({ html: stdout, console }))
    })
    return Effect.sync(() => child.kill("SIGKILL"))
  })

/** Loads a page. */
export const open = (browser: string, url: string, { scheme = "light" }: Options = {}): Effect.Effect<Seen> =>
  Effect.acquireUseRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "netstack-browser-"))),
    (profile) => load(browser, profile, url, scheme),
    (profile) => Effect.sync(() => rmSync(profile, { recursive: true, force: true, maxRetries: 5 }))
  )

/** Runs a test with the browser. Without one it fails in CI and is left out elsewhere, with a word of what is not tested. */
export const use = <A, E, R>(
  context: { readonly skip: (note?: string) => unknown },
  what: string,
  test: (browser: string) => Effect.Effect<A, E, R>
): Effect.Effect<A | void, E, R> => {
  if (program !== undefined) return test(program)
  const note = `NOT TESTED in a browser: ${what}. There is no chromium on the PATH.`
  if (process.env["CI"] !== undefined) return Effect.die(new Error(note))
  console.warn(note)
  return Effect.sync(() => void context.skip(note))
}
