/**
 * What somebody does to a host while it runs: addresses, routes and neighbours come and go, the link goes down and up. The address
 * and the way by which the probes come stay.
 */
import * as Frames from "./Frames.ts"
import * as Ipv6Packets from "./Ipv6Packets.ts"
import type { Random } from "./Random.ts"
import { ask, met, type Subject } from "./Subject.ts"

const link = 1
const documentation = 0xc633_6400 | 0

type Act = (subject: Subject, random: Random) => void

const toggleAddress: Act = (subject) => {
  const address = Frames.secondAddress
  const removed = ask(subject, { _tag: "RemoveAddress", link, address })
  if (removed._tag === "Met") return
  met(subject, { _tag: "AddAddress", link, address, prefixLength: Frames.prefixLength, origin: "static" })
}

const toggleRoute: Act = (subject, random) => {
  const route = { prefix: documentation, length: random.between(8, 32), gateway: Frames.gateway, link }
  const removed = ask(subject, { _tag: "RemoveRoute", ...route })
  if (removed._tag === "Met") return
  ask(subject, { _tag: "AddRoute", ...route, metric: random.below(3), source: undefined })
}

const toggleNeighbor: Act = (subject, random) => {
  const { address, mac } = random.pick(Frames.peers)
  const removed = ask(subject, { _tag: "RemoveNeighbor", link, address })
  if (removed._tag === "Met" && random.chance(0.5)) return
  ask(subject, { _tag: "SetNeighbor", link, address, mac })
}

const flush: Act = (subject) => {
  met(subject, { _tag: "FlushNeighbors", link })
}

const look: Act = (subject) => {
  met(subject, { _tag: "ListNeighbors", link: undefined })
  met(subject, { _tag: "ListRoutes" })
}

const bounce: Act = (subject, random) => {
  ask(subject, { _tag: "LinkChanged", link, up: false })
  if (random.chance(0.5)) ask(subject, { _tag: "LinkChanged", link, mtu: random.pick([1500, 1400, 576]) })
  ask(subject, { _tag: "LinkChanged", link, up: true })
  ask(subject, { _tag: "LinkChanged", link, mtu: 1500 })
}

/** Does one thing. */
export const administer: Act = (subject, random) =>
  random.weighted<Act>([
    [4, toggleAddress],
    [4, toggleRoute],
    [4, toggleNeighbor],
    [2, flush],
    [2, look],
    [1, bounce]
  ])(subject, random)

/** Has the stack's IPv6 address anew, in case somebody has claimed it while it was looked for (RFC 4862 §5.4). */
export const renew = (subject: Subject): void => {
  const address = { link, address: Ipv6Packets.stackAddress } as const
  ask(subject, { _tag: "RemoveAddress", ...address })
  met(subject, { _tag: "AddAddress", ...address, prefixLength: Ipv6Packets.prefixLength, origin: "static" })
}

/** Puts everything back as it was. */
export const settle = (subject: Subject): void => {
  ask(subject, { _tag: "RemoveAddress", link, address: Frames.secondAddress })
  for (const { address } of Frames.peers) ask(subject, { _tag: "RemoveNeighbor", link, address })
}
