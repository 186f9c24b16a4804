/**
 * A switch of a simulation: it learns behind which port an address is, and floods what it does not know
 * (IEEE 802.1D-2004 §7.7, §7.8). It forgets nothing, and a loop of switches would carry a frame round for ever.
 */
import type * as Frame from "../wire/Frame.ts"
import * as Mac from "../wire/Mac.ts"
import type { Receiver } from "./Lane.ts"

const headerLength = 14

export class Bridge {
  private readonly ports: Array<Receiver> = []
  private readonly stations: Map<Mac.Mac, number> = new Map()

  /** Tells where frames leave through a port. */
  connect(port: number, out: Receiver): void {
    this.ports[port] = out
  }

  receive(port: number, frame: Frame.Frame): void {
    const { bytes, end, start } = frame
    if (end - start < headerLength) return
    const destination = Mac.read(bytes, start)
    const source = Mac.read(bytes, start + 6)
    if (!Mac.isGroup(source)) this.stations.set(source, port)
    const known = Mac.isGroup(destination) ? undefined : this.stations.get(destination)
    if (known !== undefined) {
      if (known !== port) this.ports[known]!(frame)
      return
    }
    this.ports.forEach((out, other) => {
      if (other !== port) out(frame)
    })
  }
}
