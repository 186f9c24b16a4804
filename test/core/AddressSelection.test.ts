import { assert, describe, it } from "@effect/vitest"
import * as AddressSelection from "../../src/core/AddressSelection.ts"
import * as Address from "../../src/wire/Address.ts"
import { ip, ip6 } from "./ipv6/address.ts"
import * as Seeded from "./Seeded.ts"

type Given = Partial<AddressSelection.Candidate>

/** An address of interface 1 with a prefix of 64 bits, or 24 in IPv4: `2001:db8::1 deprecated temporary`. */
const candidate = (text: string, given: Given = {}): AddressSelection.Candidate => {
  const [name, ...words] = text.split(" ") as [string, ...Array<string>]
  const address = ip(name)
  const mobility = words.includes("care-of") ? "careOf" : words.includes("home") ? "home" : undefined
  return {
    address,
    prefixLength: Address.isV4(address) ? 24 : 64,
    state: words.includes("deprecated") ? "deprecated" : "preferred",
    isTemporary: words.includes("temporary"),
    link: 1,
    ...(mobility === undefined ? {} : { mobility }),
    ...given
  }
}

const policies = (...rows: ReadonlyArray<readonly [string, number, number, number]>): AddressSelection.Settings => {
  const prefixes = rows.map(([prefix, length, precedence, label]) => ({
    prefix: ip6(prefix),
    length,
    precedence,
    label
  }))
  const isNew = ({ length, prefix }: AddressSelection.Policy): boolean =>
    !prefixes.some((row) => row.length === length && Address.equals(row.prefix, prefix))
  return { ...AddressSelection.defaults, policies: [...AddressSelection.defaultPolicies.filter(isNew), ...prefixes] }
}

const source = (
  destination: string,
  candidates: ReadonlyArray<AddressSelection.Candidate>,
  settings = AddressSelection.defaults
): string | undefined => {
  const found = AddressSelection.selectSource(candidates, { destination: ip(destination), link: 1 }, settings)
  return found === undefined ? undefined : Address.format(found.address)
}

/** Destinations in their order with their sources, as the examples of the RFC are written. */
const sorted = (
  candidates: ReadonlyArray<string>,
  destinations: ReadonlyArray<string>,
  settings = AddressSelection.defaults
): ReadonlyArray<string> => {
  const own = candidates.map((text) => candidate(text))
  const given = destinations.map((text): AddressSelection.Destination => {
    const address = ip(text)
    return { address, source: AddressSelection.selectSource(own, { destination: address, link: 1 }, settings) }
  })
  return AddressSelection.sortDestinations(given, settings).map(({ address, source }) =>
    `${Address.format(address)} from ${source === undefined ? "nowhere" : Address.format(source.address)}`
  )
}

