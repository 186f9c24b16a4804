import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as EntropySource from "../../src/workers/EntropySource.ts"

describe("EntropySource", () => {
  it("gives the same bytes for the same seed, and others for another", () => {
    const first = EntropySource.seeded(7)
    const second = EntropySource.seeded(7)
    assert.deepStrictEqual([first(16), first(6)], [second(16), second(6)])
    assert.notDeepEqual(EntropySource.seeded(8)(16), EntropySource.seeded(7)(16))
  })

  it.effect("is the system's generator unless a program provides another", () =>
    Effect.gen(function*() {
      const generate = yield* EntropySource.EntropySource
      assert.strictEqual(generate(EntropySource.seedBytes).length, 16)
      assert.notDeepEqual(generate(16), generate(16))
      const seeded = yield* Effect.provideService(
        EntropySource.EntropySource,
        EntropySource.EntropySource,
        EntropySource.seeded(1)
      )
      assert.deepStrictEqual(seeded(4), EntropySource.seeded(1)(4))
    }))
})
