/** Options of datagram sockets: what their packets are like, and how long they wait for others. */
import { first, microsOf } from "./comparedOptions.ts"
import { constants } from "./constants.ts"
import { type Pending, returned, type UdpSocket } from "./Descriptor.ts"
import { numberOf } from "./evaluate.ts"
import { type Kernel, ok } from "./Kernel.ts"
import type { Expression } from "./Syntax.ts"

type Setter = (value: number) => UdpSocket["options"]

const discovery: Setter = (mode) => ({
  dontFragment: mode === constants["IP_PMTUDISC_DO"] || mode === constants["IP_PMTUDISC_PROBE"]
})

const trafficClass: Setter = (value) => ({ trafficClass: value & 0xff })

const hopLimit: Setter = (value) => ({ hopLimit: value < 0 ? undefined : value })

const setters: Readonly<Record<string, Setter>> = {
  IP_MTU_DISCOVER: discovery,
  IPV6_MTU_DISCOVER: discovery,
  IP_TOS: trafficClass,
  IPV6_TCLASS: trafficClass,
  IP_TTL: hopLimit,
  IPV6_UNICAST_HOPS: hopLimit
}

export const setUdpOption = (
  kernel: Kernel,
  self: UdpSocket,
  name: string,
  expression: Expression | undefined
): Pending => {
  if (name === "SO_RCVTIMEO" && expression?._tag === "Record") self.readTimeout = microsOf(expression)
  const setter = setters[name]
  if (setter === undefined) return ok
  self.options = { ...self.options, ...setter(numberOf(first(expression))) }
  const { options, socket } = self
  return socket === undefined ? ok : kernel.ask({ _tag: "UdpSetOptions", socket, options }, () => returned(0))
}
