/**
 * A folder for what failed tests leave: recordings of their hosts and a capture, for `netstack replay` and Wireshark.
 *
 * @example
 * ```ts
 * import { layer } from "@effect/vitest"
 *
 * layer(TestArtifacts.layer())("my service", (it) => {
 *   it.effect("survives loss", () => TestNetwork.run(program, { faults: { loss: 0.05 } }))
 * })
 * ```
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { Artifacts, type File, type Keeper } from "../src/testing/Artifacts.ts"

export interface Options {
  /** `test-artifacts` of the current folder if absent. It is made when the first test fails. */
  readonly folder?: string
  /** Bound on a recording, in characters; 64 MiB if absent. A longer one is left out. */
  readonly mostRecorded?: number
}

export const defaultFolder = "test-artifacts"
export const defaultMostRecorded = 64 * 1024 * 1024

const write = (folder: string, files: ReadonlyArray<File>): void => {
  mkdirSync(folder, { recursive: true })
  // A recording holds keys and data (`workers/Recording.ts`).
  for (const { content, name } of files) writeFileSync(join(folder, name), content, { mode: 0o600 })
}

export const make = (options: Options = {}): Keeper => ({
  mostRecorded: options.mostRecorded ?? defaultMostRecorded,
  keep: (run, files) =>
    Effect.sync(() => {
      const folder = join(options.folder ?? defaultFolder, run)
      write(folder, files)
      return folder
    })
})

/** Has every failing run of `TestNetwork` and `Simulator.test` leave its recordings and a capture. Recording is on from the start of each run then. */
export const layer = (options: Options = {}): Layer.Layer<never> => Layer.succeed(Artifacts, make(options))
