import { assert, describe, it } from "@effect/vitest"
import * as Address from "../../src/wire/Address.ts"
import * as Checksum from "../../src/wire/Checksum.ts"
import * as Icmpv6 from "../../src/wire/Icmpv6.ts"
import * as IpProtocol from "../../src/wire/IpProtocol.ts"
import * as Ipv6 from "../../src/wire/Ipv6.ts"
import * as golden from "./golden.ts"
import { type Codec, holdFor, noticesBitFlips, type Random } from "./laws.ts"

const messages: ReadonlyArray<(source: Random) => Icmpv6.Fields> = [
  (source) => ({ _tag: "EchoRequest", identifier: source.int(0x10000), sequence: source.int(0x10000) }),
  (source) => ({ _tag: "EchoReply", identifier: source.int(0x10000), sequence: source.int(0x10000) }),
  (source) => ({ _tag: "Unreachable", code: source.int(7) }),
  (source) => ({ _tag: "PacketTooBig", mtu: source.int32() >>> 0 }),
  (source) => ({ _tag: "TimeExceeded", code: source.int(2) }),
  (source) => ({ _tag: "ParameterProblem", code: source.int(4), pointer: source.int32() >>> 0 }),
  (source) => ({ _tag: "Other", type: source.of(99, 130, 135, 255), code: source.int(256), rest: source.int32() })
]

const codec: Codec<Icmpv6.Fields> = {
  name: "Icmpv6",
  ...Icmpv6,
  random: (source) => source.of(...messages)(source)
}

const hostA = Address.v6(0xfd000009, 0, 0, 1)
const hostB = Address.v6(0xfd000009, 0, 0, 2)

const pseudo = (length: number): number => Checksum.pseudoV6(hostA, hostB, IpProtocol.icmpv6, length)

const parse = golden.parsing(Icmpv6.parse)

describe("Icmpv6", () => {
  holdFor(codec)
  noticesBitFlips(
    "Icmpv6",
    (bytes, start, end) => Icmpv6.verify(bytes, start, end, pseudo(end - start)),
    golden.echoRequestV6.slice(54)
  )

  it("reads a captured echo request and writes the same bytes (RFC 4443 §4.1)", () => {
    const end = golden.echoRequestV6.length
    const parsed = Icmpv6.parse(golden.echoRequestV6, 54, end) as Icmpv6.Header
    assert.deepStrictEqual(parsed, {
      _tag: "EchoRequest",
      identifier: 0x5852,
      sequence: 1,
      payloadStart: 62,
      payloadEnd: end
    })
    const bytes = golden.echoRequestV6.slice(54)
    Icmpv6.emit(parsed, bytes, 0, Checksum.fold(pseudo(bytes.length)))
    Checksum.complete(bytes, 0, bytes.length, Icmpv6.checksumOffset)
    assert.deepStrictEqual(bytes, golden.echoRequestV6.slice(54))
  })

  it("reads a captured port unreachable, and what it quotes (RFC 4443 §3.1)", () => {
    const end = golden.portUnreachableV6.length
    const parsed = Icmpv6.parse(golden.portUnreachableV6, 54, end) as Icmpv6.Header
    assert.deepInclude(parsed, { _tag: "Unreachable", code: Icmpv6.UnreachableCode.port })
    const quoted = Ipv6.parse(golden.portUnreachableV6, parsed.payloadStart, parsed.payloadEnd)
    assert.deepInclude(quoted, { source: hostA, destination: hostB, protocol: IpProtocol.udp })
  })

  it("ends the quoted packet where an extended message says (RFC 4884 §4.4)", () => {
    const quote = "aabbccddeeff0011"
    assert.deepInclude(parse("01000000 01000000" + quote + "20000000"), { payloadStart: 8, payloadEnd: 16 })
    assert.deepInclude(parse("01000000 ff000000" + quote), { payloadEnd: 16 }, "more than there is")
    assert.deepInclude(parse("02000000 01000500" + quote + "20000000"), { payloadEnd: 20 }, "not in packet too big")
  })

  it("counts types below 128 as errors, known or not (rfc: 4443 §2.1)", () => {
    const of = (type: number) =>
      Icmpv6.isError(parse(type.toString(16).padStart(2, "0") + "00".repeat(7)) as Icmpv6.Header)
    assert.deepStrictEqual([1, 2, 3, 4, 100, 127].map(of), [true, true, true, true, true, true])
    assert.deepStrictEqual([128, 129, 135, 143, 200].map(of), [false, false, false, false, false])
  })
})
