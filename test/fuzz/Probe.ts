/**
 * The question after the storm: does the stack still answer a ping, and does a TCP exchange with it go through? An honest neighbour
 * asks, which is another stack of the same making.
 */
import * as Time from "../../src/core/Time.ts"
import type { Address } from "../../src/wire/Address.ts"
import { Fault } from "./checks.ts"
import * as Frames from "./Frames.ts"
import * as Ipv6Packets from "./Ipv6Packets.ts"
import type { Answer, Subject } from "./Subject.ts"

/** A round of the exchange: both sides get what the other has sent, then a little time passes. */
const roundSpan = Time.millis(5)
/** Rounds until an exchange counts as failed: a minute. */
const mostRounds = 12_000
const words = Uint8Array.from({ length: 20_000 }, (_, i) => i * 7)

export interface Wire {
  readonly subject: Subject
  readonly honest: Subject
  /** Brings a frame of the honest neighbour's to the subject. */
  readonly deliver: (frame: Uint8Array) => void
  /** Lets the subject's programs do their work. */
  readonly tick: () => void
  /** Everything that the subject sends. */
  readonly heard: (frame: Uint8Array) => void
}

/** Carries frames between both, until `done` or no more time is left. */
const carry = (wire: Wire, done: () => boolean): boolean => {
  const { deliver, heard, honest, subject, tick } = wire
  for (let round = 0; round < mostRounds; round++) {
    for (const frame of honest.takeFrames()) deliver(frame)
    tick()
    for (const frame of subject.takeFrames()) {
      heard(frame)
      honest.deliver(frame, 0, frame.length)
    }
    if (done()) return true
    subject.advance(roundSpan)
    honest.advance(roundSpan)
  }
  return false
}

/** What came of a request of the honest neighbour's. */
const attempt = (wire: Wire, request: Parameters<Subject["ask"]>[0]): Answer<unknown> => {
  const ticket = wire.honest.ask(request)
  let answer: Answer<unknown> | undefined = undefined
  const isDone = carry(wire, () => (answer = wire.honest.answer(ticket)) !== undefined)
  const found = answer as Answer<unknown> | undefined
  if (isDone && found !== undefined) return found
  throw new Fault(`the stack does not answer: ${request._tag} is still waiting`)
}

const wait = (wire: Wire, request: Parameters<Subject["ask"]>[0]): unknown => {
  const answer = attempt(wire, request)
  if (answer._tag === "Met") return answer.value
  throw new Fault(`the stack does not answer: ${request._tag} failed with ${answer.reason._tag}`)
}

/**
 * An answer may go elsewhere: some frame before has claimed the neighbour's address for another, as anybody on a link may. But the
 * stack has to find out by itself, when that other one does not confirm it (RFC 4861 §7.3.3: five seconds and three probes).
 */
const pingsAtMost = 5

const ping = (wire: Wire, destination: Address): void => {
  for (let i = 0; i < pingsAtMost; i++) {
    const answer = attempt(wire, {
      _tag: "Ping",
      destination,
      source: undefined,
      payload: words.subarray(0, 3000),
      hopLimit: undefined,
      dontFragment: false,
      timeout: Time.seconds(4),
      link: undefined
    })
    if (answer._tag === "Refused") continue
    if ((answer.value as { readonly isIntact: boolean }).isIntact) return
    throw new Fault("the stack answered a ping with other bytes")
  }
  throw new Fault(`the stack does not answer: ${pingsAtMost} pings were lost`)
}

const exchange = (wire: Wire, remote: Address): void => {
  const { connection } = wait(wire, {
    _tag: "TcpConnect",
    remote,
    remotePort: 7,
    local: undefined,
    localPort: 0,
    link: undefined,
    options: {},
    block: true
  }) as { readonly connection: number }
  wait(wire, { _tag: "TcpWrite", connection, bytes: words, start: 0, end: words.length, owned: false, block: true })
  wait(wire, { _tag: "TcpShutdown", connection, read: false, write: true })
  let at = 0
  for (;;) {
    const { end, pieces } = wait(wire, { _tag: "TcpRead", connection, max: 65_536, block: true }) as {
      readonly end: boolean
      readonly pieces: ReadonlyArray<{ readonly bytes: Uint8Array; readonly start: number; readonly end: number }>
    }
    if (end) break
    for (const piece of pieces) {
      for (let i = piece.start; i < piece.end; i++, at++) {
        if (piece.bytes[i] !== words[at]) throw new Fault(`the echo differs at byte ${at}`)
      }
    }
  }
  if (at !== words.length) throw new Fault(`the echo ended after ${at} bytes of ${words.length}`)
  wait(wire, { _tag: "TcpClose", connection })
}

/** Throws a {@link Fault} that names what did not go through. */
export const probe = (wire: Wire): void => {
  for (const address of [Frames.stackAddress, Ipv6Packets.stackAddress]) {
    ping(wire, address)
    exchange(wire, address)
  }
}
