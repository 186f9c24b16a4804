/**
 * A network as data: hosts, switches, and links between them with their faults, for the {@link Simulator} and for
 * {@link TestNetwork} alike.
 *
 * ```
 *   client ──wan (10 Mbit/s, 20 ms, 1 % loss)── router ──lan── switch ── server
 *
 *   { hosts:    { client: { ipv4: "10.0.0.2/24", gateway: "10.0.0.1" },
 *                 router: { forwarding: true, interfaces: { wan0: { ipv4: "10.0.0.1/24" }, lan0: { ipv4: "10.0.1.1/24" } } },
 *                 server: { ipv4: "10.0.1.2/24", gateway: "10.0.1.1" } },
 *     switches: { switch: {} },
 *     links:    { wan: { between: ["client", "router.wan0"], rate: 10e6, delay: "20 millis", loss: 0.01 },
 *                 lan: { between: ["router.lan0", "switch"] },
 *                 far: { between: ["switch", "server"] } } }
 * ```
 *
 * The same in JSON or YAML is read by {@link decode}, with times as text such as `"20 millis"`.
 */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { Settings } from "../link/Faults.ts"
import type * as Netstack from "../Netstack.ts"

/** What a host's interface has. */
export type InterfaceDescription = Omit<Netstack.InterfaceOptions, "link">

/**
 * What a host is told, as its stack's layer would be. A host with one interface may have its parts at the top; its name is
 * `eth0`.
 */
export interface HostDescription extends Omit<Netstack.Options, "interfaces" | "link"> {
  /** By name, in the order of their numbers. */
  readonly interfaces?: Readonly<Record<string, InterfaceDescription>>
}

export interface SwitchDescription {
  /** Largest IP packet in bytes; 1500 if absent. */
  readonly mtu?: number
}

/** From the first end of a link to the second, or the other way. */
export type Direction = "forth" | "back"

/** A link and its faults: of both directions, where `forth` and `back` do not replace them for one. */
export interface LinkDescription extends Settings {
  /**
   * What the link joins: `host`, the host's first interface that no other link names; `host.interface`; or a switch, which
   * has as many ports as links.
   */
  readonly between: readonly [string, string]
  readonly forth?: Settings
  readonly back?: Settings
  /** Largest IP packet in bytes; 1500 if absent. */
  readonly mtu?: number
}

/** Something that happens to a link while the network runs. */
export interface Change {
  /** From the start of the run. */
  readonly at: Duration.Input
  readonly link: string
  /** Settings from now on, in place of all that were. */
  readonly faults?: Settings
  /** The direction of which; both if absent. */
  readonly direction?: Direction
  /** True: no frame passes from now on. False: frames pass again. */
  readonly partition?: boolean
}

export interface Topology {
  readonly hosts: Readonly<Record<string, HostDescription>>
  readonly switches?: Readonly<Record<string, SwitchDescription>>
  readonly links: Readonly<Record<string, LinkDescription>>
  readonly changes?: ReadonlyArray<Change>
}

/** A topology that makes no sense; `where` names the part of it. */
export class TopologyError extends Schema.TaggedError<TopologyError>()("TopologyError", {
  where: Schema.String,
  detail: Schema.String
}) {
  override get message(): string {
    return `${this.where}: ${this.detail}`
  }
}

const probability = Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: 1 }))
const positive = Schema.Finite.check(Schema.isGreaterThan(0))
const packetSize = Schema.Int.check(Schema.isBetween({ minimum: 68, maximum: 65_535 }))

const faultFields = {
  loss: Schema.optionalKey(probability),
  bursts: Schema.optionalKey(Schema.Struct({
    enter: probability,
    leave: probability,
    lossInGood: Schema.optionalKey(probability),
    lossInBad: Schema.optionalKey(probability)
  })),
  corruption: Schema.optionalKey(probability),
  duplication: Schema.optionalKey(probability),
  reordering: Schema.optionalKey(probability),
  reorderingDelay: Schema.optionalKey(Schema.DurationFromString),
  delay: Schema.optionalKey(Schema.DurationFromString),
  jitter: Schema.optionalKey(Schema.DurationFromString),
  rate: Schema.optionalKey(positive),
  queueBytes: Schema.optionalKey(positive)
}

