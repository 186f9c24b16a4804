import { assert, describe, it } from "@effect/vitest"
import * as DuplicateDetection from "../../../src/core/ipv6/DuplicateDetection.ts"
import * as Time from "../../../src/core/Time.ts"
import * as Seeded from "../Seeded.ts"

const ms = 1000

/** One host that wants an address, in virtual time. */
class Claimant {
  detection: DuplicateDetection.DuplicateDetection
  at = 0
  readonly said: Array<readonly [number, string]> = []
  readonly nonces: Array<number> = []
  readonly settings: DuplicateDetection.Settings

  constructor(delayMillis: number, settings: Partial<DuplicateDetection.Settings> = {}, seed = 1) {
    this.settings = {
      transmits: 1,
      retransmit: Time.seconds(1),
      nonce: (draw) => 0x1000_0000_0000 + seed * 1000 + draw,
      ...settings
    }
    const [detection, actions] = DuplicateDetection.begin(Time.millis(delayMillis), Time.instantOf(0), this.settings)
    this.detection = detection
    this.note(actions)
  }

  private note(actions: ReadonlyArray<DuplicateDetection.Action>): void {
    for (const action of actions) {
      this.said.push([this.at / ms, action._tag])
      if (action._tag === "Probe") this.nonces.push(action.nonce)
    }
  }

  give(input: DuplicateDetection.Input): void {
    const [detection, actions] = DuplicateDetection.step(this.detection, input, Time.instantOf(this.at), this.settings)
    this.detection = detection
    this.note(actions)
  }

  advance(millis: number): void {
    const end = this.at + millis * ms
    while (this.detection.deadline <= end) {
      this.at = this.detection.deadline
      this.give({ _tag: "Alarm" })
    }
    this.at = end
  }

  get outcome(): string {
    return this.detection.phase._tag
  }

  /** The link returns the probe that was sent last. */
  echo(): void {
    this.give({ _tag: "Solicited", isFromUnspecified: true, nonce: this.nonces.at(-1) })
  }
}

describe("DuplicateDetection", () => {
  it("assigns an address of which nobody has said anything for RetransTimer after the last probe (rfc: 4862 §5.4)", () => {
    const one = new Claimant(300)
    one.advance(10_000)
    assert.deepStrictEqual(one.said, [[300, "Join"], [300, "Probe"], [1300, "Assign"]])
    const three = new Claimant(0, { transmits: 3, retransmit: Time.millis(500) })
    three.advance(10_000)
    assert.deepStrictEqual(three.said, [
      [0, "Join"],
      [0, "Probe"],
      [500, "Probe"],
      [1000, "Probe"],
      [1500, "Assign"]
    ])
    assert.strictEqual(new Set(three.nonces).size, 3)
  })

  it("does not probe with DupAddrDetectTransmits of zero (rfc: 4862 §5.4)", () => {
    const self = new Claimant(500, { transmits: 0 })
    assert.deepStrictEqual(self.said, [[0, "Join"], [0, "Assign"]])
    assert.strictEqual(self.outcome, "Unique")
  })

  it("refuses an address that is advertised, before and while it probes (rfc: 4862 §5.4.4)", () => {
    for (const after of [100, 500]) {
      const self = new Claimant(300)
      self.advance(after)
      self.give({ _tag: "Advertised" })
      self.advance(10_000)
      assert.deepStrictEqual(self.said.at(-1), [after, "Refuse"])
      assert.strictEqual(self.outcome, "Duplicate")
    }
  })

  it("refuses an address for which somebody else probes, with or without a nonce (rfc: 4862 §5.4.3, 7527 §4.2)", () => {
    for (const nonce of [undefined, 99]) {
      for (const after of [100, 500]) {
        const self = new Claimant(300)
        self.advance(after)
        self.give({ _tag: "Solicited", isFromUnspecified: true, nonce })
        assert.strictEqual(self.outcome, "Duplicate")
      }
    }
  })

  it("ignores who resolves the address (rfc: 4862 §5.4.3)", () => {
    const self = new Claimant(300)
    self.give({ _tag: "Solicited", isFromUnspecified: false, nonce: undefined })
    self.advance(500)
    self.give({ _tag: "Solicited", isFromUnspecified: false, nonce: undefined })
    self.advance(10_000)
    assert.strictEqual(self.outcome, "Unique")
  })

  it("takes its own probe for an echo and probes three times more (rfc: 7527 §4.1, §4.2 MUST)", () => {
    const self = new Claimant(0)
    self.advance(100)
    self.echo()
    assert.isTrue(DuplicateDetection.isOwn(self.detection, self.nonces[0]))
    self.advance(20_000)
    assert.deepStrictEqual(self.said.map(([, tag]) => tag), [
      "Join",
      "Probe",
      "NoticeLoop",
      "Probe",
      "Probe",
      "Probe",
      "Assign"
    ])
    assert.strictEqual(new Set(self.nonces).size, 4)
  })

  it("assigns nothing for as long as the link returns all probes, and a stranger still counts (rfc: 7527 §4.1)", () => {
    const self = new Claimant(0)
    for (let i = 0; i < 50; i++) {
      self.advance(500)
      self.echo()
      self.advance(500)
    }
    assert.strictEqual(self.outcome, "Probing")
    assert.isAtMost(self.detection.nonces.length, 8)
    self.give({ _tag: "Solicited", isFromUnspecified: true, nonce: 5 })
    assert.strictEqual(self.outcome, "Duplicate")
  })

  it("is done when it is done", () => {
    const self = new Claimant(0)
    self.advance(5000)
    const { detection } = self
    for (const input of [{ _tag: "Advertised" }, { _tag: "Alarm" }] as const) self.give(input)
    self.give({ _tag: "Solicited", isFromUnspecified: true, nonce: undefined })
    assert.strictEqual(self.detection, detection)
    assert.isTrue(DuplicateDetection.isOwn(self.detection, self.nonces[0]))
  })

  it("gives an address to at most one of many hosts that start together, whatever the delays (rfc: 4862 §5.4)", () => {
    for (let seed = 1; seed <= 200; seed++) {
      const random = Seeded.make(seed)
      const transmits = 1 + random.below(3)
      const isLooping = random.chance(0.3)
      const hosts = Array.from(
        { length: 1 + random.below(4) },
        (_, i) => new Claimant(random.below(1000), { transmits }, i)
      )
      // Every millisecond each host hears the probes of that time, its own too where the link loops, and the owner defends the address.
      const heard = hosts.map(() => 0)
      for (let now = 0; now < 12_000; now++) {
        for (const host of hosts) host.advance(1)
        const probes = hosts.flatMap((host, i) => host.nonces.slice(heard[i]).map((nonce) => ({ nonce, from: i })))
        hosts.forEach((host, i) => heard[i] = host.nonces.length)
        for (const { from, nonce } of probes) {
          hosts.forEach((host, i) => {
            if (i !== from || isLooping && random.chance(0.7)) {
              if (host.outcome === "Unique" && i !== from) hosts[from]!.give({ _tag: "Advertised" })
              else host.give({ _tag: "Solicited", isFromUnspecified: true, nonce })
            }
          })
        }
      }
      const owners = hosts.filter(({ outcome }) => outcome === "Unique").length
      assert.isAtMost(owners, 1, `seed ${seed}`)
      if (hosts.length === 1 && !isLooping) assert.strictEqual(owners, 1)
    }
  })
})
