import { assert, describe, it } from "@effect/vitest"
import * as LinkParameters from "../../../src/core/ipv6/LinkParameters.ts"
import * as Time from "../../../src/core/Time.ts"
import type { RouterAdvertisement } from "../../../src/wire/Ndp.ts"
import * as NdpOptions from "../../../src/wire/NdpOptions.ts"

const advertisement = (given: Partial<RouterAdvertisement> = {}): RouterAdvertisement => ({
  _tag: "RouterAdvertisement",
  hopLimit: 0,
  managed: false,
  otherConfiguration: false,
  preference: 0,
  routerLifetime: 1800,
  reachableTime: 0,
  retransmitTimer: 0,
  options: NdpOptions.none,
  ...given
})

const start = LinkParameters.make(1500, 64)
const withMtu = (mtu: number): RouterAdvertisement => advertisement({ options: NdpOptions.make({ mtu }) })

describe("LinkParameters", () => {
  it("has the defaults of the link and of the RFC (rfc: 4861 §6.3.2)", () => {
    assert.deepStrictEqual(start, {
      mtu: 1500,
      hopLimit: 64,
      reachableTime: Time.seconds(30),
      retransmit: Time.seconds(1)
    })
  })

  it("takes what is said and keeps what is not (rfc: 4861 §6.3.4 SHOULD, MUST NOT)", () => {
    const told = LinkParameters.learn(
      start,
      advertisement({ hopLimit: 32, reachableTime: 10_000, retransmitTimer: 500 }),
      1500
    )
    assert.deepStrictEqual(told, {
      mtu: 1500,
      hopLimit: 32,
      reachableTime: Time.seconds(10),
      retransmit: Time.millis(500)
    })
    assert.deepStrictEqual(LinkParameters.learn(told, advertisement(), 1500), told)
  })

  it("takes an MTU between the least of IPv6 and what the link carries (rfc: 4861 §6.3.4 SHOULD, 2464 §2)", () => {
    const mtus = [1279, 1280, 1400, 1500, 1501, 0xffff_ffff].map((mtu) =>
      LinkParameters.learn(start, withMtu(mtu), 1500).mtu
    )
    assert.deepStrictEqual(mtus, [1500, 1280, 1400, 1500, 1500, 1500])
    const smaller = LinkParameters.learn(start, withMtu(1280), 1500)
    assert.strictEqual(LinkParameters.learn(smaller, withMtu(1500), 1500).mtu, 1500)
  })

  it("does not let forged times make it flood the link", () => {
    const told = LinkParameters.learn(start, advertisement({ reachableTime: 1, retransmitTimer: 1 }), 1500)
    assert.strictEqual(told.reachableTime, Time.millis(100))
    assert.strictEqual(told.retransmit, Time.millis(100))
    assert.strictEqual(
      LinkParameters.learn(start, advertisement({ reachableTime: 3_600_001 }), 1500).reachableTime,
      start.reachableTime
    )
  })

  it("does not let a forged time keep it from asking again", () => {
    const told = LinkParameters.learn(start, advertisement({ retransmitTimer: 0xffff_ffff }), 1500)
    assert.strictEqual(told.retransmit, Time.seconds(10))
  })
})
