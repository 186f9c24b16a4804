/**
 * A run of a script: its events in order, each at its time, until one of them is not as the script says.
 */
import type { Options } from "../../core/tcp/Config.ts"
import * as Time from "../../core/Time.ts"
import { RST } from "../../wire/Tcp.ts"
import { nearest } from "../../workers/nearest.ts"
import * as Bench from "./Bench.ts"
import type { Difference } from "./compareSegment.ts"
import { infoConstants } from "./constants.ts"
import { type Comparison, Conversation } from "./Conversation.ts"
import { dataCalls } from "./dataCalls.ts"
import { type Pending, type Returned, type UdpSocket, Unsupported } from "./Descriptor.ts"
import { synonyms } from "./Errno.ts"
import { isEllipsis, numberOf } from "./evaluate.ts"
import { freeBsdInfo, mannerOf } from "./freeBsd.ts"
import { ofHost } from "./hostKnobs.ts"
import { Kernel } from "./Kernel.ts"
import { freeBsdDefaults, freeBsdRack, type Knobs, linuxKernel, merge, noKnobs } from "./Knobs.ts"
import { machineOf } from "./machine.ts"
import { optionCalls } from "./optionCalls.ts"
import { pollCalls } from "./pollCalls.ts"
import * as Python from "./Python.ts"
import { runCommand } from "./runCommand.ts"
import type { Settings } from "./Settings.ts"
import { type Handler, socketCalls } from "./socketCalls.ts"
import type { Call, Code, Event, Packet, TcpPacket, UdpPacket } from "./Syntax.ts"
import { tcpInfo } from "./tcpInfo.ts"

/** A line of the protocol of a run: what the script says beside what the host did. */
export interface Line {
  /** Microseconds from the start. */
  readonly at: number
  readonly line: number | undefined
  readonly script: string
  readonly host: string
}

/** Something that was left out. */
export interface Skip {
  readonly line: number
  readonly what: string
}

/** An event was not as the script says. */
export class Failure extends Error {
  readonly line: number
  readonly differences: ReadonlyArray<Difference>

  constructor(line: number, differences: ReadonlyArray<Difference>) {
    super(differences.map(({ expected, got, what }) => `${what}: expected ${expected}, got ${got}`).join("; "))
    this.line = line
    this.differences = differences
  }
}

/** A call that blocks. */
interface Blocked {
  readonly event: Event
  readonly call: Call
  readonly poll: Pending
  /** When it is to return. */
  readonly until: number
}

const handlers: Readonly<Record<string, Handler>> = { ...socketCalls, ...dataCalls, ...optionCalls, ...pollCalls }

const unknownCall = (name: string): Unsupported => {
  const meant = nearest(name, Object.keys(handlers))
  return new Unsupported(`the call ${name}${meant === undefined ? "" : ` (is ${meant} meant?)`}`)
}

/** The host's next packet as what the script expects. */
const compared = (conversation: Conversation, packet: Packet): Comparison => {
  switch (packet._tag) {
    case "TcpPacket":
      return conversation.expect(packet)
    case "IcmpPacket":
      return conversation.expectIcmp(packet)
    case "UdpPacket":
      return conversation.expectUdp(packet)
  }
}

/** A name for each error, whichever of its names the script has. */
const plainErrno = (errno = ""): string => synonyms[errno] ?? errno

const seconds = (micros: number): string => (micros / 1e6).toFixed(6)

export class Session {
  readonly lines: Array<Line> = []
  readonly skips: Array<Skip> = []
  /** The line of the event that is being done. */
  line = 1
  private settings: Settings
  /** What the system that the script was written for begins with, and what commands have set on top of it. */
  private base: Knobs = { tcp: linuxKernel, limits: {} }
  private knobs: Knobs = noKnobs
  private isFreeBsd = false
  private parts:
    | { readonly bench: Bench.Bench; readonly kernel: Kernel; readonly conversation: Conversation }
    | undefined
  private blocked: Blocked | undefined
  private readonly names: Python.Names = new Map(Object.entries(infoConstants))
  /** The time of the event before, by the script. */
  private last = 0
  private before = 0

