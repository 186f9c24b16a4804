/**
 * The frames that a peer on the wire sends to the stack under measurement, with right checksums, one to a buffer.
 */
import * as Address from "../src/wire/Address.ts"
import * as Arp from "../src/wire/Arp.ts"
import * as Checksum from "../src/wire/Checksum.ts"
import * as Ethernet from "../src/wire/Ethernet.ts"
import * as Icmpv4 from "../src/wire/Icmpv4.ts"
import * as IpProtocol from "../src/wire/IpProtocol.ts"
import * as Ipv4 from "../src/wire/Ipv4.ts"
import * as Mac from "../src/wire/Mac.ts"
import * as Tcp from "../src/wire/Tcp.ts"
import * as TcpOptions from "../src/wire/TcpOptions.ts"

export const stack = { mac: 0x0200_0000_0001, address: Address.v4(10, 99, 0, 2) } as const
export const peer = { mac: 0x0200_0000_0011, address: Address.v4(10, 99, 0, 11) } as const

const ipAt = Ethernet.headerLength
const payloadAt = ipAt + Ipv4.minimumHeaderLength

/** Puts the link's and IP's headers before a payload that ends at `end`, and completes the transport's checksum. */
const enclose = (bytes: Uint8Array, end: number, protocol: number, fieldAt: number): number => {
  const { address: destination } = stack
  const { address: source } = peer
  Ethernet.emit({ destination: stack.mac, source: peer.mac, type: Ethernet.EtherType.ipv4 }, bytes, 0)
  Ipv4.emit(
    {
      source,
      destination,
      protocol,
      hopLimit: 64,
      trafficClass: 0,
      identification: 0,
      dontFragment: true,
      moreFragments: false,
      fragmentOffset: 0,
      totalLength: end - ipAt,
      options: undefined
    },
    bytes,
    ipAt
  )
  Checksum.complete(bytes, payloadAt, end, payloadAt + fieldAt)
  return end
}

/** The peer asks for the stack's address, which tells the stack the peer's. Answers the frame's end, as all do. */
export const introduction = (bytes: Uint8Array): number => {
  Ethernet.emit({ destination: Mac.broadcast, source: peer.mac, type: Ethernet.EtherType.arp }, bytes, 0)
  return Arp.emit(Arp.request(peer.mac, peer.address, stack.address), bytes, ipAt)
}

export const ping = (bytes: Uint8Array, sequence: number, length: number): number => {
  const at = Icmpv4.emit({ _tag: "EchoRequest", identifier: 1, sequence }, bytes, payloadAt)
  bytes.fill(0x61, at, at + length)
  return enclose(bytes, at + length, IpProtocol.icmp, Icmpv4.checksumOffset)
}

export const segment = (
  bytes: Uint8Array,
  header: Pick<Tcp.Fields, "sourcePort" | "destinationPort" | "sequence" | "acknowledgment" | "flags">,
  options: Partial<TcpOptions.Options>,
  text: Uint8Array
): number => {
  const whole = { ...header, window: 65_535, urgentPointer: 0, options: TcpOptions.make(options) }
  const length = Tcp.size({ ...whole, checksum: 0 }) + text.length
  const pseudo = Checksum.pseudoV4(peer.address, stack.address, IpProtocol.tcp, length)
  const at = Tcp.emit({ ...whole, checksum: Checksum.fold(pseudo) }, bytes, payloadAt)
  bytes.set(text, at)
  return enclose(bytes, at + text.length, IpProtocol.tcp, Tcp.checksumOffset)
}
