/**
 * A {@link Topology} with every name looked up: which interface of which host, or which port of which switch, is at which end
 * of which link. What makes a network of it need not check anything again.
 */
import * as Duration from "effect/Duration"
import * as Result from "effect/Result"
import * as Random from "../link/Random.ts"
import type * as Mac from "../wire/Mac.ts"
import { mistakeIn } from "./mistakeIn.ts"
import {
  type Direction,
  type Faults,
  type HostDescription,
  type InterfaceDescription,
  type LinkDescription,
  type Topology,
  TopologyError
} from "./Topology.ts"

export interface PlannedInterface {
  readonly name: string
  /** For an interface that is not given one. */
  readonly mac: Mac.Mac
  readonly mtu: number
  readonly description: InterfaceDescription
}

export interface PlannedHost {
  readonly name: string
  readonly description: HostDescription
  readonly interfaces: ReadonlyArray<PlannedInterface>
}

export interface PlannedSwitch {
  readonly name: string
  readonly ports: number
  readonly mtu: number
}

/** An interface at the end of a link; the numbers are indices in the plan's lists. */
export interface InterfaceEnd {
  readonly _tag: "Interface"
  readonly host: number
  readonly interface: number
}

/** A port of a switch at the end of a link. */
export interface PortEnd {
  readonly _tag: "Port"
  readonly switch: number
  readonly port: number
}

export type End = InterfaceEnd | PortEnd

export interface PlannedLink {
  readonly name: string
  readonly ends: readonly [End, End]
  readonly mtu: number
  readonly faults: Readonly<Record<Direction, Faults>>
}

export interface PlannedChange {
  /** Milliseconds from the start. */
  readonly at: number
  readonly link: string
  readonly faults: Faults | undefined
  readonly directions: ReadonlyArray<Direction>
  readonly partition: boolean | undefined
}

export interface Plan {
  readonly hosts: ReadonlyArray<PlannedHost>
  readonly switches: ReadonlyArray<PlannedSwitch>
  readonly links: ReadonlyArray<PlannedLink>
  /** In the order of their times. */
  readonly changes: ReadonlyArray<PlannedChange>
}

const defaultMtu = 1500

/** Locally administered (IEEE 802-2014 §8.2.2), and telling to a reader: `02:00:00:00:HH:II`. */
const macOf = (host: number, index: number): Mac.Mac => 0x0200_0000_0000 + (host + 1) * 0x100 + index + 1

/** The seed of one part of a network, so that what one host draws does not depend on the others. */
export const seedOf = (seed: number, name: string): number => Random.make(seed, Random.streamOf(name), 0).word()

const interfacesOf = (description: HostDescription): ReadonlyArray<readonly [string, InterfaceDescription]> => {
  if (description.interfaces !== undefined) return Object.entries(description.interfaces)
  const { addresses, gateway, ipv4, mac, mtu } = description
  const given = Object.entries({ addresses, gateway, ipv4, mac, mtu }).filter(([, value]) => value !== undefined)
  return [["eth0", Object.fromEntries(given)]]
}

const failed = (where: string, detail: string): TopologyError => new TopologyError({ where, detail })

interface DraftInterface {
  readonly name: string
  readonly description: InterfaceDescription
  /** The link at it. */
  link: PlannedLink | undefined
  /** Named by a link, so that no other gets it without a name. */
  isNamed: boolean
}

interface DraftHost {
  readonly name: string
  readonly description: HostDescription
  readonly interfaces: ReadonlyArray<DraftInterface>
}

interface DraftSwitch {
  readonly name: string
  readonly mtu: number
  ports: number
}

/** Hosts, then routers, which are hosts that forward. */
const hostsOf = ({ hosts, routers = {} }: Topology): ReadonlyArray<readonly [string, HostDescription]> => [
  ...Object.entries(hosts),
  ...Object.entries(routers).map(([name, router]) => [name, { ...router, forwarding: true }] as const)
]

/** A topology while its names are looked up. */
class Draft {
  readonly hosts: ReadonlyArray<DraftHost>
  readonly switches: ReadonlyArray<DraftSwitch>

  constructor(topology: Topology) {
    this.hosts = hostsOf(topology).map(([name, description]) => ({
      name,
      description,
      interfaces: interfacesOf(description).map(([name, description]) => ({
        name,
        description,
        link: undefined,
        isNamed: false
      }))
    }))
    this.switches = Object.entries(topology.switches ?? {}).map(([name, { mtu }]) => ({
      name,
      mtu: mtu ?? defaultMtu,
      ports: 0
    }))
  }

  /** The host and the interface that an end names; the interface is left open by a host's name alone. */
  find(end: string): readonly [number, number | undefined] | undefined {
    const whole = this.hosts.findIndex(({ name }) => name === end)
    if (whole >= 0) return [whole, undefined]
    const dot = end.lastIndexOf(".")
    const host = this.hosts.findIndex(({ name }) => name === end.slice(0, dot))
    const index = this.hosts[host]?.interfaces.findIndex(({ name }) => name === end.slice(dot + 1)) ?? -1
    return dot > 0 && index >= 0 ? [host, index] : undefined
  }

