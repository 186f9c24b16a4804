/** The smallest controller that deserves the name: one segment more for each ACK, half at every congestion. It shows what adding one takes. */
import type { Controller } from "../../../../src/core/tcp/congestion/Controller.ts"

interface Toy {
  readonly mss: number
  readonly segments: number
}

const halve = (self: Toy): Toy => ({ ...self, segments: Math.max(2, Math.floor(self.segments / 2)) })
const same = (self: Toy): Toy => self

export const controller: Controller<Toy> = {
  name: "toy",
  start: ({ initialWindow, mss }) => ({ mss, segments: Math.floor(initialWindow / mss) }),
  onAck: (self, ack) => ack.recovery === "fast" ? self : { ...self, segments: Math.min(1000, self.segments + 1) },
  onLoss: halve,
  onTimeout: (self) => ({ ...self, segments: 1 }),
  onEcn: halve,
  onRecoveryExit: same,
  undo: same,
  onIdle: same,
  onMss: (self, mss) => ({ ...self, mss }),
  window: (self) => self.segments * self.mss,
  ssthresh: (self) => 2 * self.mss,
  pacingRate: () => undefined,
  needsPacing: false
}
