/**
 * What an interface knows of its multicast groups and of the routers that ask for them (RFC 3376 §5, §7.2.1; RFC 3810 §6, §8.2.1).
 *
 * The records of the machine in `Gmp.ts`, and what can be said and changed of them without a word on the link.
 */
import * as Address from "../../wire/Address.ts"
import * as Filter from "../data/SourceFilter.ts"
import * as Sources from "../data/Sources.ts"
import * as Time from "../Time.ts"
import * as Listeners from "./Listeners.ts"

/** A source whose change is yet to be told to the routers, in so many reports. */
interface Change {
  readonly source: Address.Address
  readonly reports: number
}

export interface Group {
  readonly group: Address.Address
  readonly listeners: Listeners.Listeners
  /** What the interface wants of the group: the sum of its listeners. */
  readonly filter: Filter.Filter
  /** Reports in which the mode of the filter is yet to be told (the filter mode retransmission counter of RFC 3810 §6.1). */
  readonly modeReports: number
  /** The retransmission list of RFC 3810 §6.1, in order of the sources. */
  readonly changes: ReadonlyArray<Change>
  readonly retransmitAt: Time.Instant
  /** When to answer queries for this group; `never` if none waits. */
  readonly responseAt: Time.Instant
  /** The sources that the answer is about; none means the whole group. */
  readonly asked: Sources.Sources
}

export interface Groups {
  readonly version: Address.Version
  /** By `Address.key`, in order of joining. */
  readonly groups: ReadonlyMap<number | string, Group>
  /** When to answer a general query with all groups; `never` if none waits. */
  readonly generalAt: Time.Instant
  /** Until when the querier counts as one of version 1: IGMPv1 or MLDv1. `undefined` if it does not. */
  readonly version1Until: Time.Instant | undefined
  /** The same for IGMPv2. */
  readonly version2Until: Time.Instant | undefined
  /** The robustness variable and the query interval, as the querier of the newest version last told them. */
  readonly robustness: number
  readonly queryInterval: Time.Span
  /** Random numbers drawn so far. */
  readonly draws: number
  /** When there is something to do; `never` if nothing waits. */
  readonly deadline: Time.Instant
}

/** RFC 3376 §8, RFC 3810 §9 */
export const defaultRobustness = 2
export const defaultQueryInterval = Time.seconds(125)

/** IGMPv3 and MLDv2. */
export const newestVersion = { 4: 3, 6: 2 } as const

export const make = (version: Address.Version): Groups => ({
  version,
  groups: new Map(),
  generalAt: Time.never,
  version1Until: undefined,
  version2Until: undefined,
  robustness: defaultRobustness,
  queryInterval: defaultQueryInterval,
  draws: 0,
  deadline: Time.never
})

/** A group of which nobody wants anything. */
export const unknown = (group: Address.Address): Group => ({
  group,
  listeners: Listeners.none,
  filter: Filter.nothing,
  modeReports: 0,
  changes: [],
  retransmitAt: Time.never,
  responseAt: Time.never,
  asked: Sources.empty
})

const allNodesV4: Address.Ipv4 = 0xe0000001 | 0
const allNodesV6: Address.Ipv6 = Address.v6(0xff020000, 0, 0, 1)

const isAllNodes = (group: Address.Address): boolean =>
  Address.equals(group, Address.isV4(group) ? allNodesV4 : allNodesV6)

/** Whether routers hear of the group at all (rfc: 3376 §5, 3810 §6): not of all nodes, nor of groups that stay inside the host. */
export const isReported = (group: Address.Address): boolean =>
  !isAllNodes(group) && (Address.isV4(group) || ((group.w0 >>> 16) & 0xf) > 1)

/** Whether packets from the source to the group are wanted on this interface; those to all nodes always are. */
export const accepts = (self: Groups, group: Address.Address, source: Address.Address): boolean => {
  if (isAllNodes(group)) return true
  const found = self.groups.get(Address.key(group))
  return found !== undefined && Filter.accepts(found.filter, source)
}

/** Whether anybody listens to the group, and routers hear of it. */
export const isAnswered = (group: Group): boolean => isReported(group.group) && !Filter.isNothing(group.filter)

/** The version that is spoken on the link now: 3, 2 or 1 of IGMP, 2 or 1 of MLD (the host compatibility mode of RFC 3376 §7.2.1). */
export const modeOf = (self: Groups): number =>
  self.version1Until !== undefined ? 1 : self.version2Until !== undefined ? 2 : newestVersion[self.version]

export const isNewest = (self: Groups): boolean => modeOf(self) === newestVersion[self.version]

/** Whether the routers have yet to be told something. */
export const isTelling = (group: Group): boolean => group.modeReports > 0 || group.changes.length > 0

/** With the groups as they are now; those that nobody listens to, and of which nothing is left to tell, are forgotten. */
export const withGroups = (self: Groups, changed: ReadonlyArray<Group>): Groups => {
  const groups = new Map(self.groups)
  for (const group of changed) {
    const key = Address.key(group.group)
    if (Filter.isNothing(group.filter) && !isTelling(group)) groups.delete(key)
    else groups.set(key, group)
  }
  return { ...self, groups }
}

/** With room for another group. One that was left, and is only told again to be safe, makes room; `undefined` if all are listened to. */
export const withRoom = (self: Groups, limit: number): Groups | undefined => {
  if (self.groups.size < limit) return self
  for (const group of self.groups.values()) {
    if (Filter.isNothing(group.filter)) return withGroups(self, [silenced(group)])
  }
  return undefined
}

/** Without anything that waits to be said of it. */
export const silenced = (group: Group): Group => ({
  ...group,
  modeReports: 0,
  changes: [],
  retransmitAt: Time.never,
  responseAt: Time.never,
  asked: Sources.empty
})

/** With other timers of older queriers. A change of version cancels all that waits to be said (rfc: 3376 §7.2.1, 3810 §8.2.1). */
export const inMode = (self: Groups, timers: Pick<Groups, "version1Until" | "version2Until">): Groups => {
  const timed = { ...self, ...timers }
  if (modeOf(timed) === modeOf(self)) return timed
  return { ...withGroups(timed, Array.from(self.groups.values(), silenced)), generalAt: Time.never }
}

const running = (until: Time.Instant | undefined, at: Time.Instant): Time.Instant | undefined =>
  until !== undefined && until > at ? until : undefined

/** Older queriers that were not heard for long are gone (rfc: 3376 §7.2.1, 3810 §8.2.1). */
export const withoutElapsed = (self: Groups, at: Time.Instant): Groups =>
  inMode(self, { version1Until: running(self.version1Until, at), version2Until: running(self.version2Until, at) })

/** When the first thing is due. */
export const deadlineOf = (self: Groups): Time.Instant => {
  let deadline = Time.earliest(self.generalAt, self.version1Until ?? Time.never)
  deadline = Time.earliest(deadline, self.version2Until ?? Time.never)
  for (const group of self.groups.values()) {
    deadline = Time.earliest(deadline, Time.earliest(group.responseAt, group.retransmitAt))
  }
  return deadline
}
