/**
 * A stack that probes its address before it uses it (RFC 5227), and tells in which state the address is.
 */
import * as Effect from "effect/Effect"
import * as NetAddress from "effect/net/NetAddress"
import * as Stream from "effect/Stream"
import * as Network from "../../../src/sockets/Network.ts"
import { run } from "./onTap.ts"

const say = (line: string): Effect.Effect<void> => Effect.sync(() => void process.stdout.write(`${line}\n`))

const program = Effect.gen(function*() {
  const interfaces = yield* Network.interfaces
  const addresses = interfaces.filter(({ name }) => name !== "lo").flatMap((own) => own.addresses)
  for (const own of addresses) yield* say(`${NetAddress.formatIp(own.interface.address)} is ${own.state}`)
  yield* say("ready")
  yield* Stream.runForEach(Network.changes, (change) =>
    change._tag === "AddressChanged"
      ? say(`${NetAddress.formatIp(change.address)} is ${change.state}`)
      : Effect.void)
})

run(program, { addressProbing: true })
