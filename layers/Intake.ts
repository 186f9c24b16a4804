/**
 * How a stream of Node takes data from a connection: asks when it wants some, for as much as it has room for, without a fiber.
 *
 * ```
 *   want ─▶ readUnsafe ─▶ answer, answer … the last ─▶ wants more? ─▶ readUnsafe …        no: until the next want
 * ```
 *
 * What is asked for comes piece by piece, each as it arrives: a stream that has enough meanwhile gets the rest of it all the same.
 */
import * as Exit from "effect/Exit"
import { AsyncResource } from "node:async_hooks"
import type * as Tcp from "../src/sockets/Tcp.ts"
import type * as TcpConnection from "../src/sockets/TcpConnection.ts"

/** What a read gives: chunks, none of them at the end, or an error. */
export type Answer = Exit.Exit<ReadonlyArray<Uint8Array>, Tcp.TcpError>

export class Intake {
  /** Takes an answer and tells whether more is wanted; must not throw. */
  private readonly take: (answer: Answer) => boolean
  /** What belongs to the maker of the stream, whose listeners hear of data within it. */
  private readonly context = new AsyncResource("NodeDuplex")
  private connection: TcpConnection.TcpConnection | undefined
  /** The stream has asked for data since it was given some, or has room for more. */
  private isWanted = false
  private mostAtOnce = 0
  private isPulling = false
  /** The connection has been asked, and its last answer has not come. */
  private isAsking = false
  private isOver = false
  private giveUp: (() => void) | undefined

  constructor(take: (answer: Answer) => boolean) {
    this.take = take
  }

  start(connection: TcpConnection.TcpConnection): void {
    this.connection = connection
    this.pull()
  }

  want(mostAtOnce: number): void {
    this.isWanted = true
    this.mostAtOnce = mostAtOnce
    this.pull()
  }

  /** Takes back the question that waits, and asks no other. */
  end(): void {
    this.isOver = true
    this.giveUp?.()
    this.giveUp = undefined
  }

  /** An answer that comes inside the call is taken in the loop, not by a call within a call: what is there already could go on for long. */
  private pull(): void {
    if (this.isPulling || this.connection === undefined) return
    this.isPulling = true
    while (this.isWanted && !this.isAsking && !this.isOver) {
      this.isAsking = true
      this.giveUp = this.connection.readUnsafe(this.mostAtOnce, this.answered)
    }
    this.isPulling = false
  }

  /** Inside the call, or later and then in the context of whoever made the stream. */
  private readonly answered = (answer: Answer, isLast: boolean): void => {
    if (isLast) {
      this.isAsking = false
      this.giveUp = undefined
    }
    if (this.isPulling) return this.accept(answer)
    this.context.runInAsyncScope(this.accept, this, answer)
    this.pull()
  }

  private accept(answer: Answer): void {
    if (Exit.isFailure(answer) || answer.value.length === 0) this.isOver = true
    // Who takes it may ask for more inside the call.
    this.isWanted = false
    if (this.take(answer)) this.isWanted = true
  }
}
