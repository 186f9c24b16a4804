/**
 * Accounts that are kept in one place agree with the records that they are about, whatever happens and whatever throws.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Counter from "../../src/core/Counter.ts"
import * as Fifo from "../../src/core/data/Fifo.ts"
import type { HashIndex } from "../../src/core/data/HashIndex.ts"
import type { Table } from "../../src/core/Journal.ts"
import * as State from "../../src/core/State.ts"
import * as Address from "../../src/wire/Address.ts"
import { Chaos, setup } from "./journal/chaos.ts"
import { Driver } from "./journal/Driver.ts"
import * as Seeded from "./Seeded.ts"

const sum = (values: Iterable<number>): number => Array.from(values).reduce((total, value) => total + value, 0)

const idsOf = (index: HashIndex): ReadonlyArray<number> => Array.from(index.values()).flat().toSorted((a, b) => a - b)

const keysOf = <V>(table: Table<number, V>): ReadonlyArray<number> =>
  Array.from(table.entries(), ([key]) => key).toSorted((a, b) => a - b)

const memory = ({ memory: account }: State.State): void => {
  const pools = State.pools.map((_, i) => account.get(i))
  assert.strictEqual(account.get(State.pools.length), sum(pools))
  for (const pool of pools) assert.isAtLeast(pool, 0)
}

const neighbors = ({ memory: account, neighbor }: State.State): void => {
  assert.deepStrictEqual(idsOf(neighbor.index), keysOf(neighbor.entries))
  const entries = Array.from(neighbor.entries.values())
  const charged = entries.flatMap(({ parked }) => Fifo.toArray(parked).map((each) => each.charged))
  assert.strictEqual(account.get(State.pools.indexOf("parkedPackets")), sum(charged))
  assert.strictEqual(sum(Array.from(neighbor.usage.values(), ({ parkedBytes }) => parkedBytes)), sum(charged))
  assert.strictEqual(sum(Array.from(neighbor.usage.values(), (usage) => usage.entries)), entries.length)
  for (const { neighbor: { deadline, state }, parked, timer } of entries) {
    if (state._tag !== "Incomplete") assert.isTrue(Fifo.isEmpty(parked))
    assert.isAtMost(timer.alarm, deadline)
  }
}

const fragments = ({ ip, memory: account }: State.State): void => {
  assert.deepStrictEqual(idsOf(ip.incompleteIndex), keysOf(ip.incomplete))
  const charged = sum(Array.from(ip.incomplete.values(), (each) => each.charged))
  assert.strictEqual(ip.incompleteTotal.value, charged)
  assert.strictEqual(sum(ip.incompleteBytes.values()), charged)
  assert.strictEqual(account.get(State.pools.indexOf("fragments")), charged)
}

const datagrams = ({ memory: account, raw, udp }: State.State): void => {
  const sockets = Array.from(udp.sockets.values())
  assert.deepStrictEqual(idsOf(udp.ports), keysOf(udp.sockets))
  assert.deepStrictEqual(idsOf(udp.index), keysOf(udp.sockets))
  assert.deepStrictEqual(idsOf(raw.index), keysOf(raw.sockets))
  const held = [...sockets, ...raw.sockets.values()]
  assert.strictEqual(account.get(State.pools.indexOf("datagrams")), sum(held.map(({ receivedBytes }) => receivedBytes)))
  for (const { received, receivedBytes, receivers, unsentBytes } of held) {
    const isEmpty = Fifo.isEmpty<unknown>(received)
    assert.strictEqual(isEmpty, receivedBytes === 0)
    assert.isTrue(isEmpty || Fifo.isEmpty(receivers))
    assert.isAtLeast(unsentBytes, 0)
  }
}

/** Every ticket that waits is found in the record that is said to hold it, and no record holds another. */
const tickets = ({ ping, raw, tickets: held, udp }: State.State): void => {
  const waiting = new Map<number, string>()
  for (const { id, receivers, senders } of udp.sockets.values()) {
    for (const { ticket } of [...Fifo.toArray(receivers), ...Fifo.toArray(senders)]) waiting.set(ticket, `Udp ${id}`)
  }
  for (const { id, receivers, senders } of raw.sockets.values()) {
    for (const { ticket } of [...Fifo.toArray(receivers), ...Fifo.toArray(senders)]) waiting.set(ticket, `Raw ${id}`)
  }
  for (const { id, ticket } of ping.echoes.values()) waiting.set(ticket, `Ping ${id}`)
  const said = Array.from(held.entries())
    .filter(([, { owner }]) => owner !== "Tcp" && owner !== "TcpListener")
    .map(([ticket, { id, owner }]): [number, string] => [ticket, `${owner} ${id}`])
  assert.deepStrictEqual(said.toSorted(([a], [b]) => a - b), Array.from(waiting).toSorted(([a], [b]) => a - b))
  assert.strictEqual(ping.index.size, ping.echoes.size)
}

