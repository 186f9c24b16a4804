import { assert, describe, it } from "@effect/vitest"
import * as SipHash from "../../../src/core/data/SipHash.ts"

/** The vectors published with the reference implementation: key 00 01 … 0f, input 00 01 … n-1, output as bytes. */
const published = [
  "310e0edd47db6f72",
  "fd67dc93c539f874",
  "5a4fa9d909806c0d",
  "2d7efbd796666785",
  "b7877127e09427cf",
  "8da699cd64557618",
  "cee3fe586e46c9cb",
  "37d1018bf50002ab",
  "6224939a79f5f593",
  "b0e4a90bdf82009e",
  "f3b9dd94c5bb5d7a",
  "a7ad6b22462fb3f4",
  "fbe50e86bc8f1e75",
  "903d84c02756ea14",
  "eef27a8e90ca23f7",
  "e545be4961ca29a1",
  "db9bc2577fcc2a3f",
  "9447be2cf5e99a69",
  "9cd38d96f0b3c14b",
  "bd6179a71dc96dbb",
  "98eea21af25cd6be",
  "c7673b2eb0cbf2d0",
  "883ea3e395675393",
  "c8ce5ccd8c030ca8",
  "94af49f6c650adb8",
  "eab8858ade92e1bc",
  "f315bb5bb835d817",
  "adcf6b0763612e2f",
  "a5c91da7acaa4dde",
  "716595876650a2a6",
  "28ef495c53a387ad",
  "42c341d8fa92d832",
  "ce7cf2722f512771",
  "e37859f94623f3a7",
  "381205bb1ab0e012",
  "ae97a10fd434e015",
  "b4a31508beff4d31",
  "81396229f0907902",
  "4d0cf49ee5d4dcca",
  "5c73336a76d8bf9a",
  "d0a704536ba93e0e",
  "925958fcd6420cad",
  "a915c29bc8067318",
  "952b79f3bc0aa6d4",
  "f21df2e41d4535f9",
  "87577519048f53a9",
  "10a56cf5dfcd9adb",
  "eb75095ccd986cd0",
  "51a9cb9ecba312e6",
  "96afadfc2ce666c7",
  "72fe52975a4364ee",
  "5a1645b276d592a1",
  "b274cb8ebf87870a",
  "6f9bb4203de7b381",
  "eaecb2a30b22a87f",
  "9924a43cc1315724",
  "bd838d3aafbf8db7",
  "0b1a2a3265d51aea",
  "135079a3231ce660",
  "932b2846e4d70666",
  "e1915f5cb1eca46c",
  "f325965ca16d629f",
  "575ff28e60381be5",
  "724506eb4c328a95"
]

const key = SipHash.keyFrom(Uint8Array.from({ length: 16 }, (_, i) => i))

const hex = (self: SipHash.Hash): string => {
  const bytes = new Uint8Array(8)
  const view = new DataView(bytes.buffer)
  view.setInt32(0, self.low, true)
  view.setInt32(4, self.high, true)
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("")
}

describe("SipHash", () => {
  it("gives the 64 published results of SipHash-2-4 for 0 to 63 bytes", () => {
    published.forEach((expected, length) => {
      assert.strictEqual(hex(SipHash.hash(key, Uint8Array.from({ length }, (_, i) => i))), expected, `${length} bytes`)
    })
  })

  it("hashes words as their little-endian bytes", () => {
    for (let count = 0; count <= 15; count++) {
      const view = new DataView(Uint8Array.from({ length: count * 4 }, (_, i) => i).buffer)
      const words = Array.from({ length: count }, (_, i) => view.getUint32(i * 4, true))
      assert.strictEqual(hex(SipHash.hashWords(key, words)), published[count * 4])
    }
  })

  it("takes a word's int32 and uint32 forms for the same", () => {
    assert.deepStrictEqual(SipHash.hashWords(key, [0xfedcba98]), SipHash.hashWords(key, [0xfedcba98 | 0]))
    assert.deepStrictEqual(SipHash.hashWords(key, [1, 0xfedcba98]), SipHash.hashWords(key, [1, 0xfedcba98 | 0]))
  })

  it("hashes a range of a larger array", () => {
    const bytes = Uint8Array.from({ length: 40 }, (_, i) => i - 5)
    for (let length = 0; length <= 32; length++) {
      assert.strictEqual(hex(SipHash.hash(key, bytes, 5, 5 + length)), published[length])
    }
  })

  it("depends on every bit of the key and of the input, and on the length", () => {
    const seen = new Set<string>()
    for (let bit = 0; bit < 128; bit++) {
      const seed = Uint8Array.from({ length: 16 }, (_, i) => i)
      seed[bit >>> 3]! ^= 1 << (bit & 7)
      seen.add(hex(SipHash.hashWords(SipHash.keyFrom(seed), [1, 2, 3, 4, 5])))
    }
    for (let bit = 0; bit < 160; bit++) {
      const words = [1, 2, 3, 4, 5]
      words[bit >>> 5]! ^= 1 << (bit & 31)
      seen.add(hex(SipHash.hashWords(key, words)))
    }
    for (let count = 0; count < 32; count++) {
      seen.add(hex(SipHash.hashWords(key, Array.from({ length: count }, () => 0))))
    }
    assert.strictEqual(seen.size, 128 + 160 + 32)
  })
})
