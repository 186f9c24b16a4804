import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Control from "../../layers/TunTapControl.ts"
import * as Refusal from "../../layers/TunTapRefusal.ts"
import * as System from "../../layers/TunTapSystem.ts"

/** Names error numbers as given and does nothing else. */
const naming = (name: string): System.System => {
  const unused = () => -System.EINVAL
  return {
    open: unused,
    close: () => {},
    socket: unused,
    setNonBlocking: unused,
    read: unused,
    write: unused,
    control: unused,
    command: unused,
    poll: () => ({ want: () => {}, close: () => {} }),
    errorName: () => name
  }
}

const device = { name: "tap7", mode: "tap" } as const

describe("the hint of a refused device", () => {
  const cases: ReadonlyArray<[Refusal.Step, string, RegExp]> = [
    ["open", "ENOENT", /modprobe tun.*--device \/dev\/net\/tun --cap-add NET_ADMIN/],
    ["open", "EACCES", /chmod 0660 \/dev\/net\/tun/],
    ["open", "EPERM", /forbidden here.*--cap-add NET_ADMIN/],
    ["attach", "EPERM", /CAP_NET_ADMIN.*ip tuntap add dev tap7 mode tap user \d+ && ip link set tap7 up/],
    ["attach", "EBUSY", /another program has tap7 open/],
    ["attach", "EINVAL", /not a tap device of the wanted kind/],
    ["configure", "EPERM", /run 'ip link set tap7 up' as root/],
    ["adopt", "EBADFD", /not that of an open TAP or TUN device/]
  ]
  for (const [step, code, expected] of cases) {
    it(`${code} at ${step} says what to do`, () => {
      const error = Refusal.refused(naming(code), step, -1, device, "ip link set tap7 up")
      assert.strictEqual(error.code, code)
      assert.strictEqual(error.operation, step)
      assert.match(error.hint!, expected)
    })
  }

  it("stays away where nothing is known, and the error's name remains", () => {
    const error = Refusal.refused(naming("EMFILE"), "open", -24, device)
    assert.isUndefined(error.hint)
    assert.strictEqual(error.message, "tap7: open failed (EMFILE)")
  })
})

describe("the name of a device", () => {
  it("is what the kernel takes", () => {
    for (const name of ["t", "tap0", "fifteen-octets-", "a.b_c-d"]) assert.isTrue(Control.isValidName(name), name)
    for (const name of ["", ".", "..", "sixteen-octets-x", "a b", "a/b", "a:b", "a%d", "a\0", "ü".repeat(8)]) {
      assert.isFalse(Control.isValidName(name), name)
    }
  })
})

describe("the calls of the system", () => {
  it.effect("fail on anything but Linux with what to do instead", () =>
    Effect.gen(function*() {
      const platform = Object.getOwnPropertyDescriptor(process, "platform")!
      Object.defineProperty(process, "platform", { ...platform, value: "darwin" })
      const error = yield* Effect.flip(System.load).pipe(
        Effect.ensuring(Effect.sync(() => Object.defineProperty(process, "platform", platform)))
      )
      assert.match(error.message, /need Linux, this is darwin; use an in-memory link/)
    }))
})