  /** Keeps the interfaces that ends name from those that name a host only. */
  reserve(end: string): void {
    const found = this.find(end)
    if (found?.[1] !== undefined) this.hosts[found[0]]!.interfaces[found[1]]!.isNamed = true
  }

  resolve(where: string, end: string, taken: ReadonlySet<DraftInterface>): End {
    const index = this.switches.findIndex(({ name }) => name === end)
    if (index >= 0) return { _tag: "Port", switch: index, port: this.switches[index]!.ports++ }
    const [host, named] = this.find(end) ?? [-1, undefined]
    const interfaces = this.hosts[host]?.interfaces
    if (interfaces === undefined) throw failed(where, `no host, interface or switch is called ${end}`)
    const free = interfaces.findIndex((each) => !each.isNamed && !taken.has(each))
    const found = named ?? free
    if (found < 0) throw failed(where, `every interface of ${end} has a link already`)
    if (taken.has(interfaces[found]!)) throw failed(where, `${end} has a link already`)
    return { _tag: "Interface", host, interface: found }
  }
}

/** The faults alone, without what else a link has. */
const faultsOf = (
  { back: _back, between: _between, forth: _forth, mtu: _mtu, ...faults }: LinkDescription
): Faults => faults

const mtuOf = (draft: Draft, { mtu }: LinkDescription, ends: ReadonlyArray<End>): number =>
  ends.reduce(
    (least, end) => end._tag === "Port" ? Math.min(least, draft.switches[end.switch]!.mtu) : least,
    mtu ?? defaultMtu
  )

/** The same faults, if they make sense. */
const checked = (where: string, faults: Faults): Faults => {
  const mistake = mistakeIn(faults)
  if (mistake !== undefined) throw failed(where, mistake)
  return faults
}

const planLinks = (topology: Topology, draft: Draft): ReadonlyArray<PlannedLink> => {
  const all = Object.entries(topology.links)
  for (const [, { between }] of all) for (const end of between) draft.reserve(end)
  const taken = new Set<DraftInterface>()
  return all.map(([name, description]) => {
    const resolve = (end: string): End => {
      const found = draft.resolve(`link ${name}`, end, taken)
      if (found._tag === "Interface") taken.add(draft.hosts[found.host]!.interfaces[found.interface]!)
      return found
    }
    const [first, second] = description.between
    const ends = [resolve(first), resolve(second)] as const
    const both = faultsOf(description)
    const link: PlannedLink = {
      name,
      ends,
      mtu: mtuOf(draft, description, ends),
      faults: {
        forth: checked(`link ${name}`, description.forth ?? both),
        back: checked(`link ${name}`, description.back ?? both)
      }
    }
    for (const end of ends) {
      if (end._tag === "Interface") draft.hosts[end.host]!.interfaces[end.interface]!.link = link
    }
    return link
  })
}

const planHost = (draft: DraftHost, host: number): PlannedHost => ({
  name: draft.name,
  description: draft.description,
  interfaces: draft.interfaces.map(({ description, link, name }, index) => {
    const where = `${draft.name}.${name}`
    if (link === undefined) throw failed(where, "the interface has no link")
    const mtu = description.mtu ?? link.mtu
    if (mtu > link.mtu) throw failed(where, `an MTU of ${mtu} exceeds the ${link.mtu} of link ${link.name}`)
    return { name, mtu, mac: macOf(host, index), description }
  })
})

const bothDirections: ReadonlyArray<Direction> = ["forth", "back"]

const planChanges = ({ changes = [], links }: Topology): ReadonlyArray<PlannedChange> =>
  changes.map(({ at, direction, faults, link, partition }, i) => {
    if (!(link in links)) throw failed(`change ${i + 1}`, `no link is called ${link}`)
    if (faults !== undefined) checked(`change ${i + 1}`, faults)
    const directions = direction === undefined ? bothDirections : [direction]
    return { at: Duration.toMillis(at), link, faults, directions, partition }
  }).toSorted((a, b) => a.at - b.at)

const checkNames = ({ hosts, routers = {}, switches = {} }: Topology): void => {
  for (const name of Object.keys(routers)) {
    if (name in hosts) throw failed(`router ${name}`, "a host has the same name")
  }
  for (const name of Object.keys(switches)) {
    if (name in hosts || name in routers) throw failed(`switch ${name}`, "a host has the same name")
  }
}

/** Looks up every name of a topology. */
export const make = (topology: Topology): Result.Result<Plan, TopologyError> =>
  Result.try({
    try: () => {
      checkNames(topology)
      const draft = new Draft(topology)
      const links = planLinks(topology, draft)
      return {
        hosts: draft.hosts.map(planHost),
        switches: draft.switches,
        links,
        changes: planChanges(topology)
      }
    },
    catch: (error) => {
      if (error instanceof TopologyError) return error
      throw error
    }
  })

/** The name of the host or the switch at an end of a link. */
export const nameOf = (plan: Pick<Plan, "hosts" | "switches">, end: End): string =>
  end._tag === "Port" ? plan.switches[end.switch]!.name : plan.hosts[end.host]!.name
