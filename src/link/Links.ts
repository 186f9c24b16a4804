/**
 * The links that a stack is given when it starts: what stands between it and the outside. Programs require it by way of
 * their stack's layer, and layers like TAP provide it.
 *
 * @example
 * ```ts
 * const Live = App.pipe(Layer.provide(Netstack.layer({ ipv4: "10.0.0.2/24" })), Layer.provide(Links.layer(link)))
 * ```
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import type { Link } from "./Link.ts"
import * as MemoryLink from "./MemoryLink.ts"

/** The links, in the order in which the stack attaches them. */
export class Links extends Context.Service<Links, { readonly links: ReadonlyArray<Link> }>()(
  "effect-netstack/link/Links"
) {}

/** These links, and no others. */
export const layer = (...links: ReadonlyArray<Link>): Layer.Layer<Links> => Layer.succeed(Links)({ links })

/** Links that have to be made first, such as devices to open; they last as long as the layer. */
export const layerEffect = <E, R>(
  ...links: ReadonlyArray<Effect.Effect<Link, E, R>>
): Layer.Layer<Links, E, Exclude<R, Scope.Scope>> =>
  Layer.effect(Links, Effect.map(Effect.all(links), (made) => ({ links: made })))

/**
 * The two ends of one wire in memory, for a stack each.
 *
 * @example
 * ```ts
 * const [near, far] = Links.layerMemory({ latency: "5 millis" })
 * const Client = Netstack.layer({ ipv4: "10.0.0.1/24" }).pipe(Layer.provide(near))
 * const Server = Netstack.layer({ ipv4: "10.0.0.2/24" }).pipe(Layer.provide(far))
 * ```
 */
export const layerMemory = (options?: MemoryLink.Options): readonly [Layer.Layer<Links>, Layer.Layer<Links>] => {
  const [near, far] = MemoryLink.pair(options)
  return [layer(near), layer(far)]
}

/** No link but loopback. */
export const layerNone: Layer.Layer<Links> = layer()
