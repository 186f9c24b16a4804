/** What becomes of a packet on its way to a wire: joined, with its checksums, super-segments cut. */
import * as Frame from "../wire/Frame.ts"
import * as Gather from "../wire/Gather.ts"

/** Octets of an Ethernet header; a link without Ethernet has none. */
const ethernetHeader = 14

/** The frames of a packet; those of one super-segment share their memory. */
export const frames = (packet: Gather.Outgoing, isEthernet: boolean): Array<Frame.Frame> => {
  const bytes = new Uint8Array(Gather.segmentsSize(packet, 0))
  const bounds: Array<number> = []
  const room = { bytes, at: 0, end: bytes.length, gap: 0 }
  Gather.segments(packet, isEthernet ? ethernetHeader : 0, 0, room, true, bounds)
  const cut: Array<Frame.Frame> = []
  for (let i = 0; i < bounds.length; i += 2) cut.push(Frame.plain(bytes, bounds[i], bounds[i + 1]))
  return cut
}