describe("Source address selection", () => {
  for (
    const [destination, candidates, result, why] of [
      ["2001:db8:1::1", ["2001:db8:3::1", "fe80::1"], "2001:db8:3::1", "appropriate scope"],
      ["ff05::1", ["2001:db8:3::1", "fe80::1"], "2001:db8:3::1", "appropriate scope"],
      ["2001:db8:1::1", ["2001:db8:1::1 deprecated", "2001:db8:2::1"], "2001:db8:1::1", "same address"],
      ["fe80::1", ["fe80::2 deprecated", "2001:db8:1::1"], "fe80::2", "appropriate scope"],
      ["2001:db8:1::1", ["2001:db8:1::2", "2001:db8:3::2"], "2001:db8:1::2", "longest matching prefix"],
      ["2001:db8:1::1", ["2001:db8:1::2 care-of", "2001:db8:3::2 home"], "2001:db8:3::2", "home address"],
      [
        "2002:c633:6401::1",
        ["2002:c633:6401::d5e3:7953:13eb:22e8 temporary", "2001:db8:1::2"],
        "2002:c633:6401:0:d5e3:7953:13eb:22e8",
        "matching label"
      ],
      [
        "2001:db8:1::d5e3:0:0:1",
        ["2001:db8:1::2", "2001:db8:1::d5e3:7953:13eb:22e8 temporary"],
        "2001:db8:1:0:d5e3:7953:13eb:22e8",
        "temporary address"
      ]
    ] as const
  ) {
    it(`prefers the ${why}: to ${destination} from ${candidates.join(" or ")} (rfc: 6724 §10.1)`, () => {
      const own = candidates.map((text) => candidate(text))
      assert.strictEqual(source(destination, own), Address.format(ip(result)))
      assert.strictEqual(source(destination, own.toReversed()), Address.format(ip(result)))
    })
  }

  it("does not choose a unique local address for a group by its prefix alone (rfc: 6724 §10.6)", () => {
    const own = [candidate("fd11:1111:1111:1::1"), candidate("2001:db8:1::1")]
    assert.strictEqual(source("ff0e::1", own), "2001:db8:1::1")
  })

  it("prefers the outgoing interface, and for one link takes no other (rfc: 6724 §5 rule 5, §4 MUST)", () => {
    const own = [candidate("2001:db8:1::2", { link: 2 }), candidate("2001:db8:9::2")]
    assert.strictEqual(source("2001:db8:1::1", own), "2001:db8:9::2")
    assert.isUndefined(source("ff02::1", [candidate("fe80::2", { link: 2 })]))
    assert.isUndefined(source("fe80::1", [candidate("fe80::2", { link: 2 })]))
    assert.strictEqual(source("2001:db8:1::1", [own[0]!]), "2001:db8:1::2")
  })

  it("prefers a prefix that the next hop has advertised (rfc: 6724 §5 rule 5.5)", () => {
    const own = [candidate("2001:db8:1::2"), candidate("2001:db8:9::2", { isOfNextHop: true })]
    assert.strictEqual(source("2001:db8:1::1", own), "2001:db8:9::2")
  })

  it("takes the stable address if a program wants it (rfc: 6724 §5 rule 7 MUST)", () => {
    const own = [candidate("2001:db8:1::2 temporary"), candidate("2001:db8:1::3")]
    assert.strictEqual(source("2001:db8:2::1", own), "2001:db8:1::2")
    assert.strictEqual(
      source("2001:db8:2::1", own, { ...AddressSelection.defaults, prefersTemporary: false }),
      "2001:db8:1::3"
    )
  })

  it("takes no address that is tentative or another's, and an optimistic one last (rfc: 4862 §5.4, RFC 4429 §3.3)", () => {
    const own = (["tentative", "duplicated", "optimistic"] as const)
      .map((state, i) => candidate(`2001:db8:1::${i}`, { state }))
    assert.strictEqual(source("2001:db8:1::9", own), "2001:db8:1::2")
    assert.strictEqual(source("2001:db8:1::9", [...own, candidate("2001:db8:7::1")]), "2001:db8:7::1")
    assert.isUndefined(source("2001:db8:1::9", own.slice(0, 2)))
    assert.isUndefined(source("10.0.0.1", own))
  })

  it("works for IPv4 by the same rules, where nothing is deprecated (rfc: 6724 §3.2 MUST)", () => {
    const own = [candidate("169.254.1.1"), candidate("10.1.0.1"), candidate("10.2.0.1 deprecated")]
    assert.strictEqual(source("10.2.0.9", own), "10.2.0.1")
    assert.strictEqual(source("169.254.9.9", own), "169.254.1.1")
    assert.strictEqual(source("224.0.0.251", own), "169.254.1.1")
  })
})

