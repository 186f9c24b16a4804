import { assert, describe, it } from "@effect/vitest"
import * as Address from "../../src/wire/Address.ts"
import * as DhcpOptions from "../../src/wire/DhcpOptions.ts"
import * as Dhcpv4 from "../../src/wire/Dhcpv4.ts"
import * as Mac from "../../src/wire/Mac.ts"
import * as Malformed from "../../src/wire/Malformed.ts"
import * as golden from "./golden.ts"
import { type Codec, holdFor, type Random } from "./laws.ts"

const list = (source: Random) => [source.int32(), ...source.list(3, () => source.int32())]

const route = (source: Random): DhcpOptions.Route => {
  const length = source.int(33)
  return { destination: source.int32() & Address.mask32(length), length, router: source.int32() }
}

const options = (source: Random): DhcpOptions.Options =>
  DhcpOptions.make({
    messageType: source.maybe(() => source.int(8) + 1),
    serverIdentifier: source.maybe(() => source.int32()),
    leaseTime: source.maybe(() => source.int32() >>> 0),
    clientIdentifier: source.maybe(() => source.bytes(source.of(1, 7, 255, 256, 600))),
    requestedAddress: source.maybe(() => source.int32()),
    subnetMask: source.maybe(() => source.int32()),
    classlessRoutes: source.maybe(() => [route(source), ...source.list(60, () => route(source))]),
    routers: source.maybe(() => list(source)),
    dnsServers: source.maybe(() => list(source)),
    hostName: source.maybe(() => source.of("host", "x".repeat(300))),
    domainName: source.maybe(() => "example.com"),
    domainSearch: source.maybe(() => source.of(["example.com."], ["a.example.", "b.example."])),
    interfaceMtu: source.maybe(() => source.int(0x10000)),
    broadcastAddress: source.maybe(() => source.int32()),
    ntpServers: source.maybe(() => list(source)),
    parameterList: source.maybe(() => source.bytes(source.int(20))),
    message: source.maybe(() => "no"),
    maximumMessageSize: source.maybe(() => source.int(0x10000)),
    renewalTime: source.maybe(() => source.int32() >>> 0),
    rebindingTime: source.maybe(() => source.int32() >>> 0),
    vendorClass: source.maybe(() => "netstack")
  })

const codec: Codec<Dhcpv4.Message> = {
  name: "Dhcpv4",
  ...Dhcpv4,
  random: (source) => ({
    operation: source.of(1, 2),
    hops: source.int(16),
    transaction: source.int32(),
    seconds: source.int(0x10000),
    broadcast: source.boolean(),
    clientAddress: source.int32(),
    yourAddress: source.int32(),
    nextServer: source.int32(),
    relayAgent: source.int32(),
    clientMac: Mac.read(source.bytes(6), 0),
    options: options(source)
  }),
  // Options need no end mark, and zeros are padding, so a message may end between any two of them.
  mayEnd: (_, length) => length >= 240
}

/** A message whose options, file and server name are given as hexadecimal digits. */
const message = (optionsHex: string, fileHex = "", serverNameHex = ""): Uint8Array => {
  const bytes = new Uint8Array(240 + optionsHex.length / 2)
  bytes.set(golden.fromHex("010106"))
  bytes.set(golden.fromHex("63825363" + optionsHex), 236)
  bytes.set(golden.fromHex(fileHex), 108)
  bytes.set(golden.fromHex(serverNameHex), 44)
  return bytes
}

const parse = (optionsHex: string, fileHex?: string, serverNameHex?: string) => {
  const bytes = message(optionsHex, fileHex, serverNameHex)
  return Dhcpv4.parse(bytes, 0, bytes.length)
}

const optionsOf = (...given: Parameters<typeof parse>): DhcpOptions.Options => {
  const parsed = parse(...given)
  return Malformed.isMalformed(parsed) ? assert.fail(parsed.detail) : parsed.options
}

const blank: Dhcpv4.Message = {
  operation: 1,
  hops: 0,
  transaction: 0,
  seconds: 0,
  broadcast: false,
  clientAddress: 0,
  yourAddress: 0,
  nextServer: 0,
  relayAgent: 0,
  clientMac: 0,
  options: DhcpOptions.none
}

