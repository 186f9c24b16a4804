/**
 * What is said when the interface wants other packets of a group than before: State-Change Reports, again until they can't all have been lost
 * (RFC 3376 §5.1, RFC 3810 §6.1), or reports and leaves of older versions (RFC 2236 §3, RFC 2710 §4).
 */
import * as Address from "../../wire/Address.ts"
import type * as Membership from "../../wire/Membership.ts"
import * as Filter from "../data/SourceFilter.ts"
import * as Sources from "../data/Sources.ts"
import * as Time from "../Time.ts"
import * as Groups from "./Groups.ts"
import * as Reports from "./Reports.ts"

export type Message = Membership.Message<Address.Address>

/** What one step has to say and what it draws. */
export interface Work {
  readonly at: Time.Instant
  readonly fraction: (draw: number) => number
  /** Messages of older versions. */
  readonly messages: Array<{ readonly message: Message; readonly destination: Address.Address }>
  /** Records for reports of the newest version. */
  readonly records: Array<Reports.GroupRecord>
  draws: number
}

/** RFC 3376 §8.11, RFC 3810 §9.11 */
const unsolicitedReportInterval = Time.seconds(1)
/** RFC 2236 §8.10, RFC 2710 §7.10 */
const olderUnsolicitedReportInterval = Time.seconds(10)

/** 224.0.0.2 and ff02::2 (RFC 2236 §9, RFC 2710 §4). */
const allRouters = { 4: 0xe0000002 | 0, 6: Address.v6(0xff020000, 0, 0, 2) } as const

/** A random time in (0, limit] from now. */
export const draw = (work: Work, limit: Time.Span): Time.Instant =>
  Time.plus(work.at, Time.scale(limit, 1 - work.fraction(work.draws++)))

/** The filter of the interface was `before` and is that of `group` now: tells the routers. */
export const change = (work: Work, self: Groups.Groups, group: Groups.Group, before: Filter.Filter): Groups.Group => {
  if (!Groups.isReported(group.group)) return group
  if (!Groups.isNewest(self)) return changeOlder(work, self, group, before)
  const { robustness } = self
  if (group.filter.mode !== before.mode) return stateChange(work, { ...group, modeReports: robustness })
  // rfc: 3376 §5.1, 3810 §6.1: what has changed is told `robustness` times, counted from now; older changes keep their count
  const latest = Filter.changed(before, group.filter)
  const older = group.changes.filter(({ source }) => !Sources.has(latest, source))
  const changes = [...older, ...latest.map((source) => ({ source, reports: robustness }))]
    .toSorted((a, b) => Address.compare(a.source, b.source))
  return stateChange(work, { ...group, changes })
}

/** Says what is to be told of a group, once, and when it will be said again (RFC 3376 §5.1, RFC 3810 §6.1, §6.3 4). */
export const stateChange = (work: Work, group: Groups.Group): Groups.Group => {
  if (group.modeReports > 0) work.records.push(Reports.modeChange(group.group, group.filter))
  else work.records.push(...Reports.sourceChanges(group.group, group.filter, group.changes.map(({ source }) => source)))
  const told: Groups.Group = {
    ...group,
    modeReports: Math.max(0, group.modeReports - 1),
    changes: group.changes.filter(({ reports }) => reports > 1)
      .map(({ reports, source }) => ({ source, reports: reports - 1 }))
  }
  return { ...told, retransmitAt: Groups.isTelling(told) ? draw(work, unsolicitedReportInterval) : Time.never }
}

/** Older versions know only members and others (RFC 2236 §6, RFC 2710 §5). */
const changeOlder = (
  work: Work,
  self: Groups.Groups,
  group: Groups.Group,
  before: Filter.Filter
): Groups.Group => {
  const wasMember = !Filter.isNothing(before)
  const isMember = !Filter.isNothing(group.filter)
  if (wasMember === isMember) return group
  if (isMember) {
    report(work, self, group.group)
    const isRepeated = self.robustness > 1
    return { ...group, responseAt: isRepeated ? draw(work, olderUnsolicitedReportInterval) : Time.never }
  }
  // rfc: 2236 §6 SHOULD: IGMPv1 routers don't know what it is to leave
  if (self.version === 6 || Groups.modeOf(self) === 2) {
    work.messages.push({ message: { _tag: "Leave", group: group.group }, destination: allRouters[self.version] })
  }
  return Groups.silenced(group)
}

/** A report in the older version that is spoken, to the group itself, so that its other members hear it (rfc: 3376 §4.2.14, 3810 §5.2.14). */
export const report = (work: Work, self: Groups.Groups, group: Address.Address): void => {
  work.messages.push({ message: { _tag: "Report", version: Groups.modeOf(self), group }, destination: group })
}