  constructor(settings: Settings) {
    this.settings = settings
    if (settings.initCommands !== "") this.apply(1, settings.initCommands)
  }

  /** The host, which begins when the first event needs it: until then commands set what it is made of. */
  private get running(): NonNullable<Session["parts"]> {
    if (this.parts !== undefined) return this.parts
    const { bindPort, connectPort, local, remote } = this.settings
    const knobs = merge(this.base, this.knobs)
    const bench = new Bench.Bench(this.settings, knobs, () => this.progress())
    this.parts = {
      bench,
      kernel: new Kernel(
        bench.host,
        { local, remote, bindPort, connectPort },
        {},
        (what) => this.skips.push({ line: this.line, what })
      ),
      conversation: new Conversation(bench, this.settings, knobs.fastOpenKeys)
    }
    return this.parts
  }

  run(events: ReadonlyArray<Event>): void {
    const manner = mannerOf(events, this.settings.initCommands !== "")
    if (manner !== "other") this.becomeFreeBsd(manner === "rack")
    this.base = merge(this.base, { tcp: machineOf(events), limits: {} })
    for (const event of events) this.perform(event)
    this.finishBlocked()
    const defects = this.parts?.bench.host.counter("defects") ?? 0
    if (defects > 0) {
      throw new Failure(events.at(-1)!.line, [{ what: "defects of the host", expected: "0", got: `${defects}` }])
    }
  }

  /** What the host has sent and nobody asked for. */
  leftovers(): void {
    if (this.parts === undefined) return
    const { bench, conversation } = this.parts
    for (const { at, bytes } of bench.sent) {
      this.lines.push({ at, line: undefined, script: "", host: conversation.describe(bytes) })
    }
  }

  private perform(event: Event): void {
    const { action, time } = event
    const at = time._tag === "Any" ? this.last : time.from + (time.isRelative ? this.last : 0)
    this.before = this.last
    this.line = event.line
    if (action._tag === "TcpPacket" || action._tag === "IcmpPacket" || action._tag === "UdpPacket") {
      if (action.direction === "out") return this.expect(event, action, at)
    }
    if (this.parts !== undefined || at > 0) this.running.bench.advanceTo(at)
    this.last = at
    switch (action._tag) {
      case "TcpPacket":
        this.note(event, "")
        return this.deliver(action)
      case "IcmpPacket":
        this.note(event, "")
        return this.running.conversation.deliverIcmp(action)
      case "UdpPacket":
        this.note(event, "")
        return this.deliverUdp(action)
      case "Call":
        return this.call(event, action)
      case "Command":
        return this.command(event, action.text)
      case "Code":
        return this.check(event, action)
    }
  }

  private note({ line, text }: Event, host: string, at = this.parts?.bench.now ?? 0): void {
    this.lines.push({ at, line, script: text, host })
  }

  private deliver(packet: TcpPacket): void {
    const { conversation, kernel } = this.running
    const port = this.listeningPort()
    if ((packet.flags & RST) === 0) return conversation.deliver(packet, port)
    kernel.reset(() => conversation.deliver(packet, port))
  }

  private deliverUdp(packet: UdpPacket): void {
    const { conversation, kernel } = this.running
    const bound = [...kernel.descriptors.values()].findLast((each): each is UdpSocket => each._tag === "Udp")
    conversation.deliverUdp(packet, bound?.port, bound?.remotePort ?? 0)
  }

  private listeningPort(): number | undefined {
    let port: number | undefined
    for (const descriptor of this.running.kernel.descriptors.values()) {
      if (descriptor._tag === "Tcp" && descriptor.listener !== undefined) port = descriptor.port
    }
    return port
  }

  /** How far from a time of the script an event may be. */
  private tolerance(at: number): number {
    const { toleranceMicros, toleranceShare } = this.settings
    return Math.max(toleranceMicros, (at - this.before) * toleranceShare)
  }

