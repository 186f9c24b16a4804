/**
 * Group membership of one interface, the host's side: IGMPv3 and MLDv2 in one machine (RFC 3376 §5, RFC 3810 §6), with what is needed
 * beside routers of older versions (RFC 3376 §7.2, RFC 2236, RFC 3810 §8.2, RFC 2710).
 *
 *     a socket listens, or stops  ─▶ the interface's filter changes ─▶ State-Change Report, `robustness` times in all
 *     a general query             ─▶ wait at random                 ─▶ Current-State Report of every group
 *     a query for a group         ─▶ wait at random                 ─▶ Current-State Report of that group, or of the sources asked for
 *     a query of an older version ─▶ its timer starts: until it ends, joins, leaves and answers are those of that version, without sources
 *
 * A leaf machine: packets, their sources and the link-layer filter are the caller's.
 */
import * as Address from "../../wire/Address.ts"
import * as Filter from "../data/SourceFilter.ts"
import * as Sources from "../data/Sources.ts"
import * as Time from "../Time.ts"
import * as Groups from "./Groups.ts"
import * as Listeners from "./Listeners.ts"
import * as Reports from "./Reports.ts"
import * as Telling from "./Telling.ts"

export { accepts, isReported, make, modeOf } from "./Groups.ts"

export type Gmp = Groups.Groups
export type Message = Telling.Message
export type Query = Extract<Message, { readonly _tag: "Query" }>

export type Input =
  /**
   * A socket (or the stack itself) listens otherwise than before. `before` is the filter that it gave last for this group, `after` the new one;
   * `undefined` for not listening at all.
   */
  | {
    readonly _tag: "Listen"
    readonly group: Address.Address
    readonly before: Filter.Filter | undefined
    readonly after: Filter.Filter | undefined
  }
  /** A query that `Validity.queryFault` has nothing against. */
  | { readonly _tag: "Query"; readonly query: Query }
  /** Another member's report in an older version. */
  | { readonly _tag: "Report"; readonly group: Address.Address }
  /** Routers may not know of this host: the link came up, or the interface got a source that routers accept (RFC 3810 §5.2.13). */
  | { readonly _tag: "Announce" }
  | { readonly _tag: "Alarm" }

export type Action =
  /** A message for the link: hop limit 1, router alert (RFC 3376 §4, RFC 3810 §5), but no alert in IGMPv1. */
  | { readonly _tag: "Send"; readonly message: Message; readonly destination: Address.Address }
  /** The socket can't listen so; nothing has changed. */
  | { readonly _tag: "Refuse"; readonly bound: "multicastGroups" | "multicastSources" }

export type Outcome = readonly [Gmp, ReadonlyArray<Action>]

export interface Settings {
  readonly mtu: number
  readonly limits: { readonly multicastGroups: number; readonly multicastSources: number }
  /** A number in [0, 1) that nobody can guess, different for every `draw`; the machine counts its draws. */
  readonly fraction: (draw: number) => number
}

/** rfc: 3376 §7.2.1 MUST: IGMPv1 knows no other. */
const version1ResponseTime = Time.seconds(10)

/** 224.0.0.22 and ff02::16: routers that speak the newest version (RFC 3376 §4.2.14, RFC 3810 §5.2.14). */
const newestRouters = { 4: 0xe0000016 | 0, 6: Address.v6(0xff020000, 0, 0, 0x16) } as const

export const step = (self: Gmp, input: Input, at: Time.Instant, settings: Settings): Outcome => {
  const work: Telling.Work = { at, fraction: settings.fraction, messages: [], records: [], draws: self.draws }
  const changed = take(work, Groups.withoutElapsed(self, at), input, settings)
  if (typeof changed === "string") return [self, [{ _tag: "Refuse", bound: changed }]]
  const actions: Array<Action> = work.messages.map((sent) => ({ _tag: "Send", ...sent }))
  for (const records of Reports.pack(work.records, self.version, settings.mtu)) {
    const destination = newestRouters[self.version]
    actions.push({ _tag: "Send", message: { _tag: "Records", records }, destination })
  }
  return [{ ...changed, draws: work.draws, deadline: Groups.deadlineOf(changed) }, actions]
}

