import { assert, describe, it } from "@effect/vitest"
import * as DhcpMachine from "../../src/services/DhcpMachine.ts"
import * as DhcpMessages from "../../src/services/DhcpMessages.ts"
import * as Address from "../../src/wire/Address.ts"
import type * as DhcpOptions from "../../src/wire/DhcpOptions.ts"
import type * as Dhcpv4 from "../../src/wire/Dhcpv4.ts"
import * as DhcpScript from "./DhcpScript.ts"

const mac = 0x0200_0000_0007

type Input = DhcpMachine.Input

/** A machine that a test leads through its states; nothing is left to chance unless the test says so. */
class Led {
  machine = DhcpMachine.make({
    mac,
    clientIdentifier: DhcpMessages.clientIdentifierOf(mac),
    hostName: "host",
    maximumMessageSize: 1500
  })
  at = 0
  draw = 0.5
  sent: Array<{ readonly message: Dhcpv4.Message; readonly to: Address.Ipv4; readonly at: number }> = []
  actions: ReadonlyArray<DhcpMachine.Action> = []

  step(input: Input): this {
    const [machine, actions] = DhcpMachine.step(this.machine, input, { at: this.at, draw: () => this.draw })
    this.machine = machine
    this.actions = actions
    for (const action of actions) if (action._tag === "Send") this.sent.push({ ...action, at: this.at })
    return this
  }

  get state(): string {
    return this.machine.state._tag
  }

  get tags(): ReadonlyArray<string> {
    return this.actions.map(({ _tag }) => _tag)
  }

  get last() {
    return this.sent.at(-1)!
  }

  /** The last message, in one line. */
  get said(): string {
    const { message, to } = this.last
    return `${DhcpScript.kindOf(message)} to ${Address.format(to)}`
  }

  /** Time passes until the machine wants to act, `count` times. */
  alarm(count = 1): this {
    for (let i = 0; i < count; i++) {
      this.at = DhcpMachine.deadline(this.machine)
      this.step({ _tag: "Alarm" })
    }
    return this
  }

  wait(seconds: number): this {
    this.at += seconds
    return this
  }

  /** The server answers the last message. */
  hears(kind: DhcpScript.Answer["kind"], answer: Omit<DhcpScript.Answer, "kind"> = {}): this {
    return this.step({ _tag: "Received", message: DhcpScript.reply(this.last.message, { kind, ...answer }) })
  }
}

const started = (input: Omit<Extract<Input, { readonly _tag: "Start" }>, "_tag"> = {}): Led =>
  new Led().step({ _tag: "Start", ...input })

const requesting = (): Led => started().hears("offer")

const bound = (options: Partial<DhcpOptions.Options> = {}): Led =>
  requesting().hears("acknowledge", { options }).step({ _tag: "Verified" })

