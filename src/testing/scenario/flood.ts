/** A flood of SYNs from addresses that nobody has (RFC 4987 §2). */
import * as Time from "../../core/Time.ts"
import * as Random from "../../link/Random.ts"
import * as Address from "../../wire/Address.ts"
import * as Checksum from "../../wire/Checksum.ts"
import * as Ethernet from "../../wire/Ethernet.ts"
import * as IpProtocol from "../../wire/IpProtocol.ts"
import * as Ipv4 from "../../wire/Ipv4.ts"
import type * as Mac from "../../wire/Mac.ts"
import * as Tcp from "../../wire/Tcp.ts"
import * as TcpOptions from "../../wire/TcpOptions.ts"
import type { Simulation } from "../Simulator.ts"

export interface Options {
  /** The host whose interface the SYNs leave by. */
  readonly from: string
  readonly source: Mac.Mac
  readonly target: { readonly address: Address.Ipv4; readonly mac: Mac.Mac; readonly port: number }
  readonly start: Time.Span
  readonly length: Time.Span
  /** SYNs a second. */
  readonly rate: number
  readonly seed: number
}

const ipAt = Ethernet.headerLength
const tcpAt = ipAt + Ipv4.minimumHeaderLength

/** A network of documentation (RFC 5737), which nobody on the simulated one has. */
const strangers = Address.v4(198, 51, 100, 0)

const syn = ({ source, target }: Options, random: Random.Random): Uint8Array => {
  const from = strangers + (random.word() & 0xff)
  const header = {
    sourcePort: 1024 + random.word() % 60_000,
    destinationPort: target.port,
    sequence: random.word() | 0,
    acknowledgment: 0,
    flags: Tcp.SYN,
    window: 65_535,
    urgentPointer: 0,
    checksum: 0,
    options: TcpOptions.make({ maximumSegmentSize: 1460 })
  }
  const size = Tcp.size(header)
  const bytes = new Uint8Array(tcpAt + size)
  Ethernet.emit({ destination: target.mac, source, type: Ethernet.EtherType.ipv4 }, bytes, 0)
  Ipv4.emit(
    {
      source: from,
      destination: target.address,
      protocol: IpProtocol.tcp,
      hopLimit: 64,
      trafficClass: 0,
      identification: random.word() & 0xffff,
      dontFragment: true,
      moreFragments: false,
      fragmentOffset: 0,
      totalLength: bytes.length - ipAt,
      options: undefined
    },
    bytes,
    ipAt
  )
  const pseudo = Checksum.pseudoV4(from, target.address, IpProtocol.tcp, size)
  Tcp.emit({ ...header, checksum: Checksum.fold(pseudo) }, bytes, tcpAt)
  Checksum.complete(bytes, tcpAt, bytes.length, tcpAt + Tcp.checksumOffset)
  return bytes
}

/** Begins at its time; answers how many SYNs have been sent so far. */
export const start = (simulation: Simulation, options: Options): () => number => {
  const { from, length, rate, seed } = options
  const random = Random.make(seed, Random.streamOf(from), Random.streamOf("flood"))
  const total = Math.floor(length / 1e6 * rate)
  const every = 1e6 / rate
  let sent = 0
  const next = (): void => {
    simulation.inject(from, syn(options, random))
    sent++
    if (sent < total) simulation.at(Time.micros(options.start + Math.round(sent * every)), next)
  }
  if (total > 0) simulation.at(options.start, next)
  return () => sent
}
