/**
 * The stack under test as the fuzzer drives it: frames in, frames out, time by hand, requests of programs.
 */
import type { Reason } from "../../src/core/Reason.ts"
import type { AnswerOf, Request, Ticket } from "../../src/core/Request.ts"
import type { State } from "../../src/core/State.ts"
import type { Span } from "../../src/core/Time.ts"

/** What came of a request. */
export type Answer<A> =
  | { readonly _tag: "Met"; readonly value: A }
  | { readonly _tag: "Refused"; readonly reason: Reason }

/** The request of that tag, and its answer. */
type Tag = Request["_tag"]
type Of<T extends Tag> = Extract<Request, { readonly _tag: T }>

export interface Subject {
  /** For looking only. */
  readonly state: State
  /** Brings a frame, which is the caller's again when this returns. */
  readonly deliver: (bytes: Uint8Array, start: number, end: number) => void
  /** Lets time pass, and ring what is due. */
  readonly advance: (span: Span) => void
  /** A request that is answered at once or waits; its answer comes by {@link Subject.answer}. */
  readonly ask: (request: Request) => Ticket
  /** The answer of a ticket, once. */
  readonly answer: (ticket: Ticket) => Answer<unknown> | undefined
  /** Something that has no answer. */
  readonly tell: (request: Request) => void
  /** Nobody waits for the ticket any more. */
  readonly abandon: (ticket: Ticket) => void
  /** What the stack has sent since the last call, each a copy. */
  readonly takeFrames: () => ReadonlyArray<Uint8Array>
  /** Causes of events that threw. */
  readonly defects: ReadonlyArray<unknown>
}

/** A request that does not wait: its answer, which is always there. */
export const ask = <T extends Tag>(
  subject: Subject,
  request: { readonly _tag: T } & Of<T>
): Answer<AnswerOf<Of<T>>> => {
  const answer = subject.answer(subject.ask(request))
  if (answer === undefined) throw new Error(`${request._tag} was not answered at once`)
  return answer as Answer<AnswerOf<Of<T>>>
}

/** The value of a request that must be met. */
export const met = <T extends Tag>(subject: Subject, request: { readonly _tag: T } & Of<T>): AnswerOf<Of<T>> => {
  const answer = ask<T>(subject, request)
  if (answer._tag === "Refused") throw new Error(`${request._tag} was refused: ${answer.reason._tag}`)
  return answer.value
}