const Faults = Schema.Struct(faultFields)

const interfaceFields = {
  ipv4: Schema.optionalKey(Schema.String),
  addresses: Schema.optionalKey(Schema.Array(Schema.String)),
  gateway: Schema.optionalKey(Schema.String),
  mac: Schema.optionalKey(Schema.String),
  mtu: Schema.optionalKey(packetSize)
}

const Route = Schema.Struct({
  to: Schema.String,
  gateway: Schema.optionalKey(Schema.String),
  metric: Schema.optionalKey(Schema.Int),
  source: Schema.optionalKey(Schema.String)
})

const Host = Schema.Struct({
  ...interfaceFields,
  interfaces: Schema.optionalKey(Schema.Record(Schema.String, Schema.Struct(interfaceFields))),
  routes: Schema.optionalKey(Schema.Array(Route)),
  forwarding: Schema.optionalKey(Schema.Boolean),
  answerEcho: Schema.optionalKey(Schema.Boolean),
  addressProbing: Schema.optionalKey(Schema.Boolean),
  hopLimit: Schema.optionalKey(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 255 })))
})

const Link = Schema.Struct({
  ...faultFields,
  between: Schema.Tuple([Schema.String, Schema.String]),
  forth: Schema.optionalKey(Faults),
  back: Schema.optionalKey(Faults),
  mtu: Schema.optionalKey(packetSize)
})

const ChangeOfLink = Schema.Struct({
  at: Schema.DurationFromString,
  link: Schema.String,
  faults: Schema.optionalKey(Faults),
  direction: Schema.optionalKey(Schema.Literals(["forth", "back"])),
  partition: Schema.optionalKey(Schema.Boolean)
})

/** A topology as JSON has it, with times as text. */
export const FromJson = Schema.Struct({
  hosts: Schema.Record(Schema.String, Host),
  switches: Schema.optionalKey(
    Schema.Record(Schema.String, Schema.Struct({ mtu: Schema.optionalKey(packetSize) }))
  ),
  links: Schema.Record(Schema.String, Link),
  changes: Schema.optionalKey(Schema.Array(ChangeOfLink))
})

const decodeJson = Schema.decodeUnknownEffect(FromJson, { onExcessProperty: "error" })

/** Reads a topology from parsed JSON or YAML; a word that means nothing is an error, so that a slip of the pen is found. */
export const decode = (json: unknown): Effect.Effect<Topology, TopologyError> =>
  Effect.mapError(decodeJson(json), ({ message }) => new TopologyError({ where: "topology", detail: message }))

/** Two hosts, `local` (10.0.0.1) and `remote` (10.0.0.2), at the ends of `wire`, which leads forth from `local`. */
export const pair = (
  wire: Omit<LinkDescription, "between"> = {},
  hosts: { readonly local?: HostDescription; readonly remote?: HostDescription } = {}
): Topology => ({
  hosts: {
    local: { ipv4: "10.0.0.1/24", ...hosts.local },
    remote: { ipv4: "10.0.0.2/24", ...hosts.remote }
  },
  links: { wire: { between: ["local", "remote"], ...wire } }
})

/** Hosts at the ports of one switch, `switch`: 10.0.0.1, 10.0.0.2 and so on, each by a link of its own name. */
export const star = (names: ReadonlyArray<string>, faults: Settings = {}): Topology => ({
  hosts: Object.fromEntries(names.map((name, i) => [name, { ipv4: `10.0.0.${i + 1}/24` }])),
  switches: { switch: {} },
  links: Object.fromEntries(names.map((name) => [name, { between: [name, "switch"] as const, ...faults }]))
})
