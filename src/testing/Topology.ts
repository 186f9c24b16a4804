/**
 * A network as data: hosts, switches, and links between them with their faults, for the {@link Simulator} and for
 * {@link TestNetwork} alike.
 *
 * ```
 *   client ──wan (10 Mbit/s, 20 ms, 1 % loss)── router ──lan── switch ── server
 *
 *   { hosts:    { client: { ipv4: "10.0.0.2/24", gateway: "10.0.0.1" },
 *                 server: { ipv4: "10.0.1.2/24", gateway: "10.0.1.1" } },
 *     routers:  { router: { interfaces: { wan0: { ipv4: "10.0.0.1/24" }, lan0: { ipv4: "10.0.1.1/24" } } } },
 *     switches: { switch: {} },
 *     links:    { wan: { between: ["client", "router.wan0"], rate: 10e6, delay: "20 millis", loss: 0.01 },
 *                 lan: { between: ["router.lan0", "switch"] },
 *                 far: { between: ["switch", "server"] } } }
 * ```
 *
 * The same in JSON or YAML is read by `TopologyText.ts`, with times as text such as `"20 millis"`.
 */
import type * as Duration from "effect/Duration"
import type { Settings } from "../link/Faults.ts"
import type * as Netstack from "../Netstack.ts"
import type { PacketPattern } from "./Like.ts"

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

/** Packets that a link loses, by what is in them. */
export interface LosingRule {
  /** Which packets; all if absent. */
  readonly like?: PacketPattern
  /** Which of these, counted from 1; all if absent. So `[1]` loses the first and lets it pass when it is sent again. */
  readonly numbers?: ReadonlyArray<number>
}

/** What a link does to the frames of one direction: the settings of `link/Faults.ts`, and rules about packets. */
export interface Faults extends Settings {
  readonly losing?: ReadonlyArray<LosingRule>
}

/** From the first end of a link to the second, or the other way. */
export type Direction = "forth" | "back"

/** A link and its faults: of both directions, where `forth` and `back` do not replace them for one. */
export interface LinkDescription extends Faults {
  /**
   * What the link joins: `host`, the host's first interface that no other link names; `host.interface`; or a switch, which
   * has as many ports as links.
   */
  readonly between: readonly [string, string]
  readonly forth?: Faults
  readonly back?: Faults
  /** Largest IP packet in bytes; 1500 if absent. */
  readonly mtu?: number
}

/** Something that happens to a link while the network runs. */
export interface Change {
  /** From the start of the run. */
  readonly at: Duration.Input
  readonly link: string
  /** Settings from now on, in place of all that were. */
  readonly faults?: Faults
  /** The direction of which; both if absent. */
  readonly direction?: Direction
  /** True: no frame passes from now on. False: frames pass again. */
  readonly partition?: boolean
}

export interface Topology {
  readonly hosts: Readonly<Record<string, HostDescription>>
  /** Hosts that forward packets between their interfaces (RFC 1812). */
  readonly routers?: Readonly<Record<string, HostDescription>>
  readonly switches?: Readonly<Record<string, SwitchDescription>>
  readonly links: Readonly<Record<string, LinkDescription>>
  readonly changes?: ReadonlyArray<Change>
}

/** A topology in code, with its types at hand while it is written; it is checked when a network is made of it. */
export const make = (topology: Topology): Topology => topology

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
export const star = (names: ReadonlyArray<string>, faults: Faults = {}): Topology => ({
  hosts: Object.fromEntries(names.map((name, i) => [name, { ipv4: `10.0.0.${i + 1}/24` }])),
  switches: { switch: {} },
  links: Object.fromEntries(names.map((name) => [name, { between: [name, "switch"] as const, ...faults }]))
})

export { TopologyError } from "./TopologyError.ts"
export { decode, FromJson, parse } from "./TopologyText.ts"