describe("Destination address selection", () => {
  const preferIpv4 = policies(["::ffff:0:0", 96, 100, 4])
  const preferGlobal = policies(["fe80::", 10, 33, 1])
  const multiHomed = policies(["2001:db8:1aaa::", 48, 43, 6], ["2001:db8:1bbb::", 48, 43, 6])
  const uniqueLocal = policies(["fd11:1111:1111::", 48, 45, 14])
  const sixToFour = policies(["2002:c633:6401::", 48, 45, 14])
  const { defaults } = AddressSelection

  for (
    const [section, why, settings, candidates, first, second] of [
      [
        "10.2",
        "matching scope",
        defaults,
        ["2001:db8:1::2", "fe80::1", "169.254.13.78"],
        "2001:db8:1::1 from 2001:db8:1::2",
        "198.51.100.121 from 169.254.13.78"
      ],
      [
        "10.2",
        "matching scope",
        defaults,
        ["fe80::1", "198.51.100.117"],
        "198.51.100.121 from 198.51.100.117",
        "2001:db8:1::1 from fe80::1"
      ],
      [
        "10.2",
        "higher precedence",
        defaults,
        ["2001:db8:1::2", "fe80::1", "10.1.2.4"],
        "2001:db8:1::1 from 2001:db8:1::2",
        "10.1.2.3 from 10.1.2.4"
      ],
      [
        "10.2",
        "smaller scope",
        defaults,
        ["2001:db8:1::2", "fe80::2"],
        "fe80::1 from fe80::2",
        "2001:db8:1::1 from 2001:db8:1::2"
      ],
      [
        "10.2",
        "home address",
        defaults,
        ["2001:db8:1::2 care-of", "2001:db8:3::1 home", "fe80::2 care-of"],
        "2001:db8:1::1 from 2001:db8:3::1",
        "fe80::1 from fe80::2"
      ],
      [
        "10.2",
        "no deprecated address",
        defaults,
        ["2001:db8:1::2", "fe80::2 deprecated"],
        "2001:db8:1::1 from 2001:db8:1::2",
        "fe80::1 from fe80::2"
      ],
      [
        "10.2",
        "longest matching prefix",
        defaults,
        ["2001:db8:1::2", "2001:db8:3f44::2", "fe80::2"],
        "2001:db8:1::1 from 2001:db8:1::2",
        "2001:db8:3ffe::1 from 2001:db8:3f44::2"
      ],
      [
        "10.2",
        "matching label",
        defaults,
        ["2002:c633:6401::2", "fe80::2"],
        "2002:c633:6401::1 from 2002:c633:6401::2",
        "2001:db8:1::1 from 2002:c633:6401::2"
      ],
      [
        "10.2",
        "higher precedence",
        defaults,
        ["2002:c633:6401::2", "2001:db8:1::2", "fe80::2"],
        "2001:db8:1::1 from 2001:db8:1::2",
        "2002:c633:6401::1 from 2002:c633:6401::2"
      ],
      [
        "10.3",
        "matching scope",
        preferIpv4,
        ["2001:db8::2", "fe80::1", "169.254.13.78"],
        "2001:db8::1 from 2001:db8::2",
        "198.51.100.121 from 169.254.13.78"
      ],
      [
        "10.3",
        "matching scope",
        preferIpv4,
        ["fe80::1", "198.51.100.117"],
        "198.51.100.121 from 198.51.100.117",
        "2001:db8::1 from fe80::1"
      ],
      [
        "10.3",
        "higher precedence",
        preferIpv4,
        ["2001:db8::2", "fe80::1", "10.1.2.4"],
        "10.1.2.3 from 10.1.2.4",
        "2001:db8::1 from 2001:db8::2"
      ],
      [
        "10.4",
        "higher precedence",
        preferGlobal,
        ["2001:db8::2", "fe80::2"],
        "2001:db8::1 from 2001:db8::2",
        "fe80::1 from fe80::2"
      ],
      [
        "10.4",
        "no deprecated address",
        preferGlobal,
        ["2001:db8::2 deprecated", "fe80::2"],
        "fe80::1 from fe80::2",
        "2001:db8::1 from 2001:db8::2"
      ],
      [
        "10.5",
        "longest matching prefix",
        defaults,
        ["2001:db8:1aaa::a", "2001:db8:70aa::a", "fe80::a"],
        "2001:db8:70bb::b from 2001:db8:70aa::a",
        "2001:db8:1bbb::b from 2001:db8:1aaa::a"
      ],
      [
        "10.5",
        "longest matching prefix",
        defaults,
        ["2001:db8:1aaa::a", "2001:db8:70aa::a", "fe80::a"],
        "2001:db8:1ccc::c from 2001:db8:1aaa::a",
        "2001:db8:6ccc::c from 2001:db8:70aa::a"
      ],
      [
        "10.5",
        "higher precedence",
        multiHomed,
        ["2001:db8:1aaa::a", "2001:db8:70aa::a", "fe80::a"],
        "2001:db8:1bbb::b from 2001:db8:1aaa::a",
        "2001:db8:70bb::b from 2001:db8:70aa::a"
      ],
      [
        "10.5",
        "longest matching prefix",
        multiHomed,
        ["2001:db8:1aaa::a", "2001:db8:70aa::a", "fe80::a"],
        "2001:db8:6ccc::c from 2001:db8:70aa::a",
        "2001:db8:1ccc::c from 2001:db8:70aa::a"
      ],
      [
        "10.6",
        "higher precedence",
        defaults,
        ["2001:db8:1::1", "fd11:1111:1111:1::1"],
        "2001:db8:2::2 from 2001:db8:1::1",
        "fd22:2222:2222:2::2 from fd11:1111:1111:1::1"
      ],
      [
        "10.6",
        "higher precedence",
        uniqueLocal,
        ["2001:db8:1::1", "fd11:1111:1111:1::1"],
        "fd11:1111:1111:2::2 from fd11:1111:1111:1::1",
        "2001:db8:2::2 from 2001:db8:1::1"
      ],
      [
        "10.7",
        "matching label",
        defaults,
        ["2002:c633:6401::2", "10.1.2.3"],
        "203.0.113.1 from 10.1.2.3",
        "2001:db8:1::1 from 2002:c633:6401::2"
      ],
      [
        "10.7",
        "higher precedence",
        sixToFour,
        ["2002:c633:6401:1::1", "10.1.2.3"],
        "2002:c633:6401:2::2 from 2002:c633:6401:1::1",
        "203.0.113.1 from 10.1.2.3"
      ]
    ] as const
  ) {
    it(`prefers ${why}: ${first} before ${second} (rfc: 6724 §${section})`, () => {
      const destinations = [first, second].map((text) => text.split(" ")[0]!)
      assert.deepStrictEqual(sorted(candidates, destinations, settings), [first, second])
      assert.deepStrictEqual(sorted(candidates, destinations.toReversed(), settings), [first, second])
    })
  }

  it("puts what can't be reached last, and keeps the order of equals (rfc: 6724 §6 rules 1 and 10)", () => {
    assert.deepStrictEqual(sorted(["2001:db8:1::2"], ["10.0.0.1", "2001:db8:9::2", "10.0.0.2", "2001:db8:9::1"]), [
      "2001:db8:9::2 from 2001:db8:1::2",
      "2001:db8:9::1 from 2001:db8:1::2",
      "10.0.0.1 from nowhere",
      "10.0.0.2 from nowhere"
    ])
  })

  it("prefers native transport (rfc: 6724 §6 rule 7)", () => {
    const from = candidate("2001:db8:1::2")
    const tunnelled = { address: ip("2001:db8:1::1"), source: from, isEncapsulated: true }
    const native = { address: ip("2001:db8:9::1"), source: from }
    assert.deepStrictEqual(AddressSelection.sortDestinations([tunnelled, native]), [native, tunnelled])
  })

  it("finds the entry of the longest prefix, whatever the order of the table (rfc: 6724 §2.1)", () => {
    const { defaultPolicies } = AddressSelection
    const labels = (text: string): ReadonlyArray<number> =>
      [defaultPolicies, defaultPolicies.toReversed()].map((table) => AddressSelection.policyOf(table, ip(text)).label)
    for (
      const [text, label] of [
        ["::1", 0],
        ["2001:db8::1", 1],
        ["2001::1", 5],
        ["2002::1", 2],
        ["10.0.0.1", 4],
        ["fd00::1", 13],
        ["::7", 3],
        ["fec0::1", 11],
        ["3ffe::1", 12]
      ] as const
    ) assert.deepStrictEqual(labels(text), [label, label], text)
    assert.strictEqual(AddressSelection.policyOf([], ip("::1")).label, 1)
  })
})

