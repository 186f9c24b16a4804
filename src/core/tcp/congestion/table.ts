/** The congestion controllers of `known.ts` by the names that the knob `congestionControl` takes (rfc: 9293 §3.8.2 MAY-18). */
import type { Controller } from "./Controller.ts"
import * as known from "./known.ts"

export type Name = keyof typeof known

// A controller's state goes through the connection unseen, so its type ends here.
export const table: { readonly [name in Name]: Controller<any> } = { ...known }

/** Every name, for checking a knob and for its documentation; in an order that no loader of modules decides. */
export const names: ReadonlyArray<Name> = (Object.keys(table) as Array<Name>).toSorted()

/** The controller of that name; undefined if there is none. */
export const find = (name: string): Controller<any> | undefined =>
  Object.hasOwn(table, name) ? table[name as Name] : undefined
