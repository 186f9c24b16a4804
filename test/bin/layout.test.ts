import { assert, describe, it } from "@effect/vitest"
import * as IpInterface from "effect/net/IpInterface"
import * as IpNetwork from "effect/net/IpNetwork"
import * as NetAddress from "effect/net/NetAddress"
import * as Layout from "../../bin/layout.ts"
import * as Traceroute from "../../bin/traceroute.ts"

const at = (text: string, on?: string): Layout.Placed<IpInterface.IpInterface> => ({
  on,
  value: IpInterface.fromStringUnsafe(text)
})

const nothing: Layout.Flags = {
  tap: ["tap0"],
  vlan: [],
  bridge: false,
  address: [at("10.0.0.2/24")],
  dhcp: false,
  slaac: false,
  gateway: []
}

/** The interfaces with what they have, one line each; or what is wrong. */
const planned = (flags: Partial<Layout.Flags>): ReadonlyArray<string> | string => {
  const layout = Layout.plan({ ...nothing, ...flags })
  if (typeof layout === "string") return layout
  return layout.interfaces.map(({ addresses = [], advertise, ipv4, ipv6, link }) =>
    [link, ...addresses, ipv4, ipv6, advertise && `tells ${advertise.prefixes}`]
      .filter((part) => part !== undefined).join(" ")
  )
}

describe("The interfaces of a host on the command line", () => {
  it("are its devices, each with its VLANs behind it", () => {
    assert.deepStrictEqual(planned({}), ["tap0 10.0.0.2/24"])
    assert.deepStrictEqual(
      planned({ tap: ["tap0", "tap1"], vlan: [{ on: "tap1", value: 7 }, { on: undefined, value: 10 }] }),
      ["tap0 10.0.0.2/24", "tap0.10", "tap1", "tap1.7"]
    )
  })

  it("take what names them, and the first takes what names none, of either family", () => {
    const address = [at("2001:db8::2/64"), at("10.0.1.1/24", "tap1"), at("10.0.0.2/24"), at("fd00::1/8", "tap0.10")]
    assert.deepStrictEqual(
      planned({ tap: ["tap0", "tap1"], vlan: [{ on: undefined, value: 10 }], address, slaac: true }),
      ["tap0 2001:db8::2/64 10.0.0.2/24 slaac", "tap0.10 fd00::1/8", "tap1 10.0.1.1/24"]
    )
    assert.deepStrictEqual(planned({ address: [], dhcp: true }), ["tap0 dhcp"])
  })

  it("are one where devices are bridged, which may do without an address", () => {
    const tap = ["tap0", "tap1"]
    assert.deepStrictEqual(planned({ tap, bridge: true }), ["bridge0 10.0.0.2/24"])
    assert.deepStrictEqual(planned({ tap, bridge: true, address: [], vlan: [{ on: "bridge0", value: 3 }] }), [
      "bridge0",
      "bridge0.3"
    ])
  })

  it("have a gateway of each family behind them", () => {
    const gateway = ["10.0.0.254", "fe80::1"].map((text) => NetAddress.ipFromStringUnsafe(text))
    const layout = Layout.plan({ ...nothing, gateway })
    if (typeof layout === "string") assert.fail(layout)
    assert.deepStrictEqual(layout.routes, gateway.map((each) => ({ to: "default", gateway: each })))
    assert.strictEqual(planned({ gateway: [...gateway, ...gateway] }), "one --gateway of each family is enough")
  })

  it("advertise prefixes, and have an address in each", () => {
    const prefix = (text: string, on?: string): Layout.Placed<IpNetwork.Ipv6Network> => ({
      on,
      value: IpNetwork.fromStringUnsafe(text) as IpNetwork.Ipv6Network
    })
    assert.deepStrictEqual(planned({ address: [], advertise: [prefix("2001:db8:1::/64")] }), [
      "tap0 2001:db8:1::1/64 tells 2001:db8:1::/64"
    ])
    assert.deepStrictEqual(
      planned({
        tap: ["tap0", "tap1"],
        address: [at("2001:db8:2::9/64", "tap1")],
        advertise: [prefix("2001:db8:2::/64", "tap1")],
        forward: true
      }),
      ["tap0", "tap1 2001:db8:2::9/64 tells 2001:db8:2::/64"]
    )
  })
})

describe("Flags that don't go together", () => {
  const prefix = IpNetwork.fromStringUnsafe("2001:db8::/64") as IpNetwork.Ipv6Network
  const wrong: ReadonlyArray<readonly [says: RegExp, flags: Partial<Layout.Flags>]> = [
    [/^a host needs an address: --address, --dhcp or --slaac$/, { address: [] }],
    [/^--address: no interface tap9; there are: tap0, tap0\.3$/, {
      address: [at("10.0.0.1/8", "tap9")],
      vlan: [{ on: "tap0", value: 3 }]
    }],
    [/^--router-advertise: no interface tap9; there are: tap0$/, { advertise: [{ on: "tap9", value: prefix }] }],
    [/^--vlan: no device tap1; there are: tap0$/, { vlan: [{ on: "tap1", value: 3 }] }],
    [/^tap0 is there twice$/, { tap: ["tap0", "tap1", "tap0"] }],
    [/^tap0\.3 is there twice$/, { vlan: [{ on: "tap0", value: 3 }, { on: undefined, value: 3 }] }],
    [/^--bridge needs at least two --tap$/, { bridge: true }],
    [/^--forward needs several interfaces/, { forward: true }]
  ]
  for (const [says, flags] of wrong) {
    it(`are told of in one line: ${says.source}`, () => {
      const said = planned(flags)
      assert.match(typeof said === "string" ? said : said.join(), says)
    })
  }
})

describe("A line of traceroute", () => {
  const router = NetAddress.ipFromStringUnsafe("10.0.0.1")
  const heard = { _tag: "Heard", from: router, roundTrip: 1.5, isDestination: false } as const

  it("names each router once, with its times, silences and refusals", () => {
    const other = { ...heard, from: NetAddress.ipFromStringUnsafe("2001:db8::1") }
    const hop = { hopLimit: 3, answers: [heard, { _tag: "Silence" }, heard, other] } as const
    assert.strictEqual(
      Traceroute.line({ ...hop, answers: hop.answers.map((answer) => answer as never) }).replaceAll(/[\d.]+ ms/g, "T"),
      " 3  10.0.0.1  T  *  T  2001:db8::1  T"
    )
    const refused = { _tag: "Refused", from: router, reason: "host unreachable" } as const
    assert.strictEqual(Traceroute.line({ hopLimit: 12, answers: [refused] }), "12  10.0.0.1  !host unreachable")
    assert.strictEqual(Traceroute.line({ hopLimit: 1, answers: [{ _tag: "Silence" }] }), " 1  *")
  })
})
