import { assert, describe, it } from "@effect/vitest"
import * as WellKnown from "../../src/core/WellKnown.ts"
import * as Address from "../../src/wire/Address.ts"
import { ip, ip6 } from "./ipv6/address.ts"

describe("Well-known addresses", () => {
  it("are those of RFC 4291 §2.7.1", () => {
    assert.strictEqual(Address.format(WellKnown.allNodes), "ff02::1")
    assert.strictEqual(Address.format(WellKnown.allRouters), "ff02::2")
    assert.strictEqual(Address.format(WellKnown.linkLocalPrefix), "fe80::")
  })

  it("have a group for the owner of each address (rfc: 4291 §2.7.1)", () => {
    assert.deepStrictEqual(WellKnown.solicitedNode(ip6("4037::01:800:200e:8c6c")), ip("ff02::1:ff0e:8c6c"))
    assert.isTrue(WellKnown.isSolicitedNode(ip("ff02::1:ff0e:8c6c")))
    for (const other of ["ff02::1:fe0e:8c6c", "ff02::1", "ff02::2:ff0e:8c6c", "2001:db8::1", "224.0.0.1"]) {
      assert.isFalse(WellKnown.isSolicitedNode(ip(other)), other)
    }
  })
})
