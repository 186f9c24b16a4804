import * as Schema from "effect/Schema"

/** A topology that makes no sense; `where` names the part of it. */
export class TopologyError extends Schema.TaggedError<TopologyError>()("TopologyError", {
  where: Schema.String,
  detail: Schema.String
}) {
  override get message(): string {
    return `${this.where}: ${this.detail}`
  }
}
