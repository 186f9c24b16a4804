/** How expectations fail, and what they have in common. */
import * as Data from "effect/Data"
import type { StateName } from "../core/tcp/Info.ts"
import { mismatch, show } from "./Like.ts"

/** An expectation was not met. */
export class Unmet extends Data.TaggedError("Unmet")<{ readonly expected: string; readonly found: string }> {
  override get message(): string {
    return `expected ${this.expected}\n${this.found}`
  }
}

/** A value, or a test of it. */
export type Amount = number | ((value: number) => boolean)

/** Expects what is read by each name to be as expected. */
export const amounts = <Name extends string>(
  what: string,
  expected: Readonly<Partial<Record<Name, Amount>>>,
  read: (name: Name) => number
): void => {
  const wrong = (Object.entries<Amount | undefined>(expected) as Array<[Name, Amount]>).filter(([name, amount]) =>
    mismatch(read(name), amount, name) !== undefined
  )
  if (wrong.length === 0) return
  const found = wrong.map(([name]) => `${name} is ${read(name)}`).join(", ")
  throw new Unmet({ expected: `${what} ${show(Object.fromEntries(wrong))}`, found: `but ${found}` })
}

/** Expects as many connections in these states, and none in any other. */
export const states = (
  expected: Readonly<Partial<Record<StateName, number>>>,
  found: ReadonlyMap<StateName, number>
): void => {
  const names = new Set([...found.keys(), ...(Object.keys(expected) as ReadonlyArray<StateName>)])
  const wrong = [...names].filter((name) => (found.get(name) ?? 0) !== (expected[name] ?? 0))
  if (wrong.length === 0) return
  const there = [...found].map(([name, count]) => `${count} in ${name}`).join(", ")
  throw new Unmet({
    expected: `connections ${show(expected)}`,
    found: `but there ${there === "" ? "were none" : `were ${there}`}`
  })
}
