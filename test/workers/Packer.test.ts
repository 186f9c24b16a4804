import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { Transmit } from "../../src/core/Output.ts"
import type { Credit } from "../../src/core/Request.ts"
import { type Capabilities, type Link, noCapabilities } from "../../src/link/Link.ts"
import * as Checksum from "../../src/wire/Checksum.ts"
import * as Frame from "../../src/wire/Frame.ts"
import type { Outgoing } from "../../src/wire/Gather.ts"
import * as Packer from "../../src/workers/Packer.ts"

const linkWith = (capabilities: Capabilities, headroom = 0): Link => ({
  name: "packed",
  mac: undefined,
  medium: "ethernet",
  mtu: 1500,
  capabilities,
  headroom,
  open: () => Effect.die("not opened here")
})

const offloading: Capabilities = { checksumOffload: true, segmentation: new Set(["tcp4"]), maxSegmentBytes: 65_535 }

const ethernet = 14
const ip = 20
const tcp = 20
const headers = ethernet + ip + tcp

/** A TCP segment from 10.0.0.1 to 10.0.0.2 with a partial checksum, cut into `mss` bytes each if `mss` is given. */
const segment = (length: number, mss?: number): Outgoing => {
  const head = new Uint8Array(headers)
  head.set([0x08, 0x00], 12)
  head.set([0x45, 0, 0, 0, 0, 1, 0x40, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2], ethernet)
  head.set([0, 80, 0, 81, 0, 0, 0, 0, 0, 0, 0, 0, 0x50, 0x18], ethernet + ip)
  const view = new DataView(head.buffer)
  view.setUint16(ethernet + 2, ip + tcp + length)
  view.setUint16(ethernet + ip + 16, Checksum.fold(Checksum.sum(head, ethernet + 12, ethernet + 20, 6 + tcp + length)))
  view.setUint16(ethernet + 10, Checksum.finish(Checksum.sum(head, ethernet, ethernet + ip, 0)))
  return {
    head,
    headStart: 0,
    headEnd: headers,
    pieces: [{ bytes: Uint8Array.from({ length }, (_, i) => i), start: 0, end: length }],
    checksum: "partial",
    checksumStart: ethernet + ip,
    checksumOffset: 16,
    gso: mss === undefined ? undefined : { kind: "tcp4", size: mss, headerLength: headers }
  }
}

const transmit = (packet: Outgoing, credit?: Credit): Transmit => ({
  _tag: "Transmit",
  link: 1,
  packet,
  size: packet.headEnd + packet.pieces.reduce((sum, { end }) => sum + end, 0),
  credit
})

/** Frames of a connection: a bare ACK that may yield or not, and text. */
const bareAck = (id: number, mayYield: boolean): Transmit =>
  transmit(segment(0), { owner: "Tcp", id, bytes: 0, isAwaited: false, mayYield })
const text = (id: number, length: number): Transmit =>
  transmit(segment(length), { owner: "Tcp", id, bytes: length, isAwaited: false })

/** Packs everything, with a copy of each frame since the slab is used again. */
const packAll = (link: Link, batch: ReadonlyArray<Transmit>, gathers = false) => {
  const packer = Packer.make(link)
  const frames: Array<{ readonly frame: Frame.Frame; readonly bytes: Uint8Array }> = []
  let rounds = 0
  for (let next = 0; next < batch.length;) {
    const packed = packer.pack(batch, next, gathers)
    for (const frame of packed.frames) frames.push({ frame, bytes: Frame.copy(frame) })
    next = packed.next
    rounds += 1
  }
  return { frames, rounds }
}

const isChecksumGood = (bytes: Uint8Array): boolean => {
  const pseudo = Checksum.sum(bytes, ethernet + 12, ethernet + 20, 6 + bytes.length - ethernet - ip)
  return Checksum.finish(Checksum.sum(bytes, ethernet + ip, bytes.length, pseudo)) === 0
}

const payloadOf = (frames: ReadonlyArray<{ readonly bytes: Uint8Array }>): Array<number> =>
  frames.flatMap(({ bytes }) => Array.from(bytes.subarray(headers)))

const sequence = (length: number): Array<number> => Array.from({ length }, (_, i) => i & 0xff)

