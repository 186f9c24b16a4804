/**
 * A script as its words say it: events with times, and what each one does. Numbers of TCP are those of the script, which begin at 0.
 */

/** A script or a part of it can't be read. Lines count from 1. */
export class SyntaxFault extends Error {
  readonly line: number

  constructor(line: number, detail: string) {
    super(detail)
    this.line = line
  }
}

/** When an event is to happen, in microseconds; relative times count from the event before. */
export type EventTime =
  | { readonly _tag: "Any" }
  | { readonly _tag: "At"; readonly isRelative: boolean; readonly from: number; readonly to: number | undefined }

/** `in` comes to the host under test (`<`), `out` leaves it (`>`). */
export type PacketDirection = "in" | "out"

/** The ECN bits and what else may stand in brackets before a packet. `undefined`: whatever. */
export interface IpFields {
  readonly ecn: "noecn" | "ect0" | "ect1" | "ect01" | "ce" | undefined
  readonly trafficClass: number | undefined
  readonly hopLimit: number | undefined
}

export type TcpOption =
  | { readonly _tag: "Nop" | "Eol" | "SackPermitted" }
  | { readonly _tag: "Mss" | "WindowScale" | "UserTimeout"; readonly value: number }
  | { readonly _tag: "Sack"; readonly blocks: ReadonlyArray<readonly [number, number]> }
  | { readonly _tag: "Timestamps"; readonly value: number; readonly echo: number; readonly isAnyEcho?: true }
  | { readonly _tag: "FastOpen"; readonly cookie: Uint8Array; readonly isExperimental: boolean; readonly isAny?: true }
  /** Byte counters in the order of the option's kind; those that are left out are absent. */
  | { readonly _tag: "AccurateEcn"; readonly kind: 172 | 174; readonly counters: ReadonlyArray<number> }
  | { readonly _tag: "Raw"; readonly kind: number; readonly value: Uint8Array }

export interface SequenceRange {
  readonly start: number
  readonly end: number
  readonly length: number
}

export interface TcpPacket {
  readonly _tag: "TcpPacket"
  readonly direction: PacketDirection
  readonly ip: IpFields
  /** Those of a connection that is not the one of the lines before; `undefined` where the script leaves them to the runner. */
  readonly ports: { readonly source: number; readonly destination: number } | undefined
  /** As in `wire/Tcp.ts`. */
  readonly flags: number
  readonly sequence: SequenceRange
  readonly acknowledgment: number | undefined
  readonly window: number | undefined
  readonly urgent: number | undefined
  readonly options: ReadonlyArray<TcpOption> | "any"
  /** Behind the listed options others may stand: `<mss 1460,...>`. */
  readonly hasMoreOptions?: true
}

export interface UdpPacket {
  readonly _tag: "UdpPacket"
  readonly direction: PacketDirection
  readonly ip: IpFields
  readonly length: number
}

export interface IcmpPacket {
  readonly _tag: "IcmpPacket"
  readonly direction: PacketDirection
  readonly ip: IpFields
  readonly type: string
  readonly code: string | undefined
  readonly mtu: number | undefined
  /** What of the offending packet is quoted. */
  readonly quoted: { readonly protocol: "tcp"; readonly sequence: SequenceRange } | {
    readonly protocol: "udp"
    readonly length: number
  } | undefined
}

export type Packet = TcpPacket | UdpPacket | IcmpPacket

/** An argument or a result of a system call. */
export type Expression =
  | { readonly _tag: "Ellipsis" }
  | { readonly _tag: "Number"; readonly value: number }
  | { readonly _tag: "Text"; readonly value: string }
  | { readonly _tag: "Name"; readonly name: string }
  | { readonly _tag: "Or"; readonly parts: ReadonlyArray<Expression> }
  | { readonly _tag: "List"; readonly items: ReadonlyArray<Expression> }
  | { readonly _tag: "Record"; readonly fields: ReadonlyArray<readonly [string, Expression]> }
  | { readonly _tag: "Apply"; readonly name: string; readonly args: ReadonlyArray<Expression> }

export interface Call {
  readonly _tag: "Call"
  readonly name: string
  readonly args: ReadonlyArray<Expression>
  readonly result: Expression
  readonly errno: string | undefined
  /** When a call that blocks returns, counted as the event's time; `undefined` for one that returns at once. */
  readonly until: number | undefined
}

export interface Command {
  readonly _tag: "Command"
  readonly text: string
}

/** Assertions on the connection's info, in the words of Python. */
export interface Code {
  readonly _tag: "Code"
  readonly text: string
}

export type Action = Packet | Call | Command | Code

export interface Event {
  /** In the script, from 1 on. */
  readonly line: number
  readonly time: EventTime
  readonly action: Action
  /** As it stands in the script, in one line, without the time. */
  readonly text: string
}

export interface Syntax {
  /** `--name=value` lines, by name. */
  readonly options: ReadonlyMap<string, string>
  readonly events: ReadonlyArray<Event>
}
