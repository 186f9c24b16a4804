/**
 * All that a host learns from the routers of one link, and makes of it (RFC 4861 §6.3, RFC 4862 §5.5): the machines of this folder side by side,
 * each fed with its part of what happens, with one deadline for all.
 *
 *     Up ──────────▶ Slaac, RouterSolicitation            Advertised ─▶ LinkParameters, Routers, Prefixes, Slaac,
 *     Down ────────▶ all forget                                         NameServers, RouterSolicitation
 *     Retired ─────▶ Routers                              no default router left ─▶ RouterSolicitation starts anew
 *     Duplicate, Unique ─▶ Slaac
 */
import type * as Address from "../../wire/Address.ts"
import type { RouterAdvertisement } from "../../wire/Ndp.ts"
import * as Time from "../Time.ts"
import * as LinkParameters from "./LinkParameters.ts"
import * as NameServers from "./NameServers.ts"
import * as Prefixes from "./Prefixes.ts"
import * as Routers from "./Routers.ts"
import * as RouterSolicitation from "./RouterSolicitation.ts"
import * as Slaac from "./Slaac.ts"

export interface HostInterface {
  readonly isUp: boolean
  readonly parameters: LinkParameters.LinkParameters
  readonly solicitation: RouterSolicitation.RouterSolicitation
  readonly routers: Routers.Routers
  readonly prefixes: Prefixes.Prefixes
  readonly slaac: Slaac.Slaac
  readonly nameServers: NameServers.NameServers
  readonly deadline: Time.Instant
}

export type Input =
  /** The link is up, and the interface may speak IPv6. */
  | { readonly _tag: "Up" }
  | { readonly _tag: "Down" }
  /** A valid router advertisement came from this router. */
  | { readonly _tag: "Advertised"; readonly router: Address.Ipv6; readonly advertisement: RouterAdvertisement }
  | Extract<Routers.Input, { readonly _tag: "Retired" }>
  | Extract<Slaac.Input, { readonly _tag: "Duplicate" | "Unique" }>
  | { readonly _tag: "Alarm" }

export type Action =
  | { readonly _tag: "Address"; readonly action: Slaac.Action }
  | { readonly _tag: "Route"; readonly action: Exclude<Routers.Action, { readonly _tag: "NoRouters" }> }
  | { readonly _tag: "OnLink"; readonly action: Prefixes.Action }
  | { readonly _tag: "Resolver"; readonly action: NameServers.Action }
  | { readonly _tag: "Solicitation"; readonly action: RouterSolicitation.Action }
  /** Packets, and the times of neighbour discovery, obey these from now on. */
  | { readonly _tag: "Parameters"; readonly parameters: LinkParameters.LinkParameters }

export type Outcome = readonly [HostInterface, ReadonlyArray<Action>]

export interface Settings {
  /** What the link carries and what nobody has told otherwise. */
  readonly linkMtu: number
  readonly hopLimit: number
  readonly slaac: Slaac.Settings
  readonly solicitation: RouterSolicitation.Settings
  readonly limits: Routers.Settings["limits"] & Prefixes.Settings["limits"] & NameServers.Settings["limits"]
}

export const make = (settings: Settings): HostInterface => ({
  isUp: false,
  parameters: LinkParameters.make(settings.linkMtu, settings.hopLimit),
  solicitation: RouterSolicitation.idle,
  routers: Routers.empty,
  prefixes: Prefixes.empty,
  slaac: Slaac.empty,
  nameServers: NameServers.empty,
  deadline: Time.never
})

/** What each machine is told; nothing if it is not told anything. */
interface Told {
  readonly parameters?: LinkParameters.LinkParameters
  readonly routers?: Routers.Input
  readonly prefixes?: Prefixes.Input
  readonly slaac?: Slaac.Input
  readonly nameServers?: NameServers.Input
  readonly solicitation?: RouterSolicitation.Input
}

export const step = (self: HostInterface, input: Input, at: Time.Instant, settings: Settings): Outcome => {
  switch (input._tag) {
    case "Up":
      if (self.isUp) return [self, []]
      return tell(
        { ...self, isUp: true },
        { slaac: { _tag: "Enable" }, solicitation: { _tag: "Restart" } },
        at,
        settings
      )
    case "Down":
      return tell({ ...self, isUp: false }, forgotten(settings), at, settings)
    case "Advertised":
      return self.isUp ? tell(self, advertised(self, input, settings), at, settings) : [self, []]
    case "Retired":
      return tell(self, { routers: input }, at, settings)
    case "Duplicate":
    case "Unique":
      return tell(self, { slaac: input }, at, settings)
    case "Alarm":
      return tell(
        self,
        { routers: input, prefixes: input, slaac: input, nameServers: input, solicitation: input },
        at,
        settings
      )
  }
}

