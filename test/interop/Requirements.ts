/**
 * What these tests need of the machine, and what happens where it lacks: they are passed over with the reason in plain sight,
 * or fail, if `CI` says that they must run.
 */
import { describe, it } from "@effect/vitest"
import { accessSync, constants, existsSync } from "node:fs"
import { delimiter, join } from "node:path"

const isOnPath = (program: string): boolean =>
  [...(process.env["PATH"] ?? "").split(delimiter), "/usr/sbin", "/sbin"].some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK)
      return true
    } catch {
      return false
    }
  })

/** Why tests with namespaces and TAP devices can't run here; undefined if they can. */
export const missing = (programs: ReadonlyArray<string>): string | undefined => {
  if (process.platform !== "linux") return `needs Linux, and this is ${process.platform}`
  if (process.getuid?.() !== 0) return "needs root, to make network namespaces"
  if (!existsSync("/dev/net/tun")) return "needs /dev/net/tun (modprobe tun)"
  const absent = ["ip", ...programs].filter((program) => !isOnPath(program))
  return absent.length === 0 ? undefined : `needs ${absent.join(", ")} on the PATH`
}

/** A suite of tests against the kernel of this machine; `programs` are those of the system that it runs. */
export const suite = (name: string, programs: ReadonlyArray<string>, define: () => void): void => {
  const reason = missing(programs)
  if (reason === undefined) {
    describe(name, define)
    return
  }
  describe(name, () => {
    it(`can run on this machine: ${reason}`, (context) => {
      if (process.env["CI"] === "true") throw new Error(`interop "${name}" ${reason}`)
      console.warn(`interop "${name}" does not run: it ${reason}`)
      context.skip(reason)
    })
  })
}
