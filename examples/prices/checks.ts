/**
 * The service's own tests, written against Effect's tags: they ask whatever `HttpClient` there is, and find no network in it either.
 */
import * as Effect from "effect/Effect"
import * as HttpClient from "effect/http/HttpClient"
import assert from "node:assert/strict"

/** One price is right. */
export const addsTax = (url: string) =>
  Effect.gen(function*() {
    const response = yield* HttpClient.get(`${url}/price/book`)
    assert.deepEqual([response.status, yield* response.json], [200, { name: "book", total: 4.76 }])
  })

/** Every one of many customers, who come one after the other, is served. */
export const servesEverybody = (url: string) =>
  Effect.forEach(
    Array.from({ length: 60 }, (_, i) => `thing${i}`),
    (item) =>
      Effect.gen(function*() {
        const response = yield* HttpClient.get(`${url}/price/${item}`)
        assert.equal(response.status, 200, yield* response.text)
        assert.equal((yield* response.json as Effect.Effect<{ readonly name: string }>).name, item)
      }),
    { discard: true }
  )
