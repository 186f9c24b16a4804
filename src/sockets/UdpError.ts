/**
 * The error of every operation on UDP: what was tried, where, and the reason why it could not be met.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as CoreReason from "../core/Reason.ts"
import * as Endpoint from "./Endpoint.ts"
import * as Failure from "./Failure.ts"

export class UdpError extends Schema.TaggedError<UdpError>()("UdpError", {
  operation: Schema.Literals(["bind", "connect", "disconnect", "send", "receive", "join", "options"]),
  reason: Failure.Any,
  /** Where a socket was to be bound: `::` stands for every address of both families. */
  local: Schema.optionalKey(Endpoint.Endpoint),
  /** The far side, or the group. */
  remote: Schema.optionalKey(Endpoint.Endpoint)
}) {
  override get message(): string {
    return `${Endpoint.situation(this.operation, this)}: ${this.reason.message}`
  }
}

export type Operation = UdpError["operation"]

const nowhere = (): Endpoint.Place => ({})

/** Gives a failure of the core its place, which is only looked for then, and its class. */
export const during =
  (operation: Operation, where: () => Endpoint.Place = nowhere) =>
  <A, R>(self: Effect.Effect<A, CoreReason.Reason, R>): Effect.Effect<A, UdpError, R> =>
    Effect.mapError(self, (reason) => new UdpError({ operation, reason: Failure.of(reason), ...where() }))

/** The same for a failure that has its class already. */
export const because =
  (operation: Operation) => <A, R>(self: Effect.Effect<A, Failure.Any, R>): Effect.Effect<A, UdpError, R> =>
    Effect.mapError(self, (reason) => new UdpError({ operation, reason }))