  private timing(what: string, from: number, to: number, at: number): ReadonlyArray<Difference> {
    const tolerance = this.tolerance(from)
    if (at >= from - tolerance && at <= to + tolerance) return []
    const expected = from === to ? seconds(from) : `${seconds(from)} to ${seconds(to)}`
    return [{ what, expected: `${expected} s`, got: `${seconds(at)} s` }]
  }

  private expect(event: Event, packet: Packet, at: number): void {
    const { bench, conversation } = this.running
    const { time } = event
    const isAny = time._tag === "Any"
    const to = time._tag === "At" && time.to !== undefined ? time.to + (time.isRelative ? this.last : 0) : at
    const deadline = isAny ? Infinity : to + this.tolerance(at)
    if (packet._tag === "TcpPacket") conversation.turnTo(packet)
    const came = bench.waitUntil(() => conversation.hasNext(), deadline)
    if (!came) {
      this.note(event, "nothing")
      throw new Failure(event.line, [{
        what: "packet",
        expected: event.text,
        got: `nothing until ${seconds(bench.now)} s`
      }])
    }
    const comparison = compared(conversation, packet)
    this.note(event, comparison.text, comparison.at)
    // What follows counts from the time at which this happened, within a range or not quite as the script has it.
    this.last = Math.max(bench.now, comparison.at)
    const late = isAny ? [] : this.timing("time of the packet", at, to, comparison.at)
    const differences = [...comparison.differences, ...late]
    if (differences.length > 0) throw new Failure(event.line, differences)
  }

  private call(event: Event, call: Call): void {
    this.finishBlocked()
    const handler = handlers[call.name]
    if (handler === undefined) throw unknownCall(call.name)
    const { bench, conversation, kernel } = this.running
    kernel.options = this.optionsOfSockets()
    kernel.fastOpen = merge(this.base, this.knobs).tcp.fastOpen ?? "client"
    kernel.isFreeBsd = this.isFreeBsd
    kernel.tolerance = this.settings.toleranceMicros
    kernel.wakeAt = Time.never
    const poll = handler(kernel, call.args, call)
    bench.collect()
    bench.wake(kernel.wakeAt)
    if (call.until !== undefined) {
      const isRelative = event.time._tag === "At" && event.time.isRelative
      const until = call.until + (isRelative ? this.before : 0)
      this.blocked = { event, call, poll, until }
      this.note(event, "")
      return this.progress()
    }
    const result = poll()
    this.note(event, result === undefined ? "it blocks" : this.describe(result))
    if (result === undefined) {
      throw new Failure(event.line, [{ what: "call", expected: "a result at once", got: "it blocks" }])
    }
    this.verify(event, call, result)
    // What comes in from now on is for the socket that listens.
    if (call.name === "listen" && result.value === 0) conversation.begin()
  }

  /** Commands after the host's start change what further sockets are given. */
  private optionsOfSockets(): Options {
    const { opensAllListeners = false, tcp } = merge(this.base, this.knobs)
    const mine = Object.entries(tcp).filter(([name]) => !ofHost.has(name) && name !== "transmitCreditBytes")
    // Whatever the host allows, a socket uses Fast Open when its program asks for it.
    return { ...Object.fromEntries(mine) as Options, fastOpen: opensAllListeners ? "server" : "off" }
  }

  private describe({ errno, value, wrong }: Returned): string {
    return [String(value), errno, wrong].filter((word) => word !== undefined).join(" ")
  }

  private verify({ line }: Event, call: Call, result: Returned): void {
    const differences: Array<Difference> = []
    const { errno, value, wrong } = result
    const isAny = isEllipsis(call.result)
    const expected = isAny ? value : numberOf(call.result)
    // An error that the script does not name may be any.
    const isOtherError = !isAny && call.errno !== undefined && plainErrno(call.errno) !== plainErrno(errno)
    if (expected !== value || isOtherError) {
      const wanted = [String(expected), call.errno].filter((word) => word !== undefined).join(" ")
      differences.push({
        what: `result of ${call.name}`,
        expected: wanted,
        got: [value, errno].filter((word) => word !== undefined).join(" ")
      })
    }
    if (wrong !== undefined) differences.push({ what: call.name, expected: "what the script has", got: wrong })
    if (differences.length > 0) throw new Failure(line, differences)
  }

