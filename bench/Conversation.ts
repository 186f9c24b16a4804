/**
 * An hour of twenty connections that each ask something every half minute, on a link that loses one frame in a hundred: written once for
 * running stacks in virtual time and once for the simulator.
 */
import * as Effect from "effect/Effect"
import * as Tcp from "../src/sockets/Tcp.ts"
import type { TcpConnection } from "../src/sockets/TcpConnection.ts"
import { Address, Time } from "../src/testing/index.ts"
import type { Body, Self } from "../src/testing/Program.ts"
import * as Simulator from "../src/testing/Simulator.ts"
import * as TestNetwork from "../src/testing/TestNetwork.ts"
import * as Topology from "../src/testing/Topology.ts"

export const connections = 20
/** For each connection. */
export const questions = 120
export const wire = { delay: "20 millis", loss: 0.01 } as const

const pause = 30_000
const question = new Uint8Array(200).fill(0x3f)
const port = 7

const readAll = (connection: TcpConnection, length: number) =>
  Effect.gen(function*() {
    for (let left = length; left > 0;) {
      for (const piece of yield* connection.read()) left -= piece.length
    }
  })

const echo = (connection: TcpConnection) =>
  Effect.gen(function*() {
    for (;;) {
      const pieces = yield* connection.read()
      if (pieces.length === 0) return
      for (const piece of pieces) yield* connection.write(piece)
    }
  })

/** Asks and waits for each answer; every connection in a rhythm of its own. */
const converse = (number: number) =>
  Effect.scoped(Effect.gen(function*() {
    const connection = yield* Tcp.connect(`10.0.0.1:${port}`)
    for (let asked = 0; asked < questions; asked++) {
      yield* connection.write(question)
      yield* readAll(connection, question.length)
      yield* Effect.sleep(pause + number)
    }
    return questions
  }))

/** For `TestNetwork.run` on {@link wire}: the server is the program's host, the clients are `remote`. Answers how many questions were answered. */
export const program = Effect.gen(function*() {
  const listener = yield* Tcp.listen({ port, backlog: connections })
  yield* Effect.forkScoped(listener.serve(echo))
  const clients = Array.from({ length: connections }, (_, number) => converse(number))
  const answered = yield* TestNetwork.on("remote")(Effect.all(clients, { concurrency: "unbounded" }))
  return answered.reduce((sum, each) => sum + each, 0)
})

/** Reads until so many bytes have come; false at the end of the stream. */
const takes = function*({ ask }: Self, connection: number, length: number) {
  for (let left = length; left > 0;) {
    const { end, pieces } = yield* ask({ _tag: "TcpRead", connection, max: left, block: true })
    if (end) return false
    for (const piece of pieces) left -= piece.end - piece.start
  }
  return true
}

const says = function*({ ask }: Self, connection: number) {
  const bytes = { bytes: question, start: 0, end: question.length, owned: true, block: true }
  yield* ask({ _tag: "TcpWrite", connection, ...bytes })
}

const answerer = (listener: number): Body<void> =>
  function*(self) {
    const { connection } = yield* self.ask({ _tag: "TcpAccept", listener, block: true })
    while (yield* takes(self, connection, question.length)) yield* says(self, connection)
    yield* self.ask({ _tag: "TcpClose", connection })
  }

const asker = (number: number): Body<number> =>
  function*(self) {
    const none = { local: undefined, localPort: 0, link: undefined, options: {}, block: true } as const
    const remote = Address.v4(10, 0, 0, 1)
    const { connection } = yield* self.ask({ _tag: "TcpConnect", remote, remotePort: port, ...none })
    for (let asked = 0; asked < questions; asked++) {
      yield* says(self, connection)
      yield* takes(self, connection, question.length)
      yield* self.sleep(Time.millis(pause + number))
    }
    yield* self.ask({ _tag: "TcpClose", connection })
    return questions
  }

/** The same in the simulator. */
export const simulate = (seed: number): { readonly simulation: Simulator.Simulation; readonly answered: number } => {
  const simulation = Simulator.make(Topology.pair(wire), { seed })
  const { listener } = simulation.host("local").call({
    _tag: "TcpListen",
    local: undefined,
    version: undefined,
    port,
    backlog: connections,
    options: {},
    link: undefined
  })
  const clients = Array.from({ length: connections }, (_, number) => {
    simulation.program(`answers ${number}`, "local", answerer(listener))
    return simulation.program(`asks ${number}`, "remote", asker(number))
  })
  simulation.finish(clients, Time.seconds(2 * 3600))
  return { simulation, answered: clients.reduce((sum, { value }) => sum + value, 0) }
}
