/**
 * The error of every operation on the network of a stack: what was tried, on what, and the reason why it could not be met. Programs find it in `Network`.
 */
import * as Effect from "effect/Effect"
import type * as NetAddress from "effect/net/NetAddress"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type * as CoreReason from "../core/Reason.ts"
import * as Failure from "./Failure.ts"

export class NetworkError extends Schema.TaggedError<NetworkError>()("NetworkError", {
  operation: Schema.String,
  /** The address, the route or the link that was to be changed or asked for, as texts and logs show it. */
  subject: Schema.optionalKey(Schema.String),
  reason: Failure.Any
}) {
  override get message(): string {
    return `${this.operation}${this.subject === undefined ? "" : ` ${this.subject}`}: ${this.reason.message}`
  }
}

const make = (operation: string, subject: string | undefined, reason: Failure.Any): NetworkError =>
  new NetworkError({ operation, reason, ...(subject === undefined ? {} : { subject }) })

/** Gives a failure of the core its place and its class. */
export const during =
  (operation: string, subject?: string) =>
  <A, R>(self: Effect.Effect<A, CoreReason.Reason, R>): Effect.Effect<A, NetworkError, R> =>
    Effect.mapError(self, (reason) => make(operation, subject, Failure.of(reason)))

/** The same for a failure that has its class already. */
export const because =
  (operation: string, subject?: string) =>
  <A, R>(self: Effect.Effect<A, Failure.Any, R>): Effect.Effect<A, NetworkError, R> =>
    Effect.mapError(self, (reason) => make(operation, subject, reason))

/** What a program wrote, or the failure that it can't be read. */
export const parsed =
  (operation: string) => <A>(result: Result.Result<A, NetAddress.NetAddressError>): Effect.Effect<A, NetworkError> =>
    because(operation)(
      Result.isSuccess(result)
        ? Effect.succeed(result.success)
        : Effect.fail(new Failure.InvalidArgument({ detail: result.failure.message }))
    )
