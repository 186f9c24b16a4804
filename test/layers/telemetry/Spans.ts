/** A tracer that keeps what it is given, for tests. */
import * as Option from "effect/Option"
import * as Tracer from "effect/Tracer"

export class Spans {
  readonly all: Array<Tracer.NativeSpan> = []

  readonly tracer = Tracer.make({
    span: (options) => {
      const span = new Tracer.NativeSpan(options)
      this.all.push(span)
      return span
    }
  })

  named(name: string): ReadonlyArray<Tracer.NativeSpan> {
    return this.all.filter((span) => span.name === name)
  }

  /** The only span of a name. */
  only(name: string, kind?: Tracer.SpanKind): Tracer.NativeSpan {
    const found = this.named(name).filter((span) => kind === undefined || span.kind === kind)
    if (found.length !== 1) throw new Error(`${found.length} spans are called ${name}`)
    return found[0]!
  }
}

export const parentOf = (span: Tracer.NativeSpan): string | undefined =>
  Option.getOrUndefined(Option.map(span.parent, ({ spanId }) => spanId))

export const eventsOf = (span: Tracer.NativeSpan): ReadonlyArray<string> => span.events.map(([name]) => name)

export const attributesOf = (span: Tracer.NativeSpan): Readonly<Record<string, unknown>> =>
  Object.fromEntries(span.attributes)

/** How long a span took in milliseconds; undefined while it lasts. */
export const lasted = ({ status }: Tracer.NativeSpan): number | undefined =>
  status._tag === "Ended" ? Number(status.endTime - status.startTime) / 1e6 : undefined
