/**
 * What the threads of a sharded stack say to each other. Everything crosses by structured clone: plain records, no functions.
 *
 * ```
 *   main ── Start, Ask, Close ─────▶ shard          shard ◀── HandedOver ──▶ shard, by a channel for each pair
 *        ◀── Opened, Running, Said, Answer, Failed ──
 * ```
 */
import type * as Effect from "effect/Effect"
import type { MessagePort } from "node:worker_threads"
import type { Options as NetstackOptions } from "../src/Netstack.ts"
import type * as Network from "../src/sockets/Network.ts"
import type * as TcpInfo from "../src/sockets/TcpInfo.ts"
import type { Frame } from "../src/wire/Frame.ts"
import type { Mac } from "../src/wire/Mac.ts"
import type * as Readings from "../src/workers/Readings.ts"
import type * as Stack from "../src/workers/Stack.ts"

/** The stack's options that are text and numbers. The parts of the ephemeral ports are the shards' own. */
export interface StackOptions {
  readonly ipv4?: `${string}/${number}`
  /** Further addresses. */
  readonly addresses?: ReadonlyArray<`${string}/${number}`>
  /** The default routers, one of each family. */
  readonly gateways?: ReadonlyArray<string>
  readonly tcp?: Omit<NonNullable<NetstackOptions["tcp"]>, "firstEphemeralPort" | "lastEphemeralPort">
  readonly limits?: NonNullable<NetstackOptions["limits"]>
  readonly answerEcho?: boolean
}

export interface DeviceOptions {
  /** A TAP device, which is made if it may be; one that exists must have been made with several queues. */
  readonly name: string
  /** Trades segments of up to 64 KiB with the kernel, where it can; false if absent. */
  readonly vnetHeader?: boolean
  /** For how many milliseconds a thread does not sleep after frames that come close together; 0 if absent (`Wakefulness.ts`). */
  readonly spin?: number
  readonly mtu?: number
}

/** What a thread is told when it starts. */
export interface Charge {
  readonly shard: number
  readonly shards: number
  readonly device: DeviceOptions
  readonly mac: Mac
  readonly stack: StackOptions
  /** The module whose default export is the program. */
  readonly program: string
  readonly input: unknown
  /** Channels to the other shards; none to itself. */
  readonly others: ReadonlyArray<MessagePort | undefined>
}

/** A frame that came on another shard's queue. */
export type HandedOver = Pick<Frame, "bytes" | "checksum" | "checksumStart" | "checksumOffset" | "gso">

/** So many more of what was handed over have been taken. */
export interface Taken {
  readonly taken: number
}

/** What one shard knows. */
export interface Report {
  readonly interfaces: ReturnType<typeof Readings.interfaces>
  readonly links: ReadonlyArray<Stack.LinkStatus>
  readonly connections: ReadonlyArray<Parameters<typeof TcpInfo.of>[0]>
  readonly counters: Effect.Success<typeof Network.counters>
  readonly drops: Effect.Success<typeof Network.drops>
  readonly memory: Effect.Success<typeof Network.memory>
}

export type ToShard =
  | { readonly _tag: "Start" }
  | { readonly _tag: "Ask"; readonly id: number }
  | { readonly _tag: "Close" }

export type FromShard =
  /** Its queue is open. All are opened before any is read, since the kernel spreads flows over as many as there are. */
  | { readonly _tag: "Opened" }
  /** Its stack has its addresses, and the program runs. */
  | { readonly _tag: "Running" }
  /** The program tells something. */
  | { readonly _tag: "Said"; readonly value: unknown }
  | { readonly _tag: "Answer"; readonly id: number; readonly report: Report }
  | { readonly _tag: "Failed"; readonly detail: string }
