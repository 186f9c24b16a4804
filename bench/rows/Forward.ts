/**
 * A router between two kernels: the stack on two TAP devices against Linux on two cables, measured by the same iperf3.
 */
import * as Effect from "effect/Effect"
import * as Crossing from "../../test/interop/Crossing.ts"
import * as Namespace from "../../test/interop/Namespace.ts"
import type { Figure, Row } from "../Row.ts"

const seconds = 4
const port = "5201"

const sides = {
  left: { addresses: ["10.97.1.2/24"], routes: [["10.97.2.0/24", "10.97.1.1"]] },
  right: { addresses: ["10.97.2.2/24"], routes: [["10.97.1.0/24", "10.97.2.1"]] }
} as const

const stack = (offloads: boolean) =>
  Crossing.make(
    "bench forward",
    [
      "--forward",
      "--address",
      "left0=10.97.1.1/24",
      "--address",
      "right0=10.97.2.1/24",
      offloads ? "--offload" : "--no-offload"
    ],
    sides.left,
    sides.right
  )

const kernel = (offloads: boolean) =>
  Effect.gen(function*() {
    const [left, middle, right] = [yield* Namespace.make, yield* Namespace.make, yield* Namespace.make]
    yield* Namespace.setKernel(middle, "net.ipv4.ip_forward", "1")
    for (const [namespace, device, number] of [[left, "left0", 1], [right, "right0", 2]] as const) {
      const near = { namespace, device, address: `10.97.${number}.2/24` }
      yield* Namespace.addCable(near, { namespace: middle, device: `to${number}`, address: `10.97.${number}.1/24` })
      yield* namespace.succeed("ip", ["route", "add", `10.97.${3 - number}.0/24`, "via", `10.97.${number}.1`])
      for (const [at, name] of [[namespace, device], [middle, `to${number}`]] as const) {
        yield* Namespace.setOffloads(at, name, offloads)
      }
    }
    return { left, right }
  })

/** Megabytes a second that one TCP connection moves from one kernel to the other. */
const rate = (
  { left, right }: { readonly left: Namespace.Namespace; readonly right: Namespace.Namespace },
  time: number
) =>
  Effect.gen(function*() {
    const server = yield* right.start("iperf3", ["-s", "-1", "--forceflush", "-p", port])
    yield* server.line(/listening/)
    const args = ["-c", "10.97.2.2", "-p", port, "-C", "cubic", "-t", String(time), "-J"]
    const { stdout } = yield* left.succeed("iperf3", args)
    const { end } = JSON.parse(stdout) as {
      readonly end: { readonly sum_received: { readonly bits_per_second: number } }
    }
    return end.sum_received.bits_per_second / 8e6
  })

const compare = (name: string, offloads: boolean, goal?: Figure["goal"]): Row["measure"] => ({ runs, scale }) => {
  const time = Math.max(1, Math.round(seconds / scale))
  const turn = Effect.all([
    Effect.scoped(Effect.flatMap(stack(offloads), (made) => rate(made, time))),
    Effect.scoped(Effect.flatMap(kernel(offloads), (made) => rate(made, time)))
  ])
  return Effect.map(Effect.replicateEffect(turn, runs), (turns): ReadonlyArray<Figure> => [{
    name,
    unit: "MB/s",
    values: turns.map(([ours]) => ours),
    against: { name: `Linux, offloads ${offloads ? "on" : "off"}`, values: turns.map(([, theirs]) => theirs) },
    ...(goal === undefined ? {} : { goal })
  }])
}

export const rows: ReadonlyArray<Row> = [
  {
    name: "forward",
    about: "one TCP connection from kernel to kernel through a router, in super-segments",
    measure: compare("forwarded", true, { atLeast: 0.5 })
  },
  {
    name: "forward-packets",
    about: "one TCP connection from kernel to kernel through a router, without offload",
    measure: compare("forwarded", false)
  }
]
