/**
 * A strict reader of Prometheus' text format, for tests: it throws at the first line that a server of Prometheus would refuse, or that its
 * conventions forbid.
 */
export interface Sample {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

export interface Family {
  readonly type: string
  readonly help: string
  readonly samples: Array<Sample>
}

const sampleLine = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$/
const label = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\"n])*)"(,|$)/y

const labelsOf = (text: string): Record<string, string> => {
  const labels: Record<string, string> = {}
  label.lastIndex = 0
  while (label.lastIndex < text.length) {
    const found = label.exec(text)
    if (found === null) throw new Error(`labels {${text}}`)
    const [, name = "", value = ""] = found
    if (Object.hasOwn(labels, name)) throw new Error(`twice the label ${name}`)
    labels[name] = value
  }
  return labels
}

const numberOf = (text: string): number => {
  if (text === "+Inf") return Infinity
  if (!/^-?(\d+(\.\d+)?(e[+-]?\d+)?|NaN)$/.test(text)) throw new Error(`the number ${text}`)
  return Number(text)
}

/** The family that a sample's name belongs to. */
const familyOf = (name: string, families: ReadonlyMap<string, Family>): Family => {
  const histogram = families.get(name.replace(/_(bucket|sum|count)$/, ""))
  const family = histogram?.type === "histogram" ? histogram : families.get(name)
  if (family === undefined) throw new Error(`${name} has no TYPE before it`)
  return family
}

/** Buckets go up, are cumulative, and the last holds all. */
const checkHistogram = (name: string, { samples }: Family): void => {
  const buckets = samples.filter((sample) => sample.name === `${name}_bucket`)
  const bounds = buckets.map(({ labels }) => numberOf(labels["le"]!))
  const counts = buckets.map(({ value }) => value)
  const isAscending = (values: ReadonlyArray<number>) => values.every((value, i) => i === 0 || values[i - 1]! <= value)
  if (!isAscending(bounds) || !isAscending(counts) || bounds.at(-1) !== Infinity) throw new Error(`buckets of ${name}`)
  const count = samples.find((sample) => sample.name === `${name}_count`)
  if (count === undefined || count.value !== counts.at(-1)) throw new Error(`the count of ${name}`)
  if (!samples.some((sample) => sample.name === `${name}_sum`)) throw new Error(`the sum of ${name}`)
}

const checkFamily = (name: string, family: Family): void => {
  if (family.type === "histogram") return checkHistogram(name, family)
  if ((family.type === "counter") !== name.endsWith("_total")) throw new Error(`${name} is a ${family.type}`)
  const series = family.samples.map(({ labels }) => JSON.stringify(labels))
  if (new Set(series).size !== series.length) throw new Error(`${name} has a series twice`)
  if (family.type === "counter" && family.samples.some(({ value }) => !(value >= 0))) throw new Error(`${name} < 0`)
}

export const read = (text: string): ReadonlyMap<string, Family> => {
  if (!text.endsWith("\n")) throw new Error("the last line has no end")
  const families = new Map<string, Family>()
  let help: readonly [string, string] = ["", ""]
  for (const line of text.slice(0, -1).split("\n")) {
    const [, kind, name, rest] = /^# (HELP|TYPE) (\S+) (.+)$/.exec(line) ?? []
    if (kind === "HELP") help = [name!, rest!]
    else if (kind === "TYPE") {
      if (families.has(name!)) throw new Error(`two families ${name}`)
      families.set(name!, { type: rest!, help: help[0] === name ? help[1] : "", samples: [] })
    } else {
      const sample = sampleLine.exec(line)
      if (sample === null) throw new Error(`the line ${line}`)
      const [, own, labels = "", value] = sample
      familyOf(own!, families).samples.push({ name: own!, labels: labelsOf(labels), value: numberOf(value!) })
    }
  }
  for (const [name, family] of families) checkFamily(name, family)
  return families
}

/** The value of one series. */
export const valueOf = (
  families: ReadonlyMap<string, Family>,
  name: string,
  labels: Readonly<Record<string, string>> = {}
): number | undefined =>
  familyOf(name, families).samples.find((sample) =>
    sample.name === name && Object.entries(labels).every(([key, value]) => sample.labels[key] === value)
  )?.value
