import { assert, describe, it } from "@effect/vitest"
import * as Address from "../../src/wire/Address.ts"
import * as Checksum from "../../src/wire/Checksum.ts"
import * as Coalesce from "../../src/wire/Coalesce.ts"
import * as Ethernet from "../../src/wire/Ethernet.ts"
import type { Frame } from "../../src/wire/Frame.ts"
import * as FrameOf from "../../src/wire/Frame.ts"
import * as IpProtocol from "../../src/wire/IpProtocol.ts"
import * as Ipv4 from "../../src/wire/Ipv4.ts"
import * as Ipv6 from "../../src/wire/Ipv6.ts"
import * as Malformed from "../../src/wire/Malformed.ts"
import * as Sequence from "../../src/wire/Sequence.ts"
import * as Tcp from "../../src/wire/Tcp.ts"
import * as TcpOptions from "../../src/wire/TcpOptions.ts"
import { type Random, random } from "./laws.ts"

const link = Ethernet.headerLength
const slab = { release: () => {} }

interface Wanted {
  readonly version: Address.Version
  readonly port: number
  readonly sequence: number
  readonly payload: Uint8Array
  readonly flags: number
  readonly window: number
  readonly options: TcpOptions.Options
}

const plain: Wanted = {
  version: 4,
  port: 1,
  sequence: 100,
  payload: new Uint8Array(0),
  flags: Tcp.ACK,
  window: 500,
  options: TcpOptions.none
}

/** Writes a whole frame with right checksums at `at`; the offset behind it. */
const write = (wanted: Wanted, bytes: Uint8Array, at: number): number => {
  const { payload, version } = wanted
  const [source, destination] = version === 4
    ? [0x0a000001, 0x0a000002]
    : [Address.v6(0xfd000000, 0, 0, 1), Address.v6(0xfd000000, 0, 0, 2)]
  const fields: Tcp.Fields = {
    sourcePort: wanted.port,
    destinationPort: 80,
    sequence: wanted.sequence,
    acknowledgment: 7,
    flags: wanted.flags,
    window: wanted.window,
    checksum: 0,
    urgentPointer: 0,
    options: wanted.options
  }
  const length = Tcp.size(fields) + payload.length
  const type = version === 4 ? Ethernet.EtherType.ipv4 : Ethernet.EtherType.ipv6
  const ip = Ethernet.emit({ destination: 0x020000000002, source: 0x020000000001, type }, bytes, at)
  const common = { hopLimit: 64, trafficClass: 0, protocol: IpProtocol.tcp }
  const tcp = typeof source === "number" && typeof destination === "number"
    ? Ipv4.emit(
      {
        ...common,
        source,
        destination,
        identification: at & 0xffff,
        dontFragment: true,
        moreFragments: false,
        fragmentOffset: 0,
        totalLength: 20 + length,
        options: undefined
      },
      bytes,
      ip
    )
    : Ipv6.emit(
      {
        ...common,
        source: source as Address.Ipv6,
        destination: destination as Address.Ipv6,
        flowLabel: 0,
        payloadLength: length
      },
      bytes,
      ip
    )
  const text = Tcp.emit(fields, bytes, tcp)
  bytes.set(payload, text)
  const end = text + payload.length
  Tcp.emit(
    {
      ...fields,
      checksum: Checksum.finish(Checksum.sum(bytes, tcp, end, Checksum.pseudo(source, destination, 6, length)))
    },
    bytes,
    tcp
  )
  return end
}

/** Frames one behind the other in one slab, as a device is read. */
const lay = (all: ReadonlyArray<Wanted>, gap = 6): ReadonlyArray<Frame> => {
  const bytes = new Uint8Array(all.reduce((sum, { payload }) => sum + payload.length + 140 + gap, 0))
  let at = 0
  return all.map((wanted) => {
    const start = at
    const end = write(wanted, bytes, start)
    at = end + gap
    return { ...FrameOf.plain(bytes, start, end), slab }
  })
}

/** A flow's text in segments of `size`. */
const flow = (source: Random, base: Wanted, total: number, size: number): ReadonlyArray<Wanted> => {
  const text = source.bytes(total)
  const all: Array<Wanted> = []
  for (let at = 0; at < total; at += size) {
    all.push({ ...base, sequence: Sequence.add(base.sequence, at), payload: text.slice(at, at + size) })
  }
  return all
}

