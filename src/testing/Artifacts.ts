/**
 * Where a test that failed leaves what it leaves: recordings of its hosts, a capture, the trace.
 *
 * Nowhere, unless a layer says where; `layers/TestArtifacts.ts` has one for a folder. While there is none nothing is recorded.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"

export interface File {
  readonly name: string
  readonly content: string | Uint8Array
}

export interface Keeper {
  /** Keeps the files of one failed run and answers where they are; a second run of the same name replaces them. */
  readonly keep: (run: string, files: ReadonlyArray<File>) => Effect.Effect<string>
  /** Bound on a recording, in characters; a longer one is left out. */
  readonly mostRecorded: number
}

/** The keeper of this context, if there is one. */
export const Artifacts: Context.Reference<Keeper | undefined> = Context.Reference(
  "effect-netstack/testing/Artifacts",
  { defaultValue: (): Keeper | undefined => undefined }
)
