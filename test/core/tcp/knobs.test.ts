import { assert, describe, it } from "@effect/vitest"
import * as Config from "../../../src/core/tcp/Config.ts"
import * as Knobs from "../../../src/core/tcp/Knobs.ts"
import { millis, seconds } from "../../../src/core/Time.ts"
import * as Time from "../../../src/core/Time.ts"
import type { Host } from "../../../src/testing/Host.ts"
import { connectRequest } from "./Pair.ts"
import { ACK, established, host, listen, Peer, remote, SYN, text, write } from "./Peer.ts"

const info = (self: Host, connection: number) => self.call({ _tag: "TcpGetInfo", connection })

const set = (self: Host, connection: number, options: Config.Options) =>
  self.request({ _tag: "TcpSetOptions", connection, options }).outcome()

/** Values that are next to a knob's range, and of other types. */
const outside = (values: Knobs.Values): ReadonlyArray<unknown> => {
  switch (values.kind) {
    case "switch":
      return [0, "true", undefined]
    case "choice":
      return ["", "none of them", 1, undefined]
    case "number":
      return [values.least - 1, values.least + 0.5, NaN, "1", undefined].concat(
        values.most === Infinity ? [] : [values.most + 1]
      )
    case "time":
      return [values.least - 1, NaN, "1 second"].concat(values.most === Infinity ? [] : [values.most + 1])
  }
}

describe("The table of knobs", () => {
  it("takes every default", () => {
    assert.isUndefined(Knobs.refusal(Config.defaults))
    assert.deepStrictEqual(Knobs.names.toSorted(), Object.keys(Config.defaults).toSorted())
  })
  for (const name of Knobs.names) {
    it(`refuses what is no value of ${name}, by its name`, () => {
      for (const value of outside(Knobs.table[name].values)) {
        const refusal = Knobs.refusal({ [name]: value } as Partial<Config.Config>)
        assert.isTrue(refusal?.startsWith(`${name}: `), `${String(value)}: ${String(refusal)}`)
      }
    })
  }
  it("names nothing that is not a knob", () => {
    assert.isUndefined(Knobs.refusal({ nothing: 1 } as Partial<Config.Config>))
  })
})

