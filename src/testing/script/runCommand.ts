/** What a command in backticks does to the host: it sets knobs, or nothing that a script can see, or it is not known. */
import { freeBsdDefaults, type Knobs, knobsOf, linuxDefaults, merge, noKnobs } from "./Knobs.ts"

export interface Effect {
  readonly knobs: Knobs
  /** Parts of the command that mean nothing here, in their words. */
  readonly unknown: ReadonlyArray<string>
}

/** `$((4*1024))`, as a shell computes it: products only, which is all that these scripts have. */
const computed = (text: string): string =>
  text.replace(
    /\$\(\(([\d\s*]+)\)\)/g,
    (_, product: string) => String(product.split("*").reduce((all, factor) => all * Number(factor), 1))
  )

/** The words of a command, with quotes taken off and redirections left out. */
const wordsOf = (command: string): ReadonlyArray<string> => {
  const words = command.replace(/\s[12&]?>>?\s*(?:\/dev\/null|&\d)/g, "").match(/(?:"[^"]*"|'[^']*'|[^\s"'])+/g) ?? []
  return words.map((word) => word.replace(/["']/g, ""))
}

/** `name=value` of `sysctl`, or `/proc/sys/name=value`. */
const setting = (word: string): Effect => {
  const [, path = "", value = ""] = /^([^=]+)=([\s\S]*)$/.exec(word) ?? []
  const name = path.startsWith("/proc/sys/") ? path.slice("/proc/sys/".length).replaceAll("/", ".") : path
  const meant = knobsOf(name, value.trim())
  if (meant === "unknown") return { knobs: noKnobs, unknown: [word] }
  return { knobs: meant === "without effect" ? noKnobs : meant, unknown: [] }
}

const nothing: Effect = { knobs: noKnobs, unknown: [] }

const both = (a: Effect, b: Effect): Effect => ({
  knobs: merge(a.knobs, b.knobs),
  unknown: [...a.unknown, ...b.unknown]
})

/** Programs that change nothing that a script can see of this stack. */
const harmless = new Set(["true", ":", "sync", "kldload", "set"])

const defaults = (tcp: Knobs["tcp"]): Effect => ({ knobs: { tcp, limits: {} }, unknown: [] })

const runOne = (command: string): Effect => {
  const [path = "", ...args] = wordsOf(computed(command))
  const program = path.slice(path.lastIndexOf("/") + 1)
  const settings = args.filter((arg) => arg.includes("="))
  if (program === "" || harmless.has(program)) return nothing
  if (program === "sysctl" || program === "set_sysctls.py") return settings.map(setting).reduce(both, nothing)
  if (program === "defaults.sh") return both(defaults(linuxDefaults), settings.map(setting).reduce(both, nothing))
  if (program === "ip" && args.includes("tcp_metrics")) return nothing
  // Counters are set to zero here; where they are looked at, something is asserted that can't be told.
  if (program === "nstat" && !command.includes("|")) return nothing
  const [, value = "", file = ""] = /^echo\s+(.*?)\s*>\s*(\/proc\/sys\/\S+)$/.exec(command.trim()) ?? []
  if (file !== "") return setting(`${file}=${value.replace(/["']/g, "")}`)
  return { knobs: noKnobs, unknown: [command.trim()] }
}

/** Whether a command is one for FreeBSD, whose defaults the script then has in mind. */
const isFreeBsd = (text: string): boolean => /\bnet\.inet\.|\bkldload\b|\bkern\./.test(text)

export const runCommand = (text: string): Effect => {
  const before = isFreeBsd(text) ? defaults(freeBsdDefaults) : nothing
  return text.split(/\n|;|&&|\|\|/).map(runOne).reduce(both, before)
}