const textOf = (frame: Frame): { readonly header: Tcp.Header; readonly text: ReadonlyArray<number> } => {
  const ip = frame.start + link
  const packet = frame.bytes[ip]! >>> 4 === 4
    ? Ipv4.parse(frame.bytes, ip, frame.end)
    : Ipv6.parse(frame.bytes, ip, frame.end)
  if (Malformed.isMalformed(packet)) throw new Error(packet.detail)
  const header = Tcp.parse(frame.bytes, packet.payloadStart, packet.payloadEnd)
  if (Malformed.isMalformed(header)) throw new Error(header.detail)
  return { header, text: Array.from(frame.bytes.slice(header.payloadStart, header.payloadEnd)) }
}

describe("Coalesce", () => {
  for (const version of [4, 6] as const) {
    it(`makes one segment of those of a flow that follow each other, IPv${version}`, () => {
      const options = TcpOptions.timestamps(5, 6)
      const wanted = flow(random(1), { ...plain, version, options, sequence: -2000 }, 5000, 1000)
      const merged = Coalesce.merge(lay(wanted), link)
      assert.strictEqual(merged.length, 1)
      const { header, text } = textOf(merged[0]!)
      assert.deepStrictEqual(text, wanted.flatMap(({ payload }) => Array.from(payload)))
      assert.strictEqual(header.sequence, -2000)
      assert.deepStrictEqual({ ...header.options }, { ...options })
      assert.strictEqual(merged[0]!.checksum, "verified")
      assert.deepStrictEqual(merged[0]!.gso, {
        kind: version === 4 ? "tcp4" : "tcp6",
        size: 1000,
        headerLength: link + (version === 4 ? 20 : 40) + 32
      })
    })
  }

  it("ends with a segment that is shorter, keeps PSH, and begins anew", () => {
    const [first, second, short] = flow(random(2), plain, 2500, 1000)
    const wanted = [first!, second!, { ...short!, flags: Tcp.ACK | Tcp.PSH }]
    const more = flow(random(3), { ...plain, sequence: plain.sequence + 2500 }, 2000, 1000)
    const merged = Coalesce.merge(lay([...wanted, ...more]), link)
    assert.deepStrictEqual(merged.map((frame) => textOf(frame).text.length), [2500, 2000])
    assert.deepStrictEqual(merged.map((frame) => textOf(frame).header.flags), [Tcp.ACK | Tcp.PSH, Tcp.ACK])
  })

  it("never makes a packet longer than its length field can tell (RFC 791 §3.1)", () => {
    const merged = Coalesce.merge(lay(flow(random(4), plain, 100_000, 1000)), link)
    for (const frame of merged) assert.isAtMost(frame.end - frame.start - link, 0xffff)
    assert.strictEqual(merged.reduce((sum, frame) => sum + textOf(frame).text.length, 0), 100_000)
  })

  const base = flow(random(5), plain, 2000, 1000)
  const second = base[1]!
  const refusals: ReadonlyArray<readonly [string, Wanted]> = [
    ["another flow", { ...second, port: 2 }],
    ["a gap before it", { ...second, sequence: second.sequence + 1 }],
    ["text that was there before", { ...second, sequence: second.sequence - 1000 }],
    ["another window", { ...second, window: 501 }],
    ["other options", { ...second, options: TcpOptions.timestamps(1, 2) }],
    ["a FIN", { ...second, flags: Tcp.ACK | Tcp.FIN }],
    ["a RST", { ...second, flags: Tcp.ACK | Tcp.RST }],
    ["a SYN", { ...second, flags: Tcp.ACK | Tcp.SYN }],
    ["an urgent pointer", { ...second, flags: Tcp.ACK | Tcp.URG }],
    ["a congestion mark's echo", { ...second, flags: Tcp.ACK | Tcp.ECE }],
    ["no text", { ...second, payload: new Uint8Array(0) }],
    ["more text than the first", { ...second, payload: random(6).bytes(1001) }]
  ]
  for (const [what, other] of refusals) {
    it(`leaves a segment with ${what} alone`, () => {
      const frames = lay([base[0]!, other])
      const before = frames.map(FrameOf.copy)
      assert.deepStrictEqual(Coalesce.merge(frames, link).map(FrameOf.copy), before)
    })
  }

  it("leaves a frame with any bit of its packet flipped alone, and all others as they were", () => {
    const length = lay(base)[1]!.end - lay(base)[1]!.start
    for (let bit = link * 8; bit < length * 8; bit += 7) {
      const frames = lay(base)
      const { bytes, start } = frames[1]!
      bytes[start + (bit >>> 3)] = bytes[start + (bit >>> 3)]! ^ (1 << (bit & 7))
      const before = frames.map(FrameOf.copy)
      assert.deepStrictEqual(Coalesce.merge(frames, link).map(FrameOf.copy), before, `bit ${bit}`)
    }
  })

  it("touches no frame that nobody lends, and none of another slab", () => {
    const frames = lay(base)
    const owned = frames.map((frame) => ({ ...frame, slab: undefined }))
    assert.deepStrictEqual(Coalesce.merge(owned, link), owned)
    const apart = [frames[0]!, { ...frames[1]!, slab: { release: () => {} } }]
    assert.strictEqual(Coalesce.merge(apart, link).length, 2)
  })

  it("leaves a checksum that is to be completed so, whether its segment is merged or not (VIRTIO 1.2 §5.1.6)", () => {
    const [first, second] = base
    const partial = { checksum: "partial", checksumStart: link + 20, checksumOffset: 16 } as const
    const unfinished = (frame: Frame): Frame => ({ ...frame, ...partial })
    const frames = lay([first!, second!, { ...second!, port: 2 }]).map(unfinished)
    const merged = Coalesce.merge(frames, link)
    assert.deepStrictEqual(merged.map(({ checksum, gso }) => [checksum, gso?.size]), [
      ["verified", 1000],
      ["partial", undefined]
    ])
    assert.deepStrictEqual([merged[1]!.checksumStart, merged[1]!.checksumOffset], [link + 20, 16])
  })

  it("keeps every byte and the order of each flow, whatever is mixed", () => {
    for (let seed = 0; seed < 200; seed++) {
      const source = random(seed)
      const flowOf = (port: number): Array<Wanted> =>
        flow(source, { ...plain, port, version: source.of(4, 6) }, 4000, source.of(300, 500, 1000)).slice()
      const flows = [0, 1, 2].map(flowOf)
      const mixed: Array<Wanted> = []
      while (flows.some((rest) => rest.length > 0)) {
        const rest = flows[source.int(3)]!
        mixed.push(...rest.splice(0, 1 + source.int(4)))
      }
      const frames = lay(mixed, source.int(9))
      const merged = Coalesce.merge(frames, link)
      for (const port of [0, 1, 2]) {
        const wanted = mixed.filter((each) => each.port === port).flatMap(({ payload }) => Array.from(payload))
        const got = merged.map(textOf).filter(({ header }) => header.sourcePort === port).flatMap(({ text }) => text)
        assert.deepStrictEqual(got, wanted)
      }
    }
  })

  for (const version of [4, 6] as const) {
    it(`knows text that follows on text in another slab, IPv${version}`, () => {
      const [first, second, third] = flow(random(4), { ...plain, version }, 3000, 1000)
      const frameOf = (wanted: Wanted): Frame => ({ ...lay([wanted])[0]!, checksum: "verified" })
      const follows = (next: Wanted, before = first!) => Coalesce.isFollowed(frameOf(before), frameOf(next), link)
      assert.isTrue(follows(second!))
      assert.isTrue(follows({ ...second!, flags: Tcp.ACK | Tcp.PSH, window: 9 }))
      assert.isFalse(follows(third!))
      assert.isFalse(follows({ ...second!, port: 2 }))
      assert.isFalse(follows({ ...second!, flags: Tcp.ACK | Tcp.FIN }))
      assert.isFalse(follows({ ...second!, payload: new Uint8Array(0) }))
      assert.isFalse(follows(second!, { ...first!, flags: Tcp.ACK | Tcp.URG }))
      // What nobody vouches for may be dropped, and its ACK with it.
      assert.isFalse(Coalesce.isFollowed(frameOf(first!), lay([second!])[0]!, link))
    })
  }

  it("never throws on any bytes", () => {
    const source = random(9)
    for (let i = 0; i < 2000; i++) {
      const bytes = source.bytes(source.int(200))
      bytes.set([8, 0, 0x45].slice(0, Math.max(0, bytes.length - 12)), Math.min(12, bytes.length))
      const frame = { ...FrameOf.plain(bytes), slab }
      assert.isFalse(Coalesce.isFollowed(frame, frame, source.of(0, link)))
      assert.isAtLeast(Coalesce.merge([frame, frame], source.of(0, link)).length, 1)
    }
  })
})