describe("Knobs of a connection", () => {
  it("that it can't have refuse its opening, by connect and by listen", () => {
    const self = host()
    const outcome = self.request({ ...connectRequest({ retries: -1 }), remote, remotePort: 80 }).outcome()
    assert.deepStrictEqual(outcome, {
      _tag: "Failed",
      reason: { _tag: "InvalidArgument", detail: "retries: -1 is not 0 to 255 times" }
    })
    assert.throws(() => listen(self, 80, 1, { delayedAck: seconds(1) }))
    assert.strictEqual(self.state.tcp.entries.size, 0)
  })
  it("that both ends have agreed on stay; the same value may be said again", () => {
    const self = host()
    const { connection } = established(self)
    for (const options of [{ sack: false }, { timestamps: false }, { ecn: "off" }, { initialWindow: 2 }] as const) {
      assert.strictEqual(set(self, connection, options)._tag, "Failed", JSON.stringify(options))
    }
    assert.strictEqual(set(self, connection, { sack: true, noDelay: true })._tag, "Done")
  })
  it("another controller goes on with the window there is", () => {
    const self = host()
    const { ack, connection, peer, seq } = established(self, { delay: millis(10) })
    write(self, connection, text(20_000))
    peer.take()
    peer.send({ seq, ack: ack + 10_000, flags: ACK })
    const before = info(self, connection)
    for (const congestionControl of ["bbr", "newReno", "cubic"]) {
      set(self, connection, { congestionControl })
      const after = info(self, connection)
      assert.deepStrictEqual([after.congestionControl, after.congestionWindow], [
        congestionControl,
        before.congestionWindow
      ])
    }
  })
  it("a smaller segment cuts what is sent from now on", () => {
    const self = host()
    const { connection, peer } = established(self)
    set(self, connection, { maxSegment: 400 })
    write(self, connection, text(1000))
    assert.deepStrictEqual(peer.take().map((got) => got.text.length), [400, 400, 200])
  })
  it("a receive buffer of another size is offered; what was offered stays offered", () => {
    const self = host()
    const { ack, connection, peer, seq } = established(self, {
      options: { maximumSegmentSize: 1000, windowScale: 7 },
      listenOptions: { receiveBuffer: 20_000, receiveBufferLimit: 100_000 }
    })
    set(self, connection, { receiveBuffer: 60_000 })
    peer.send({ seq, ack, flags: ACK, text: text(1000) })
    const { receiveScale } = info(self, connection)
    assert.approximately(peer.one().window << receiveScale, 59_000, 1 << receiveScale)
    set(self, connection, { receiveBuffer: 1000 })
    peer.send({ seq: seq + 1000, ack, flags: ACK, text: text(1000) })
    assert.approximately(peer.one().window << receiveScale, 58_000, 1 << receiveScale)
  })
  it("keepalive and the user timeout begin anew with their new times", () => {
    const self = host()
    const { connection, peer } = established(self, { listenOptions: { keepAlive: true } })
    self.advance(seconds(5))
    set(self, connection, { keepAliveIdle: seconds(10) })
    self.advance(seconds(9))
    assert.isTrue(peer.silent())
    self.advance(seconds(2))
    assert.strictEqual(peer.one().text.length, 0)
    write(self, connection, text(10))
    set(self, connection, { userTimeout: seconds(100) })
    self.advance(seconds(50))
    set(self, connection, { userTimeout: seconds(3) })
    const waiting = self.request({ _tag: "TcpRead", connection, max: 10, block: true })
    self.advance(millis(2999))
    assert.strictEqual(waiting.outcome()._tag, "Pending")
    self.advance(millis(2))
    assert.deepStrictEqual(waiting.outcome(), { _tag: "Failed", reason: { _tag: "TimedOut", what: "user" } })
  })
  it("a connect that waits gives up by a new connectTimeout, counted from then", () => {
    const self = host()
    const { connection } = self.call({ ...connectRequest({}, false), remote, remotePort: 80 })
    self.advance(seconds(2))
    set(self, connection, { connectTimeout: seconds(4) })
    const waiting = self.request({ _tag: "TcpAwait", connection, until: "established" })
    self.advance(millis(3999))
    assert.strictEqual(waiting.outcome()._tag, "Pending")
    self.advance(millis(2))
    assert.strictEqual(waiting.outcome()._tag, "Failed")
  })
  it("a connection that waits for its first text can still choose what to ask its peer for (RFC 7413)", () => {
    const self = host()
    const open = (localPort: number) =>
      self.request({ ...connectRequest({ fastOpen: "client" }), remote, remotePort: 80, localPort })
    const first = new Peer(self, 5000, 80)
    open(5000)
    const fastOpenCookie = { bytes: Uint8Array.of(1, 2, 3, 4), start: 0, end: 4 }
    first.send({ seq: 1, ack: first.one().seq + 1, flags: SYN | ACK, options: { fastOpenCookie } })
    first.take()
    const outcome = open(5001).outcome()
    if (outcome._tag !== "Done") throw new Error("not open")
    const { connection } = outcome.value
    assert.strictEqual(set(self, connection, { sack: false, timestamps: false })._tag, "Done")
    write(self, connection, text(1))
    const { options } = new Peer(self, 5001, 80).one()
    assert.deepStrictEqual([options.sackPermitted, options.timestampValue], [false, undefined])
    assert.strictEqual(set(self, connection, { sack: true })._tag, "Failed")
  })
  it("linger may be absent again", () => {
    const self = host()
    const { connection } = established(self, { listenOptions: { linger: Time.zero } })
    assert.strictEqual(set(self, connection, { linger: undefined } as unknown as Config.Options)._tag, "Done")
    self.call({ _tag: "TcpClose", connection })
    assert.strictEqual(self.state.tcp.entries.size, 1)
  })
})
