/**
 * The bounds of IPv6, neighbour discovery and multicast: each row is hit, and what is said to happen happens.
 */
import type * as Bounds from "../../../src/core/Bounds.ts"
import type { Hit } from "./core.ts"

export const ipv6 = {} satisfies Partial<Record<Bounds.Name, Hit>>
