/**
 * Group records and how they are packed into reports that fit the link (RFC 3376 §4.2.12, §4.2.16; RFC 3810 §5.2.12, §5.2.15).
 */
import * as Address from "../../wire/Address.ts"
import * as Membership from "../../wire/Membership.ts"
import * as Filter from "../data/SourceFilter.ts"
import * as Sources from "../data/Sources.ts"

export type GroupRecord = Membership.GroupRecord<Address.Address>

const { RecordType } = Membership

/** How a group stands: answers a query that asks for all of it. */
export const current = (group: Address.Address, filter: Filter.Filter): GroupRecord => ({
  type: filter.mode === "include" ? RecordType.modeIsInclude : RecordType.modeIsExclude,
  group,
  sources: filter.sources
})

/** How a group stands with the sources that a query names; `undefined` if none of them is wanted (RFC 3376 §5.2, RFC 3810 §6.3). */
export const currentOf = (
  group: Address.Address,
  filter: Filter.Filter,
  asked: Sources.Sources
): GroupRecord | undefined => {
  const sources = filter.mode === "include"
    ? Sources.intersection(filter.sources, asked)
    : Sources.difference(asked, filter.sources)
  return sources.length === 0 ? undefined : { type: RecordType.modeIsInclude, group, sources }
}

/** The filter has another mode now. */
export const modeChange = (group: Address.Address, filter: Filter.Filter): GroupRecord => ({
  type: filter.mode === "include" ? RecordType.changeToInclude : RecordType.changeToExclude,
  group,
  sources: filter.sources
})

/** Of the sources that have changed: which are wanted now, and which are not; no record without sources. */
export const sourceChanges = (
  group: Address.Address,
  filter: Filter.Filter,
  changed: Sources.Sources
): ReadonlyArray<GroupRecord> =>
  [
    { type: RecordType.allowNewSources, group, sources: changed.filter((source) => Filter.accepts(filter, source)) },
    { type: RecordType.blockOldSources, group, sources: changed.filter((source) => !Filter.accepts(filter, source)) }
  ].filter(({ sources }) => sources.length > 0)

/** Bytes of a record without sources, and of a source. */
const sizes = { 4: { record: 8, source: 4 }, 6: { record: 20, source: 16 } } as const

/** The IP header with the router alert option, and the fixed part of a report. */
const overhead = { 4: 24 + 8, 6: 40 + 8 + 8 } as const

/** How many records' bytes a report on a link with this MTU holds; always enough for one source. */
const roomOf = (version: Address.Version, mtu: number): number =>
  Math.max(mtu - overhead[version], sizes[version].record + sizes[version].source)

const isExclude = (type: number): boolean => type === RecordType.modeIsExclude || type === RecordType.changeToExclude

/** Cuts a record that no report can hold. */
const fitted = (record: GroupRecord, limit: number): ReadonlyArray<GroupRecord> => {
  if (record.sources.length <= limit) return [record]
  // rfc: 3376 §4.2.16, 3810 §5.2.15: of those to be excluded only the first are told, and always the same; others go in several records
  if (isExclude(record.type)) return [{ ...record, sources: record.sources.slice(0, limit) }]
  const parts: Array<GroupRecord> = []
  for (let i = 0; i < record.sources.length; i += limit) {
    parts.push({ ...record, sources: record.sources.slice(i, i + limit) })
  }
  return parts
}

/** The reports that carry the records in their order, as few as fit the link. */
export const pack = (
  records: ReadonlyArray<GroupRecord>,
  version: Address.Version,
  mtu: number
): ReadonlyArray<ReadonlyArray<GroupRecord>> => {
  const size = sizes[version]
  const room = roomOf(version, mtu)
  const limit = Math.floor((room - size.record) / size.source)
  const reports: Array<Array<GroupRecord>> = []
  let left = 0
  for (const record of records.flatMap((record) => fitted(record, limit))) {
    const length = size.record + record.sources.length * size.source
    if (length > left) {
      reports.push([])
      left = room
    }
    reports[reports.length - 1]!.push(record)
    left -= length
  }
  return reports
}
