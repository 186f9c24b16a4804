/**
 * What the flags of a host make of its devices: links, bridges and VLANs, and what each interface has. Pure, so that what is wrong
 * is known before anything is opened.
 *
 * ```
 *   --tap tap0 --tap tap1                   two interfaces, tap0 and tap1
 *   --tap tap0 --vlan 10 --vlan 20          tap0, tap0.10 and tap0.20
 *   --tap tap0 --tap tap1 --bridge          one, bridge0
 *   --address tap1=10.0.1.1/24              what names no interface goes to the first one
 * ```
 */
import * as IpInterface from "effect/net/IpInterface"
import * as IpNetwork from "effect/net/IpNetwork"
import * as NetAddress from "effect/net/NetAddress"
import type { InterfaceOptions } from "../src/Netstack.ts"
import type { RouteInput } from "../src/sockets/Network.ts"

/** Something for one of the interfaces; for the first if it names none. */
export interface Placed<A> {
  readonly on: string | undefined
  readonly value: A
}

export interface Flags {
  readonly tap: ReadonlyArray<string>
  readonly vlan: ReadonlyArray<Placed<number>>
  readonly bridge: boolean
  readonly address: ReadonlyArray<Placed<IpInterface.IpInterface>>
  readonly dhcp: boolean
  readonly slaac: boolean
  readonly gateway: ReadonlyArray<NetAddress.IpAddress>
  readonly forward?: boolean
  readonly advertise?: ReadonlyArray<Placed<IpNetwork.Ipv6Network>>
}

/** A VLAN of a device or of the bridge. */
export interface Vlan {
  readonly parent: string
  readonly identifier: number
  readonly name: string
}

export interface Layout {
  readonly taps: ReadonlyArray<string>
  readonly isBridge: boolean
  readonly vlans: ReadonlyArray<Vlan>
  readonly interfaces: ReadonlyArray<InterfaceOptions & { readonly link: string }>
  readonly routes: ReadonlyArray<RouteInput>
}

export const bridgeName = "bridge0"

const repeated = <A>(all: ReadonlyArray<A>): A | undefined => all.find((one, index) => all.indexOf(one) !== index)

const vlansOf = ({ vlan }: Flags, parents: ReadonlyArray<string>): ReadonlyArray<Vlan> =>
  vlan.map(({ on, value }) => {
    const parent = on ?? parents[0]!
    return { parent, identifier: value, name: `${parent}.${value}` }
  })

/** What stands where no interface is, or what a flag asks of a host that it can't be. */
const faultOf = (flags: Flags, parents: ReadonlyArray<string>, names: ReadonlyArray<string>): string | undefined => {
  const { advertise = [], bridge, forward = false, tap, vlan } = flags
  const twice = repeated(tap) ?? repeated(names)
  if (twice !== undefined) return `${twice} is there twice`
  if (bridge && tap.length < 2) return "--bridge needs at least two --tap"
  const stray = vlan.find(({ on }) => on !== undefined && !parents.includes(on))
  if (stray !== undefined) return `--vlan: no device ${stray.on}; there are: ${parents.join(", ")}`
  for (const [flag, all] of [["--address", flags.address], ["--router-advertise", advertise]] as const) {
    const unknown = all.find(({ on }) => on !== undefined && !names.includes(on))
    if (unknown !== undefined) return `${flag}: no interface ${unknown.on}; there are: ${names.join(", ")}`
  }
  const families = flags.gateway.map(NetAddress.isIpv4Address)
  if (repeated(families) !== undefined) return "one --gateway of each family is enough"
  if (forward && names.length < 2) return "--forward needs several interfaces: further --tap or --vlan"
  const hasNone = flags.address.length === 0 && !flags.dhcp && !flags.slaac && !bridge && advertise.length === 0
  return hasNone ? "a host needs an address: --address, --dhcp or --slaac" : undefined
}

/** A router answers from an address of the prefix that it advertises; one without gets the first (RFC 4291 §2.6.1 keeps 0). */
const ownIn = (prefix: IpNetwork.Ipv6Network, addresses: ReadonlyArray<IpInterface.IpInterface>) =>
  addresses.some(({ address }) => NetAddress.isIpv6Address(address) && IpNetwork.contains(prefix, address))
    ? []
    : [
      IpInterface.fromStringUnsafe(
        `${NetAddress.formatIp(prefix.address).replace(/::$/, "::1")}/${prefix.prefixLength}`
      )
    ]

const interfaceOf = (flags: Flags, link: string, isFirst: boolean): InterfaceOptions & { readonly link: string } => {
  const mine = <A>({ on }: Placed<A>): boolean => on === undefined ? isFirst : on === link
  const given = flags.address.filter(mine).map(({ value }) => value)
  const prefixes = (flags.advertise ?? []).filter(mine).map(({ value }) => value)
  const addresses = [...given, ...prefixes.flatMap((prefix) => ownIn(prefix, given))]
  return {
    link,
    addresses,
    ...(isFirst && flags.dhcp ? { ipv4: "dhcp" as const } : {}),
    ...(isFirst && flags.slaac ? { ipv6: "slaac" as const } : {}),
    ...(prefixes.length > 0 ? { advertise: { prefixes } } : {})
  }
}

/** The layout, or in one line what is wrong with the flags. */
export const plan = (flags: Flags): Layout | string => {
  const parents = flags.bridge ? [bridgeName] : flags.tap
  const vlans = vlansOf(flags, parents)
  const names = parents.flatMap((parent) => [
    parent,
    ...vlans.filter((vlan) => vlan.parent === parent).map(({ name }) => name)
  ])
  const fault = faultOf(flags, parents, names)
  if (fault !== undefined) return fault
  const interfaces = names.map((name, index) => interfaceOf(flags, name, index === 0))
  const routes = flags.gateway.map((gateway) => ({ to: "default", gateway }) as const)
  return { taps: flags.tap, isBridge: flags.bridge, vlans, interfaces, routes }
}
