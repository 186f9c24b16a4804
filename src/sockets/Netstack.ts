/**
 * The one service that programs of this stack require. `Netstack.layer` (in `src/Netstack.ts`) provides it.
 */
import * as Context from "effect/Context"
import type * as Stack from "../workers/Stack.ts"

/** A running stack. Programs use it through `Tcp`, `Udp`, `Ping`, `Raw` and `Network`. */
export class Netstack extends Context.Service<Netstack, Stack.Stack>()("effect-netstack/Netstack") {}
