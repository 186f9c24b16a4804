/** Two hosts on a wire with a listener on one of them, for tests of connections. */
import type * as TcpConfig from "../../../src/core/tcp/Config.ts"
import type { Endpoint, Received } from "../../../src/core/tcp/Requests.ts"
import { make } from "../../../src/testing/Host.ts"
import type { Host, InterfaceOptions, Options } from "../../../src/testing/Host.ts"
import * as Wire from "../../../src/testing/Wire.ts"
import type * as Address from "../../../src/wire/Address.ts"
import * as Family from "../family.ts"

export const clientAddress = Family.address(1)
export const serverAddress = Family.address(2)
export const port = 80

export interface Pair {
  readonly client: Host
  readonly server: Host
  readonly wire: Wire.Wire
  readonly listener: number
}

export interface Setting {
  readonly client?: Options
  readonly server?: Options
  readonly interface?: InterfaceOptions
  readonly tap?: Wire.Tap
  readonly options?: TcpConfig.Options
  readonly backlog?: number
}

/** An interface that carries segments of the same size in both families. */
const interfaceOf = (address: Address.Address, given: InterfaceOptions = {}): InterfaceOptions => ({
  addresses: [[address, Family.prefixLength]],
  ...given,
  mtu: Family.mtuOf(given.mtu ?? 1500)
})

/** Hosts with a listener on the server's port 80; they know each other's MAC addresses. */
export const pair = (setting: Setting = {}): Pair => {
  const client = make({
    seed: 1,
    interfaces: [interfaceOf(clientAddress, setting.interface)],
    ...setting.client
  })
  const server = make({
    seed: 2,
    interfaces: [interfaceOf(serverAddress, setting.interface)],
    ...setting.server
  })
  client.call({ _tag: "SetNeighbor", link: 1, address: serverAddress, mac: 0x0200_0000_0201 })
  server.call({ _tag: "SetNeighbor", link: 1, address: clientAddress, mac: 0x0200_0000_0101 })
  const wire = Wire.make([client, server], setting.tap)
  const { listener } = server.call({
    _tag: "TcpListen",
    local: undefined,
    version: undefined,
    port,
    backlog: setting.backlog ?? 16,
    options: setting.options ?? {},
    link: undefined
  })
  return { client, server, wire, listener }
}

export const connectRequest = (options: TcpConfig.Options = {}, block = true) =>
  ({
    _tag: "TcpConnect",
    remote: serverAddress,
    remotePort: port,
    local: undefined,
    localPort: 0,
    link: undefined,
    options,
    block
  }) as const

/** An established connection: the client's end and the server's. */
export const connected = (self: Pair, options: TcpConfig.Options = {}): readonly [Endpoint, Endpoint] => {
  const asked = self.client.request(connectRequest(options))
  self.wire.exchange()
  const outcome = asked.outcome()
  if (outcome._tag !== "Done") throw new Error(`connect ${JSON.stringify(outcome)}`)
  const accepted = self.server.call({ _tag: "TcpAccept", listener: self.listener, block: false })
  return [outcome.value, accepted]
}

/** Bytes with a pattern that no shift of it has. */
export const pattern = (length: number, from = 0): Uint8Array => {
  const bytes = new Uint8Array(length)
  for (let i = 0; i < length; i++) bytes[i] = Math.imul(i + from, 0x9e3779b1) >>> 24
  return bytes
}

export const join = (received: Received): Uint8Array => {
  const bytes = new Uint8Array(received.length)
  let at = 0
  for (const piece of received.pieces) {
    bytes.set(piece.bytes.subarray(piece.start, piece.end), at)
    at += piece.end - piece.start
  }
  return bytes
}

/** Everything that can be read now. */
export const drain = (host: Host, connection: number): { readonly bytes: Uint8Array; readonly end: boolean } => {
  const parts: Array<Uint8Array> = []
  for (;;) {
    const outcome = host.request({ _tag: "TcpRead", connection, max: 1 << 20, block: false }).outcome()
    if (outcome._tag !== "Done") return { bytes: Buffer.concat(parts), end: false }
    if (outcome.value.end) return { bytes: Buffer.concat(parts), end: true }
    parts.push(join(outcome.value))
  }
}

export const write = (host: Host, connection: number, bytes: Uint8Array, block = true) =>
  host.request({
    _tag: "TcpWrite",
    connection,
    bytes,
    start: 0,
    end: bytes.length,
    owned: false,
    block
  })

/** The state's name of a connection that a program holds. */
export const stateOf = (host: Host, connection: number): string => host.call({ _tag: "TcpGetInfo", connection }).state
