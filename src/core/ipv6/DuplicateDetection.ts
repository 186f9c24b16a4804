/**
 * Whether an address is free: asking the link before it is used (RFC 4862 §5.4), with nonces that tell a neighbour from the own echo (RFC 7527 §4).
 *
 *     Waiting ──random delay──▶ Probing ──nobody answers the last probe──▶ Unique
 *        │                       │    ▲ an own probe came back: three more
 *        └───── it is somebody's ┴─────────────────────────────────────▶ Duplicate
 *
 * A leaf machine, one for each address. An optimistic address (RFC 4429) is probed in the same way while it is used already; what it may not do
 * until then is the business of whoever sends.
 */
import * as Time from "../Time.ts"

/** 48 bits that a probe carries (RFC 3971 §5.3.2: at least six octets). */
export type Nonce = number

export type Phase =
  /** The group of the address is joined, and the first probe sent, after a delay. */
  | { readonly _tag: "Waiting" }
  | { readonly _tag: "Probing"; readonly left: number; readonly isLooped: boolean }
  | { readonly _tag: "Unique" }
  | { readonly _tag: "Duplicate" }

export interface DuplicateDetection {
  readonly phase: Phase
  /** Of the probes sent last. */
  readonly nonces: ReadonlyArray<Nonce>
  /** Nonces drawn so far. */
  readonly draws: number
  readonly deadline: Time.Instant
}

export type Input =
  /** A valid solicitation for the address (RFC 4862 §5.4.3). */
  | { readonly _tag: "Solicited"; readonly isFromUnspecified: boolean; readonly nonce: Nonce | undefined }
  /** A valid advertisement of the address (RFC 4862 §5.4.4). */
  | { readonly _tag: "Advertised" }
  | { readonly _tag: "Alarm" }

export type Action =
  /** Tell the routers and switches that packets to the address's solicited-node group are wanted; hear them from the start (RFC 4862 §5.4.2). */
  | { readonly _tag: "Join" }
  /** Solicit the address from the unspecified address, with this nonce. */
  | { readonly _tag: "Probe"; readonly nonce: Nonce }
  /** The address may be used. */
  | { readonly _tag: "Assign" }
  /** The address is somebody else's and must not be used (RFC 4862 §5.4.5). */
  | { readonly _tag: "Refuse" }
  /** The link sends back what it is given. */
  | { readonly _tag: "NoticeLoop" }

export type Outcome = readonly [DuplicateDetection, ReadonlyArray<Action>]

export interface Settings {
  /** DupAddrDetectTransmits (RFC 4862 §5.1); 0 probes nothing. */
  readonly transmits: number
  /** RetransTimer (RFC 4861 §6.3.2). */
  readonly retransmit: Time.Span
  /** A 48-bit number that nobody can guess, different for every `draw`. */
  readonly nonce: (draw: number) => Nonce
}

export const defaultTransmits = 1
/** RFC 4861 §10: MAX_MULTICAST_SOLICIT */
const probesAfterLoop = 3
/** An echo that comes after as many later probes is taken for a neighbour's. */
const rememberedNonces = 8
/** RFC 4861 §10: MAX_RTR_SOLICITATION_DELAY, the most that the first probe of an interface waits at random. */
export const maximumDelay = Time.seconds(1)

const nothing: ReadonlyArray<Action> = Object.freeze([])

const fresh: DuplicateDetection = Object.freeze({
  phase: Object.freeze({ _tag: "Waiting" }),
  nonces: Object.freeze([]),
  draws: 0,
  deadline: Time.never
})

/**
 * Starts. `delay` is random up to {@link maximumDelay} for the first message of an interface, and for an address that an advertisement to all nodes
 * gave (rfc: 4862 §5.4.2 SHOULD), and zero otherwise.
 */
export const begin = (delay: Time.Span, at: Time.Instant, settings: Settings): Outcome => {
  // rfc: 4862 §5.4: without probes there is no detection
  if (settings.transmits <= 0) return [{ ...fresh, phase: { _tag: "Unique" } }, [{ _tag: "Join" }, { _tag: "Assign" }]]
  const waiting = { ...fresh, deadline: Time.plus(at, delay) }
  return delay > 0 ? [waiting, nothing] : step(waiting, { _tag: "Alarm" }, at, settings)
}

export const step = (self: DuplicateDetection, input: Input, at: Time.Instant, settings: Settings): Outcome => {
  switch (self.phase._tag) {
    case "Unique":
    case "Duplicate":
      return [self, nothing]
    case "Waiting":
    case "Probing":
      switch (input._tag) {
        case "Solicited":
          return onSolicited(self, input)
        case "Advertised":
          // rfc: 4862 §5.4.4
          return refused(self)
        case "Alarm":
          return self.deadline <= at ? onAlarm(self, self.phase, at, settings) : [self, nothing]
      }
  }
}

/** Whether a probe with this nonce is one of ours that came back. */
export const isOwn = (self: DuplicateDetection, nonce: Nonce | undefined): boolean =>
  nonce !== undefined && self.nonces.includes(nonce)

const refused = (self: DuplicateDetection): Outcome => [
  { ...self, phase: { _tag: "Duplicate" }, deadline: Time.never },
  [{ _tag: "Refuse" }]
]

const onSolicited = (self: DuplicateDetection, input: Extract<Input, { readonly _tag: "Solicited" }>): Outcome => {
  // rfc: 4862 §5.4.3: somebody wants to talk to the owner of the address, which this host is not yet
  if (!input.isFromUnspecified) return [self, nothing]
  // rfc: 7527 §4.2: who probes with another nonce, or without one, wants the address too
  if (self.phase._tag !== "Probing" || !isOwn(self, input.nonce)) return refused(self)
  return [{ ...self, phase: { ...self.phase, isLooped: true } }, [{ _tag: "NoticeLoop" }]]
}

const onAlarm = (
  self: DuplicateDetection,
  phase: Extract<Phase, { readonly _tag: "Waiting" | "Probing" }>,
  at: Time.Instant,
  settings: Settings
): Outcome => {
  if (phase._tag === "Waiting") {
    const [probing, actions] = probe(self, settings.transmits, false, at, settings)
    return [probing, [{ _tag: "Join" }, ...actions]]
  }
  if (phase.left > 0) return probe(self, phase.left, phase.isLooped, at, settings)
  // rfc: 7527 §4.1: as long as the link returns probes, their silence proves nothing
  if (phase.isLooped) return probe(self, probesAfterLoop, false, at, settings)
  return [{ ...self, phase: { _tag: "Unique" }, deadline: Time.never }, [{ _tag: "Assign" }]]
}

/** Sends one of `left` probes, each with a nonce of its own (rfc: 7527 §4.1 MUST). */
const probe = (
  self: DuplicateDetection,
  left: number,
  isLooped: boolean,
  at: Time.Instant,
  settings: Settings
): Outcome => {
  const nonce = settings.nonce(self.draws)
  return [
    {
      phase: { _tag: "Probing", left: left - 1, isLooped },
      nonces: [...self.nonces.slice(1 - rememberedNonces), nonce],
      draws: self.draws + 1,
      deadline: Time.plus(at, settings.retransmit)
    },
    [{ _tag: "Probe", nonce }]
  ]
}
