import { assert, describe, it } from "@effect/vitest"
import * as Address from "../../src/wire/Address.ts"
import * as Checksum from "../../src/wire/Checksum.ts"
import * as IpProtocol from "../../src/wire/IpProtocol.ts"
import * as Malformed from "../../src/wire/Malformed.ts"
import * as Udp from "../../src/wire/Udp.ts"
import * as golden from "./golden.ts"
import { type Codec, holdFor, noticesBitFlips } from "./laws.ts"

const codec: Codec<Udp.Fields> = {
  name: "Udp",
  ...Udp,
  payload: (fields) => fields.length - 8,
  random: (random) => ({
    sourcePort: random.int(0x10000),
    destinationPort: random.int(0x10000),
    length: 8 + random.int(60),
    checksum: random.int(0x10000)
  })
}

const ipA = Address.v4(10, 9, 0, 1)
const ipB = Address.v4(10, 9, 0, 2)

/** Reads and verifies, with the pseudo-header that the header's own length gives. */
const isIntact = (bytes: Uint8Array, start: number, end: number): boolean => {
  const header = Udp.parse(bytes, start, end)
  if (Malformed.isMalformed(header)) return false
  return Udp.verify(bytes, header, Checksum.pseudoV4(ipA, ipB, IpProtocol.udp, header.length))
}

const reasonOf = (hex: string): unknown => {
  const parsed = golden.parsing(Udp.parse)(hex)
  return Malformed.isMalformed(parsed) && parsed.reason
}

describe("Udp", () => {
  holdFor(codec)
  noticesBitFlips("Udp", isIntact, golden.datagram.slice(34))

  it("reads a captured datagram", () => {
    assert.deepStrictEqual(Udp.parse(golden.datagram, 34, golden.datagram.length), {
      sourcePort: 50918,
      destinationPort: 9,
      length: 16,
      checksum: 0x8327,
      payloadStart: 42,
      payloadEnd: 50
    })
  })

  it("writes the checksum that Linux wrote", () => {
    const bytes = golden.datagram.slice(34)
    const seed = Checksum.fold(Checksum.pseudoV4(ipA, ipB, IpProtocol.udp, 16))
    Udp.emit({ sourcePort: 50918, destinationPort: 9, length: 16, checksum: seed }, bytes, 0)
    Checksum.complete(bytes, 0, 16, Udp.checksumOffset)
    assert.deepStrictEqual(bytes, golden.datagram.slice(34))
  })

  it("takes a datagram without a checksum as it is (RFC 768)", () => {
    const bytes = golden.datagram.slice(34)
    bytes.fill(0, 6, 8)
    const header = Udp.parse(bytes, 0, 16) as Udp.Header
    assert.isTrue(Udp.isUnprotected(header))
    assert.isTrue(Udp.verify(bytes, header, 12345))
  })

  it("judges lengths (RFC 768)", () => {
    assert.strictEqual(reasonOf("0001000200080000"), false)
    assert.strictEqual(reasonOf("0001000200070000"), "BadLength")
    assert.strictEqual(reasonOf("0001000200000000"), "BadLength")
    assert.strictEqual(reasonOf("0001000200090000"), "Truncated")
  })

  it("leaves what lies behind its length", () => {
    assert.strictEqual(
      (Udp.parse(new Uint8Array([0, 1, 0, 2, 0, 9, 0, 0, 7, 7, 7]), 0, 11) as Udp.Header).payloadEnd,
      9
    )
  })
})