/** What the machine becomes, or the bound that forbids it. */
type Taken = Gmp | "multicastGroups" | "multicastSources"

const take = (work: Telling.Work, self: Gmp, input: Input, settings: Settings): Taken => {
  switch (input._tag) {
    case "Listen":
      return onListen(work, self, input, settings)
    case "Query":
      return onQuery(work, self, input.query, settings.limits.multicastSources)
    case "Report":
      return onReport(self, input.group)
    case "Announce":
      return onAnnounce(work, self)
    case "Alarm":
      return onAlarm(work, self)
  }
}

const onListen = (
  work: Telling.Work,
  self: Gmp,
  input: Extract<Input, { readonly _tag: "Listen" }>,
  { limits }: Settings
): Taken => {
  const known = self.groups.get(Address.key(input.group))
  const group = known ?? Groups.unknown(input.group)
  const without = input.before === undefined ? group.listeners : Listeners.remove(group.listeners, input.before)
  const listeners = input.after === undefined ? without : Listeners.add(without, input.after)
  const count = Listeners.sourceCount(listeners)
  // rfc: 3376 §3.2 MUST, 3810 §4.2 MUST: what is too much is an error to whoever asked for it
  if (count > limits.multicastSources && count > Listeners.sourceCount(group.listeners)) return "multicastSources"
  const filter = Listeners.filterOf(listeners)
  const isNew = known === undefined && !Filter.isNothing(filter)
  const room = isNew ? Groups.withRoom(self, limits.multicastGroups) : self
  if (room === undefined) return "multicastGroups"
  const wanted: Groups.Group = { ...group, listeners, filter }
  const isSame = Filter.equals(filter, group.filter)
  return Groups.withGroups(room, [isSame ? wanted : Telling.change(work, room, wanted, group.filter)])
}

/** All groups are told again as if they had just been joined. */
const onAnnounce = (work: Telling.Work, self: Gmp): Gmp => {
  const listened = Array.from(self.groups.values()).filter(({ filter }) => !Filter.isNothing(filter))
  return Groups.withGroups(self, listened.map((group) => Telling.change(work, self, group, Filter.nothing)))
}

const onQuery = (work: Telling.Work, before: Gmp, query: Query, sourceLimit: number): Gmp => {
  const maximumResponse = before.version === 4 && query.version === 1
    ? version1ResponseTime
    : Time.millis(query.maximumResponseMillis)
  const self = heardQuerier(before, query, maximumResponse, work.at)
  if (Address.isUnspecified(query.group)) return onGeneralQuery(work, self, maximumResponse)
  const group = self.groups.get(Address.key(query.group))
  if (group === undefined || !Groups.isAnswered(group)) return self
  return Groups.withGroups(self, [
    Groups.isNewest(self)
      ? onGroupQuery(work, self, group, maximumResponse, query.sources, sourceLimit)
      : onOlderQuery(work, group, maximumResponse)
  ])
}

/** What a query tells about its sender: its version, its robustness variable, its interval. */
const heardQuerier = (self: Gmp, query: Query, maximumResponse: Time.Span, at: Time.Instant): Gmp => {
  if (query.version === Groups.newestVersion[self.version]) {
    const { queryIntervalSeconds, robustness } = query
    return {
      ...self,
      // rfc: 3376 §4.1.6, §4.1.7, 3810 §5.1.8, §5.1.9: zero means that the querier does not say
      robustness: robustness === 0 ? Groups.defaultRobustness : robustness,
      queryInterval: queryIntervalSeconds === 0 ? Groups.defaultQueryInterval : Time.seconds(queryIntervalSeconds)
    }
  }
  // rfc: 3376 §8.12 MUST, 3810 §9.12 MUST
  const until = Time.plus(at, Time.add(Time.scale(self.queryInterval, self.robustness), maximumResponse))
  const { version1Until, version2Until } = self
  if (query.version === 1) return Groups.inMode(self, { version1Until: until, version2Until })
  // rfc: 3376 §7.2.1: only general queries tell that the querier speaks IGMPv2
  return Address.isUnspecified(query.group) ? Groups.inMode(self, { version1Until, version2Until: until }) : self
}

