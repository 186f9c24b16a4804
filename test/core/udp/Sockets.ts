/** Sockets of a host under test, asked as programs ask. */
import type { UdpOptions } from "../../../src/core/udp/Requests.ts"
import type * as Host from "../../../src/testing/Host.ts"
import type * as Address from "../../../src/wire/Address.ts"
import * as Family from "../family.ts"
import * as Lan from "./Lan.ts"

const { link, there } = Lan

export const introduced = (options?: Host.Options): Host.Host => {
  const self = Lan.host(options)
  Lan.introduce(self)
  return self
}

export interface BindOptions {
  readonly port?: number
  readonly local?: Address.Address
  readonly version?: 4 | 6
  readonly link?: number
  readonly options?: Partial<UdpOptions>
}

export const tryBind = (self: Host.Host, given: BindOptions = {}) =>
  self.request({
    _tag: "UdpBind",
    local: given.local,
    version: given.version,
    port: given.port ?? 0,
    link: given.link,
    options: given.options ?? {}
  })

export const bind = (self: Host.Host, given: BindOptions = {}): number => {
  const outcome = tryBind(self, given).outcome()
  if (outcome._tag !== "Done") throw new Error(JSON.stringify(outcome))
  return outcome.value.socket
}

export const reasonOf = (asked: Host.Asked<unknown>): string => {
  const outcome = asked.outcome()
  return outcome._tag === "Failed" ? outcome.reason._tag : outcome._tag
}

/** What a socket has got so far, as texts of its datagrams' first octets. */
export const taken = (self: Host.Host, socket: number): ReadonlyArray<number> => {
  const outcome = self.request(Lan.receive(socket, false)).outcome()
  return outcome._tag === "Done" ? outcome.value.map(({ bytes }) => bytes[0]!) : []
}

export const connect = (self: Host.Host, socket: number, remote: Address.Address = there, remotePort = 7) =>
  self.request({ _tag: "UdpConnect", socket, remote, remotePort })

/** A port unreachable about the last frame that the host has sent, or what else a router says. */
export const refuse = (
  self: Host.Host,
  [type, code]: readonly [number, number] = Family.choose([3, 3] as const, [1, 4] as const)
): void => self.deliver(link, Lan.icmp(type, code, Lan.quoteOf(self.takeFrames(link).at(-1)!)))
