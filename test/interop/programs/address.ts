/**
 * A stack that probes its address before it uses it (RFC 5227), and then tells in which state the address is.
 */
import * as Effect from "effect/Effect"
import * as NetAddress from "effect/net/NetAddress"
import * as Network from "../../../src/sockets/Network.ts"
import { run } from "./onTap.ts"

const program = Effect.gen(function*() {
  const interfaces = yield* Network.interfaces
  for (const own of interfaces.flatMap(({ addresses }) => addresses)) {
    process.stdout.write(`${NetAddress.formatIp(own.interface.address)} is ${own.state}\n`)
  }
  process.stdout.write("ready\n")
  return yield* Effect.never
})

run(program, { addressProbing: true })
