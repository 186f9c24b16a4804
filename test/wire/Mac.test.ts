import { assert, describe, it } from "@effect/vitest"
import * as NetAddress from "effect/net/NetAddress"
import * as Result from "effect/Result"
import * as Mac from "../../src/wire/Mac.ts"

describe("Mac.fromInput", () => {
  it("takes a text, octets, the type of effect/net and the number", () => {
    const inputs: ReadonlyArray<Mac.Input> = [
      "02:00:5e:00:00:0A",
      [2, 0, 0x5e, 0, 0, 10],
      NetAddress.macAddressFromInputUnsafe("02:00:5e:00:00:0a"),
      0x0200_5e00_000a
    ]
    for (const input of inputs) assert.deepStrictEqual(Mac.fromInput(input), Result.succeed(0x0200_5e00_000a))
  })

  it("refuses what is no address", () => {
    const messageOf = (input: Mac.Input) => {
      const read = Mac.fromInput(input)
      return Result.isFailure(read) ? read.failure.message : `${read.success}`
    }
    for (const text of ["", "02:00", "02-00-00-00-00-01", "02:00:00:00:00:0g"]) {
      assert.match(messageOf(text), /^expected six two-digit hexadecimal octets/)
    }
    for (const number of [-1, 1.5, 2 ** 48, Number.NaN]) {
      assert.strictEqual(messageOf(number), "expected a number of 48 bits")
    }
  })
})
