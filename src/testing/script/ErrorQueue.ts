/**
 * A socket's queue of errors, as Linux keeps it: what `recvmsg` with `MSG_ERRQUEUE` finds there beside real errors is when what was
 * written was sent and acknowledged (`SO_TIMESTAMPING`), and which writes the kernel needs no longer (`MSG_ZEROCOPY`).
 *
 * The stack copies nothing that it does not have to and stamps nothing: both are told from how far the stream has come.
 */
import { constants } from "./constants.ts"
import { Unsupported } from "./Descriptor.ts"
import { fieldOf, isEllipsis, nameOf, numberOf } from "./evaluate.ts"
import type { Expression } from "./Syntax.ts"

/** How far the stream of a socket has come. */
export interface Reached {
  /** Octets that have been sent, and that were acknowledged. */
  readonly sent: number
  readonly acknowledged: number
}

/** A write of which something is told later. */
interface Mark {
  readonly kind: "stamp" | "copy"
  /** Behind its last octet. */
  readonly end: number
  /** What it is known by: the number of the write, or of its last octet. */
  readonly id: number
  isSent: boolean
}

/** An entry, with the fields of Linux's `sock_extended_err`. */
interface Entry {
  readonly fields: Readonly<Record<string, number>>
  /** Microseconds from the start of the script, for a stamp. */
  readonly at: number | undefined
}

const bit = (flags: number, name: string): boolean => (flags & constants[name]!) !== 0

export class ErrorQueue {
  private readonly entries: Array<Entry> = []
  private marks: Array<Mark> = []
  /** Octets that the program has written. */
  private written = 0
  private copies = 0
  /** What is stamped, and where the count of octets began. */
  private stamping = 0
  private stampingFrom = 0
  /** Entries that have ever been put here: a sleeper wakes for each. */
  total = 0

  get length(): number {
    return this.entries.length
  }

  get isWaiting(): boolean {
    return this.marks.length > 0
  }

  /** The program asks for stamps (`SO_TIMESTAMPING`), which are numbered from here on. */
  stamp(flags: number): void {
    if (!bit(this.stamping, "SOF_TIMESTAMPING_OPT_ID")) this.stampingFrom = this.written
    this.stamping = flags
  }

  /** The program has written so many octets more. */
  wrote(length: number, isCopyFree: boolean, stamping = this.stamping): void {
    this.written += length
    const end = this.written
    if (isCopyFree) this.marks.push({ kind: "copy", end, id: this.copies++, isSent: false })
    const isStamped = ["SCHED", "SOFTWARE", "ACK"].some((name) => bit(stamping, `SOF_TIMESTAMPING_TX_${name}`))
    const id = end - this.stampingFrom - 1
    if (isStamped && length > 0) this.marks.push({ kind: "stamp", end, id, isSent: false })
  }

  /** Looks at how far the stream has come by now. */
  progress(reached: Reached, now: number): void {
    if (this.marks.length === 0) return
    this.marks = this.marks.filter((mark) => !this.isDone(mark, reached, now))
  }

  private isDone(mark: Mark, { acknowledged, sent }: Reached, now: number): boolean {
    const isOver = acknowledged >= mark.end
    if (mark.kind === "copy") {
      if (isOver) this.completed(mark.id)
      return isOver
    }
    if (!mark.isSent && (isOver || sent >= mark.end)) {
      mark.isSent = true
      this.stamped("SOF_TIMESTAMPING_TX_SCHED", "SCM_TSTAMP_SCHED", mark.id, now)
      this.stamped("SOF_TIMESTAMPING_TX_SOFTWARE", "SCM_TSTAMP_SND", mark.id, now)
    }
    if (isOver) this.stamped("SOF_TIMESTAMPING_TX_ACK", "SCM_TSTAMP_ACK", mark.id, now)
    return isOver
  }

  private push(entry: Entry): void {
    this.entries.push(entry)
    this.total++
  }

  private stamped(flag: string, kind: string, id: number, at: number): void {
    if (!bit(this.stamping, flag)) return
    const data = bit(this.stamping, "SOF_TIMESTAMPING_OPT_ID") ? id : 0
    const origin = constants["SO_EE_ORIGIN_TIMESTAMPING"]!
    this.push({ fields: extended(constants["ENOMSG"]!, origin, 0, constants[kind]!, data), at })
  }

  /** Completions that follow each other are one entry. */
  private completed(id: number): void {
    const last = this.entries.at(-1)
    const origin = constants["SO_EE_ORIGIN_ZEROCOPY"]!
    const isNext = last?.fields["ee_origin"] === origin && last.fields["ee_data"] === id - 1
    const first = isNext ? last.fields["ee_info"]! : id
    if (isNext) this.entries.pop()
    this.push({ fields: extended(0, origin, constants["SO_EE_CODE_ZEROCOPY_COPIED"]!, first, id), at: undefined })
  }

  /** Takes the first entry, and says what of it is not as the script has it; `undefined` if there is none. */
  take(control: Expression | undefined, tolerance: number): { readonly wrong: ReadonlyArray<string> } | undefined {
    const entry = this.entries.shift()
    if (entry === undefined) return undefined
    const items = control?._tag === "List" ? control.items : []
    return { wrong: items.flatMap((item) => compare(entry, item, tolerance)) }
  }
}

const extended = (errno: number, origin: number, code: number, info: number, data: number): Entry["fields"] => ({
  ee_errno: errno,
  ee_origin: origin,
  ee_type: 0,
  ee_code: code,
  ee_pad: 0,
  ee_info: info,
  ee_data: data
})

const compare = (entry: Entry, item: Expression, tolerance: number): ReadonlyArray<string> => {
  const type = nameOf(fieldOf(item, "cmsg_type"))
  const data = fieldOf(item, "cmsg_data")
  if (isEllipsis(data)) return []
  if (type === "SCM_TIMESTAMPING") return compareStamp(entry, data, tolerance)
  if (type !== "IP_RECVERR" && type !== "IPV6_RECVERR") throw new Unsupported(`the control message ${type}`)
  return Object.entries(entry.fields).flatMap(([name, found]) => {
    const expected = fieldOf(data, name)
    if (expected === undefined || isEllipsis(expected) || numberOf(expected) === found) return []
    return [`${name} is ${found}, not ${numberOf(expected)}`]
  })
}

const compareStamp = ({ at }: Entry, data: Expression | undefined, tolerance: number): ReadonlyArray<string> => {
  if (at === undefined) return ["there is no time"]
  const expected = numberOf(fieldOf(data, "scm_sec")) * 1e6 + numberOf(fieldOf(data, "scm_nsec")) / 1000
  return Math.abs(expected - at) <= tolerance ? [] : [`the time is ${at} µs, not ${expected} µs`]
}
