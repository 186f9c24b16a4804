/**
 * What of the outstanding data counts as lost (RFC 6675 §4, RFC 6298 §5): marks on the scoreboard, which lower the pipe and name what is sent
 * again next.
 */
import type * as Sequence from "../../wire/Sequence.ts"
import * as Loss from "./Loss.ts"
import * as Runs from "./Runs.ts"
import * as Scoreboard from "./Scoreboard.ts"

/** Everything up to `to` that is not selectively acknowledged is lost. */
const upTo = (self: Scoreboard.Scoreboard, to: Sequence.Sequence): Scoreboard.Scoreboard => Loss.until(self, to).board

/** A retransmission timeout: all of it. */
export const all = (self: Scoreboard.Scoreboard): Scoreboard.Scoreboard => upTo(self, self.nxt)

/** The first segment: what a third duplicate ACK, or a partial ACK, without SACK speaks of. */
export const head = (self: Scoreboard.Scoreboard): Scoreboard.Scoreboard => {
  const segment = Scoreboard.firstSegment(self)
  return segment === undefined ? self : upTo(self, segment.end)
}

/** IsLost (RFC 6675 §4): enough was selectively acknowledged above, or enough duplicates came, for the first segment. */
export const bySacks = (
  self: Scoreboard.Scoreboard,
  reordering: number,
  duplicates: number
): Scoreboard.Scoreboard => {
  if (Scoreboard.sackedSegments(self) < reordering && duplicates < reordering) return self
  const first = Scoreboard.first(self)
  if (first === undefined || first.transmissions > 1) return self
  return head(self)
}

/** The first run that waits to be sent again. */
export const next = (self: Scoreboard.Scoreboard): Runs.Run | undefined =>
  self.tree === undefined
    ? undefined
    : Runs.find(self.tree, (node) => node.lost > 0, (run) => !run.sacked && run.copies === 0)
