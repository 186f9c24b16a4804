import { assert, describe, it } from "@effect/vitest"
import * as Config from "../../../src/core/tcp/Config.ts"
import * as Knobs from "../../../src/core/tcp/Knobs.ts"
import { millis, seconds, type Span, toMillis } from "../../../src/core/Time.ts"
import type { Host } from "../../../src/testing/Host.ts"
import { connectRequest } from "./Pair.ts"
import { ACK, established, host, Peer, remote, stateOf, SYN, text, write } from "./Peer.ts"

const inForce = (self: Host, connection: number): number =>
  toMillis(self.call({ _tag: "TcpGetInfo", connection }).userTimeout) / 1000

/** A connection whose peer's SYN has the given option. */
const open = (listenOptions: Config.Options, userTimeout?: number) => {
  const self = host()
  const options = { maximumSegmentSize: 1000, ...(userTimeout === undefined ? {} : { userTimeout }) }
  return { self, ...established(self, { options, listenOptions }) }
}

const enabled = (more: Config.Options = {}): Config.Options => ({ userTimeoutOption: true, noDelay: true, ...more })

describe("The user timeout option (RFC 5482)", () => {
  it("is off unless a program wants it, and then neither sent nor read (rfc: 5482 §3 ENABLED)", () => {
    assert.isFalse(Config.defaults.userTimeoutOption)
    const { connection, peer, self } = open({ noDelay: true }, 600)
    write(self, connection, text(10))
    assert.isUndefined(peer.one().options.userTimeout)
    assert.strictEqual(inForce(self, connection), 0)
  })
  it("stands in SYN, SYN/ACK and the first segment after them, and in no other (rfc: 5482 §3 SHOULD)", () => {
    const { ack, connection, peer, self, seq } = open(enabled())
    write(self, connection, text(10))
    assert.strictEqual(peer.one().options.userTimeout, 300)
    peer.send({ seq, ack: ack + 10, flags: ACK })
    write(self, connection, text(10))
    assert.isUndefined(peer.one().options.userTimeout)

    const client = host()
    client.request({
      ...connectRequest(enabled({ userTimeoutAdvertised: seconds(40) })),
      remote,
      remotePort: 80,
      localPort: 5000
    })
    const server = new Peer(client, 5000, 80)
    const syn = server.one()
    assert.strictEqual(syn.options.userTimeout, 40)
    server.send({ seq: 1, ack: syn.seq + 1, flags: SYN | ACK })
    assert.strictEqual(server.one().options.userTimeout, 40)
  })
  it("tells the program's own timeout where nothing else is to be told, in minutes if seconds can't say it (§3.3)", () => {
    const told = (options: Config.Options): number | undefined => {
      const { connection, peer, self } = open(enabled(options))
      write(self, connection, text(10))
      return peer.one().options.userTimeout
    }
    assert.strictEqual(told({ userTimeout: seconds(30) }), 30)
    assert.strictEqual(told({ userTimeout: millis(1500) }), 2)
    assert.strictEqual(told({ userTimeout: seconds(30), userTimeoutAdvertised: seconds(90) }), 90)
    assert.strictEqual(told({ userTimeoutAdvertised: seconds(0x8000) }), 547 * 60)
  })
  it("takes a full segment's room where it stands", () => {
    const { connection, peer, self } = open(enabled())
    write(self, connection, text(3000))
    assert.deepStrictEqual(peer.take().map((got) => got.text.length), [996, 996, 996, 12])
  })
  it("changes the timeout to the larger of both within the limits (rfc: 5482 §3.1 MUST SHOULD)", () => {
    const cases: ReadonlyArray<readonly [advice: number, ours: Span, expected: number]> = [
      [600, seconds(40), 600],
      [30, seconds(200), 200],
      // L_LIMIT and U_LIMIT.
      [1, seconds(1), 100],
      [0x7fff * 60, seconds(40), 86_400]
    ]
    for (const [advice, userTimeoutAdvertised, expected] of cases) {
      const bySyn = open(enabled({ userTimeoutAdvertised }), advice)
      assert.strictEqual(inForce(bySyn.self, bySyn.connection), expected)
      const later = open(enabled({ userTimeoutAdvertised }))
      assert.strictEqual(inForce(later.self, later.connection), 0)
      later.peer.send({ seq: later.seq, ack: later.ack, flags: ACK, options: { userTimeout: advice } })
      assert.strictEqual(inForce(later.self, later.connection), expected)
    }
  })
  it("an active opener hears it in the SYN/ACK", () => {
    const self = host()
    const asked = self.request({ ...connectRequest(enabled()), remote, remotePort: 80, localPort: 5000 })
    const peer = new Peer(self, 5000, 80)
    const syn = peer.one()
    peer.send({ seq: 1, ack: syn.seq + 1, flags: SYN | ACK, options: { userTimeout: 900 } })
    const outcome = asked.outcome()
    assert.isTrue(outcome._tag === "Done" && inForce(self, outcome.value.connection) === 900)
  })
  it("does not override what a program has set, which hears of it, unless the program allows it (rfc: 5482 §3 MUST, §3.1 MUST NOT)", () => {
    const advised = (options: Config.Options): number => {
      const { connection, self } = open(enabled(options), 600)
      return inForce(self, connection)
    }
    assert.strictEqual(advised({ userTimeout: seconds(20) }), 20)
    assert.strictEqual(advised({ userTimeout: seconds(20), userTimeoutChangeable: "yes" }), 600)
    assert.strictEqual(advised({ userTimeoutChangeable: "no" }), 0)

    const { connection, peer, self, seq, ack } = open(enabled({ userTimeout: seconds(20) }))
    self.notices()
    peer.send({ seq, ack, flags: ACK, options: { userTimeout: 700 } })
    const heard = self.notices().flatMap((change) =>
      change._tag === "ConnectionEvent" && change.event === "userTimeoutAdvised" ? [change.detail] : []
    )
    assert.deepStrictEqual(heard, [700])
    assert.strictEqual(inForce(self, connection), 20)
  })
  it("a change is told with the next segment (rfc: 5482 §3 SHOULD), and takes back what was adopted", () => {
    const { ack, connection, peer, self, seq } = open(enabled(), 600)
    write(self, connection, text(10))
    peer.take()
    peer.send({ seq, ack: ack + 10, flags: ACK })
    self.call({ _tag: "TcpSetOptions", connection, options: { userTimeout: seconds(50) } })
    assert.strictEqual(inForce(self, connection), 50)
    write(self, connection, text(10))
    assert.strictEqual(peer.one().options.userTimeout, 50)
  })
  it("lets a connection live as long as was agreed on, though retransmissions would have given it up, and no longer", () => {
    const { connection, self } = open(enabled({ retries: 2 }), 600)
    write(self, connection, text(10))
    self.advance(seconds(590))
    assert.strictEqual(stateOf(self, connection), "ESTABLISHED")
    self.advance(seconds(20))
    assert.strictEqual(stateOf(self, connection), "CLOSED")
  })
  it("the limits are knobs of the stack, and of no connection", () => {
    assert.strictEqual(Knobs.table.userTimeoutLeast.place, "stack")
    assert.strictEqual(Knobs.table.userTimeoutMost.place, "stack")
    assert.strictEqual(Config.defaults.userTimeoutLeast, seconds(100))
  })
})
