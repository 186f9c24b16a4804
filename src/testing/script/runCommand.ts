/** What a command in backticks does to the host: it sets knobs, or nothing that a script can see, or it is not known. */
import * as Time from "../../core/Time.ts"
import { controllerOf, type Knobs, knobsOf, linuxDefaults, merge, noKnobs } from "./Knobs.ts"

export interface Effect {
  readonly knobs: Knobs
  /** The MTU that it gives the link. */
  readonly mtu?: number
  /** Microseconds that it takes. */
  readonly lasts?: number
  /** The command is one of FreeBSD, whose ways the script then has in mind. */
  readonly isFreeBsd: boolean
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
  const bare = command.replace(/\s(?:[12&]?>>?\s*(?:\/dev\/null|&\d)|&$)/g, "")
  return (bare.match(/(?:"[^"]*"|'[^']*'|[^\s"'])+/g) ?? []).map((word) => word.replace(/["']/g, ""))
}

const nothing: Effect = { knobs: noKnobs, unknown: [], isFreeBsd: false }

const tcp = (knobs: Knobs["tcp"]): Effect => ({ ...nothing, knobs: { tcp: knobs, limits: {} } })

const unknown = (...words: ReadonlyArray<string>): Effect => ({ ...nothing, unknown: words })

/** `name=value` of `sysctl`, or `/proc/sys/name=value`. */
const setting = (word: string): Effect => {
  const [, path = "", value = ""] = /^([^=]+)=([\s\S]*)$/.exec(word) ?? []
  const name = path.startsWith("/proc/sys/") ? path.slice("/proc/sys/".length).replaceAll("/", ".") : path
  const meant = knobsOf(name, value.trim())
  if (meant === "unknown") return unknown(word)
  return { ...nothing, knobs: meant === "without effect" ? noKnobs : meant }
}

const both = (a: Effect, b: Effect): Effect => ({
  ...a,
  ...b,
  knobs: merge(a.knobs, b.knobs),
  isFreeBsd: a.isFreeBsd || b.isFreeBsd,
  unknown: [...a.unknown, ...b.unknown]
})

const all = (effects: ReadonlyArray<Effect>): Effect => effects.reduce(both, nothing)

/** Programs that change nothing that a script can see of this stack. */
const harmless = new Set([
  ":",
  "arp",
  "cat",
  "date",
  "dmesg",
  "echo",
  "ethtool",
  "kldload",
  "kldstat",
  "kldunload",
  "ls",
  "modprobe",
  "ndp",
  "netstat",
  "rm",
  "set",
  "sockstat",
  "sync",
  "touch",
  "true",
  "ulimit"
])

/** `5ms`, `2s`, `200` (milliseconds). */
const spanOf = (word: string): Time.Span => {
  const [, amount = "", unit = "ms"] = /^([\d.]+)(us|ms|s)?$/.exec(word) ?? []
  return Time.micros(Number(amount) * { us: 1, ms: 1000, s: 1e6 }[unit as "us" | "ms" | "s"])
}

type Attribute = (value: string) => Effect | undefined

/** What a route says of connections over it. */
const routeAttributes: Readonly<Record<string, Attribute>> = {
  initcwnd: (value) => tcp({ initialWindow: Number(value) }),
  initrwnd: () => nothing,
  rto_min: (value) => tcp({ minRto: spanOf(value) }),
  quickack: (value) => tcp({ quickAcks: value === "0" ? 16 : Infinity }),
  congctl: (value) => {
    const name = controllerOf(value)
    return name === undefined ? undefined : tcp({ congestionControl: name })
  },
  features: (value) => value === "ecn" ? tcp({ ecn: "active" }) : undefined,
  mtu: (value) => ({ ...nothing, mtu: Number(value) })
}

const plainRouteWords = new Set(["via", "dev", "proto", "scope", "src", "metric", "table"])

/** `ip route replace default dev tun0 initcwnd 4`. */
const route = (args: ReadonlyArray<string>, command: string): Effect => {
  const effects: Array<Effect> = []
  for (let i = 0; i < args.length; i++) {
    const word = args[i]!
    if (plainRouteWords.has(word)) {
      i++
      continue
    }
    if (!Object.hasOwn(routeAttributes, word)) continue
    if (args[i + 1] === "lock") i++
    effects.push(routeAttributes[word]!(args[++i] ?? "") ?? unknown(command))
  }
  return all(effects)
}

const ip = (args: ReadonlyArray<string>, command: string): Effect => {
  const words = args.filter((arg) => !arg.startsWith("-"))
  const [object = "", verb = ""] = words
  if (object.startsWith("tcp_m") || ["show", "list", "get", "flush"].includes(verb)) return nothing
  if (object.startsWith("ro") && ["add", "append", "change", "replace"].includes(verb)) {
    return route(words.slice(2), command)
  }
  const mtu = words.indexOf("mtu")
  if (object.startsWith("l") && mtu > 0) return { ...nothing, mtu: Number(words[mtu + 1]) }
  return unknown(command)
}

/** `ifconfig tun0 mtu 1280`; whatever else it sets, there is one interface with the script's addresses. */
const ifconfig = (args: ReadonlyArray<string>, command: string): Effect => {
  const mtu = Number(args[args.indexOf("mtu") + 1])
  return args.includes("mtu") && mtu > 0 ? { ...nothing, mtu } : args.length <= 1 ? nothing : unknown(command)
}

const sleeps: Readonly<Record<string, number>> = { sleep: 1e6, usleep: 1 }

const program = (name: string, args: ReadonlyArray<string>, command: string): Effect => {
  const settings = args.filter((arg) => arg.includes("="))
  if (name === "" || harmless.has(name)) return nothing
  // Reading a setting changes nothing.
  if (name === "sysctl" || name === "set_sysctls.py") return all(settings.map(setting))
  if (/^(?:set_)?defaults\.sh$/.test(name)) return both(tcp(linuxDefaults), all(settings.map(setting)))
  if (name === "ip") return ip(args, command)
  if (name === "ifconfig") return ifconfig(args, command)
  if (Object.hasOwn(sleeps, name)) return { ...nothing, lasts: Number(args[0]) * sleeps[name]! }
  // Counters are set to zero here; where they are looked at, something is asserted that can't be told.
  if (name === "nstat" && !command.includes("|")) return nothing
  return unknown(command)
}

const runOne = (command: string): Effect => {
  const written = command.trim()
  const [, value = "", file = ""] = /^echo\s+(.*?)\s*>\s*(\/proc\/sys\/\S+)$/.exec(written) ?? []
  if (file !== "") return setting(`${file}=${value.replace(/["']/g, "")}`)
  const [path = "", ...args] = wordsOf(computed(written.replace(/^(?:sudo|\.|source|bash|sh)\s+/, "")))
  return program(path.slice(path.lastIndexOf("/") + 1), args, written)
}

/** Whether a command is one of FreeBSD. */
export const speaksFreeBsd = (text: string): boolean =>
  /\bnet\.inet6?\.|\bkldload\b|\bkern\.|\bipfw\b|\bifconfig tun\d/.test(text)

/** Commands are separated by lines, semicolons and the shell's `&&` and `||`; `\` joins lines, and `#` begins a comment. */
export const runCommand = (text: string): Effect => {
  const joined = text.replace(/\\\n/g, " ").replace(/(?:^|\s)#[^\n]*/g, "")
  const effect = all(joined.split(/\n|;|&&|\|\|/).map(runOne))
  return { ...effect, isFreeBsd: speaksFreeBsd(text) }
}
