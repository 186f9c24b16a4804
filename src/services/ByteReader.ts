/**
 * Reads a connection by lines and by counts, whatever the sizes in which the data comes.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { TcpConnection } from "../sockets/TcpConnection.ts"
import type { TcpError } from "../sockets/TcpError.ts"

/** The peer ended in the middle of something, or sent more of it than the reader is ready to keep. */
export class InputError extends Schema.TaggedError<InputError>()("InputError", {
  detail: Schema.Literals(["ended early", "too long"])
}) {
  override get message(): string {
    return this.detail === "too long" ? "the peer sent more than is accepted" : "the peer ended in mid-message"
  }
}

export interface ByteReader {
  /** What has come and was not read yet, or waits for more; nothing at the end. */
  readonly some: Effect.Effect<Uint8Array | undefined, TcpError>
  /** Exactly `length` bytes. */
  readonly exactly: (length: number) => Effect.Effect<Uint8Array, TcpError | InputError>
  /** A line of at most `limit` bytes without its line end (LF or CRLF); nothing at the end of the data. */
  readonly line: (limit: number) => Effect.Effect<string | undefined, TcpError | InputError>
}

const lineFeed = 10
const carriageReturn = 13
const decoder = new TextDecoder("latin1")

const join = (a: Uint8Array, b: Uint8Array): Uint8Array => {
  if (a.length === 0) return b
  const joined = new Uint8Array(a.length + b.length)
  joined.set(a)
  joined.set(b, a.length)
  return joined
}

class ConnectionReader implements ByteReader {
  private readonly connection: TcpConnection
  private held: Uint8Array = new Uint8Array(0)

  constructor(connection: TcpConnection) {
    this.connection = connection
  }

  private take(length: number): Uint8Array {
    const taken = this.held.subarray(0, length)
    this.held = this.held.subarray(length)
    return taken
  }

  /** Waits for more; false at the end. */
  private get more(): Effect.Effect<boolean, TcpError> {
    return Effect.map(this.connection.read(), (chunks) => {
      this.held = chunks.reduce(join, this.held)
      return chunks.length > 0
    })
  }

  get some(): Effect.Effect<Uint8Array | undefined, TcpError> {
    return Effect.gen({ self: this }, function*() {
      if (this.held.length === 0 && !(yield* this.more)) return undefined
      return this.take(this.held.length)
    })
  }

  exactly(length: number): Effect.Effect<Uint8Array, TcpError | InputError> {
    return Effect.gen({ self: this }, function*() {
      while (this.held.length < length) {
        if (!(yield* this.more)) return yield* Effect.fail(new InputError({ detail: "ended early" }))
      }
      return this.take(length)
    })
  }

  line(limit: number): Effect.Effect<string | undefined, TcpError | InputError> {
    return Effect.gen({ self: this }, function*() {
      for (;;) {
        const end = this.held.indexOf(lineFeed)
        if (end > limit || (end < 0 && this.held.length > limit)) {
          return yield* Effect.fail(new InputError({ detail: "too long" }))
        }
        if (end >= 0) {
          const line = this.take(end + 1)
          return decoder.decode(line.subarray(0, line[end - 1] === carriageReturn ? end - 1 : end))
        }
        const wasEmpty = this.held.length === 0
        if (yield* this.more) continue
        return wasEmpty ? undefined : yield* Effect.fail(new InputError({ detail: "ended early" }))
      }
    })
  }
}

export const make = (connection: TcpConnection): ByteReader => new ConnectionReader(connection)
