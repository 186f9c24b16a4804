/** The measurements of `Measurements.ts` as tables in Markdown. */
import * as Time from "../../src/core/Time.ts"
import * as Measurements from "./Measurements.ts"

type Cell = string | number

const table = (header: ReadonlyArray<Cell>, rows: ReadonlyArray<ReadonlyArray<Cell>>): string => {
  const line = (cells: ReadonlyArray<Cell>): string => `| ${cells.join(" | ")} |`
  return [line(header), line(header.map((_, i) => i === 0 ? "---" : "---:")), ...rows.map(line)].join("\n")
}

const percent = (share: number, digits = 0): string => `${(share * 100).toFixed(digits)} %`

const lossName = (loss: number): string => percent(loss, loss > 0 && loss < 0.01 ? 1 : 0)

/** Megabits per second: as many digits as mean something. */
const megabits = (rate: number): string => rate >= 1e8 ? (rate / 1e6).toFixed(0) : (rate / 1e6).toPrecision(2)

/** The rate of a window that halves at each loss (Mathis, Semke, Mahdavi, Ott 1997): MSS/RTT · √(3/2p), or the line's. */
const mathis = (loss: number, rtt: number): number =>
  loss === 0
    ? Measurements.lineRate
    : Math.min(Measurements.lineRate, Measurements.segmentBytes * 8 / (rtt / 1000) * Math.sqrt(1.5 / loss))

/** Goodput in Mbit/s: a row for each round trip and controller, a column for each loss. */
export const goodput = (bytes: number, seeds: number): string => {
  const { controllers, losses, roundTrips } = Measurements
  const row = (name: string, rtt: number, rate: (loss: number) => number): ReadonlyArray<Cell> =>
    [`${rtt} ms, ${name}`].concat(losses.map((loss) => megabits(rate(loss))))
  const rows: Array<ReadonlyArray<Cell>> = []
  for (const rtt of roundTrips) {
    for (const name of controllers) {
      rows.push(row(name, rtt, (loss) => Measurements.goodput(name, loss, rtt, bytes, seeds)))
    }
    rows.push(row("Mathis", rtt, (loss) => mathis(loss, rtt)))
  }
  return table(["Mbit/s", ...losses.map(lossName)], rows)
}

const shares: ReadonlyArray<readonly [string, number]> = [
  ["least", 0],
  ["a tenth", 0.1],
  ["a quarter", 0.25],
  ["median", 0.5],
  ["three quarters", 0.75],
  ["nine tenths", 0.9],
  ["most", 1]
]

/** Milliseconds that 2 MB take at 2 % loss and 20 ms: how they are spread over the seeds. */
export const spread = (seeds: number): string =>
  table(
    ["ms", ...shares.map(([name]) => name), "mean"],
    Measurements.controllers.map((controller) => {
      const all = Measurements.durations(controller, 0.02, 20, 2_000_000, seeds)
      const quantile = (share: number): number => all[Math.round(share * (all.length - 1))]!
      const mean = all.reduce((sum, one) => sum + one, 0) / all.length
      return [controller, ...shares.map(([, share]) => quantile(share)), mean].map((cell) =>
        typeof cell === "number" ? cell.toFixed(0) : cell
      )
    })
  )

export const flowCounts: ReadonlyArray<number> = [2, 4, 8, 16]

/** Jain's index, use of the line and loss at it: a row for each controller and number of flows. */
export const sharing = (seconds: number): string =>
  table(
    ["flows", "fairness", "utilization", "lost"],
    Measurements.controllers.flatMap((controller) =>
      flowCounts.map((flows) => {
        const { fairness, lost, utilization } = Measurements.sharing(controller, flows, seconds)
        return [`${flows} × ${controller}`, fairness.toFixed(2), percent(utilization), percent(lost, 1)]
      })
    )
  )

const recoveries: ReadonlyArray<readonly [string, ReadonlyArray<number>]> = [
  ["1", [60]],
  ["2", [60, 62]],
  ["10", Measurements.range(60, 10)],
  ["a window (40)", Measurements.range(60, 40)],
  ["the last 2", Measurements.range(690, 2)]
]

const recoveryBytes = 1_000_000

/** What losses cost a transfer of 1 MB at a round trip of 20 ms. */
export const recovery = (): string =>
  table(
    ["lost segments", "time lost", "sent again", "timeouts", "tail loss probes"],
    Measurements.controllers.flatMap((controller) => {
      const { duration } = Measurements.transferWithout([], recoveryBytes, controller)
      return recoveries.map(([name, numbers]) => {
        const report = Measurements.transferWithout(numbers, recoveryBytes, controller)
        const cost = Time.toMillis(Time.micros(report.duration - duration))
        return [
          `${name}, ${controller}`,
          `${cost.toFixed(0)} ms`,
          report.segmentsRetransmitted,
          report.timeouts,
          report.tailLossProbes
        ]
      })
    })
  )