describe("Scopes", () => {
  it("are those of RFC 6724 §3.1 to §3.4", () => {
    const scopes = ["fe80::1", "::1", "fec0::1", "fd00::1", "2001:db8::1", "ff02::1", "ff05::1", "ff0e::1"]
    assert.deepStrictEqual(scopes.map((text) => AddressSelection.scopeOf(ip(text))), [2, 2, 5, 14, 14, 2, 5, 14])
    const ipv4 = ["169.254.1.1", "127.0.0.1", "10.0.0.1", "8.8.8.8", "224.0.0.1", "239.1.1.1"]
    assert.deepStrictEqual(ipv4.map((text) => AddressSelection.scopeOf(ip(text))), [2, 2, 14, 14, 2, 14])
  })
})

describe("Address selection over random addresses", () => {
  const pool = [
    "fe80::1",
    "fe80::2",
    "2001:db8:1::1",
    "2001:db8:1::2",
    "2001:db8:2::1",
    "fd00::1",
    "2002::1",
    "10.0.0.1",
    "169.254.0.1",
    "::1"
  ]

  it("chooses a source that no other beats, in whatever order they stand, and sorts without losing any", () => {
    for (let seed = 1; seed <= 400; seed++) {
      const random = Seeded.make(seed)
      const own = pool.filter(() => random.chance(0.6)).map((text) =>
        candidate(text, {
          state: random.pick(["preferred", "preferred", "deprecated", "tentative"]),
          isTemporary: random.chance(0.3),
          link: random.pick([1, 1, 2])
        })
      )
      const destination = ip(random.pick([...pool, "2001:db8:3::9", "ff02::1", "ff0e::1", "192.0.2.1"]))
      const target = { destination, link: 1 }
      const chosen = AddressSelection.selectSource(own, target)
      const again = AddressSelection.selectSource(own.toReversed(), target)
      // What is chosen beats, or equals, each other one alone.
      for (const other of own) {
        const winner = AddressSelection.selectSource(chosen === undefined ? [other] : [chosen, other], target)
        assert.strictEqual(winner, chosen)
      }
      if (chosen !== undefined && again !== chosen) {
        assert.strictEqual(AddressSelection.selectSource([again!, chosen], target), again)
      }
      const destinations = pool.map((text) => ({
        address: ip(text),
        source: AddressSelection.selectSource(own, { destination: ip(text), link: 1 })
      }))
      const result = AddressSelection.sortDestinations(destinations)
      assert.strictEqual(new Set(result).size, destinations.length)
      const firstWithout = result.findIndex(({ source }) => source === undefined)
      if (firstWithout >= 0) assert.isTrue(result.slice(firstWithout).every(({ source }) => source === undefined))
    }
  })
})
