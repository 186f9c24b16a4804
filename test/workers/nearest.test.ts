import { assert, describe, it } from "@effect/vitest"
import { nearest } from "../../src/workers/nearest.ts"

describe("The name that a misspelt one means", () => {
  const names = ["accept", "setsockopt", "getsockopt", "listen"]
  it("is the one with the fewest letters put in, left out, changed or exchanged", () => {
    const written = ["acept", "acccept", "accapt", "lisetn", "setsocketopt", "getsokopt"]
    assert.deepStrictEqual(written.map((name) => nearest(name, names)), [
      "accept",
      "accept",
      "accept",
      "listen",
      "setsockopt",
      "getsockopt"
    ])
  })
  it("is none where too much is wrong", () => {
    assert.deepStrictEqual(["mmap", "x", ""].map((name) => nearest(name, names)), [undefined, undefined, undefined])
  })
})
