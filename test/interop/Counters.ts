/**
 * What the kernel has counted in a namespace (`/proc/net/snmp` and `/proc/net/netstat`), by names such as `Ip.FragCreates`.
 */
import * as Effect from "effect/Effect"
import type * as Namespace from "./Namespace.ts"
import type * as Process from "./Process.ts"

export type Counters = Readonly<Record<string, number>>

/** Lines come in pairs, names above values, both behind the same group's name. */
const parse = (text: string): Counters => {
  const lines = text.split("\n").filter((line) => line.includes(":")).map((line) => line.split(/:? +/))
  const counters: Record<string, number> = {}
  for (let i = 0; i + 1 < lines.length; i += 2) {
    const [group, ...names] = lines[i]!
    const values = lines[i + 1]!.slice(1)
    for (const [j, name] of names.entries()) counters[`${group}.${name}`] = Number(values[j])
  }
  return counters
}

export const read = (namespace: Namespace.Namespace): Effect.Effect<Counters, Process.ProcessError> =>
  Effect.map(
    namespace.succeed("cat", ["/proc/net/snmp", "/proc/net/netstat"]),
    ({ stdout }) => parse(stdout)
  )
