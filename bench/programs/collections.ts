/**
 * Loaded before a program (`node --import`): adds up what its garbage collections take. On SIGUSR2 it prints a line and begins again.
 */
import { PerformanceObserver } from "node:perf_hooks"

let milliseconds = 0
let longest = 0
let questions = 0

const add = (entries: ReadonlyArray<{ readonly duration: number }>): void => {
  for (const { duration } of entries) {
    milliseconds += duration
    longest = Math.max(longest, duration)
  }
}

const observer = new PerformanceObserver((list) => add(list.getEntries()))
observer.observe({ entryTypes: ["gc"] })

process.on("SIGUSR2", () => {
  // Entries are handed over a turn of the event loop after they were made.
  setImmediate(() => {
    add(observer.takeRecords())
    process.stdout.write(`collections ${++questions}: ${JSON.stringify({ milliseconds, longest })}\n`)
    milliseconds = 0
    longest = 0
  })
})