describe("Packer", () => {
  it("joins head and pieces and completes the checksum for a link that does not", () => {
    const { frames } = packAll(linkWith(noCapabilities(1500)), [transmit(segment(100))])
    assert.strictEqual(frames.length, 1)
    assert.strictEqual(frames[0]!.frame.checksum, "none")
    assert.isTrue(isChecksumGood(frames[0]!.bytes))
    assert.deepStrictEqual(payloadOf(frames), sequence(100))
  })

  it("leaves checksum and segmentation to a link that does them", () => {
    const { frames } = packAll(linkWith(offloading, 10), [transmit(segment(40_000, 1460))])
    assert.strictEqual(frames.length, 1)
    const { frame } = frames[0]!
    assert.deepInclude(frame, { checksum: "partial", checksumStart: ethernet + ip, checksumOffset: 16 })
    assert.deepStrictEqual(frame.gso, { kind: "tcp4", size: 1460, headerLength: headers })
  })

  it("completes the checksum of anything but TCP for every link, since some read it past their kernel's sockets", () => {
    const udpChecksumOffset = 6
    const { bytes, frame } = packAll(linkWith(offloading), [
      transmit({ ...segment(100), checksumOffset: udpChecksumOffset })
    ]).frames[0]!
    assert.strictEqual(frame.checksum, "none")
    // Where UDP's checksum stands a sequence number stood, which was zero: nothing of the sum was there before.
    const field = ethernet + ip + udpChecksumOffset
    const written = new DataView(bytes.buffer).getUint16(field)
    bytes.fill(0, field, field + 2)
    assert.strictEqual(written, Checksum.finish(Checksum.sum(bytes, ethernet + ip, bytes.length, 0)))
  })

  it("cuts what has to keep CWR on every packet itself (RFC 9768 §3.2.2), for links leave it on the first alone (RFC 3168 §6.1.2)", () => {
    const cwr = 0x80
    const flagsOf = (keepsCwr: boolean, link: Link): Array<number> => {
      const packet = segment(4000, 1460)
      packet.head[ethernet + ip + 13] = 0x10 | cwr
      const { frames } = packAll(link, [transmit({ ...packet, gso: { ...packet.gso!, keepsCwr } })])
      return frames.map(({ bytes }) => bytes[ethernet + ip + 13]! & cwr)
    }
    assert.deepStrictEqual(flagsOf(true, linkWith(offloading, 10)), [cwr, cwr, cwr])
    assert.deepStrictEqual(flagsOf(true, linkWith(noCapabilities(1500))), [cwr, cwr, cwr])
    assert.deepStrictEqual(flagsOf(false, linkWith(noCapabilities(1500))), [cwr, 0, 0])
    assert.deepStrictEqual(flagsOf(false, linkWith(offloading, 10)), [cwr])
  })

  it("cuts a super-segment for a link that does not, and numbers its packets", () => {
    const { frames } = packAll(linkWith(noCapabilities(1500)), [transmit(segment(4000, 1460))])
    assert.deepStrictEqual(frames.map(({ bytes }) => bytes.length - headers), [1460, 1460, 1080])
    assert.isTrue(frames.every(({ bytes }) => isChecksumGood(bytes)))
    const sequences = frames.map(({ bytes }) => new DataView(bytes.buffer).getUint32(ethernet + ip + 4))
    assert.deepStrictEqual(sequences, [0, 1460, 2920])
    assert.deepStrictEqual(payloadOf(frames), sequence(4000))
  })

  it("leaves a bare ACK out that the next frame of its connection makes needless, and no other", () => {
    const packed = (...batch: ReadonlyArray<Transmit>) =>
      packAll(linkWith(noCapabilities(1500)), batch).frames.map(({ bytes }) => bytes.length - headers)
    assert.deepStrictEqual(packed(bareAck(1, true), text(1, 10)), [10])
    assert.deepStrictEqual(packed(bareAck(1, true), bareAck(1, true), text(1, 10)), [10])
    assert.deepStrictEqual(packed(bareAck(1, true)), [0])
    assert.deepStrictEqual(packed(text(1, 10), bareAck(1, true)), [10, 0])
    assert.deepStrictEqual(packed(bareAck(1, true), text(2, 10)), [0, 10])
    assert.deepStrictEqual(packed(bareAck(1, true), transmit(segment(10))), [0, 10])
    // A duplicate ACK counts (RFC 5681 §3.2).
    assert.deepStrictEqual(packed(bareAck(1, false), bareAck(1, false), text(1, 10)), [0, 0, 10])
  })

  it("leaves the link's headroom free before every frame", () => {
    const batch = [transmit(segment(1000)), transmit(segment(4000, 1460)), transmit(segment(0))]
    const { frames } = packAll(linkWith(noCapabilities(1500), 12), batch)
    let end = 0
    for (const { frame } of frames) {
      assert.isAtLeast(frame.start - end, 12)
      end = frame.end
    }
  })

  it("goes on in the next round where the slab was full, in the middle of a super-segment if need be", () => {
    const batch = Array.from({ length: 9 }, () => transmit(segment(60_000, 1460)))
    const { frames, rounds } = packAll(linkWith(noCapabilities(1500)), batch)
    assert.isAbove(rounds, 2)
    assert.strictEqual(frames.length, 9 * Math.ceil(60_000 / 1460))
    assert.deepStrictEqual(payloadOf(frames), Array.from({ length: 9 }, () => sequence(60_000)).flat())
  })

  it("sends what lies whole in memory of its own from there, if the link's header has room before it and nothing is left to do", () => {
    const { head, headEnd, ...rest } = segment(0)
    const block = new Uint8Array(64 + headEnd)
    block.set(head, 64)
    const packet: Outgoing = { ...rest, head: block, headStart: 64, headEnd: 64 + headEnd, pieces: [], block }
    const framesOf = (link: Link) => Packer.make(link).pack([transmit(packet)], 0, false).frames
    assert.strictEqual(framesOf(linkWith(offloading, 10))[0]!.bytes, block)
    assert.deepStrictEqual(Frame.copy(framesOf(linkWith(offloading, 10))[0]!), head)
    // No room, or a checksum to complete in what is no copy.
    assert.notStrictEqual(framesOf(linkWith(offloading, 65))[0]!.bytes, block)
    assert.notStrictEqual(framesOf(linkWith(noCapabilities(1500), 10))[0]!.bytes, block)
  })

  it("sends what lies in a received frame from there, if as much before it belongs to it as the link's header takes", () => {
    const { head, headEnd, ...rest } = segment(0)
    const bytes = new Uint8Array(64 + headEnd)
    bytes.set(head, 64)
    const slab = { headroom: 10, release: () => {} }
    const packet: Outgoing = { ...rest, head: bytes, headStart: 64, headEnd: 64 + headEnd, pieces: [], slab }
    const framesOf = (link: Link) => Packer.make(link).pack([transmit(packet)], 0, false).frames
    assert.strictEqual(framesOf(linkWith(offloading, 10))[0]!.bytes, bytes)
    assert.notStrictEqual(framesOf(linkWith(offloading, 11))[0]!.bytes, bytes)
  })

  it("leaves long payload where it is for a port that gathers, and joins what is short or in many pieces", () => {
    const whole = segment(40_000, 1460)
    const [piece] = whole.pieces
    const halves = (count: number): Outgoing => ({
      ...whole,
      pieces: Array.from({ length: count }, (_, i) => ({
        bytes: piece!.bytes,
        start: Math.floor(piece!.end * i / count),
        end: Math.floor(piece!.end * (i + 1) / count)
      }))
    })
    const packed = (packet: Outgoing, link = linkWith(offloading, 10), gathers = true) => {
      const { frames: [only] } = packAll(link, [transmit(packet)], gathers)
      return { pieces: only!.frame.rest?.length ?? 0, bytes: only!.bytes, start: only!.frame.start }
    }
    const joined = packed(whole, linkWith(offloading, 10), false)
    assert.deepStrictEqual([joined.pieces, joined.bytes.length], [0, headers + 40_000])
    for (const [count, expected] of [[1, 1], [2, 2], [9, 9], [10, 0], [16, 0]] as const) {
      assert.deepStrictEqual(packed(halves(count)), { ...joined, pieces: expected }, `${count} pieces`)
    }
    assert.strictEqual(packed(segment(4095)).pieces, 0)
    assert.strictEqual(packed(segment(0)).pieces, 0)
    // What is cut here, or has a checksum to complete, goes through the slab.
    assert.strictEqual(packed(whole, linkWith(noCapabilities(1500))).pieces, 0)
    assert.strictEqual(packed({ ...segment(40_000), checksum: "none" }).pieces, 0)
  })

  it("packs more frames in a slab of headers than it has room for with their payload", () => {
    const batch = Array.from({ length: 64 }, () => transmit(segment(60_000, 1460)))
    assert.isAbove(packAll(linkWith(offloading, 10), batch).rounds, 30)
    assert.strictEqual(packAll(linkWith(offloading, 10), batch, true).rounds, 1)
  })
})
