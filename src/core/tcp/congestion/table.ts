/** The congestion controllers by the name that the knob `congestionControl` takes (rfc: 9293 §3.8.2 MAY-18). To add one is one file and one line here. */
import * as Bbr from "./Bbr.ts"
import type { Controller } from "./Controller.ts"
import * as Cubic from "./Cubic.ts"
import * as NewReno from "./NewReno.ts"

export const table = {
  cubic: Cubic.controller,
  newReno: NewReno.controller,
  bbr: Bbr.controller
} as const

export type Name = keyof typeof table

/** Every name, for checking a knob and for its documentation. */
export const names: ReadonlyArray<Name> = Object.keys(table) as Array<Name>

// A controller's state goes through the connection unseen, so its type ends here.
/** The controller of that name; undefined if there is none. */
export const find = (name: string): Controller<any> | undefined =>
  Object.hasOwn(table, name) ? table[name as Name] : undefined
