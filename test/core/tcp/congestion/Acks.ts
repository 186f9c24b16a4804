/** ACKs for controllers, and a sender that always has data on a path of one round-trip time. */
import type * as Controller from "../../../../src/core/tcp/congestion/Controller.ts"
import * as Time from "../../../../src/core/Time.ts"

export const mss = 1000

/** An ACK of one full segment with the window used up, but for what is given. */
export const ack = (
  given:
    & Partial<Omit<Controller.AckSample, "rate">>
    & Partial<Pick<Controller.AckSample["rate"], "isRoundStart" | "rate" | "delivered" | "inFlightAtSend" | "lost">> =
      {}
): Controller.AckSample => {
  const { delivered = 0, inFlightAtSend = 0, isRoundStart = false, lost = 0, rate, ...rest } = given
  const bytesAcked = rest.bytesAcked ?? mss
  return {
    now: Time.instantOf(0),
    bytesAcked,
    bytesDelivered: bytesAcked,
    bytesLost: 0,
    bytesInFlight: 1e12,
    bytesInFlightAfter: 1e12,
    mostInFlight: Infinity,
    rtt: undefined,
    srtt: Time.millis(100),
    minRtt: Time.millis(100),
    isAppLimited: false,
    isMarked: false,
    recovery: "none",
    ...rest,
    rate: {
      rate,
      isAppLimited: false,
      isRoundStart,
      rounds: 0,
      delivered,
      lost,
      inFlightAtSend
    }
  }
}

export const start = (given: Partial<Controller.Start> = {}): Controller.Start => ({
  now: Time.instantOf(0),
  mss,
  initialWindow: 10 * mss,
  ...given
})

/** The state of a sender after it was driven, and the clock. */
export interface Driven<S> {
  readonly state: S
  readonly now: Time.Instant
}

/**
 * One round trip: a window's worth of segments is acknowledged evenly over it, `perAck` segments at a time.
 * `sample` gives what each ACK says beside that.
 */
export const roundTrip = <S>(
  controller: Controller.Controller<S>,
  from: Driven<S>,
  rtt: Time.Span,
  perAck = 1,
  sample: Partial<Omit<Controller.AckSample, "rate">> = {}
): Driven<S> => {
  const segments = Math.max(1, Math.floor(controller.window(from.state) / mss))
  const inFlight = segments * mss
  let state = from.state
  for (let i = 0; i < segments; i += perAck) {
    const count = Math.min(perAck, segments - i)
    state = controller.onAck(
      state,
      ack({
        now: Time.plus(from.now, Time.scale(rtt, (i + count) / segments)),
        bytesAcked: count * mss,
        bytesInFlight: inFlight,
        bytesInFlightAfter: inFlight - count * mss,
        mostInFlight: Infinity,
        rtt,
        srtt: rtt,
        minRtt: rtt,
        isRoundStart: i === 0,
        ...sample
      })
    )
  }
  return { state, now: Time.plus(from.now, rtt) }
}

/** A loss that fast recovery repairs within a round trip. */
export const recover = <S>(controller: Controller.Controller<S>, from: Driven<S>, rtt: Time.Span): Driven<S> => {
  const lost = controller.onLoss(from.state, { now: from.now, flightSize: controller.window(from.state) })
  const now = Time.plus(from.now, rtt)
  const held = controller.onAck(lost, ack({ now, recovery: "fast", bytesAcked: 50 * mss }))
  return { state: controller.onRecoveryExit(held, now), now }
}
