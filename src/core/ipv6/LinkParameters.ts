/**
 * What routers tell about the link itself (RFC 4861 §6.3.2, §6.3.4): the MTU, the hop limit, and the times of neighbour discovery.
 */
import type { RouterAdvertisement } from "../../wire/Ndp.ts"
import * as Time from "../Time.ts"

export interface LinkParameters {
  /** LinkMTU: what IPv6 packets may have; never above what the link carries. */
  readonly mtu: number
  /** CurHopLimit */
  readonly hopLimit: number
  /** BaseReachableTime; the time of each neighbour is half to one and a half times this, at random. */
  readonly reachableTime: Time.Span
  /** RetransTimer */
  readonly retransmit: Time.Span
}

/** RFC 4861 §10 */
export const defaultReachableTime = Time.seconds(30)
export const defaultRetransmit = Time.seconds(1)

/** Every link carries packets of this size (RFC 8200 §5). */
const minimumMtu = 1280

/** Before any router has said anything. */
export const make = (linkMtu: number, hopLimit: number): LinkParameters => ({
  mtu: linkMtu,
  hopLimit,
  reachableTime: defaultReachableTime,
  retransmit: defaultRetransmit
})

/** Less than this would only make hosts flood their link, which is what a forged advertisement would want. */
const shortestTime = Time.millis(100)
/** rfc: 4861 §6.2.1 MUST: no router may tell more. */
const longestReachableTime = Time.seconds(3600)
/** The field reaches to 49 days, in which no neighbour would be asked for a second time and no packet for it let go. */
const longestRetransmit = Time.seconds(10)

/**
 * With what a valid advertisement says (rfc: 4861 §6.3.4 SHOULD); zero and a missing option say nothing, and change nothing (MUST NOT).
 * `linkMtu` is what the link carries: an option that says more is ignored (rfc: 2464 §2), and so is one below the minimum.
 */
export const learn = (self: LinkParameters, advertisement: RouterAdvertisement, linkMtu: number): LinkParameters => {
  const { hopLimit, options, reachableTime, retransmitTimer } = advertisement
  const isMtu = options.mtu !== undefined && options.mtu >= minimumMtu && options.mtu <= linkMtu
  const isReachable = reachableTime !== 0 && Time.millis(reachableTime) <= longestReachableTime
  return {
    mtu: isMtu ? options.mtu : self.mtu,
    hopLimit: hopLimit === 0 ? self.hopLimit : hopLimit,
    reachableTime: isReachable ? Time.max(Time.millis(reachableTime), shortestTime) : self.reachableTime,
    retransmit: retransmitTimer === 0 ? self.retransmit : retransmitOf(Time.millis(retransmitTimer))
  }
}

const retransmitOf = (told: Time.Span): Time.Span => Time.min(Time.max(told, shortestTime), longestRetransmit)

export const equals = (a: LinkParameters, b: LinkParameters): boolean =>
  a.mtu === b.mtu && a.hopLimit === b.hopLimit && a.reachableTime === b.reachableTime && a.retransmit === b.retransmit
