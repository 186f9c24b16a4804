/** A packet in one line, TCP as tcpdump and packetdrill write it. */
import type * as TcpOptions from "../wire/TcpOptions.ts"
import type { IpPart, Packet, TcpPart } from "./Packet.ts"

/** The options, in the order in which the stack sends them. */
export const tcpOptions = (options: TcpOptions.Options): ReadonlyArray<string> => {
  const { fastOpenCookie: cookie, sackBlocks, timestampEcho, timestampValue } = options
  const blocks = sackBlocks.map(({ left, right }) => `${left >>> 0}:${right >>> 0}`)
  const hexadecimal = cookie === undefined
    ? ""
    : Array.from(cookie.bytes.subarray(cookie.start, cookie.end), (byte) => byte.toString(16).padStart(2, "0")).join("")
  return [
    ...(options.maximumSegmentSize === undefined ? [] : [`mss ${options.maximumSegmentSize}`]),
    ...(options.sackPermitted ? ["sackOK"] : []),
    ...(timestampValue === undefined ? [] : [`TS val ${timestampValue >>> 0} ecr ${(timestampEcho ?? 0) >>> 0}`]),
    ...(options.windowScale === undefined ? [] : [`wscale ${options.windowScale}`]),
    ...(options.userTimeout === undefined ? [] : [`uto ${options.userTimeout}`]),
    ...(cookie === undefined ? [] : [`FO ${hexadecimal}`]),
    ...(blocks.length === 0 ? [] : [`sack ${blocks.join(" ")}`]),
    ...(options.accurateEcn === undefined ? [] : ["AccECN"]),
    ...(options.signed ? ["signed"] : [])
  ]
}

const describeTcp = (tcp: TcpPart, length: number): string => {
  const options = tcpOptions(tcp.options)
  return [
    tcp.flags === "" ? "-" : tcp.flags,
    `${tcp.sequence}:${tcp.sequence + length}(${length})`,
    ...(tcp.flags.includes(".") ? [`ack ${tcp.acknowledgment}`] : []),
    `win ${tcp.window}`,
    ...(tcp.flags.includes("U") ? [`urg ${tcp.urgentPointer}`] : []),
    ...(options.length === 0 ? [] : [`<${options.join(",")}>`]),
    ...(tcp.isIntact ? [] : ["bad checksum"])
  ].join(" ")
}

const port = (address: string, port: number): string =>
  address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`

const describeIp = (ip: IpPart, { icmp, payload, tcp, udp }: Packet): string => {
  const ends = (source: number, destination: number): string =>
    `${port(ip.source, source)} > ${port(ip.destination, destination)}`
  if (tcp !== undefined) return `${ends(tcp.sourcePort, tcp.destinationPort)} ${describeTcp(tcp, payload.length)}`
  const bad = (part: { readonly isIntact: boolean }): string => part.isIntact ? "" : " bad checksum"
  if (udp !== undefined) return `${ends(udp.sourcePort, udp.destinationPort)} UDP (${payload.length})${bad(udp)}`
  const hosts = `${ip.source} > ${ip.destination}`
  if (icmp !== undefined) {
    const code = icmp.code === 0 ? "" : ` code ${icmp.code}`
    return `${hosts} ICMP ${icmp.message}${code} (${payload.length})${bad(icmp)}`
  }
  const fragment = ip.moreFragments || ip.fragmentOffset > 0 ? ` fragment at ${ip.fragmentOffset}` : ""
  return `${hosts} protocol ${ip.protocol}${fragment} (${payload.length})`
}

export const describePacket = (packet: Packet): string => {
  const { arp, ethernet, ip, malformed } = packet
  const wrong = malformed === undefined ? "" : ` malformed, ${malformed}`
  if (ip !== undefined) return describeIp(ip, packet) + wrong
  if (arp?.operation === "request") return `ARP who has ${arp.target}? tell ${arp.sender}`
  if (arp !== undefined) return `ARP ${arp.operation}: ${arp.sender} is at ${arp.senderMac}`
  if (ethernet === undefined) return `no frame${wrong}`
  return `${ethernet.source} > ${ethernet.destination} type 0x${ethernet.type.toString(16).padStart(4, "0")}${wrong}`
}
