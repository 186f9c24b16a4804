/** Questions and answers over one connection, and how long each answer took. */
import type * as Time from "../../core/Time.ts"
import type { Address } from "../../wire/Address.ts"
import type { Body, Self } from "../Program.ts"
import type { Simulation } from "../Simulator.ts"

/** When something was asked, in seconds from the start, and how long the answer took, in milliseconds. */
export interface Answer {
  readonly at: number
  readonly took: number
}

export interface Options {
  readonly remote: Address
  readonly port: number
  readonly bytes: number
  readonly every: Time.Span
}

/** Reads so many bytes; false if the stream ends before. */
const take = function*({ ask }: Self, connection: number, length: number) {
  for (let left = length; left > 0;) {
    const { end, pieces } = yield* ask({ _tag: "TcpRead", connection, max: left, block: true })
    if (end) return false
    for (const piece of pieces) left -= piece.end - piece.start
  }
  return true
}

const give = function*({ ask }: Self, connection: number, bytes: Uint8Array) {
  yield* ask({ _tag: "TcpWrite", connection, bytes, start: 0, end: bytes.length, owned: true, block: true })
}

/** Answers each question with as many bytes. */
export const answerer = ({ bytes, port }: Omit<Options, "remote">): Body<void> =>
  function*(self) {
    const { listener } = yield* self.ask({
      _tag: "TcpListen",
      local: undefined,
      version: undefined,
      port,
      backlog: 16,
      options: {},
      link: undefined
    })
    const { connection } = yield* self.ask({ _tag: "TcpAccept", listener, block: true })
    const answer = new Uint8Array(bytes)
    while (yield* take(self, connection, bytes)) yield* give(self, connection, answer)
  }

/** Asks for as long as the simulation runs; what has been answered is put into `answers`. */
export const asker = (
  simulation: Simulation,
  { bytes, every, port, remote }: Options,
  answers: Array<Answer>
): Body<void> =>
  function*(self) {
    const { connection } = yield* self.ask({
      _tag: "TcpConnect",
      remote,
      remotePort: port,
      local: undefined,
      localPort: 0,
      link: undefined,
      options: { noDelay: true },
      block: true
    })
    const question = new Uint8Array(bytes)
    for (let isOpen = true; isOpen;) {
      const before = simulation.elapsed
      yield* give(self, connection, question)
      isOpen = yield* take(self, connection, bytes)
      answers.push({ at: before / 1e6, took: (simulation.elapsed - before) / 1000 })
      yield* self.sleep(every)
    }
  }
