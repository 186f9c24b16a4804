/**
 * What the makers of frames know: the generator, what the stack has said, and the ports on which something is.
 */
import { type Conversation, Conversations } from "./Conversations.ts"
import type { Random } from "./Random.ts"

/** Frames of the stack's that are kept to be quoted in ICMP errors. */
const keptFrames = 64

/** Ports of the stack with a listener or a socket, and some without. */
export const tcpPorts = [7, 80, 443, 8443] as const
export const udpPorts = [7, 53] as const
/** An IP protocol of nobody's, for which the stack has a raw socket. */
export const rawProtocol = 99
export const closedPorts = [0, 1, 81, 1023, 8080, 65_535] as const

export class Scene {
  readonly random: Random
  readonly conversations = new Conversations()
  /** The latest frames of the stack's. */
  readonly said: Array<Uint8Array> = []
  private saidCount = 0
  /** Frames that are made already and come next: the fragments of a packet. */
  readonly pending: Array<Uint8Array> = []
  /** The conversation with which the next segments go on, and how many of them. */
  focus: { readonly at: Conversation; left: number } | undefined = undefined

  constructor(random: Random) {
    this.random = random
  }

  hear(frame: Uint8Array): void {
    this.said[this.saidCount++ % keptFrames] = frame
    this.conversations.hear(frame)
  }
}
