/** An interface that runs the membership machine in virtual time, and what it has sent. */
import * as Filter from "../../../src/core/data/SourceFilter.ts"
import * as Gmp from "../../../src/core/multicast/Gmp.ts"
import * as Time from "../../../src/core/Time.ts"
import * as Address from "../../../src/wire/Address.ts"
import { RecordType } from "../../../src/wire/Membership.ts"

export interface Sent {
  readonly at: number
  readonly message: Gmp.Message
  readonly destination: Address.Address
}

const letters: { readonly [type: number]: string } = {
  [RecordType.modeIsInclude]: "IS_IN",
  [RecordType.modeIsExclude]: "IS_EX",
  [RecordType.changeToInclude]: "TO_IN",
  [RecordType.changeToExclude]: "TO_EX",
  [RecordType.allowNewSources]: "ALLOW",
  [RecordType.blockOldSources]: "BLOCK"
}

/** A message in the notation of RFC 3376 §4.2.15. */
export const show = (message: Gmp.Message): string => {
  switch (message._tag) {
    case "Records":
      return message.records.map(({ group, sources, type }) =>
        `${letters[type]} ${Address.format(group)} {${sources.map(Address.format).join(" ")}}`
      ).join(", ")
    case "Report":
      return `v${message.version} report ${Address.format(message.group)}`
    case "Leave":
      return `leave ${Address.format(message.group)}`
    case "Query":
      return `query ${Address.format(message.group)}`
  }
}

export class Host {
  gmp: Gmp.Gmp
  at = 0
  sent: Array<Sent> = []
  refused: Array<string> = []
  /** Steps that alarms have caused. */
  alarms = 0
  readonly settings: Gmp.Settings
  private readonly filters = new Map<string, Filter.Filter>()

  constructor(version: Address.Version, settings: Partial<Gmp.Settings> = {}) {
    this.gmp = Gmp.make(version)
    this.settings = {
      mtu: 1500,
      limits: { multicastGroups: 16, multicastSources: 16 },
      fraction: () => 0.5,
      ...settings
    }
  }

  give(input: Gmp.Input): void {
    const [gmp, actions] = Gmp.step(this.gmp, input, Time.instantOf(this.at), this.settings)
    this.gmp = gmp
    for (const action of actions) {
      if (action._tag === "Refuse") this.refused.push(action.bound)
      else this.sent.push({ at: this.at, message: action.message, destination: action.destination })
    }
  }

  /** A socket asks for packets of a group; `undefined` ends that. False if it is refused. */
  listen(socket: number, group: Address.Address, filter: Filter.Filter | undefined): boolean {
    const key = `${socket} ${Address.key(group)}`
    const refusals = this.refused.length
    this.give({ _tag: "Listen", group, before: this.filters.get(key), after: filter })
    if (this.refused.length > refusals) return false
    if (filter === undefined) this.filters.delete(key)
    else this.filters.set(key, filter)
    return true
  }

  /** The filters of all sockets for a group. */
  filtersOf(group: Address.Address): ReadonlyArray<Filter.Filter> {
    return Array.from(this.filters).filter(([key]) => key.endsWith(` ${Address.key(group)}`)).map(([, filter]) =>
      filter
    )
  }

  /** Lets time pass; alarms ring when they are due. */
  advance(microseconds: number): void {
    const end = this.at + microseconds
    while (this.gmp.deadline <= end) {
      this.at = Math.max(this.at, this.gmp.deadline)
      this.alarms += 1
      this.give({ _tag: "Alarm" })
    }
    this.at = end
  }

  /** What was sent since the last call. */
  take(): ReadonlyArray<string> {
    const shown = this.sent.map(({ message }) => show(message))
    this.sent = []
    return shown
  }
}
