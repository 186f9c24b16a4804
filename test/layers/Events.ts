/**
 * Node's events and streams as effects, for tests of what bridges to them.
 */
import * as Effect from "effect/Effect"
import type { EventEmitter } from "node:events"
import type { Readable, Writable } from "node:stream"

export const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
export const text = (data: Uint8Array): string => new TextDecoder().decode(data)
/** Bytes that tell their place. */
export const pattern = (length: number): Uint8Array => {
  const data = new Uint8Array(length)
  for (let i = 0; i < length; i++) data[i] = i * 7 + (i >> 8)
  return data
}

/** Lets what was sent last arrive, over a wire that takes no time, and what came of it come back: rounds of the event loop. */
export const settle: Effect.Effect<void> = Effect.asVoid(Effect.repeat(Effect.yieldNow, { times: 100 }))

/** Waits for the next event of this name and gives its first argument. */
export const event = <A = unknown>(emitter: EventEmitter, name: string): Effect.Effect<A> =>
  Effect.callback((resume) => {
    const listener = (value: A) => resume(Effect.succeed(value))
    emitter.once(name, listener)
    return Effect.sync(() => emitter.off(name, listener))
  })

/** Waits for the error of a stream, and gives its code. */
export const errorCode = (emitter: EventEmitter): Effect.Effect<string | undefined> =>
  Effect.map(event<NodeJS.ErrnoException>(emitter, "error"), ({ code }) => code)

/** All that a stream gives, to its end. */
export const readToEnd = (readable: Readable): Effect.Effect<Uint8Array, unknown> =>
  Effect.tryPromise(async () => {
    const chunks: Array<Buffer> = []
    for await (const chunk of readable) chunks.push(chunk as Buffer)
    return new Uint8Array(Buffer.concat(chunks))
  })

/** Writes, and waits until the stream has passed it on. */
export const writeTo = (writable: Writable, data: Uint8Array): Effect.Effect<void, unknown> =>
  Effect.callback((resume) => {
    writable.write(data, (error) => resume(error == null ? Effect.void : Effect.fail(error)))
  })
