/**
 * The core with nothing around it: events in, outputs out, and the account of what was sent kept up to date, since a link
 * takes everything at once. Time stands still unless it is moved.
 */
import * as Config from "../src/core/Config.ts"
import type { LinkId } from "../src/core/Device.ts"
import * as Entropy from "../src/core/Entropy.ts"
import type { Event } from "../src/core/Event.ts"
import type { Output, Transmit } from "../src/core/Output.ts"
import { noTicket, type Request } from "../src/core/Request.ts"
import * as State from "../src/core/State.ts"
import * as Time from "../src/core/Time.ts"
import * as Frame from "../src/wire/Frame.ts"
import * as Gather from "../src/wire/Gather.ts"
import type { Mac } from "../src/wire/Mac.ts"
import * as Ledger from "../src/workers/Ledger.ts"
import { runBatch, Step } from "../src/workers/runBatch.ts"

export const link: LinkId = 1
const mtu = 1500

export class Bare {
  readonly step: Step
  now = Time.instantOf(1_000_000)
  private readonly ledger = Ledger.make()

  constructor(mac: Mac, address: number) {
    this.step = new Step(State.make(Config.defaults, Entropy.derive(new Uint8Array(16).fill(7))))
    this.ask({
      _tag: "AttachLink",
      interface: {
        id: link,
        name: "bench0",
        medium: "ethernet",
        mac,
        mtu,
        checksumOffload: false,
        segmentation: new Set(),
        maxSegmentBytes: mtu,
        up: true,
        addresses: []
      }
    })
    this.ask({ _tag: "AddAddress", link, address, prefixLength: 24, origin: "static" })
  }

  /** Runs a batch; what it sent is told to the core with the next one. */
  run(events: ReadonlyArray<Event>): ReadonlyArray<Output> {
    const told = this.ledger.take()
    const outputs = runBatch(this.step, this.now, told.length === 0 ? events : [...told, ...events])
    for (const output of outputs) if (output._tag === "Transmit") this.ledger.add(output)
    return outputs
  }

  /** Asks for something that is answered at once. */
  ask(request: Request): unknown {
    const reply = this.run([{ _tag: "Request", ticket: 1, request }]).find((output) => output._tag === "Reply")
    if (reply === undefined || reply.reason !== undefined) {
      throw new Error(`${request._tag}: ${reply?.reason?._tag ?? "no answer"}`)
    }
    return reply.value
  }

  /** Asks for something and does not wait for the answer. */
  tell(request: Request): ReadonlyArray<Output> {
    return this.run([{ _tag: "Request", ticket: noTicket, request }])
  }

  frame(bytes: Uint8Array, start = 0, end = bytes.length): Event {
    return { _tag: "Frame", link, frame: Frame.plain(bytes, start, end), receivedAt: this.now }
  }
}

export const transmits = (outputs: ReadonlyArray<Output>): ReadonlyArray<Transmit> =>
  outputs.filter((output) => output._tag === "Transmit")

/** The bytes of a frame that is not cut, checksums complete. */
export const bytesOf = (transmit: Transmit): Uint8Array => {
  const bytes = new Uint8Array(Gather.size(transmit.packet))
  Gather.into(transmit.packet, bytes, 0, true)
  return bytes
}
