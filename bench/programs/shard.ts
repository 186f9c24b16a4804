/**
 * One shard's work with nothing around it, in a thread: the same traffic replayed into a core, batch by batch, for as long as is asked.
 *
 *     main ── batches ──▶ thread: warms up, then waits ── ready ──▶ ── go ──▶ replays ── nanoseconds per segment ──▶
 */
import { parentPort, workerData } from "node:worker_threads"
import * as Step from "../rows/Step.ts"

const batches = workerData as number
const main = parentPort!

Step.data(Math.ceil(batches / 4))
main.once("message", () => {
  main.postMessage(Step.data(batches), [])
  main.close()
})
main.postMessage("ready", [])
