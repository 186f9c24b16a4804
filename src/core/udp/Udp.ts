/**
 * UDP as a transport (RFC 768, RFC 1122 §4.1): datagrams that come in, and ICMP errors about those that went out.
 */
import * as Checksum from "../../wire/Checksum.ts"
import * as IpProtocol from "../../wire/IpProtocol.ts"
import * as Malformed from "../../wire/Malformed.ts"
import * as Wire from "../../wire/Udp.ts"
import * as Word from "../../wire/Word.ts"
import type { Context, Transport } from "../Context.ts"
import * as Counter from "../Counter.ts"
import type { IcmpError, Packet } from "../Ip.ts"
import * as Reason from "../Reason.ts"
import * as Groups from "./Groups.ts"
import * as Receive from "./Receive.ts"
import type { Datagram } from "./Requests.ts"
import * as Sockets from "./Sockets.ts"
import type { Socket, State } from "./State.ts"

export const transport = (state: State): Transport => ({
  protocol: IpProtocol.udp,
  receive: (ctx, packet) => receive(ctx, state, packet),
  error: (ctx, error) => onError(ctx, state, error)
})

const receive = (ctx: Context, state: State, packet: Packet): void => {
  const { bytes, link } = packet
  const header = Wire.parse(bytes, packet.start, packet.end)
  if (Malformed.isMalformed(header)) return ctx.drop("Malformed", link, header.detail)
  if (!isIntact(ctx, packet, header)) return ctx.drop("UdpChecksum", link)
  const ends: Sockets.Ends = {
    local: packet.destination,
    port: header.destinationPort,
    remote: packet.source,
    remotePort: header.sourcePort,
    link
  }
  if (packet.isGroup) return receiveGroup(ctx, state, packet, header, ends)
  const socket = Sockets.find(ctx, state, ends)
  if (socket === undefined) {
    ctx.drop("UdpNoSocket", link)
    // rfc: 1122 §4.1.3.1 SHOULD
    return ctx.ip.error(ctx, "portUnreachable", packet)
  }
  deliver(ctx, state, socket, packet, header)
}

/** rfc: 1122 §4.1.3.4 MUST: a checksum that is there is verified; whether it may be missing is the family's matter */
const isIntact = (ctx: Context, packet: Packet, header: Wire.Header): boolean => {
  if (Wire.isUnprotected(header)) return ctx.families[packet.version].udpChecksumOptional
  if (packet.checksum !== "none") return true
  const pseudo = Checksum.pseudo(packet.source, packet.destination, IpProtocol.udp, header.length)
  return Wire.verify(packet.bytes, header, pseudo)
}

const receiveGroup = (ctx: Context, state: State, packet: Packet, header: Wire.Header, ends: Sockets.Ends): void => {
  const sockets = Sockets.findAll(ctx, state, ends).filter((socket) =>
    Groups.accepts(socket, packet.link, packet.destination, packet.source)
  )
  // rfc: 1122 §3.2.2 MUST NOT: no error about a datagram to a group
  if (sockets.length === 0) return ctx.drop("UdpNoSocket", packet.link)
  for (const socket of sockets) deliver(ctx, state, socket, packet, header)
}

/** Cuts what the link has merged, and hands over the datagrams. */
const deliver = (ctx: Context, state: State, socket: Socket, packet: Packet, header: Wire.Header): void => {
  const { payloadEnd, payloadStart } = header
  const step = packet.segmentSize > 0 ? packet.segmentSize : Math.max(1, payloadEnd - payloadStart)
  let from = payloadStart
  do {
    const to = Math.min(payloadEnd, from + step)
    const current = state.sockets.get(socket.id)
    if (current === undefined) return
    ctx.count(Counter.index.udpReceived)
    Receive.deliver(ctx, state, current, datagramOf(packet, header, from, to))
    from = to
  } while (from < payloadEnd)
}

const datagramOf = (packet: Packet, header: Wire.Header, from: number, to: number): Datagram => ({
  bytes: packet.bytes.slice(from, to),
  source: packet.source,
  sourcePort: header.sourcePort,
  destination: packet.destination,
  link: packet.link,
  hopLimit: packet.hopLimit,
  trafficClass: packet.trafficClass,
  receivedAt: packet.receivedAt
})

/** rfc: 1122 §4.1.3.3 MUST: ICMP errors are passed up */
const onError = (ctx: Context, state: State, error: IcmpError): void => {
  const port = Word.read16(error.bytes, error.start)
  const remotePort = Word.read16(error.bytes, error.start + 2)
  const link = ctx.links.linkOf(error.source) ?? error.link
  const ends: Sockets.Ends = { local: error.source, port, remote: error.destination, remotePort, link }
  const socket = Sockets.find(ctx, state, ends)
  if (socket === undefined) return ctx.drop("IcmpErrorNotOurs", error.link)
  const reason = reasonOf(ctx, socket, error)
  if (reason === undefined) return
  if (socket.remote !== undefined) return Receive.fail(ctx, state, socket, reason)
  remember(ctx, state, socket, error, remotePort, reason)
}

/** What a program has to know of it; `undefined` for what the stack deals with by itself. */
const reasonOf = (ctx: Context, socket: Socket, error: IcmpError): Reason.Reason | undefined => {
  switch (error.kind) {
    case "port":
    case "protocol":
      return Reason.connectionRefused
    case "tooBig": {
      const path = ctx.ip.path(ctx, error.destination, error.source, socket.link)
      if ("_tag" in path) return undefined
      ctx.ip.learnMtu(ctx, path, error.mtu)
      const limit = error.mtu - ctx.families[error.version].headerLength - Wire.headerLength
      return socket.options.dontFragment ? Reason.messageTooLarge(Math.max(0, limit)) : undefined
    }
    case "network":
    case "host":
    case "prohibited":
    case "sourceRouteFailed":
    case "hopLimit":
    case "reassembly":
    case "parameterProblem":
      return Reason.ofIcmp(error, 0)
  }
}

/** An unconnected socket hears of it when it sends there again; of so many destinations and no more. */
const remember = (
  ctx: Context,
  state: State,
  socket: Socket,
  error: IcmpError,
  remotePort: number,
  reason: Reason.Reason
): void => {
  const failure = { remote: error.destination, remotePort, reason }
  const failures = [...socket.failures, failure].slice(-ctx.config.limits.datagramFailures)
  ctx.put(state.sockets, socket.id, { ...socket, failures })
}
