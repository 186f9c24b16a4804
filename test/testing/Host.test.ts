import { assert, describe, it } from "@effect/vitest"
import * as Time from "../../src/core/Time.ts"
import * as Host from "../../src/testing/Host.ts"
import * as Wire from "../../src/testing/Wire.ts"
import * as Address from "../../src/wire/Address.ts"
import * as Frame from "../../src/wire/Frame.ts"
import * as Lan from "../core/Lan.ts"

const { here, link, there } = Lan

/** What a small session puts on the wire. */
const session = (seed: number): ReadonlyArray<Uint8Array> => {
  const one = Host.make({ seed, interfaces: [{ mac: 0x0200_0000_0001, addresses: [[here, 24]] }] })
  const two = Host.make({ seed: seed + 1, interfaces: [{ mac: 0x0200_0000_0002, addresses: [[there, 24]] }] })
  const wire = Wire.make([one, two])
  const server = Lan.bind(two, 7)
  const client = Lan.bind(one, 0)
  for (let i = 0; i < 20; i++) {
    one.call(Lan.send(client, there, 7, Lan.bytes(100 * i)))
    one.request(Lan.ping(there))
    wire.advance(Time.seconds(1))
    two.call(Lan.receive(server, false))
  }
  return wire.carried
}

describe("Host", () => {
  it("does the same with the same seed, and something else with another", () => {
    const [first, again, other] = [session(1), session(1), session(5)]
    assert.deepStrictEqual(again, first)
    assert.notDeepEqual(other, first)
  })

  it("begins silent, its addresses announced, at the time that it is told", () => {
    const self = Host.make({
      startAt: Time.instantOf(5_000_000),
      interfaces: [{ addresses: [[here, 24]], gateway: there }]
    })
    assert.strictEqual(self.now, 7_000_000)
    assert.deepStrictEqual(self.takeFrames(link), [])
    assert.deepStrictEqual(self.notices(), [])
    assert.strictEqual(self.counter("arpSent"), 2)
    assert.deepStrictEqual(self.step.routes.lookup(Address.v4(8, 8, 8, 8), undefined)?.gateway, there)
  })

  it("rings alarms on the way through time, each at its own, and never goes back", () => {
    const self = Lan.host()
    Lan.introduce(self)
    const seen: Array<number> = []
    for (const seconds of [3, 1, 2]) self.request({ ...Lan.ping(there), timeout: Time.seconds(seconds) })
    const start = self.now
    for (let next = self.nextTimer(); next !== undefined && seen.length < 3; next = self.nextTimer()) {
      self.advanceTo(next)
      seen.push(Time.between(start, self.now) / 1_000_000)
    }
    assert.deepStrictEqual(seen, [1, 2, 3])
    self.advanceTo(Time.instantOf(0))
    assert.strictEqual(Time.between(start, self.now), 3_000_000)
  })

  it("tells what became of a request, and throws only where the test wants a value", () => {
    const self = Lan.host()
    const socket = Lan.bind(self, 8)
    const waiting = self.request(Lan.receive(socket))
    assert.deepStrictEqual(waiting.outcome(), { _tag: "Pending" })
    assert.throws(() => self.call(Lan.receive(socket)), /UdpReceive waits/)
    assert.throws(() => self.call({ _tag: "UdpClose", socket: 99 }), /UdpClose failed: .*Closed/)
    self.call({ _tag: "UdpClose", socket })
    assert.deepStrictEqual(waiting.outcome(), { _tag: "Failed", reason: { _tag: "Closed" } })
  })

  it("leaves an abandoned request pending for ever", () => {
    const self = Lan.host()
    Lan.introduce(self)
    const socket = Lan.bind(self, 8)
    const waiting = self.request(Lan.receive(socket))
    self.abandon(waiting)
    self.deliver(link, Lan.datagram(7, 8, Lan.bytes(3)))
    assert.deepStrictEqual(waiting.outcome(), { _tag: "Pending" })
  })

  it("holds a stalled link's frames and their credit back, one by one", () => {
    const self = Lan.host()
    Lan.introduce(self)
    const socket = Lan.bind(self, 8)
    self.stall(link)
    for (let i = 0; i < 3; i++) self.call(Lan.send(socket, there, 7, Lan.bytes(10, i)))
    assert.deepStrictEqual(self.takeFrames(link), [])
    assert.isTrue(self.release(link))
    assert.strictEqual(self.call({ _tag: "UdpGetInfo", socket }).bytesUnsent, 20)
    assert.strictEqual(Lan.sent(self).length, 1)
    self.resume(link)
    assert.strictEqual(Lan.sent(self).length, 2)
    assert.isFalse(self.release(link))
  })

  it("hands out frames as they would be on a wire: whole, with their checksums", () => {
    const self = Lan.host()
    Lan.introduce(self)
    self.call(Lan.send(Lan.bind(self, 8), there, 7, Lan.bytes(3000)))
    for (const frame of self.takeFrames(link)) Lan.read(frame)
  })

  it("takes bytes, or frames with what is known of them", () => {
    const self = Lan.host()
    Lan.introduce(self)
    const bytes = Lan.ethernet(Lan.ip(Lan.echo()))
    self.deliver(link, bytes)
    self.deliver(link, Frame.plain(bytes))
    assert.strictEqual(self.takeFrames(link).length, 2)
  })

  it("tells what was dropped and what has changed, once", () => {
    const self = Lan.host()
    self.deliver(link, new Uint8Array(3))
    assert.deepStrictEqual(self.drops().map(({ detail, reason }) => [reason, detail]), [[
      "Malformed",
      "shorter than 14 bytes"
    ]])
    assert.deepStrictEqual(self.drops(), [])
    assert.strictEqual(self.dropCount("Malformed"), 1)
    self.tell({ _tag: "LinkChanged", link, up: false })
    assert.strictEqual(self.notices().length, 1)
    assert.deepStrictEqual(self.notices(), [])
  })
})

describe("Wire", () => {
  const third = Address.v4(10, 0, 0, 3)
  const host = (seed: number, address: Address.Address): Host.Host =>
    Host.make({ seed, interfaces: [{ addresses: [[address, 24]] }] })

  it("joins any number of hosts, each of which takes what is its own", () => {
    const hosts = [host(1, here), host(2, there), host(3, third)]
    const wire = Wire.make(hosts)
    const asked = hosts.flatMap((from) => [here, there, third].map((to) => from.request(Lan.ping(to))))
    wire.exchange()
    assert.isTrue(asked.every((each) => each.outcome()._tag === "Done"))
    assert.isAbove(hosts[2]!.dropCount("EthernetNotForUs"), 0)
  })

  it("lets a test see, change and lose frames", () => {
    const [one, two] = [host(1, here), host(2, there)]
    let count = 0
    const wire = Wire.make(
      [one, two],
      (frame, from) => from === 0 && frame[23] === 1 && ++count === 1 ? undefined : frame
    )
    const asked = [1, 2].map(() => one.request(Lan.ping(there)))
    wire.exchange()
    assert.deepStrictEqual(asked.map((each) => each.outcome()._tag), ["Pending", "Done"])
  })

  it("lets all clocks go on together", () => {
    const [one, two] = [host(1, here), host(2, there)]
    const wire = Wire.make([one, { host: two, link }], () => undefined)
    const asked = [one.request(Lan.ping(there)), two.request(Lan.ping(here))]
    wire.advance(Time.seconds(3))
    assert.isTrue(asked.every((each) => each.outcome()._tag === "Failed"))
    assert.strictEqual(one.now, two.now)
    assert.strictEqual(wire.carried.length, 0)
  })
})
