/**
 * One round: a fresh stack with its programs, some hundred thousand frames, and all checks. A round is told by its seed, its number and
 * its length, and goes the same way each time.
 */
import * as Time from "../../src/core/Time.ts"
import * as Address from "../../src/wire/Address.ts"
import * as Arp from "../../src/wire/Arp.ts"
import * as Ethernet from "../../src/wire/Ethernet.ts"
import * as IpProtocol from "../../src/wire/IpProtocol.ts"
import * as Ipv6 from "../../src/wire/Ipv6.ts"
import * as Malformed from "../../src/wire/Malformed.ts"
import * as Ndp from "../../src/wire/Ndp.ts"
import { renew } from "./administer.ts"
import * as checks from "./checks.ts"
import * as Frames from "./Frames.ts"
import * as FuzzHost from "./FuzzHost.ts"
import * as Ipv6Packets from "./Ipv6Packets.ts"
import { make } from "./makers.ts"
import * as NdpFrames from "./ndpFrames.ts"
import * as Probe from "./Probe.ts"
import { Programs } from "./Programs.ts"
import { Random } from "./Random.ts"
import { Scene } from "./Scene.ts"
import type { Subject } from "./Subject.ts"

/** Frames between two ticks of the programs, on the average. */
const framesPerTick = 8
/** Frames between looks at the accounts, and between probes. */
const framesPerAccount = 512
const framesPerProbe = 50_000

export interface Report {
  readonly frames: number
  readonly sent: number
  readonly accepted: number
  readonly drops: ReturnType<typeof checks.drops>
}

/** Sees each frame that goes in, with the time at which it does, in microseconds from the start of the round. */
export type Witness = (frame: Uint8Array, at: number) => void

export class Session {
  readonly subject: FuzzHost.FuzzHost
  private readonly honest: Subject
  private readonly random: Random
  private readonly scene: Scene
  private readonly programs: Programs
  private readonly target = Frames.buffer()
  private readonly witness: Witness | undefined
  private now = 0
  private sent = 0
  /** Frames that went in. */
  delivered = 0

  constructor(seed: number, round: number, witness?: Witness) {
    this.random = new Random(seed, round)
    this.scene = new Scene(this.random)
    this.subject = FuzzHost.make({ mac: Frames.stackMac, address: Frames.stackAddress }, checks.limits)
    this.honest = FuzzHost.make(Frames.honest)
    this.programs = new Programs(this.subject, new Random(seed, -round - 1))
    this.witness = witness
    FuzzHost.autoconfigure(this.subject)
    this.programs.start()
    this.findAddresses()
  }

  /** Runs the round to its end, or throws what is wrong. */
  run(frames: number, goOn: () => boolean = () => true): Report {
    while (this.delivered < frames && goOn()) {
      this.frame()
      if (this.delivered % framesPerAccount === 0) checks.accounts(this.subject)
      if (this.delivered % framesPerProbe === 0) this.probe()
    }
    this.probe()
    const drops = checks.drops(this.subject.state)
    this.end()
    return { frames: this.delivered, sent: this.sent, accepted: this.programs.accepted, drops }
  }

  private frame(): void {
    const { random, scene, subject, target } = this
    make(target, scene)
    this.bring(target.bytes, target.end)
    this.delivered += 1
    checks.afterFrame(subject)
    this.listen()
    if (random.below(framesPerTick) === 0) this.programs.tick()
    this.pass()
    this.listen()
  }

  private bring(bytes: Uint8Array, end: number): void {
    this.witness?.(bytes.slice(0, end), this.now)
    this.subject.deliver(bytes, 0, end)
  }

