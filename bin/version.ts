/**
 * The version of the package that this program is part of.
 */
import { readFileSync } from "node:fs"

/** From the source in a checkout, or from `dist/bin` in an installed package. */
const candidates = [new URL("../package.json", import.meta.url), new URL("../../package.json", import.meta.url)]

const read = (): string => {
  for (const candidate of candidates) {
    try {
      const { name, version } = JSON.parse(readFileSync(candidate, "utf8")) as { name?: string; version?: string }
      if (name === "effect-netstack" && version !== undefined) return version
    } catch {
      // The other place, then.
    }
  }
  return "unknown"
}

export const version: string = read()
