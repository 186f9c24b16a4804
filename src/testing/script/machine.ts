/**
 * The machine that a script was written on, as far as its host's SYN tells of it: how large buffers may become decides the window scale (RFC 7323 §2.3), and
 * how large they begin the first window. Where the script sets sizes itself, nothing is guessed.
 */
import type * as Tcp from "../../core/tcp/Config.ts"
import { SYN } from "../../wire/Tcp.ts"
import { within } from "./evaluate.ts"
import type { Event, TcpOption, TcpPacket } from "./Syntax.ts"

const sizes = /^(?:SO_RCVBUF(?:FORCE)?|TCP_WINDOW_CLAMP)$/

/** Whether a call gives a socket its sizes. */
export const setsSizes = ({ action }: Event): boolean =>
  action._tag === "Call" && action.args.flatMap(within).some((each) => each._tag === "Name" && sizes.test(each.name))

const synOf = ({ action }: Event): TcpPacket | undefined =>
  action._tag === "TcpPacket" && action.direction === "out" && (action.flags & SYN) !== 0 ? action : undefined

const scaleOf = (option: TcpOption): ReadonlyArray<number> => option._tag === "WindowScale" ? [option.value] : []

/** Between these a first window is that of a machine of its time: no rounding of the usual one, and more than a mistake. */
const [leastOfOld, largestOfOld] = [4096, 32_768] as const

/** What the host begins with for its SYN to be what the script has. */
export const machineOf = (events: ReadonlyArray<Event>): Partial<Tcp.Config> => {
  const syn = events.some(setsSizes) ? undefined : events.map(synOf).find((each) => each !== undefined)
  if (syn === undefined) return {}
  const [scale] = syn.options === "any" ? [] : syn.options.flatMap(scaleOf)
  const { window = 0 } = syn
  return {
    ...(scale === undefined || scale > 14 ? {} : { receiveBufferLimit: 65_535 * 2 ** scale }),
    ...(window < leastOfOld || window > largestOfOld ? {} : { receiveBuffer: window })
  }
}
