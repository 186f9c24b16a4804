/** What may not grow with the size of the tables, counted in operations: connections, routes, neighbours and alarms present cost an event nothing. */
import { assert, describe, it } from "@effect/vitest"
import type { Connection } from "../../src/core/tcp/Connection.ts"
import * as Time from "../../src/core/Time.ts"
import type { Host } from "../../src/testing/Host.ts"
import * as Address from "../../src/wire/Address.ts"
import * as Tcp from "../../src/wire/Tcp.ts"
import * as Alarms from "../../src/workers/Alarms.ts"
import { host, Peer } from "./tcp/Peer.ts"

const port = 80

/** How often `run` asks, changes or walks on in any native Map: every table of the core is one. */
const operations = (run: () => void): number => {
  let count = 0
  const undo: Array<() => void> = []
  const watch = (prototype: object, name: string): void => {
    const original = Reflect.get(prototype, name) as (...args: Array<unknown>) => unknown
    Reflect.set(prototype, name, function(this: unknown, ...args: Array<unknown>) {
      count += 1
      return original.apply(this, args)
    })
    undo.push(() => Reflect.set(prototype, name, original))
  }
  for (const name of ["get", "has", "set", "delete", "forEach"]) watch(Map.prototype, name)
  watch(Object.getPrototypeOf(new Map().values()) as object, "next")
  try {
    run()
  } finally {
    for (const put of undo) put()
  }
  return count
}

/** A connection with the host, as the peer has it. */
interface Opened {
  readonly peer: Peer
  readonly id: number
  readonly next: number
}

const listen = (self: Host): number =>
  self.call({ _tag: "TcpListen", local: undefined, version: undefined, port, backlog: 8, options: {}, link: undefined })
    .listener

const open = (self: Host, listener: number, sourcePort: number): Opened => {
  const peer = new Peer(self, port, sourcePort)
  const options = { maximumSegmentSize: 1400, sackPermitted: true, windowScale: 7 }
  peer.send({ seq: 1000, flags: Tcp.SYN, options })
  const answer = peer.one()
  peer.send({ seq: 1001, ack: answer.seq + 1, flags: Tcp.ACK })
  const { connection } = self.call({ _tag: "TcpAccept", listener, block: false })
  return { peer, id: connection, next: answer.seq + 1 }
}

const text = new Uint8Array(1000).fill(0x61)

/** Text both ways, read and acknowledged. */
const exchange = (self: Host, { id, next, peer }: Opened): void => {
  peer.send({ seq: 1001, ack: next, flags: Tcp.ACK, text })
  self.call({ _tag: "TcpRead", connection: id, max: 5000, block: false })
  const bytes = { bytes: text, start: 0, end: text.length, owned: false, block: false }
  self.call({ _tag: "TcpWrite", connection: id, ...bytes })
  peer.send({ seq: 2001, ack: next + 1000, flags: Tcp.ACK })
  self.takeFrames(1)
}

interface Population {
  readonly connections: number
  readonly routes: number
  /** Whether each connection has had text both ways, or is silent. */
  readonly isActive: boolean
}

/** A host with all those, neighbours, and one connection more that is used. */
const populated = ({ connections, isActive, routes }: Population): { readonly self: Host; readonly used: Opened } => {
  const self = host()
  const listener = listen(self)
  for (let i = 0; i < connections; i++) {
    const opened = open(self, listener, 2000 + i)
    if (isActive) exchange(self, opened)
  }
  for (let i = 0; i < routes; i++) {
    const prefix = Address.v4(172, 16 + (i >> 16), (i >> 8) & 255, i & 255)
    const route = { gateway: undefined, link: 1, metric: 0, source: undefined } as const
    self.call({ _tag: "AddRoute", prefix, length: 32, ...route })
    // The cache of a link has a bound of its own, which is lower.
    if (i < 900) self.call({ _tag: "SetNeighbor", link: 1, address: prefix, mac: 0x0200_0000_5555 })
  }
  return { self, used: open(self, listener, 60_000) }
}

/** Events of the packet path, by what they are. */
const events = ({ self, used }: ReturnType<typeof populated>): Record<string, number> => {
  const { id, next, peer } = used
  const bytes = { bytes: text, start: 0, end: text.length, owned: false, block: false }
  const syn = peer.frame({ seq: 5000, flags: Tcp.SYN, sourcePort: 61_000 })
  const stray = peer.frame({ seq: 5000, ack: 1, flags: Tcp.ACK, destinationPort: 81 })
  const segment = peer.frame({ seq: 1001, ack: next, flags: Tcp.ACK, text })
  const ack = peer.frame({ seq: 2001, ack: next + 1000, flags: Tcp.ACK })
  return {
    "a segment with text": operations(() => self.deliver(1, segment)),
    "a read": operations(() => self.call({ _tag: "TcpRead", connection: id, max: 5000, block: false })),
    "a write": operations(() => self.call({ _tag: "TcpWrite", connection: id, ...bytes })),
    "an acknowledgement": operations(() => self.deliver(1, ack)),
    "a SYN": operations(() => self.deliver(1, syn)),
    "a segment for nobody": operations(() => self.deliver(1, stray)),
    "the way to a neighbour": operations(() => self.step.routes.lookup(Address.v4(172, 16, 0, 3), undefined)),
    "the way to nowhere": operations(() => self.step.routes.lookup(Address.v4(192, 0, 2, 1), undefined))
  }
}

describe("What an event costs", () => {
  it.each([true, false])(
    "is the same whether there are few or thousands of all (connections active: %s)",
    (isActive) => {
      const few = events(populated({ connections: 8, routes: 8, isActive }))
      const many = events(populated({ connections: 10_000, routes: 10_000, isActive }))
      assert.deepStrictEqual(many, few)
      for (const [name, count] of Object.entries(few)) assert.isAbove(count, 0, name)
    }
  )

  it("grows with the logarithm of the alarms that are set", () => {
    let comparisons = 0
    /** An instant that tells when it is compared. */
    const watched = (micros: number): Time.Instant => ({
      valueOf: () => {
        comparisons += 1
        return micros
      }
    } as unknown as Time.Instant)
    const most = (count: number): number => {
      const alarms = Alarms.make()
      let highest = 0
      for (let i = 0; i < count; i++) {
        alarms.add({ _tag: "Tcp", key: i }, watched((i * 7919) % 100_003))
      }
      for (let i = 0; i < 100; i++) {
        comparisons = 0
        alarms.add({ _tag: "Tcp", key: i }, watched(i))
        assert.strictEqual(alarms.takeDue(Time.instantOf(1e9), 1).length, 1)
        highest = Math.max(highest, comparisons)
      }
      return highest
    }
    const [thousand, hundredThousand] = [most(1000), most(100_000)]
    assert.isAbove(thousand, 10)
    // Seventeen levels against ten: nothing near the hundredfold.
    assert.isBelow(hundredThousand, 2.5 * thousand)
  })
})

describe("What a silent connection holds", () => {
  it("is shared with the others as far as nothing has happened to it", () => {
    const self = host()
    const listener = listen(self)
    const [one, other] = [open(self, listener, 2000), open(self, listener, 2001)]
      .map(({ id }) => self.state.tcp.entries.get(id) as Connection)
    const shared = ["config", "ack", "rate", "recovery", "rack", "tail", "ecn", "mtu", "deadlines", "parked"] as const
    for (const part of shared) assert.strictEqual(one![part], other![part], part)
    assert.strictEqual(one!.board.queue, other!.board.queue)
    assert.isUndefined(one!.queue.head)
    assert.isUndefined(one!.buffer.head)
  })
})
