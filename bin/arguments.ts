/**
 * What the commands have in common: flags, and how their text becomes addresses, ports and durations.
 */
import * as Flag from "effect/cli/Flag"
import * as Duration from "effect/Duration"
import * as IpInterface from "effect/net/IpInterface"
import * as IpNetwork from "effect/net/IpNetwork"
import * as NetAddress from "effect/net/NetAddress"
import * as Result from "effect/Result"
import * as TunTapControl from "../layers/TunTapControl.ts"
import { type Service } from "../src/services/Service.ts"
import type * as Layout from "./layout.ts"
import * as services from "./services.ts"

/** What was expected instead of a value that is refused. */
export const because = (error: unknown): string => error instanceof Error ? error.message : String(error)

const integer = (text: string, lowest: number, highest: number): number => {
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN
  if (value >= lowest && value <= highest) return value
  throw new Error(`a whole number from ${lowest} to ${highest}`)
}

export const parsePort = (text: string): number => integer(text, 1, 65_535)

/** A whole number within bounds. */
export const numberFlag = (name: string, lowest: number, highest: number) =>
  Flag.mapTryCatch(Flag.String(name), (text) => integer(text, lowest, highest), because)

/** A number of seconds, with a fraction if need be. */
export const secondsFlag = (name: string) =>
  Flag.mapTryCatch(Flag.String(name), (text) => {
    const seconds = Number(text)
    if (text.trim() === "" || !(seconds >= 0) || seconds > 1e6) throw new Error("a number of seconds")
    return Duration.millis(seconds * 1000)
  }, because)

/** What was read, or else what should have been there, with what is wrong behind it. */
const readAs = <A>(expected: string, read: Result.Result<A, NetAddress.NetAddressError>): A => {
  if (Result.isSuccess(read)) return read.success
  throw new Error(`${expected} (${read.failure.message.replace(/^expected /, "")})`)
}

export const parseAddress = (text: string): NetAddress.IpAddress =>
  readAs("an address such as 10.0.0.1 or 2001:db8::1", NetAddress.ipFromString(text))

const parseMac = (text: string): NetAddress.MacAddress =>
  readAs("an address such as 02:00:00:00:00:01", NetAddress.macAddressFromString(text))

/** An address with its prefix that a host can have. */
const hostAddress = (text: string): IpInterface.IpInterface => {
  const parsed = readAs("an address with its prefix, such as 10.0.0.2/24", IpInterface.fromString(text))
  if (!text.includes("/")) throw new Error(`an address with its prefix, such as ${text}/24`)
  return parsed
}

/** `INTERFACE=VALUE`, or a value alone for the first interface. */
const placed = <A>(parse: (text: string) => A) => (text: string): Layout.Placed<A> => {
  const [on, value, ...rest] = text.split("=")
  if (value === undefined) return { on: undefined, value: parse(text) }
  if (on === "" || rest.length > 0) throw new Error("INTERFACE=VALUE, or the value alone")
  return { on, value: parse(value) }
}

const deviceName = (text: string): string => {
  if (TunTapControl.isValidName(text)) return text
  throw new Error("a device's name: 1 to 15 octets, without blanks and without any of / : %")
}

const parseVlan = (text: string): number => integer(text, 1, 4094)

const parsePrefix = (text: string): IpNetwork.Ipv6Network => {
  const parsed = IpNetwork.fromString(text)
  const network = Result.isSuccess(parsed) ? parsed.success : undefined
  if (!text.includes("/") || !IpNetwork.isIpv6Network(network)) {
    throw new Error("an IPv6 prefix such as 2001:db8:1::/64")
  }
  return network
}

/** On how many cores a host is. */
export const shardsFlag = numberFlag("shards", 1, 256).pipe(
  Flag.withMetavar("N"),
  Flag.withDescription(
    "Runs as many stacks as one host, each in a thread on a queue of the device of its own; the kernel spreads connections over them"
  ),
  Flag.optional
)

/** The flags that make a router of a host. */
export const routerFlags = {
  forward: Flag.Boolean("forward").pipe(
    Flag.withDescription("Forwards packets between the interfaces, as a router does"),
    Flag.withDefault(false)
  ),
  advertise: Flag.String("router-advertise").pipe(
    Flag.mapTryCatch(placed(parsePrefix), because),
    Flag.withMetavar("[INTERFACE=]PREFIX"),
    Flag.withDescription(
      "Advertises this host as an IPv6 router with a prefix for others' addresses, such as 2001:db8:1::/64, and takes an address of it"
    ),
    Flag.atLeast(0)
  )
} as const

