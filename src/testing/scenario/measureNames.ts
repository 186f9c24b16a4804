/**
 * The names of all measures that a scenario can have, so that one which it expects or tells in vain is found before it runs.
 */
import * as Counter from "../../core/Counter.ts"
import * as Drop from "../../core/Drop.ts"
import type { Flow, Scenario } from "../Scenario.ts"

type Names = ReadonlyArray<string>

const ofConnection: Names = [
  "delivered",
  "segments",
  "retransmitted",
  "timeouts",
  "maximumWindow",
  "maximumRtt",
  "minimumRtt",
  "longestPause"
]

const ofFlow: Readonly<Record<Flow["kind"], Names>> = {
  transfer: [...ofConnection, "isComplete", "isIntact", "failed", "seconds", "megabitsPerSecond"],
  questions: [...ofConnection, "answered", "failed", "medianMillis", "maximumMillis"],
  flood: ["sent"]
}

const ofLink: Names = ["forth", "back"].flatMap((direction) =>
  ["offered", "lost", "partitioned", "queueFull", "maximumQueue"].map((name) => `${direction}.${name}`)
)

const ofHost: Names = [...Counter.names, ...Drop.reasons.map((reason) => `dropped.${reason}`)]

/** The names by what they belong to, which may be a flow and a host at once; those of the whole run have no owner. */
const namesOf = ({ flows, topology }: Scenario): ReadonlyMap<string, Names> => {
  const hosts = [...Object.keys(topology.hosts), ...Object.keys(topology.routers ?? {})]
  const owned = [
    ...Object.entries(flows).map(([name, { kind }]) => [name, ofFlow[kind]] as const),
    ...Object.keys(topology.links).map((name) => [name, ofLink] as const),
    ...hosts.map((name) => [name, ofHost] as const)
  ]
  const names = new Map<string, Names>()
  for (const [owner, own] of owned) names.set(owner, [...(names.get(owner) ?? []), ...own])
  return names
}

const ofRun: Names = ["fairness"]

/** More than this is no help to read. */
const worthTelling = 16

/** Why there is no measure of a name; nothing if there is one. */
export const faultOf = (scenario: Scenario, name: string): string | undefined => {
  const names = namesOf(scenario)
  const owner = Array.from(names.keys()).find((owner) => name.startsWith(`${owner}.`))
  if (owner === undefined) {
    return ofRun.includes(name)
      ? undefined
      : `no measure is called ${name}: it begins with one of ${Array.from(names.keys()).join(", ")}, or is ${
        ofRun.join(", ")
      }`
  }
  const own = names.get(owner)!
  const wanted = name.slice(owner.length + 1)
  if (own.includes(wanted)) return undefined
  const similar = own.filter((each) => each.toLowerCase().includes(wanted.toLowerCase()))
  const told = own.length <= worthTelling ? own : similar.slice(0, worthTelling)
  return `no measure is called ${name}${told.length === 0 ? "" : `: ${owner} has ${told.join(", ")}`}`
}
