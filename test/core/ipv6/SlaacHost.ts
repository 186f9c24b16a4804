/** An interface that makes its addresses in virtual time, with an interface record that obeys. */
import * as Entropy from "../../../src/core/Entropy.ts"
import * as AddressLifetimes from "../../../src/core/ipv6/AddressLifetimes.ts"
import * as InterfaceId from "../../../src/core/ipv6/InterfaceId.ts"
import * as Slaac from "../../../src/core/ipv6/Slaac.ts"
import * as Temporary from "../../../src/core/ipv6/Temporary.ts"
import * as Time from "../../../src/core/Time.ts"
import * as Address from "../../../src/wire/Address.ts"
import type * as NdpOptions from "../../../src/wire/NdpOptions.ts"

const keys = Entropy.derive(Uint8Array.from({ length: 16 }, (_, i) => i * 7))

export const settings: Slaac.Settings = {
  stableSecret: keys.interfaceId,
  temporarySecret: keys.temporaryId,
  netInterface: InterfaceId.wordsOf("tap0"),
  networkId: [],
  mac: 0x0200_0000_0001,
  identifiers: "opaque",
  hasTemporary: () => true,
  temporary: {
    preferredLifetime: Temporary.defaultPreferredLifetime,
    validLifetime: Temporary.defaultValidLifetime,
    transmits: 1,
    retransmit: Time.seconds(1)
  },
  limits: { autonomousPrefixes: 4 },
  fraction: () => 0.5,
  wallOffset: 1_700_000_000_000_000,
  isTaken: () => false
}

export interface Owned {
  readonly origin: Slaac.Origin
  readonly lifetimes: AddressLifetimes.AddressLifetimes
}

export class SlaacHost {
  slaac: Slaac.Slaac = Slaac.empty
  at: Time.Instant = Time.instantOf(0)
  readonly owned = new Map<string, Owned>()
  readonly said: Array<string> = []
  readonly settings: Slaac.Settings

  constructor(given: Partial<Slaac.Settings> = {}) {
    this.settings = { ...settings, ...given }
  }

  /** In seconds. */
  get now(): number {
    return this.at / 1_000_000
  }

  give(input: Slaac.Input): void {
    const [slaac, actions] = Slaac.step(this.slaac, input, this.at, this.settings)
    this.slaac = slaac
    for (const action of actions) this.obey(action)
  }

  private obey(action: Slaac.Action): void {
    switch (action._tag) {
      case "Add":
        this.said.push(`add ${action.origin}`)
        this.owned.set(Address.format(action.address), { origin: action.origin, lifetimes: action.lifetimes })
        return
      case "Renew": {
        const key = Address.format(action.address)
        const before = this.owned.get(key)
        this.said.push(before === undefined ? "renew of nothing" : `renew ${before.origin}`)
        if (before !== undefined) this.owned.set(key, { ...before, lifetimes: action.lifetimes })
        return
      }
      case "Remove":
        this.said.push(this.owned.delete(Address.format(action.address)) ? "remove" : "remove nothing")
        return
      case "GiveUp":
        this.said.push(`give up ${action.origin}`)
        return
      case "Ignore":
        this.said.push(`ignore ${action.bound}`)
    }
  }

  advertise(...prefixes: ReadonlyArray<NdpOptions.Prefix>): void {
    this.give({ _tag: "Advertised", prefixes })
  }

  /** Lets time pass until `seconds` from the start; alarms ring, and addresses end by their lifetimes. */
  until(seconds: number): void {
    const end = Time.instantOf(seconds * 1_000_000)
    while (this.slaac.deadline <= end) {
      this.at = Time.latest(this.at, this.slaac.deadline)
      this.expire()
      this.give({ _tag: "Alarm" })
    }
    this.at = end
    this.expire()
  }

  private expire(): void {
    for (const [key, { lifetimes }] of this.owned) if (lifetimes.validUntil <= this.at) this.owned.delete(key)
  }

  /** The addresses of an origin, oldest first; all of them, or those in a state. */
  all(origin: Slaac.Origin, state?: "preferred" | "deprecated"): ReadonlyArray<string> {
    return Array.from(this.owned)
      .filter(([, each]) => each.origin === origin)
      .filter(([, { lifetimes }]) => state === undefined || AddressLifetimes.stateOf(lifetimes, this.at) === state)
      .map(([key]) => key)
  }

  take(): ReadonlyArray<string> {
    return this.said.splice(0)
  }
}