describe("Dhcpv4", () => {
  holdFor(codec)

  it("writes a discover octet by octet (RFC 2131 §2)", () => {
    const bytes = new Uint8Array(300).fill(0xee)
    const end = Dhcpv4.emit(
      {
        ...blank,
        transaction: 0x3903f326,
        seconds: 1,
        broadcast: true,
        clientMac: 0x00053c04_8d59,
        options: DhcpOptions.make({
          messageType: DhcpOptions.MessageType.discover,
          parameterList: Uint8Array.of(DhcpOptions.codeOf("subnetMask"), DhcpOptions.codeOf("routers"))
        })
      },
      bytes,
      0
    )
    assert.strictEqual(end, 300)
    const head = golden.fromHex("01010600 3903f326 00018000" + "00000000".repeat(4) + "00053c048d59")
    assert.deepStrictEqual(bytes.slice(0, 34), head)
    assert.deepStrictEqual(bytes.slice(34, 236), new Uint8Array(202))
    assert.deepStrictEqual(
      bytes.slice(236),
      golden.fromHex("63825363 350101 37020103 ff" + "00".repeat(52))
    )
  })

  it("refuses other operations, other hardware and plain BOOTP", () => {
    const changed = (at: number, value: number): unknown => {
      const bytes = message("ff")
      bytes[at] = value
      const parsed = Dhcpv4.parse(bytes, 0, bytes.length)
      return Malformed.isMalformed(parsed) && parsed.reason
    }
    assert.deepStrictEqual([changed(0, 3), changed(1, 6), changed(2, 16), changed(236, 0)], Array(4).fill("BadField"))
    assert.strictEqual(changed(0, 2), false)
  })
})

describe("DhcpOptions", () => {
  it("reads padding, unknown options and stops at the end (RFC 2132 §3.1, §3.2)", () => {
    assert.deepStrictEqual(
      optionsOf("00 fe02aabb 0104ffffff00 ff 0302"),
      DhcpOptions.make({
        subnetMask: Address.v4(255, 255, 255, 0)
      })
    )
  })

  it("puts an option together from all its parts (rfc: 3396 §7)", () => {
    assert.strictEqual(optionsOf("0c026162 350102 0c0163 ff").hostName, "abc")
    assert.deepStrictEqual(optionsOf("03020a00 03020001 ff").routers, [Address.v4(10, 0, 0, 1)])
  })

  it("goes on in the file and the server name, in this order (rfc: 2131 §4.1, rfc: 3396 §5)", () => {
    const [file, serverName] = ["0c0162 ff", "0c0163 ff"]
    const name = (overload: string) => optionsOf("0c0161" + overload + "ff", file, serverName).hostName
    assert.deepStrictEqual([name(""), name("340101"), name("340102"), name("340103")], ["a", "ab", "ac", "abc"])
  })

  it("reads the descriptors of RFC 3442, with bits behind the mask cleared (MUST)", () => {
    const routes = optionsOf("7914 00 0a000001 080a 0a000002 1981d4b1ff 00000000 ff").classlessRoutes
    assert.deepStrictEqual(routes, [
      { destination: 0, length: 0, router: Address.v4(10, 0, 0, 1) },
      { destination: Address.v4(10, 0, 0, 0), length: 8, router: Address.v4(10, 0, 0, 2) },
      { destination: Address.v4(0x81, 0xd4, 0xb1, 0x80), length: 25, router: 0 }
    ])
  })

  it("skips values that make no sense", () => {
    const hex = "010312345600 0305aabbccddee 3300 350201020000 1a0105 790421aabbcc ff"
    assert.deepStrictEqual(optionsOf(hex), DhcpOptions.none)
  })

  it("leaves zeros at the end out of text (rfc: 2132 §2)", () => {
    assert.strictEqual(optionsOf("0c0461620000 ff").hostName, "ab")
  })

  it("refuses a length beyond the message", () => {
    const parsed = parse("0c05616263")
    assert.strictEqual(Malformed.isMalformed(parsed) && parsed.reason, "Truncated")
  })
})