const parseService = (text: string): services.Placed => {
  const [kind = "", number, ...rest] = text.split(":")
  const service: Service | undefined = services.byName.get(kind)
  if (service === undefined) throw new Error(`one of ${[...services.byName.keys()].join(", ")}, with :PORT`)
  if (number === undefined || rest.length > 0) throw new Error(`${kind}:PORT`)
  return { service, port: parsePort(number) }
}

export const serviceFlag = Flag.String("service").pipe(
  Flag.mapTryCatch(parseService, because),
  Flag.withMetavar("KIND:PORT"),
  Flag.withDescription(`A service to run, again for each: ${[...services.byName.keys()].join(", ")}`),
  Flag.atLeast(0)
)

/** The flags that make a host on TAP devices. */
export const hostFlags = {
  tap: Flag.String("tap").pipe(
    Flag.mapTryCatch(deviceName, because),
    Flag.withMetavar("NAME"),
    Flag.withDescription(
      "The TAP device to be the far side of; made if it does not exist and this user may. Again for each further one"
    ),
    Flag.atLeast(1)
  ),
  vlan: Flag.String("vlan").pipe(
    Flag.mapTryCatch(placed(parseVlan), because),
    Flag.withMetavar("[DEVICE=]ID"),
    Flag.withDescription(
      "Adds a VLAN of the first device, or of the one that is named, as an interface; again for each further one"
    ),
    Flag.atLeast(0)
  ),
  bridge: Flag.Boolean("bridge").pipe(
    Flag.withDescription(
      "Makes one interface, bridge0, of all --tap; they must not be connected elsewhere: there is no spanning tree"
    ),
    Flag.withDefault(false)
  ),
  address: Flag.String("address").pipe(
    Flag.withAlias("a"),
    Flag.mapTryCatch(placed(hostAddress), because),
    Flag.withMetavar("[INTERFACE=]ADDRESS/PREFIX"),
    Flag.withDescription(
      "This host's own address, not that of the device: 10.0.0.2/24, 2001:db8::2/64 or tap0.10=10.0.1.2/24; again for each further one"
    ),
    Flag.atLeast(0)
  ),
  dhcp: Flag.Boolean("dhcp").pipe(
    Flag.withDescription("Gets an IPv4 address, routes, name servers and the MTU from a DHCP server on the link"),
    Flag.withDefault(false)
  ),
  slaac: Flag.Boolean("slaac").pipe(
    Flag.withDescription("Takes IPv6 addresses, routes and name servers as routers advertise them"),
    Flag.withDefault(false)
  ),
  gateway: Flag.String("gateway").pipe(
    Flag.withAlias("g"),
    Flag.mapTryCatch(parseAddress, because),
    Flag.withMetavar("ADDRESS"),
    Flag.withDescription("The router to everything that is not on a link; one of each family"),
    Flag.atLeast(0)
  ),
  mac: Flag.String("mac").pipe(
    Flag.mapTryCatch(parseMac, because),
    Flag.withMetavar("MAC"),
    Flag.withDescription("This host's own link-layer address; a random one by default"),
    Flag.optional
  ),
  mtu: numberFlag("mtu", 576, 65_535).pipe(
    Flag.withMetavar("BYTES"),
    Flag.withDescription("Sets the device's MTU; as it is by default"),
    Flag.optional
  ),
  offload: Flag.Boolean("offload").pipe(
    Flag.withDescription(
      "Trades segments of up to 64 KiB and unfinished checksums with the kernel, where it can: several times as fast for bulk data; the default, which --no-offload turns off"
    ),
    Flag.withDefault(true)
  ),
  spin: numberFlag("spin", 0, 10_000).pipe(
    Flag.withMetavar("MICROSECONDS"),
    Flag.withDescription(
      "Does not sleep for so long after frames that come close together: answers come sooner, and a core is busy meanwhile; 0 by default"
    ),
    Flag.withDefault(0)
  ),
  capture: Flag.String("capture").pipe(
    Flag.withMetavar("FILE"),
    Flag.withDescription("Writes every frame to a pcapng file, which Wireshark reads"),
    Flag.optional
  )
} as const

/** The address that the kernel's end of the link may have: the gateway, or the first other one of the network. */
export const farAddress = (address: IpInterface.IpInterface, gateway: NetAddress.IpAddress | undefined): string => {
  if (gateway !== undefined) return `${NetAddress.formatIp(gateway)}/${address.prefixLength}`
  const own = NetAddress.formatIp(address.address)
  if (!NetAddress.isIpv4Address(address.address)) return `another address of ${IpNetwork.fromInterface(address)}`
  const network = NetAddress.ipv4ToOctets(IpNetwork.fromInterface(address).address as NetAddress.Ipv4Address)
  const first = [...network.slice(0, 3), network[3] + 1].join(".")
  const second = [...network.slice(0, 3), network[3] + 2].join(".")
  return `${first === own ? second : first}/${address.prefixLength}`
}
