import { assert, describe, it } from "@effect/vitest"
import type { Query } from "../../../src/core/multicast/Gmp.ts"
import * as Validity from "../../../src/core/multicast/Validity.ts"
import { ip } from "../ipv6/address.ts"

const query = (version: number, group: string): Query => ({
  _tag: "Query",
  version,
  maximumResponseMillis: 10_000,
  group: ip(group),
  suppress: false,
  robustness: 0,
  queryIntervalSeconds: 0,
  sources: []
})

const v4 = (given: Partial<Validity.Envelope> = {}): Validity.Envelope => ({
  source: ip("10.0.0.1"),
  destination: ip("224.0.0.1"),
  hopLimit: 1,
  hasRouterAlert: true,
  ...given
})

const v6 = (given: Partial<Validity.Envelope> = {}): Validity.Envelope => ({
  source: ip("fe80::1"),
  destination: ip("ff02::1"),
  hopLimit: 1,
  hasRouterAlert: true,
  ...given
})

describe("Validity of membership messages", () => {
  it("asks queries of IGMP for a router alert, but those of version 1 (rfc: 3376 §9.1 SHOULD)", () => {
    assert.isUndefined(Validity.queryFault(v4(), query(3, "0.0.0.0")))
    assert.isUndefined(Validity.queryFault(v4({ hasRouterAlert: false }), query(1, "0.0.0.0")))
    for (const version of [2, 3]) {
      assert.isDefined(Validity.queryFault(v4({ hasRouterAlert: false }), query(version, "0.0.0.0")))
    }
  })

  it("takes general queries sent to all systems or to this host (rfc: 3376 §9.1 SHOULD, §4.1.12 MUST)", () => {
    assert.isDefined(Validity.queryFault(v4({ destination: ip("239.1.1.1") }), query(3, "0.0.0.0")))
    assert.isUndefined(Validity.queryFault(v4({ destination: ip("10.0.0.2") }), query(3, "0.0.0.0")))
    assert.isUndefined(Validity.queryFault(v4({ destination: ip("239.1.1.1") }), query(3, "239.1.1.1")))
  })

  it("takes MLD only from the link, with hop limit 1 and router alert (rfc: 3810 §5.1.14 MUST, §6.2)", () => {
    for (const version of [1, 2]) {
      assert.isUndefined(Validity.queryFault(v6(), query(version, "::")))
      for (const source of ["::", "2001:db8::1"]) {
        assert.isDefined(Validity.queryFault(v6({ source: ip(source) }), query(version, "::")))
      }
      assert.isDefined(Validity.queryFault(v6({ hopLimit: 255 }), query(version, "::")))
      assert.isDefined(Validity.queryFault(v6({ hasRouterAlert: false }), query(version, "::")))
    }
  })

  it("takes no query for what is no group (rfc: 2236 §6, 2710 §5 MUST)", () => {
    assert.isDefined(Validity.queryFault(v4(), query(3, "10.0.0.9")))
    assert.isDefined(Validity.queryFault(v6(), query(2, "2001:db8::9")))
  })

  it("takes reports of MLDv1 only from the link (rfc: 2710 §5 MUST)", () => {
    assert.isUndefined(Validity.reportFault(v6()))
    assert.isDefined(Validity.reportFault(v6({ source: ip("2001:db8::1") })))
    assert.isUndefined(Validity.reportFault(v4({ hasRouterAlert: false })))
  })
})
