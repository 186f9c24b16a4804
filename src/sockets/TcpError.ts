/**
 * The error of every operation on TCP: what was tried, where, and the reason why it could not be met.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as CoreReason from "../core/Reason.ts"
import * as Endpoint from "./Endpoint.ts"
import * as Failure from "./Failure.ts"

export class TcpError extends Schema.TaggedError<TcpError>()("TcpError", {
  operation: Schema.Literals(["connect", "listen", "accept", "read", "write", "shutdown", "close", "wait", "options"]),
  reason: Failure.Any,
  /** Where a listener was to be: `::` stands for every address of both families. */
  local: Schema.optionalKey(Endpoint.Endpoint),
  /** Whom a connection was to reach. */
  remote: Schema.optionalKey(Endpoint.Endpoint)
}) {
  override get message(): string {
    return `${Endpoint.situation(this.operation, this)}: ${this.reason.message}`
  }
}

export type Operation = TcpError["operation"]

/** Gives a failure of the core its place and its class. */
export const during =
  (operation: Operation) => <A, R>(self: Effect.Effect<A, CoreReason.Reason, R>): Effect.Effect<A, TcpError, R> =>
    Effect.mapError(self, (reason) => new TcpError({ operation, reason: Failure.of(reason) }))

/** The same for a failure that has its class already. */
export const because =
  (operation: Operation) => <A, R>(self: Effect.Effect<A, Failure.Any, R>): Effect.Effect<A, TcpError, R> =>
    Effect.mapError(self, (reason) => new TcpError({ operation, reason }))

/** Names the place of an operation in its failure. */
export const at =
  (place: Endpoint.Place) => <A, R>(self: Effect.Effect<A, TcpError, R>): Effect.Effect<A, TcpError, R> =>
    Effect.mapError(self, ({ operation, reason }) => new TcpError({ operation, reason, ...place }))
