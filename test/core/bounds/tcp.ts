/**
 * The bounds of TCP: each row is hit, and what is said to happen happens.
 */
import type * as Bounds from "../../../src/core/Bounds.ts"
import type { Hit } from "./core.ts"

export const tcp = {} satisfies Partial<Record<Bounds.Name, Hit>>