describe("DhcpMachine", () => {
  it("discovers, takes the first offer, and uses the address when nobody else has it (rfc: 2131 §3.1)", () => {
    const led = started()
    assert.strictEqual(led.said, "discover to 255.255.255.255")
    assert.strictEqual(led.hears("offer").said, "request to 255.255.255.255")
    assert.strictEqual(led.state, "Requesting")
    assert.deepStrictEqual(led.hears("acknowledge").tags, ["Configure"])
    assert.strictEqual(led.state, "Verifying")
    assert.deepStrictEqual(led.step({ _tag: "Verified" }).tags, ["Use"])
    assert.strictEqual(led.state, "Bound")
  })

  it("says in each message what table 5 of RFC 2131 asks for, and nothing that it forbids", () => {
    const led = started()
    const [discover] = led.sent.map(({ message }) => message)
    assert.deepInclude(discover, { broadcast: true, clientAddress: 0, clientMac: mac, hops: 0, relayAgent: 0 })
    assert.strictEqual(discover!.options.serverIdentifier, undefined)
    assert.isAtLeast(discover!.options.maximumMessageSize!, 576)
    const select = led.hears("offer").last.message
    assert.strictEqual(select.transaction, discover!.transaction)
    assert.deepInclude(select.options, {
      serverIdentifier: DhcpScript.serverAddress,
      requestedAddress: DhcpScript.given,
      hostName: "host"
    })
    assert.deepStrictEqual(select.options.parameterList, discover!.options.parameterList)
    const renew = led.hears("acknowledge").step({ _tag: "Verified" }).alarm().last.message
    assert.deepInclude(renew, { clientAddress: DhcpScript.given, broadcast: false })
    assert.deepInclude(renew.options, { serverIdentifier: undefined, requestedAddress: undefined })
    const release = led.step({ _tag: "Stop", release: true }).last.message
    assert.deepInclude(release, { clientAddress: DhcpScript.given })
    assert.deepInclude(release.options, {
      serverIdentifier: DhcpScript.serverAddress,
      requestedAddress: undefined,
      parameterList: undefined
    })
  })

  it("asks for classless routes before it asks for routers (rfc: 3442 MUST)", () => {
    const list = Array.from(started().last.message.options.parameterList!)
    assert.isTrue(list.includes(121) && list.indexOf(121) < list.indexOf(3))
  })

  it("names itself by an identifier that is the same after a restart (rfc: 4361 §6.1)", () => {
    assert.deepStrictEqual(
      started().last.message.options.clientIdentifier,
      Uint8Array.of(255, 0, 0, 0, 7, 0, 3, 0, 1, 2, 0, 0, 0, 0, 7)
    )
  })

  it("repeats a discover after 4, 8, 16, 32, 64 and 64 seconds (rfc: 2131 §4.1)", () => {
    const led = started().alarm(6)
    const times = led.sent.map(({ at }) => at)
    assert.deepStrictEqual(times, [0, 4, 12, 28, 60, 124, 188])
    assert.deepStrictEqual(led.sent.map(({ message }) => message.seconds), times)
    assert.strictEqual(new Set(led.sent.map(({ message }) => message.transaction)).size, 1)
  })

  it("spreads the repetitions by up to a second to either side (rfc: 2131 §4.1 MUST)", () => {
    const led = new Led()
    led.draw = 0
    assert.strictEqual(led.step({ _tag: "Start" }).alarm().at, 3)
    const other = new Led()
    other.draw = 0.75
    assert.strictEqual(other.step({ _tag: "Start" }).alarm().at, 4.5)
  })

  it("repeats a request four times in all with the same seconds, then begins anew after a pause (rfc: 2131 §3.1)", () => {
    const led = started().wait(3).hears("offer").alarm(3)
    assert.strictEqual(led.sent.filter(({ message }) => DhcpScript.kindOf(message) === "request").length, 4)
    assert.deepStrictEqual(led.sent.map(({ message }) => message.seconds), [0, 0, 0, 0, 0])
    assert.strictEqual(led.alarm().state, "Init")
    const from = led.at
    assert.strictEqual(led.alarm().state, "Selecting")
    assert.isTrue(led.at - from >= 1 && led.at - from <= 10)
  })

  it("leaves answers to others, and answers that make no sense, lying (rfc: 2131 §4.4.1)", () => {
    const led = started()
    const { transaction } = led.last.message
    led.hears("offer", { fields: { transaction: transaction + 1 } })
    led.hears("offer", { fields: { clientMac: mac + 1 } })
    led.hears("offer", { fields: { operation: 1 } })
    led.hears("offer", { address: 0 }).hears("offer", { address: -1 }).hears("offer", {
      address: Address.v4(127, 0, 0, 1)
    })
    led.hears("offer", { options: { serverIdentifier: undefined } })
    led.hears("offer", { options: { leaseTime: undefined } }).hears("offer", { options: { leaseTime: 1 } })
    led.hears("acknowledge").hears("refuse")
    led.step({ _tag: "Verified" }).step({ _tag: "Conflict" }).step({ _tag: "Alarm" })
    assert.deepStrictEqual([led.state, led.sent.length], ["Selecting", 1])
    assert.strictEqual(led.hears("offer").state, "Requesting")
    // Another server than the chosen one has no say.
    const other = { options: { serverIdentifier: Address.v4(10, 0, 0, 2) } }
    assert.strictEqual(led.hears("refuse", other).hears("acknowledge", other).hears("offer").state, "Requesting")
  })

  it("begins anew at once after the first refusal, and after a pause from then on", () => {
    const rebooting = started({ address: DhcpScript.given }).hears("refuse")
    assert.deepStrictEqual([rebooting.state, rebooting.said], ["Selecting", "discover to 255.255.255.255"])
    assert.strictEqual(rebooting.hears("offer").hears("refuse").state, "Init")
  })

  it("renews at T1 with its server, at T2 with any, and gives up at the end (rfc: 2131 §4.4.5)", () => {
    const led = bound({ renewalTime: 1000, rebindingTime: 2000, leaseTime: 4000 })
    assert.deepStrictEqual([led.alarm().at, led.state, led.said], [1000, "Renewing", "request to 10.0.0.1"])
    // Half of what is left until T2, and not more often than once a minute.
    const times = [1500, 1750, 1875, 1937.5, 1997.5]
    assert.deepStrictEqual(times.map(() => led.alarm().at), times)
    assert.deepStrictEqual([led.alarm().at, led.state, led.said], [2000, "Rebinding", "request to 255.255.255.255"])
    const late = [3000, 3500, 3750, 3875, 3937.5, 3997.5]
    assert.deepStrictEqual(late.map(() => led.alarm().at), late)
    assert.deepStrictEqual([led.alarm().at, led.tags], [4000, ["Withdraw", "Send"]])
    assert.deepStrictEqual([led.state, led.said], ["Selecting", "discover to 255.255.255.255"])
  })

  it("counts a lease from when it was asked for (rfc: 2131 §4.4.1)", () => {
    const led = started().wait(2).hears("offer").wait(3).hears("acknowledge", { options: { leaseTime: 100 } })
    assert.strictEqual(led.machine.held!.expiresAt, 102)
    led.step({ _tag: "Verified" }).alarm().wait(10).hears("acknowledge", { options: { leaseTime: 100 } })
    assert.deepStrictEqual([led.state, led.tags], ["Bound", ["Use"]])
    assert.strictEqual(led.machine.held!.expiresAt, led.last.at + 100)
  })

  it("renews by default around half of the lease, and rebinds around seven eighths (rfc: 2131 §4.4.5)", () => {
    const times = (draw: number) => {
      const led = new Led()
      led.draw = draw
      const { renewAt, rebindAt } = led.step({ _tag: "Start" }).hears("offer").hears("acknowledge").machine.held!
      return [renewAt, rebindAt]
    }
    assert.deepStrictEqual(times(0), [1800, 3150])
    const [renewAt, rebindAt] = times(0.99)
    assert.isTrue(renewAt! < 1800 && renewAt! > 1600 && rebindAt! < 3150 && rebindAt! > 2950)
  })

  it("does not believe times that are out of order (rfc: 2131 §4.4.5 MUST)", () => {
    const { expiresAt, rebindAt, renewAt } = bound({ leaseTime: 100, renewalTime: 99, rebindingTime: 200 }).machine
      .held!
    assert.isTrue(renewAt < rebindAt && rebindAt < expiresAt)
  })

  it("never asks again for a lease without end (rfc: 2131 §3.3)", () => {
    const led = bound({ leaseTime: 0xffff_ffff })
    assert.strictEqual(DhcpMachine.deadline(led.machine), Infinity)
  })

  it("stops using the address at once when its server refuses it (rfc: 2131 §4.4.5)", () => {
    const led = bound().alarm().hears("refuse")
    assert.deepStrictEqual([led.tags, led.state], [["Withdraw", "Send"], "Selecting"])
  })

  it("takes another address that it is given instead of its own", () => {
    const led = bound().alarm().hears("acknowledge", { address: Address.v4(10, 0, 0, 51) })
    assert.deepStrictEqual([led.tags, led.state], [["Withdraw", "Configure"], "Verifying"])
  })

  it("declines an address that another host has, and waits ten seconds (rfc: 2131 §3.1 (5) MUST)", () => {
    for (const led of [requesting().hears("acknowledge"), bound(), bound().alarm()]) {
      const from = led.at
      assert.deepStrictEqual(led.step({ _tag: "Conflict" }).tags, ["Withdraw", "Send"])
      assert.strictEqual(led.said, "decline to 255.255.255.255")
      const { clientAddress, options } = led.last.message
      assert.strictEqual(clientAddress, 0)
      assert.deepInclude(options, { requestedAddress: DhcpScript.given, serverIdentifier: DhcpScript.serverAddress })
      assert.strictEqual(led.alarm().state, "Selecting")
      assert.isAtLeast(led.at - from, 10)
    }
  })

  it("asks for the address of an earlier run first (rfc: 2131 §4.4.2)", () => {
    const led = started({ address: DhcpScript.given })
    const { clientAddress, options } = led.last.message
    assert.deepStrictEqual([led.state, led.said, clientAddress], ["Rebooting", "request to 255.255.255.255", 0])
    assert.deepInclude(options, { requestedAddress: DhcpScript.given, serverIdentifier: undefined })
    assert.deepStrictEqual(led.hears("acknowledge").tags, ["Configure"])
  })

  it("goes on with a lease of an earlier run when nobody answers and it is not over (rfc: 2131 §3.2 (4))", () => {
    const lease = bound().machine.held!
    const led = started({ address: DhcpScript.given, lease }).alarm(2)
    assert.deepStrictEqual([led.at, led.state, led.tags], [12, "Verifying", ["Configure"]])
    const over = started({ address: DhcpScript.given, lease: { ...lease, expiresAt: 5 } }).alarm(2)
    assert.deepStrictEqual([over.at, over.state], [5, "Selecting"])
    const unknown = started({ address: DhcpScript.given }).alarm(2)
    assert.deepStrictEqual([unknown.at, unknown.state], [12, "Selecting"])
  })

  it("asks whether its address is still right when the link comes up (rfc: 2131 §3.7)", () => {
    const led = bound().wait(10).step({ _tag: "LinkUp" })
    assert.deepStrictEqual([led.state, led.said], ["Rebooting", "request to 255.255.255.255"])
    assert.deepStrictEqual(led.hears("acknowledge").tags, ["Use"])
    led.step({ _tag: "LinkUp" }).alarm(2)
    assert.deepStrictEqual([led.state, led.tags], ["Bound", ["Use"]])
    assert.deepStrictEqual(led.step({ _tag: "LinkUp" }).hears("refuse").tags, ["Withdraw", "Send"])
    assert.strictEqual(started().step({ _tag: "LinkUp" }).sent.length, 2)
  })

  it("gives the address back in the end, unless it is to keep it (rfc: 2131 §4.4.6)", () => {
    const led = bound().step({ _tag: "Stop", release: true })
    assert.deepStrictEqual([led.tags, led.said], [["Send", "Withdraw"], "release to 10.0.0.1"])
    assert.deepStrictEqual(bound().step({ _tag: "Stop", release: false }).tags, ["Withdraw"])
    assert.deepStrictEqual(started().step({ _tag: "Stop", release: true }).tags, [])
    assert.strictEqual(DhcpMachine.deadline(led.machine), Infinity)
    assert.deepStrictEqual(led.step({ _tag: "LinkUp" }).step({ _tag: "Alarm" }).state, "Stopped")
  })
})
