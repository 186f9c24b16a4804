/**
 * A configuration out of an environment, whose variables are named in capitals: `NETSTACK_IPV4`.
 *
 * ```
 *   hopLimit ─▶ NETSTACK_HOP_LIMIT = 64             a value that is wrong: ConfigError with the variable and its value
 *               NETSTACK_HOPLIMIT  = 64             nobody asks for it: a warning, with the name that was meant
 * ```
 *
 * It is no error, since other programs may have variables with the same beginning, and the links of the same environment their own.
 */
import * as Config from "effect/Config"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as SchemaIssue from "effect/SchemaIssue"
import { nearest } from "./workers/nearest.ts"

/** `hopLimit` is `HOP_LIMIT`, `ipv4` is `IPV4`. */
const shouted = (segment: PropertyKey): string => String(segment).replace(/([a-z0-9])([A-Z])/g, "$1_$2").toUpperCase()

const variable = (path: ReadonlyArray<PropertyKey>): string => path.map(shouted).join("_")

/** Parts of a name, beyond which nobody looks for variables. */
const deepest = 8

/** The variables that are set below a path. */
const below = (
  provider: ConfigProvider.ConfigProvider,
  path: ReadonlyArray<string>
): Effect.Effect<ReadonlyArray<string>, ConfigProvider.SourceError> =>
  Effect.gen(function*() {
    const node = yield* provider.load(path)
    if (node === undefined) return []
    const own = node.value === undefined ? [] : [path.join("_")]
    if (node._tag !== "Record" || path.length >= deepest) return own
    const inner = yield* Effect.forEach(node.keys, (key) => below(provider, [...path, key]))
    return [...own, ...inner.flat()]
  })

/** What a variable without effect was probably meant to be. The prefix is right in any case, and does not count. */
const meantBy = (name: string, prefix: string, known: ReadonlySet<string>): string => {
  const bare = (full: string): string => full.slice(prefix.length)
  const meant = nearest(bare(name), Array.from(known, bare))
  return meant === undefined ? "" : ` (did you mean ${prefix}${meant}?)`
}

const warnOfUnknown = (provider: ConfigProvider.ConfigProvider, prefix: string, known: ReadonlySet<string>) =>
  Effect.gen(function*() {
    for (const name of yield* below(provider, [shouted(prefix)])) {
      if (!known.has(name)) {
        yield* Effect.logWarning(
          `${name} has no effect: no option is named so${meantBy(name, `${shouted(prefix)}_`, known)}`
        )
      }
    }
  })

/** What an issue is about: the variable and its value. What a list is wrong in has no variable of its own. */
const subject = (
  provider: ConfigProvider.ConfigProvider,
  path: ReadonlyArray<string>
): Effect.Effect<string | undefined, ConfigProvider.SourceError> =>
  Effect.gen(function*() {
    for (let length = path.length; length > 0; length--) {
      const node = yield* provider.load(path.slice(0, length))
      if (node?.value !== undefined) return `${path.slice(0, length).join("_")} is ${node.value}`
    }
    return undefined
  })

/** The same error with the variable and its value for what the schema says. */
const named = (
  provider: ConfigProvider.ConfigProvider,
  { cause }: Config.ConfigError
): Effect.Effect<never, Config.ConfigError> =>
  Effect.gen(function*() {
    if (!Schema.isSchemaError(cause)) return yield* Effect.fail(new Config.ConfigError(cause))
    const lines: Array<string> = []
    for (const { message, path = [] } of SchemaIssue.makeFormatterStandardSchemaV1()(cause.issue).issues) {
      const names = (path as ReadonlyArray<PropertyKey>).map(shouted)
      const about = yield* Effect.orElseSucceed(subject(provider, names), () => undefined)
      lines.push(`${about ?? names.join("_")}: ${message}`)
    }
    const error = new ConfigProvider.SourceError({ message: lines.join("; "), cause })
    return yield* Effect.fail(new Config.ConfigError(error))
  })

/**
 * Reads a configuration that stands below `prefix` by names in capitals. `others` are names below it that somebody else reads: if they are
 * given, a name that is set and that nobody reads is warned of.
 */
export const read = <A>(
  config: Config.Config<A>,
  prefix: string,
  others?: ReadonlyArray<string>
): Effect.Effect<A, Config.ConfigError> =>
  Effect.gen(function*() {
    const provider = yield* ConfigProvider.ConfigProvider
    const known = new Set((others ?? []).map((name) => variable([prefix, name])))
    const asking = ConfigProvider.make((path) => {
      known.add(variable(path))
      return provider.load(path.map(shouted))
    })
    const found = yield* Effect.catch(config.parse(asking), (error) => named(provider, error))
    if (others !== undefined) yield* Effect.ignore(warnOfUnknown(provider, prefix, known))
    return found
  })
