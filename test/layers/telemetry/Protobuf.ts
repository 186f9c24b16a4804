/**
 * As much of protobuf's wire format as OTLP needs: messages become records by a table of their fields.
 */

/** How a field is written; a table is a message within. */
export type Kind = "text" | "hex" | "varint" | "fixed64" | "double" | "bool" | "fixed64s" | "doubles" | Message
export type Message = { readonly [number: number]: readonly [name: string, kind: Kind, repeated?: "repeated"] }

class Reader {
  private readonly bytes: Uint8Array
  private readonly view: DataView
  private readonly end: number
  at: number

  constructor(bytes: Uint8Array, at: number, end: number) {
    this.bytes = bytes
    this.view = new DataView(bytes.buffer, bytes.byteOffset)
    this.at = at
    this.end = end
  }

  get done(): boolean {
    if (this.at > this.end) throw new Error("a field goes over the end of its message")
    return this.at === this.end
  }

  varint(): bigint {
    let value = 0n
    for (let shift = 0n;; shift += 7n) {
      const octet = this.bytes[this.at++]
      if (octet === undefined || shift > 63n) throw new Error("a varint without end")
      value |= BigInt(octet & 0x7f) << shift
      if (octet < 0x80) return value
    }
  }

  fixed64(): bigint {
    this.at += 8
    return this.view.getBigUint64(this.at - 8, true)
  }

  double(): number {
    this.at += 8
    return this.view.getFloat64(this.at - 8, true)
  }

  chunk(): readonly [start: number, end: number] {
    const length = Number(this.varint())
    const start = this.at
    this.at += length
    if (this.at > this.end) throw new Error("a field goes over the end of its message")
    return [start, this.at]
  }

  skip(wireType: number): void {
    if (wireType === 0) this.varint()
    else if (wireType === 1) this.at += 8
    else if (wireType === 2) this.chunk()
    else if (wireType === 5) this.at += 4
    else throw new Error(`wire type ${wireType}`)
  }

  value(kind: Kind, wireType: number): unknown {
    // Numbers that are repeated may come packed, or one by one.
    if (wireType === 1 && kind === "fixed64s") return [this.fixed64()]
    if (wireType === 1 && kind === "doubles") return [this.double()]
    if (kind === "varint") return this.varint()
    if (kind === "bool") return this.varint() !== 0n
    if (kind === "fixed64") return this.fixed64()
    if (kind === "double") return this.double()
    const [start, end] = this.chunk()
    if (kind === "text") return new TextDecoder("utf-8", { fatal: true }).decode(this.bytes.subarray(start, end))
    if (kind === "hex") return Buffer.from(this.bytes.subarray(start, end)).toString("hex")
    const inner = new Reader(this.bytes, start, end)
    if (kind !== "fixed64s" && kind !== "doubles") return inner.message(kind)
    const values: Array<unknown> = []
    while (!inner.done) values.push(kind === "doubles" ? inner.double() : inner.fixed64())
    return values
  }

  message(table: Message): Record<string, unknown> {
    const record: Record<string, unknown> = {}
    for (const [name, , repeated] of Object.values(table)) if (repeated !== undefined) record[name] = []
    while (!this.done) {
      const tag = Number(this.varint())
      const field = table[tag >>> 3]
      if (field === undefined) this.skip(tag & 7)
      else if (field[2] === undefined) record[field[0]] = this.value(field[1], tag & 7)
      else (record[field[0]] as Array<unknown>).push(this.value(field[1], tag & 7))
    }
    return record
  }
}

export const decode = (bytes: Uint8Array, table: Message): Record<string, unknown> =>
  new Reader(bytes, 0, bytes.length).message(table)
