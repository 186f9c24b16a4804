/** How a segment of the host differs from the one that a script expects. */
import * as Tcp from "../../wire/Tcp.ts"
import { flagsOf } from "../Packet.ts"
import { formatOption } from "./optionBytes.ts"
import type { IpHeader, Segment } from "./Segment.ts"
import type { IpFields, TcpOption, TcpPacket } from "./Syntax.ts"

export interface Difference {
  readonly what: string
  readonly expected: string
  readonly got: string
}

/** How closely segments are compared. */
export interface Strictness {
  /** The order and the padding of options count too. */
  readonly optionOrder: boolean
  /** The PSH flag counts. */
  readonly push: boolean
}

const text = (flags: number): string => flags === 0 ? "-" : flagsOf(flags)

/** An option without what the host chooses: its own timestamp. */
const comparable = (option: TcpOption): string =>
  option._tag === "Timestamps" ? `TS ecr ${option.echo}` : formatOption(option)

/** What the host sent of the kinds that are listed, where others may stand there too. */
const listedKinds = (expected: ReadonlyArray<TcpOption>, got: ReadonlyArray<TcpOption>): ReadonlyArray<TcpOption> =>
  got.filter(({ _tag }) => expected.some((each) => each._tag === _tag))

const isPadding = ({ _tag }: TcpOption): boolean => _tag === "Nop" || _tag === "Eol"

const listed = (options: ReadonlyArray<TcpOption>, { optionOrder }: Strictness): string => {
  if (optionOrder) return options.map(comparable).join(",")
  return options.filter((option) => !isPadding(option)).map(comparable).toSorted().join(",")
}

export const formatOptions = (options: ReadonlyArray<TcpOption> | "any"): string =>
  options === "any" ? "<...>" : options.length === 0 ? "" : `<${options.map(formatOption).join(",")}>`

const ecnBits = { noecn: [0], ect1: [1], ect0: [2], ect01: [1, 2], ce: [3] } as const

/** How the IP header differs. */
export const compareIp = (expected: IpFields, got: IpHeader): ReadonlyArray<Difference> => {
  const differences: Array<Difference> = []
  const bits = got.trafficClass & 3
  if (expected.ecn !== undefined && !(ecnBits[expected.ecn] as ReadonlyArray<number>).includes(bits)) {
    differences.push({ what: "ECN", expected: expected.ecn, got: ["noecn", "ect1", "ect0", "ce"][bits]! })
  }
  const number = (what: string, wanted: number | undefined, found: number): void => {
    if (wanted !== undefined && wanted !== found) differences.push({ what, expected: `${wanted}`, got: `${found}` })
  }
  number("traffic class", expected.trafficClass, got.trafficClass)
  number("hop limit", expected.hopLimit, got.hopLimit)
  return differences
}

/** How the segment, in the script's numbers, differs. */
export const compareSegment = (
  expected: TcpPacket,
  got: Segment,
  strictness: Strictness
): ReadonlyArray<Difference> => {
  const differences: Array<Difference> = []
  const compare = (what: string, wanted: string, found: string): void => {
    if (wanted !== found) differences.push({ what, expected: wanted, got: found })
  }
  const compared = strictness.push ? ~0 : ~Tcp.PSH
  compare("flags", text(expected.flags & compared), text(got.flags & compared))
  const { length, start } = expected.sequence
  compare("sequence", `${start >>> 0}`, `${got.sequence}`)
  compare("length", `${length}`, `${got.length}`)
  if (expected.acknowledgment !== undefined) compare("ack", `${expected.acknowledgment >>> 0}`, `${got.acknowledgment}`)
  if (expected.window !== undefined) compare("window", `${expected.window}`, `${got.window}`)
  if (expected.urgent !== undefined) compare("urgent pointer", `${expected.urgent}`, `${got.urgent}`)
  if (expected.options !== "any") {
    const options = expected.hasMoreOptions === true ? listedKinds(expected.options, got.options) : got.options
    compare("options", listed(expected.options, strictness), listed(options, strictness))
  }
  return differences
}

/** A segment in the words of the language. */
export const formatSegment = (
  direction: "<" | ">",
  { acknowledgment, flags, length, options, sequence, urgent, window }: Segment
): string =>
  [
    direction,
    text(flags),
    `${sequence}:${(sequence + length) >>> 0}(${length})`,
    ...((flags & Tcp.ACK) === 0 ? [] : [`ack ${acknowledgment}`]),
    `win ${window}`,
    ...((flags & Tcp.URG) === 0 ? [] : [`urg ${urgent}`]),
    ...(options.length === 0 ? [] : [formatOptions(options)])
  ].join(" ")
