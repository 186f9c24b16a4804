/** The congestion controllers, each under its name. To add one is one file and one line here (docs/congestion.md). */
export { controller as bbr } from "./Bbr.ts"
export { controller as cubic } from "./Cubic.ts"
export { controller as newReno } from "./NewReno.ts"
