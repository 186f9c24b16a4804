/**
 * All kinds of frames with their shares, and the one function that makes the next frame of a run.
 */
import type * as Frames from "./Frames.ts"
import * as Ipv6Frames from "./ipv6Frames.ts"
import { mutate } from "./mutate.ts"
import * as NdpFrames from "./ndpFrames.ts"
import * as Other from "./otherFrames.ts"
import type { Scene } from "./Scene.ts"
import * as TcpFrames from "./tcpFrames.ts"

type Maker = (target: Frames.Buffer, scene: Scene) => void

const makers: ReadonlyArray<readonly [share: number, Maker]> = [
  [40, TcpFrames.segment],
  [10, TcpFrames.syn],
  [4, Other.fragment],
  [1, Other.fragments],
  [5, Other.icmpError],
  [5, Other.icmpQuery],
  [6, Other.udp],
  [4, Other.arp],
  [2, Other.arpFlood],
  [4, Other.misplaced],
  [3, Other.optioned],
  [2, Other.igmp],
  [3, Other.garbage],
  [8, NdpFrames.discovery],
  [2, NdpFrames.flood],
  [6, Ipv6Frames.chained],
  [4, Ipv6Frames.fragment],
  [1, Ipv6Frames.fragments],
  [4, Ipv6Frames.error],
  [4, Ipv6Frames.echo],
  [4, Ipv6Frames.datagram],
  [4, Ipv6Frames.listener],
  [1, Ipv6Frames.wrongLength]
]

const damagedShare = 0.35

/** Writes the next frame into `target`. */
export const make = (target: Frames.Buffer, scene: Scene): void => {
  if (scene.pending.length > 0 && scene.random.chance(0.7)) Other.pending(target, scene)
  else scene.random.weighted(makers)(target, scene)
  if (scene.random.chance(damagedShare)) mutate(target, scene.random)
}
