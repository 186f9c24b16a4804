#!/usr/bin/env node
/**
 * Starts the program `netstack` on a Node that can run it: this one, or else the one that a checkout brings along as a
 * development dependency. The program is the TypeScript source in a checkout and `dist/` in an installed package, where
 * Node does not strip types.
 */
import { spawn } from "node:child_process"
import { existsSync } from "node:fs"
import { createRequire } from "node:module"
import { dirname, join } from "node:path"
import { fileURLToPath, pathToFileURL } from "node:url"

/** The first Node that runs `.ts` files without a flag or a warning. */
const oldest = [22, 19]

const isNewEnough = (version) => {
  const [major, minor] = version.split(".").map(Number)
  return major > oldest[0] || (major === oldest[0] && minor >= oldest[1])
}

const fail = (line) => {
  process.stderr.write(`netstack: ${line}\n`)
  process.exit(1)
}

const findProgram = () => {
  const here = dirname(fileURLToPath(import.meta.url))
  const candidates = [join(here, "netstack.ts"), join(here, "..", "dist", "bin", "netstack.js")]
  return candidates.find(existsSync)
}

const findBundledNode = () => {
  try {
    const manifest = createRequire(import.meta.url).resolve("node/package.json")
    const binary = join(dirname(manifest), "bin", process.platform === "win32" ? "node.exe" : "node")
    return existsSync(binary) ? binary : undefined
  } catch {
    return undefined
  }
}

/** Runs the program as a child with this terminal, passes signals on and ends as the child ends. */
const runWith = (binary, program) => {
  const child = spawn(binary, [program, ...process.argv.slice(2)], { stdio: "inherit" })
  // A terminal sends SIGINT to the child as well; the launcher only has to outlive it.
  process.on("SIGINT", () => {})
  for (const signal of ["SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal))
  child.on("error", (error) => fail(`cannot start ${binary}: ${error.message}`))
  child.on("exit", (code, signal) => {
    if (signal === null) process.exit(code)
    process.removeAllListeners(signal)
    process.kill(process.pid, signal)
  })
}

const program = findProgram()
if (program === undefined) {
  fail("this copy holds no program: run `npm run build` in it, or install the published package.")
}

if (isNewEnough(process.versions.node)) {
  // The program sees itself as the main script, whichever way it was started.
  process.argv[1] = program
  await import(pathToFileURL(program).href)
} else {
  const bundled = findBundledNode()
  if (bundled === undefined) {
    fail(`needs Node ${oldest.join(".")} or newer, and this is Node ${process.versions.node} (${process.execPath}).`)
  }
  runWith(bundled, program)
}
