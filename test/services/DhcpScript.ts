/**
 * A DHCP server as tests write it: what it grants, and what it answers to each message that it hears.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as NetAddress from "effect/net/NetAddress"
import * as Udp from "../../src/sockets/Udp.ts"
import * as Address from "../../src/wire/Address.ts"
import * as DhcpOptions from "../../src/wire/DhcpOptions.ts"
import * as Dhcpv4 from "../../src/wire/Dhcpv4.ts"
import * as Malformed from "../../src/wire/Malformed.ts"

const { MessageType } = DhcpOptions

export type Kind = keyof typeof MessageType

export const kindOf = ({ options }: Dhcpv4.Message): Kind | undefined =>
  (Object.keys(MessageType) as ReadonlyArray<Kind>).find((name) => MessageType[name] === options.messageType)

/** Where the server is. */
export const serverAddress = Address.v4(10, 0, 0, 1)
/** What it gives unless told otherwise. */
export const given = Address.v4(10, 0, 0, 50)

/** What a server says: the kind of its message, and what differs from an ordinary grant of an hour. */
export interface Answer {
  readonly kind: "offer" | "acknowledge" | "refuse"
  readonly address?: Address.Ipv4
  readonly options?: Partial<DhcpOptions.Options>
  readonly fields?: Partial<Dhcpv4.Message>
}

const ordinary: Partial<DhcpOptions.Options> = {
  leaseTime: 3600,
  subnetMask: Address.mask32(24),
  routers: [serverAddress],
  dnsServers: [Address.v4(10, 0, 0, 53)]
}

/** The message that answers another. */
export const reply = (to: Dhcpv4.Message, { address = given, fields, kind, options }: Answer): Dhcpv4.Message => ({
  ...to,
  operation: Dhcpv4.Operation.reply,
  yourAddress: kind === "refuse" ? 0 : address,
  ...fields,
  options: DhcpOptions.make({
    messageType: MessageType[kind],
    serverIdentifier: serverAddress,
    ...(kind === "refuse" ? {} : ordinary),
    ...options
  })
})

/** Grants everything. */
export const generous = (message: Dhcpv4.Message): Answer | undefined => {
  switch (kindOf(message)) {
    case "discover":
      return { kind: "offer" }
    case "request":
      return { kind: "acknowledge" }
    default:
      return undefined
  }
}

/** A message that the server has heard, and when, in seconds since the server's start. */
export interface Heard {
  readonly kind: Kind | undefined
  readonly at: number
  readonly from: string
  readonly to: string
  readonly message: Dhcpv4.Message
}

const emit = (message: Dhcpv4.Message): Uint8Array => {
  const bytes = new Uint8Array(Dhcpv4.size(message))
  Dhcpv4.emit(message, bytes, 0)
  return bytes
}

/** RFC 2131 §4.1: to who has an address, at it; to who hears broadcasts only, as one. */
const destinationOf = ({ broadcast, clientAddress }: Dhcpv4.Message): Address.Ipv4 =>
  broadcast || clientAddress === 0 ? Address.broadcastV4 : clientAddress

/** Serves a link until the scope closes; the list grows with what is heard. */
export const serve = (behave: (message: Dhcpv4.Message) => Answer | undefined = generous, link = 1) =>
  Effect.gen(function*() {
    const socket = yield* Udp.bind({ port: Dhcpv4.serverPort, family: "IPv4", link, options: { broadcast: true } })
    const heard: Array<Heard> = []
    const start = yield* Clock.currentTimeMillis
    const answer = ({ bytes, destination, source }: Udp.Datagram) =>
      Effect.gen(function*() {
        const message = Dhcpv4.parse(bytes, 0, bytes.length)
        if (Malformed.isMalformed(message)) return
        const at = ((yield* Clock.currentTimeMillis) - start) / 1000
        heard.push({ kind: kindOf(message), at, from: String(source.address), to: String(destination), message })
        const said = behave(message)
        if (said === undefined) return
        const to = NetAddress.inetAddressUnsafe(Address.toNet(destinationOf(message)), Dhcpv4.clientPort)
        yield* socket.send(emit(reply(message, said)), to)
      })
    const serving = Effect.forever(Effect.flatMap(socket.receive, answer), { disableYield: true })
    yield* Effect.forkScoped(Effect.ignore(serving), { startImmediately: true })
    return heard
  })

/** The kinds of what was heard, in order. */
export const kinds = (heard: ReadonlyArray<Heard>): ReadonlyArray<Kind | undefined> => heard.map(({ kind }) => kind)