  /** Mostly no time at all; now and then enough for a retransmission, rarely for every timer there is. */
  private pass(): void {
    const { random } = this
    if (random.chance(0.8)) return
    const span = random.weighted<() => Time.Span>([
      [1000, () => Time.micros(random.between(1, 2000))],
      [100, () => Time.millis(random.between(1, 300))],
      [10, () => Time.seconds(random.between(1, 5))],
      [1, () => Time.seconds(random.between(5, 200))]
    ])()
    this.now += span
    this.subject.advance(span)
    this.honest.advance(span)
    checks.afterFrame(this.subject)
  }

  /** Looks at what the stack has sent, and mostly answers when it asks for a neighbour. */
  private listen(): void {
    for (const frame of this.subject.takeFrames()) {
      this.heard(frame)
      if (this.random.chance(0.9)) this.answer(frame)
    }
  }

  private readonly heard = (frame: Uint8Array): void => {
    this.sent += 1
    checks.sent(frame)
    this.scene.hear(frame)
  }

  private answer(frame: Uint8Array): void {
    const ethernet = Ethernet.parse(frame, 0, frame.length)
    if (Malformed.isMalformed(ethernet)) return
    if (ethernet.type === Ethernet.EtherType.arp) this.answerArp(frame, ethernet)
    if (ethernet.type === Ethernet.EtherType.ipv6) this.answerSolicitation(frame, ethernet)
  }

  private answerArp(frame: Uint8Array, ethernet: Ethernet.Header): void {
    const asked = Arp.parse(frame, ethernet.payloadStart, ethernet.payloadEnd)
    if (Malformed.isMalformed(asked) || asked.operation !== Arp.Operation.request) return
    const peer = Frames.peers.find(({ address }) => address === asked.targetIp)
    if (peer === undefined) return
    const { senderIp: targetIp, senderMac: targetMac } = asked
    const answer = { operation: Arp.Operation.reply, senderMac: peer.mac, senderIp: peer.address, targetMac, targetIp }
    Frames.arp(this.target, answer, peer.mac, targetMac)
    this.bring(this.target.bytes, this.target.end)
  }

  private answerSolicitation(frame: Uint8Array, ethernet: Ethernet.Header): void {
    const ip = Ipv6.parse(frame, ethernet.payloadStart, ethernet.payloadEnd)
    if (Malformed.isMalformed(ip) || ip.protocol !== IpProtocol.icmpv6) return
    const asked = Ndp.parse(frame, ip.payloadStart, ip.payloadEnd)
    if (Malformed.isMalformed(asked) || asked._tag !== "NeighborSolicitation") return
    const isOf = ({ address, mac }: Frames.Host): boolean =>
      Address.equals(asked.target, Ipv6Packets.of(address)) || Address.equals(asked.target, Ipv6Packets.linkLocal(mac))
    const peer = Frames.peers.find(isOf)
    if (peer === undefined || Address.isUnspecified(ip.source)) return
    NdpFrames.answer(this.target, peer, asked.target, { source: ip.source, mac: ethernet.source })
    this.bring(this.target.bytes, this.target.end)
  }

  /** Nobody else has the addresses: both hosts may use them a few seconds later. */
  private findAddresses(): void {
    for (const host of [this.subject, this.honest]) {
      host.advance(Time.seconds(5))
      for (const frame of host.takeFrames()) if (host === this.subject) this.heard(frame)
    }
    this.now += Time.seconds(5)
  }

  private probe(): void {
    this.programs.drain()
    renew(this.subject)
    this.findAddresses()
    Probe.probe({
      subject: this.subject,
      honest: this.honest,
      deliver: (frame) => this.bring(frame, frame.length),
      tick: () => this.programs.tick(),
      heard: this.heard
    })
    checks.afterFrame(this.subject)
  }

  /** Closes everything and lets an hour pass, after which nothing may be left. */
  private end(): void {
    this.programs.stop()
    for (let minute = 0; minute < 60; minute++) {
      this.subject.advance(Time.seconds(60))
      for (const frame of this.subject.takeFrames()) this.heard(frame)
    }
    checks.afterFrame(this.subject)
    checks.quiet(this.subject)
  }
}
