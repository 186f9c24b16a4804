/**
 * The error of every operation on UDP: what was tried, and the reason why it could not be met.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as CoreReason from "../core/Reason.ts"
import * as Failure from "./Failure.ts"

export class UdpError extends Schema.TaggedError<UdpError>()("UdpError", {
  operation: Schema.Literals(["bind", "connect", "disconnect", "send", "receive", "join", "options"]),
  reason: Failure.Any
}) {
  override get message(): string {
    return `${this.operation}: ${this.reason.message}`
  }
}

export type Operation = UdpError["operation"]

/** Gives a failure of the core its place and its class. */
export const during =
  (operation: Operation) => <A, R>(self: Effect.Effect<A, CoreReason.Reason, R>): Effect.Effect<A, UdpError, R> =>
    Effect.mapError(self, (reason) => new UdpError({ operation, reason: Failure.of(reason) }))

/** The same for a failure that has its class already. */
export const because =
  (operation: Operation) => <A, R>(self: Effect.Effect<A, Failure.Any, R>): Effect.Effect<A, UdpError, R> =>
    Effect.mapError(self, (reason) => new UdpError({ operation, reason }))