const onGeneralQuery = (work: Telling.Work, self: Gmp, maximumResponse: Time.Span): Gmp => {
  const answered = Array.from(self.groups.values()).filter(Groups.isAnswered)
  if (answered.length === 0) return self
  if (!Groups.isNewest(self)) {
    // rfc: 2236 §3, 2710 §4: each group answers at a time of its own
    const told = answered.map((group) => onOlderQuery(work, group, maximumResponse))
    return told.every((group, i) => group === answered[i]) ? self : Groups.withGroups(self, told)
  }
  // rfc: 3376 §5.2 rules 1 and 2, 3810 §6.2 rules 1 and 2
  return { ...self, generalAt: Time.earliest(self.generalAt, Telling.draw(work, maximumResponse)) }
}

const onGroupQuery = (
  work: Telling.Work,
  self: Gmp,
  group: Groups.Group,
  maximumResponse: Time.Span,
  sources: ReadonlyArray<Address.Address>,
  sourceLimit: number
): Groups.Group => {
  const at = Telling.draw(work, maximumResponse)
  // rfc: 3376 §5.2 rule 1, 3810 §6.2 rule 1: all groups are told by then anyway
  if (self.generalAt < at) return group
  const isPending = group.responseAt !== Time.never
  const isWhole = sources.length === 0 || (isPending && group.asked.length === 0)
  // Rules 3 to 5. More sources than may be remembered are answered with the whole group, which tells all (rfc: 3376 §9.1, 3810 §10.1).
  const asked = isWhole ? Sources.empty : Sources.union(group.asked, Sources.of(sources))
  return {
    ...group,
    asked: asked.length > sourceLimit ? Sources.empty : asked,
    responseAt: Time.earliest(group.responseAt, at)
  }
}

/** rfc: 2236 §6, 2710 §4: a timer that runs is drawn anew only if it would end later than the query allows. */
const onOlderQuery = (work: Telling.Work, group: Groups.Group, maximumResponse: Time.Span): Groups.Group =>
  group.responseAt <= Time.plus(work.at, maximumResponse)
    ? group
    : { ...group, responseAt: Telling.draw(work, maximumResponse) }

/** rfc: 2236 §6, 2710 §5: one report of a group is enough for routers of older versions. */
const onReport = (self: Gmp, address: Address.Address): Gmp => {
  const group = self.groups.get(Address.key(address))
  if (group === undefined || Groups.isNewest(self) || group.responseAt === Time.never) return self
  return Groups.withGroups(self, [{ ...group, responseAt: Time.never }])
}

const onAlarm = (work: Telling.Work, self: Gmp): Gmp => {
  const isGeneral = self.generalAt <= work.at
  const changed: Array<Groups.Group> = []
  for (const group of self.groups.values()) {
    // rfc: 3376 §5.2, 3810 §6.3 1
    if (isGeneral && Groups.isAnswered(group)) work.records.push(Reports.current(group.group, group.filter))
    if (group.responseAt > work.at && group.retransmitAt > work.at) continue
    const answered = group.responseAt <= work.at ? respond(work, self, group, isGeneral) : group
    changed.push(answered.retransmitAt <= work.at ? Telling.stateChange(work, answered) : answered)
  }
  return { ...Groups.withGroups(self, changed), generalAt: isGeneral ? Time.never : self.generalAt }
}

/** Answers the queries for a group; `isTold` if the answer to a general query says it all. */
const respond = (work: Telling.Work, self: Gmp, group: Groups.Group, isTold: boolean): Groups.Group => {
  const answered: Groups.Group = { ...group, responseAt: Time.never, asked: Sources.empty }
  if (!Groups.isAnswered(group)) return answered
  if (!Groups.isNewest(self)) {
    Telling.report(work, self, group.group)
  } else if (!isTold) {
    // rfc: 3376 §5.2, 3810 §6.3 2 and 3
    const record = group.asked.length === 0
      ? Reports.current(group.group, group.filter)
      : Reports.currentOf(group.group, group.filter, group.asked)
    if (record !== undefined) work.records.push(record)
  }
  return answered
}
