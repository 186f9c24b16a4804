/**
 * A crowd in the core: thousands of connections that are established, accepted and silent, and routes, with nothing around it.
 */
import * as Address from "../src/wire/Address.ts"
import * as Ethernet from "../src/wire/Ethernet.ts"
import * as Ipv4 from "../src/wire/Ipv4.ts"
import * as Malformed from "../src/wire/Malformed.ts"
import * as Sequence from "../src/wire/Sequence.ts"
import * as Tcp from "../src/wire/Tcp.ts"
import { type Bare, bytesOf, link, transmits } from "./Bare.ts"
import * as Frames from "./frames.ts"

const perPort = 50_000
const nothing = new Uint8Array(0)

/** The number that a SYN/ACK begins with. */
const firstOf = (frame: Uint8Array): number => {
  const ip = Ipv4.parse(frame, Ethernet.headerLength, frame.length)
  if (Malformed.isMalformed(ip)) throw new Error(ip.detail)
  const header = Tcp.parse(frame, ip.payloadStart, ip.payloadEnd)
  if (Malformed.isMalformed(header)) throw new Error(header.detail)
  return header.sequence
}

const listen = (bare: Bare, port: number): number => {
  const request = { local: undefined, version: undefined, port, backlog: 8, options: {}, link: undefined } as const
  return (bare.ask({ _tag: "TcpListen", ...request }) as { readonly listener: number }).listener
}

/** Opens so many connections, to listeners from `firstPort` on, and accepts them. */
export const connections = (bare: Bare, count: number, firstPort = 1000): void => {
  const buffer = new Uint8Array(2048)
  let listener = 0
  for (let i = 0; i < count; i++) {
    const destinationPort = firstPort + Math.floor(i / perPort)
    if (i % perPort === 0) listener = listen(bare, destinationPort)
    const ends = { sourcePort: 5000 + i % perPort, destinationPort }
    const options = { timestampValue: 5, timestampEcho: 0 }
    const syn = { ...ends, sequence: 1000, acknowledgment: 0, flags: Tcp.SYN }
    const offer = { ...options, maximumSegmentSize: 1460, windowScale: 7, sackPermitted: true }
    const [answer] = transmits(bare.run([bare.frame(buffer, 0, Frames.segment(buffer, syn, offer, nothing))]))
    if (answer === undefined) throw new Error("no SYN/ACK")
    bare.now = (bare.now + 400) as typeof bare.now
    const acknowledgment = Sequence.add(firstOf(bytesOf(answer)), 1)
    const ack = { ...ends, sequence: 1001, acknowledgment, flags: Tcp.ACK }
    bare.run([bare.frame(buffer, 0, Frames.segment(buffer, ack, options, nothing))])
    bare.ask({ _tag: "TcpAccept", listener, block: false })
  }
}

/** Adds so many routes to networks of their own. */
export const routes = (bare: Bare, count: number): void => {
  for (let i = 0; i < count; i++) {
    const prefix = Address.v4(172, 16 + (i >> 16), (i >> 8) & 255, i & 255)
    const route = { gateway: undefined, link, metric: 0, source: undefined } as const
    bare.ask({ _tag: "AddRoute", prefix, length: 32, ...route })
  }
}
