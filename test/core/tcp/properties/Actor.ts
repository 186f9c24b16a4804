/**
 * One end of a connection: a program, what it has asked for, how far its own stream has come, and how far the other's.
 *
 * Each byte of a stream is known by its place, so that nobody keeps what was sent.
 */
import type * as TcpConfig from "../../../../src/core/tcp/Config.ts"
import type { Received } from "../../../../src/core/tcp/Requests.ts"
import type { Asked, Host } from "../../../../src/testing/Host.ts"
import * as Pattern from "../../../../src/testing/Pattern.ts"
import { fail } from "./Invariants.ts"

/** Apart by more than two streams would have in common. */
const streamDistance = 10_007

type Question = Parameters<Host["request"]>[0]

/** A request that waits, and what is to be done with its answer. */
interface Waiting {
  readonly asked: Asked<unknown>
  readonly isWrite: boolean
  readonly onValue: (value: unknown) => void
}

const ignore = (): void => {}

export class Actor {
  readonly host: Host
  readonly connection: number
  /** Number of the stream that this end writes. */
  readonly stream: number
  /** The ends whose stream this one reads: one, unless a SYN with text or a cookie came twice (RFC 7413 §2.1, RFC 4987 §3.6). */
  readonly sources: Array<Actor> = []
  written = 0
  received = 0
  /** It has read the end of the other's stream. */
  hasEnded = false
  /** It wants no more of the other's stream. */
  isDeaf = false
  /** The program has let go. */
  isOver = false
  /** Nobody knows how far the last write came, so nothing is written after it. */
  isSilent = false
  private waiting: Array<Waiting> = []

  constructor(host: Host, connection: number, stream: number) {
    this.host = host
    this.connection = connection
    this.stream = stream
  }

  get pending(): number {
    return this.waiting.length
  }

  private get isWriting(): boolean {
    return this.waiting.some(({ isWrite }) => isWrite)
  }

  private ask(question: Question, onValue: (value: never) => void = ignore, isWrite = false): Asked<unknown> {
    const asked = this.host.request(question) as Asked<unknown>
    this.waiting.push({ asked, isWrite, onValue: onValue as (value: unknown) => void })
    this.settle()
    return asked
  }

  /** Takes the answers that have come. */
  settle(): void {
    const { waiting } = this
    this.waiting = waiting.filter(({ asked }) => asked.outcome()._tag === "Pending")
    if (waiting.length === this.waiting.length) return
    for (const { asked, onValue } of waiting) {
      const outcome = asked.outcome()
      if (outcome._tag === "Done") onValue(outcome.value)
    }
  }

  write(length: number, owned: boolean, block: boolean): void {
    if (this.isSilent || this.isOver) return
    const piece = Pattern.range(this.stream * streamDistance + this.written, length)
    const bytes = owned ? piece.bytes : piece.bytes.slice()
    const question = { _tag: "TcpWrite", connection: this.connection, ...piece, bytes, owned, block } as const
    const before = this.written
    // One that waits counts whole at once: what is taken of it later comes in its place all the same.
    if (block) this.written += length
    const asked = this.ask(question, (count: number) => {
      if (block && count !== length) fail(`a write of ${length} bytes answers ${count}`)
      this.written = Math.max(this.written, before + count)
    }, block)
    if (asked.outcome()._tag === "Failed") this.written = before
    // Nobody but the writer holds what was copied.
    if (!owned && asked.outcome()._tag === "Done") bytes.fill(0)
  }

  read(max: number, block: boolean): void {
    this.ask({ _tag: "TcpRead", connection: this.connection, max, block }, (received: Received) => {
      if (received.length > max) fail(`a read of ${max} bytes got ${received.length}`)
      this.take(received)
    })
  }

  private take(received: Received): void {
    if (this.hasEnded && !received.end) fail("something came after the end")
    const start = this.received
    for (const piece of received.pieces) {
      const stream = this.sources[0]?.stream ?? fail("text from nobody")
      const wrong = Pattern.mismatch(piece, stream * streamDistance + this.received)
      if (wrong >= 0) fail(`byte ${wrong - stream * streamDistance} of stream ${stream} is wrong`)
      this.received += piece.end - piece.start
    }
    if (this.received - start !== received.length) fail("a read counts its bytes wrongly")
    if (this.received > 0 && !this.sources.some(({ written }) => this.received <= written)) {
      fail("more was read than was written")
    }
    if (received.end) this.end()
  }

  private end(): void {
    if (this.isDeaf) return
    this.hasEnded = true
    if (
      this.sources.length === 0 || this.sources.some(({ isSilent, written }) => isSilent || written === this.received)
    ) return
    fail(`the end came after ${this.received} bytes of ${this.sources.map(({ written }) => written).join(" or ")}`)
  }

  /** Waits for a condition. */
  wait(until: "drained" | "closed" | "established"): void {
    this.ask({ _tag: "TcpAwait", connection: this.connection, until })
  }

  /** Is interrupted in all that it waits for. */
  giveUp(): void {
    this.settle()
    this.isSilent = this.isSilent || this.isWriting
    for (const { asked } of this.waiting) this.host.abandon(asked)
    this.waiting = []
  }

  /** The bytes behind a half-close are never written, and those of a write that waits perhaps neither. */
  shutdown(read: boolean, write: boolean): void {
    this.isSilent = this.isSilent || (write && this.isWriting)
    this.isDeaf = this.isDeaf || read
    this.ask({ _tag: "TcpShutdown", connection: this.connection, read, write })
  }

  choose(options: TcpConfig.Options): void {
    this.ask({ _tag: "TcpSetOptions", connection: this.connection, options })
  }

  look(): void {
    this.ask({ _tag: "TcpGetInfo", connection: this.connection })
  }

  letGo(how: "TcpClose" | "TcpAbort"): void {
    if (this.isOver) return
    this.isOver = true
    this.isSilent = this.isSilent || this.isWriting
    this.ask({ _tag: how, connection: this.connection })
  }
}
