import { assert, describe, it } from "@effect/vitest"
import type * as Host from "../../../src/testing/Host.ts"
import type * as Address from "../../../src/wire/Address.ts"
import * as IpProtocol from "../../../src/wire/IpProtocol.ts"
import * as Family from "../family.ts"
import * as Packets from "../Packets.ts"
import { connected, pair } from "./Pair.ts"

const reasonOf = (asked: Host.Asked<unknown>): string => {
  const outcome = asked.outcome()
  return outcome._tag === "Failed" ? outcome.reason._tag : outcome._tag
}

describe("A connection whose address is gone", () => {
  const ways: ReadonlyArray<readonly [string, (host: Host.Host, address: Address.Address) => void]> = [
    ["the address is removed", (host, address) => host.call({ _tag: "RemoveAddress", link: 1, address })],
    ["the interface is detached", (host) => host.call({ _tag: "DetachLink", link: 1 })]
  ]
  for (const [what, lose] of ways) {
    it(`ends when ${what}, and tells who waits; nothing is left of it, and nothing is sent`, () => {
      const hosts = pair()
      const [client] = connected(hosts)
      const reading = hosts.client.request({ _tag: "TcpRead", connection: client.connection, max: 10, block: true })
      lose(hosts.client, client.local)
      assert.strictEqual(reasonOf(reading), "ConnectionAborted")
      const sent = Packets.packets(hosts.client.takeFrames(1))
      assert.deepStrictEqual(sent.filter(({ protocol }) => protocol === IpProtocol.tcp), [])
      hosts.client.call({ _tag: "TcpClose", connection: client.connection })
      assert.strictEqual(hosts.client.state.tcp.entries.size, 0)
      assert.strictEqual(hosts.client.memory(), 0)
    })
  }

  it("goes on when another address goes, or when its link is down for a while", () => {
    const hosts = pair()
    const [client] = connected(hosts)
    hosts.client.call({
      _tag: "AddAddress",
      link: 1,
      address: Family.address(9),
      prefixLength: Family.prefixLength,
      origin: "static"
    })
    hosts.client.call({ _tag: "RemoveAddress", link: 1, address: Family.address(9) })
    hosts.client.tell({ _tag: "LinkChanged", link: 1, up: false })
    hosts.client.tell({ _tag: "LinkChanged", link: 1, up: true })
    assert.strictEqual(hosts.client.state.tcp.entries.size, 1)
    assert.strictEqual(hosts.client.call({ _tag: "TcpGetInfo", connection: client.connection }).state, "ESTABLISHED")
  })
})