const addresses = ({ device, ipv6, route }: State.State): void => {
  const assigned = Array.from(device.interfaces.values()).flatMap((self) =>
    self.addresses.map(({ address }) => `${self.id} ${Address.format(address)}`)
  )
  const owned = Array.from(device.owners.values()).flat()
  assert.strictEqual(owned.length, assigned.length)
  const ids = Array.from(device.interfaces.values()).flatMap((self) => self.addresses.map(({ id }) => id))
  assert.deepStrictEqual(keysOf(device.claims), ids.filter((id) => id > 0).toSorted((a, b) => a - b))
  const tentative = Array.from(device.interfaces.values()).flatMap((self) =>
    self.addresses.flatMap(({ address, id, state }) => Address.isV4(address) || state !== "tentative" ? [] : [id])
  )
  assert.deepStrictEqual(keysOf(ipv6.detections), tentative.toSorted((a, b) => a - b))
  assert.deepStrictEqual(idsOf(route.index), keysOf(route.routes))
  for (const version of [4, 6] as const) {
    const lengths = route.lengths[version].value
    assert.strictEqual(
      sum(lengths.map((each) => each.routes)),
      Array.from(route.routes.values()).filter(({ prefix }) => Address.versionOf(prefix) === version).length
    )
    assert.deepStrictEqual(lengths, lengths.toSorted((a, b) => b.length - a.length))
  }
}

const links = (driver: Driver): void => {
  const { device, queued } = driver.step.state
  assert.deepStrictEqual(keysOf(queued), keysOf(device.interfaces))
  for (const [link, bytes] of queued.entries()) {
    const waiting = driver.queued.filter((transmit) => transmit.link === link).map(({ size }) => size)
    assert.strictEqual(bytes, sum(waiting), `bytes queued on link ${link}`)
  }
}

/** What UDP sockets have sent and not got back lies in a transmit queue or waits for a neighbour. */
const credits = (driver: Driver): void => {
  const { neighbor, udp } = driver.step.state
  const parked = Array.from(neighbor.entries.values()).flatMap((entry) => Fifo.toArray(entry.parked))
  const outside = [...driver.queued, ...parked].flatMap(({ credit }) => credit === undefined ? [] : [credit])
  for (const { id, unsentBytes } of udp.sockets.values()) {
    const owed = outside.filter(({ id: payer, owner }) => owner === "Udp" && payer === id).map(({ bytes }) => bytes)
    assert.strictEqual(unsentBytes, sum(owed), `credit of socket ${id}`)
  }
}

const checks: ReadonlyArray<readonly [string, (driver: Driver) => void]> = [
  ["memory", (driver) => memory(driver.step.state)],
  ["neighbours", (driver) => neighbors(driver.step.state)],
  ["fragments", (driver) => fragments(driver.step.state)],
  ["datagrams", (driver) => datagrams(driver.step.state)],
  ["tickets", (driver) => tickets(driver.step.state)],
  ["addresses and routes", (driver) => addresses(driver.step.state)],
  ["links", links],
  ["credits", credits]
]

const checkAll = (driver: Driver): void => {
  for (const [, check] of checks) check(driver)
}

describe("Accounts", () => {
  it(`of ${checks.map(([name]) => name).join(", ")} agree with the records after any event, and nothing throws`, () => {
    for (let seed = 101; seed <= 120; seed++) {
      const [driver, chaos] = [new Driver(seed), new Chaos(seed)]
      setup.forEach((request, i) => chaos.hear(driver.run({ _tag: "Request", ticket: i + 1, request })))
      for (let i = 0; i < 250; i++) {
        chaos.hear(driver.run(chaos.next(driver)))
        checkAll(driver)
      }
      assert.strictEqual(driver.step.state.counters.get(Counter.index.defects), 0)
    }
  })

  it("agree after events that threw and were answered", () => {
    for (let seed = 201; seed <= 210; seed++) {
      const [driver, chaos] = [new Driver(seed), new Chaos(seed)]
      const random = Seeded.make(seed)
      setup.forEach((request, i) => chaos.hear(driver.run({ _tag: "Request", ticket: i + 1, request })))
      for (let i = 0; i < 250; i++) {
        const event = chaos.next(driver)
        // What leaves a queue has left it, whether the core hears of it or not; so that is never made to throw.
        const isSent = event._tag === "Request" && event.request._tag === "Sent"
        if (isSent || random.chance(0.7)) chaos.hear(driver.run(event))
        else chaos.hear(driver.attemptAndKeep(event, random.below(15)))
        checkAll(driver)
      }
    }
  })
})
