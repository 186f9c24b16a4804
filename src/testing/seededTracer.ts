/**
 * A tracer whose spans have the same numbers in each run: they go over the wire with requests (`traceparent`, `b3`), where random ones
 * would make two runs of one seed differ. In all else it is Effect's own.
 */
import * as Option from "effect/Option"
import * as Tracer from "effect/Tracer"
import * as EntropySource from "../workers/EntropySource.ts"

const hex = (bytes: Uint8Array): string => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("")

const traceBytes = 16
const spanBytes = 8

type Options = ConstructorParameters<typeof Tracer.NativeSpan>[0]

class SeededSpan extends Tracer.NativeSpan {
  private readonly trace: string
  private readonly span: string

  constructor(options: Options, generate: (bytes: number) => Uint8Array) {
    super(options)
    this.trace = Option.getOrUndefined(options.parent)?.traceId ?? hex(generate(traceBytes))
    this.span = hex(generate(spanBytes))
  }

  override get traceId(): string {
    return this.trace
  }

  override get spanId(): string {
    return this.span
  }
}

export const seededTracer = (seed: number): Tracer.Tracer => {
  const generate = EntropySource.seeded(seed)
  return Tracer.make({ span: (options) => new SeededSpan(options, generate) })
}