  /** Looks whether the call that blocks has returned. */
  private progress(): void {
    this.parts?.kernel.progress(this.parts.bench.now)
    const { blocked } = this
    const result = blocked?.poll()
    if (blocked === undefined || result === undefined) return
    this.blocked = undefined
    const { call, event, until } = blocked
    const { now } = this.running.bench
    this.lines.push({ at: now, line: event.line, script: `… ${call.name} returns`, host: this.describe(result) })
    this.verify(event, call, result)
    const late = this.timing(`return of ${call.name}`, until, until, now)
    if (late.length > 0) throw new Failure(event.line, late)
  }

  private finishBlocked(): void {
    const { blocked } = this
    if (blocked === undefined) return
    const { bench } = this.running
    bench.waitUntil(() => this.blocked === undefined, blocked.until + this.tolerance(blocked.until))
    if (this.blocked !== undefined) {
      const { call, event, until } = blocked
      throw new Failure(event.line, [{
        what: `return of ${call.name}`,
        expected: `${seconds(until)} s`,
        got: "it still blocks"
      }])
    }
  }

  private command(event: Event, text: string): void {
    this.note(event, "")
    this.apply(event.line, text)
  }

  private becomeFreeBsd(isRack: boolean): void {
    this.isFreeBsd = true
    this.base = { tcp: isRack ? { ...freeBsdDefaults, ...freeBsdRack } : freeBsdDefaults, limits: {} }
  }

  /** Does what commands say, as far as it is known. */
  private apply(line: number, text: string): void {
    const { isFreeBsd, knobs, lasts, mtu, unknown } = runCommand(text)
    if (isFreeBsd && !this.isFreeBsd) this.becomeFreeBsd(false)
    for (const what of unknown) this.skips.push({ line, what: `command: ${what}` })
    if (mtu !== undefined && this.parts === undefined) this.settings = { ...this.settings, mtu }
    else if (mtu !== undefined) this.running.bench.setMtu(mtu)
    if (lasts !== undefined) this.running.bench.advanceTo(this.running.bench.now + lasts)
    const late = this.parts === undefined ? [] : Object.keys(knobs.tcp).filter((name) => ofHost.has(name))
    for (const name of late) this.skips.push({ line, what: `command: ${name} of a running host` })
    this.knobs = merge(this.knobs, knobs)
  }

  private check(event: Event, { text }: Code): void {
    this.note(event, "")
    this.learnInfo()
    const { broken, unknown } = Python.run(text, this.names)
    for (const what of unknown) this.skips.push({ line: event.line, what: `assertion: ${what}` })
    if (broken === undefined) return
    const found = [this.values(broken.assertion), broken.message].filter((word) => word !== "").join("; ")
    throw new Failure(event.line, [{ what: "assertion", expected: broken.assertion, got: found }])
  }

  /** What assertions may name of the connection of the present. */
  private learnInfo(): void {
    const { conversation, kernel } = this.running
    const info = kernel.current === undefined ? undefined : kernel.info(kernel.current)
    if (info === undefined) return
    const linux = tcpInfo(info)
    for (const [name, value] of this.isFreeBsd ? freeBsdInfo(info, linux) : linux) this.names.set(name, value)
    if (!conversation.hasEarlyText(info.localPort, info.remotePort)) return
    this.names.set("tcpi_options", Number(this.names.get("tcpi_options")) | infoConstants["TCPI_OPT_SYN_DATA"]!)
  }

  /** The values of the names in an assertion. */
  private values(assertion: string): string {
    const names = new Set(assertion.match(/[A-Za-z_]\w*/g) ?? [])
    return [...names].filter((name) => this.names.has(name)).map((name) => `${name} = ${String(this.names.get(name))}`)
      .join(", ")
  }
}