const forgotten = (settings: Settings): Told => ({
  parameters: LinkParameters.make(settings.linkMtu, settings.hopLimit),
  routers: { _tag: "Disable" },
  prefixes: { _tag: "Disable" },
  slaac: { _tag: "Disable" },
  nameServers: { _tag: "Disable" },
  solicitation: { _tag: "Stop" }
})

const advertised = (
  self: HostInterface,
  { advertisement, router }: Extract<Input, { readonly _tag: "Advertised" }>,
  settings: Settings
): Told => {
  const { options, preference, routerLifetime } = advertisement
  return {
    parameters: LinkParameters.learn(self.parameters, advertisement, settings.linkMtu),
    routers: { _tag: "Advertised", router, routerLifetime, preference, routes: options.routes },
    prefixes: { _tag: "Advertised", prefixes: options.prefixes },
    slaac: { _tag: "Advertised", prefixes: options.prefixes },
    nameServers: {
      _tag: "Advertised",
      dnsServers: options.dnsServers,
      dnsSearchLists: options.dnsSearchLists
    },
    solicitation: { _tag: "Advertised", routerLifetime }
  }
}

const tell = (self: HostInterface, told: Told, at: Time.Instant, settings: Settings): Outcome => {
  const actions: Array<Action> = []
  const parameters = told.parameters ?? self.parameters
  if (!LinkParameters.equals(parameters, self.parameters)) actions.push({ _tag: "Parameters", parameters })
  const [routers, isAlone] = tellRouters(self, told.routers, at, settings, actions)
  const prefixes = run(Prefixes.step, self.prefixes, told.prefixes, at, settings, (action) => {
    actions.push({ _tag: "OnLink", action })
  })
  const slaac = run(Slaac.step, self.slaac, told.slaac, at, settings.slaac, (action) => {
    actions.push({ _tag: "Address", action })
  })
  const nameServers = run(NameServers.step, self.nameServers, told.nameServers, at, settings, (action) => {
    actions.push({ _tag: "Resolver", action })
  })
  // rfc: 4861 §6.3.7, RFC 7559 §2.1: whoever has lost its last default router looks for another
  const asked: RouterSolicitation.Input | undefined = isAlone && self.isUp ? { _tag: "Restart" } : told.solicitation
  const solicitation = run(RouterSolicitation.step, self.solicitation, asked, at, settings.solicitation, (action) => {
    actions.push({ _tag: "Solicitation", action })
  })
  const machines = { ...self, parameters, solicitation, routers, prefixes, slaac, nameServers }
  return [{ ...machines, deadline: deadlineOf(machines) }, actions]
}

/** Steps the routers; tells as well whether no default router is left. */
const tellRouters = (
  self: HostInterface,
  input: Routers.Input | undefined,
  at: Time.Instant,
  settings: Settings,
  actions: Array<Action>
): readonly [Routers.Routers, boolean] => {
  let isAlone = false
  const routers = run(Routers.step, self.routers, input, at, settings, (action) => {
    if (action._tag === "NoRouters") isAlone = true
    else actions.push({ _tag: "Route", action })
  })
  return [routers, isAlone]
}

/** One machine's step, if it is told anything. */
const run = <Self, In, Action, Settings>(
  step: (self: Self, input: In, at: Time.Instant, settings: Settings) => readonly [Self, ReadonlyArray<Action>],
  self: Self,
  input: In | undefined,
  at: Time.Instant,
  settings: Settings,
  act: (action: Action) => void
): Self => {
  if (input === undefined) return self
  const [next, actions] = step(self, input, at, settings)
  for (const action of actions) act(action)
  return next
}

const deadlineOf = ({ nameServers, prefixes, routers, slaac, solicitation }: HostInterface): Time.Instant =>
  [nameServers, prefixes, routers, slaac, solicitation].reduce(
    (first, { deadline }) => Time.earliest(first, deadline),
    Time.never
  )
