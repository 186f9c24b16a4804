/**
 * `netstack up --shards`: the host of the flags on several cores.
 */
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as IpInterface from "effect/net/IpInterface"
import * as NetAddress from "effect/net/NetAddress"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as Sharded from "../layers/Sharded.ts"
import * as Mac from "../src/wire/Mac.ts"
import { badInput, CommandFailure } from "./exit.ts"
import * as Layout from "./layout.ts"
import type { Placed } from "./services.ts"
import type { Input } from "./shardServices.ts"
import type { Flags } from "./tapHost.ts"

/** The flags of a host, and whether a collector looks into it. */
interface ShardedFlags extends Flags {
  readonly otlp: Option.Option<string>
}

/** What a sharded host can't be, of what a host on one core can; or what no host can be. */
const faultOf = (flags: ShardedFlags): string | undefined => {
  if (flags.tap.length !== 1) return "--shards goes with one --tap: its queues are what the shards share"
  if (flags.address.length === 0) return "--shards needs an --address"
  const others: ReadonlyArray<readonly [string, boolean]> = [
    ["--bridge", flags.bridge],
    ["--vlan", flags.vlan.length > 0],
    ["--dhcp", flags.dhcp],
    ["--slaac", flags.slaac],
    ["--forward", flags.forward === true],
    ["--router-advertise", (flags.advertise ?? []).length > 0],
    ["--capture", Option.isSome(flags.capture)],
    ["--otlp", Option.isSome(flags.otlp)]
  ]
  const other = others.find(([, isGiven]) => isGiven)
  if (other !== undefined) return `${other[0]} does not go with --shards`
  const layout = Layout.plan(flags)
  return typeof layout === "string" ? layout : undefined
}

const optionsOf = (flags: Flags, shards: number, services: ReadonlyArray<Placed>): Sharded.Options => {
  const input: Input = services.map(({ port, service }) => ({ name: service.name, port }))
  return {
    shards,
    device: {
      name: flags.tap[0]!,
      vnetHeader: flags.offload,
      spin: flags.spin / 1000,
      ...(Option.isSome(flags.mtu) ? { mtu: flags.mtu.value } : {})
    },
    ...(Option.isSome(flags.mac) ? { mac: Mac.fromNet(flags.mac.value) } : {}),
    stack: {
      addresses: flags.address.map(({ value }) => IpInterface.format(value) as `${string}/${number}`),
      gateways: flags.gateway.map(NetAddress.formatIp)
    },
    // Beside this module, with the same ending.
    program: new URL(`./shardServices${import.meta.url.slice(import.meta.url.lastIndexOf("."))}`, import.meta.url),
    input
  }
}

/** Tells of each service once all shards have it. */
const announce = (view: Sharded.View): Effect.Effect<void> => {
  const ready = new Map<string, number>()
  return Stream.runForEach(view.said, ({ value }) => {
    const { name, port } = value as Input[number]
    const count = (ready.get(`${name}:${port}`) ?? 0) + 1
    ready.set(`${name}:${port}`, count)
    return count === view.shards ? Console.log(`${name} on port ${port}, ${count} shards`) : Effect.void
  })
}

/** Runs until it is interrupted, or a shard dies. */
export const run = (
  flags: ShardedFlags,
  shards: number,
  services: ReadonlyArray<Placed>
): Effect.Effect<never, CommandFailure, Scope.Scope> =>
  Effect.gen(function*() {
    const fault = faultOf(flags)
    if (fault !== undefined) return yield* badInput(fault)
    const view = yield* Sharded.make(optionsOf(flags, shards, services))
    const addresses = flags.address.map(({ value }) => IpInterface.format(value)).join(", ")
    yield* Console.log(`${addresses} is up on ${flags.tap[0]}, in ${shards} shards. Ctrl-C ends it.`)
    yield* Effect.forkScoped(announce(view))
    return yield* view.failure
  }).pipe(
    Effect.catchTag("ShardFailed", (error) => Effect.fail(new CommandFailure({ message: error.message })))
  )
