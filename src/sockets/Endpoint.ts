/**
 * An address and a port as errors, texts and logs show them: `10.0.0.1:80`, `[fe80::1]:80`.
 */
import * as NetAddress from "effect/net/NetAddress"
import * as Schema from "effect/Schema"
import type { Request } from "../core/Request.ts"
import * as Edge from "../workers/Edge.ts"

type Address = NonNullable<Extract<Request, { readonly _tag: "TcpListen" }>["local"]>

export const Endpoint = Schema.Struct({ host: Schema.String, port: Schema.Number })
export type Endpoint = typeof Endpoint.Type

/** Where an operation failed: at this end, or on the way to the far one. */
export interface Place {
  readonly local?: Endpoint
  readonly remote?: Endpoint
}

export const make = (address: Address, port: number): Endpoint => ({
  host: NetAddress.formatIp(Edge.ipOf(address)),
  port
})

/** What a program asks to listen at or to bind to; `::` for every address of both families, as Node and Linux write it. */
export const asked = (address: Address | undefined, version: 4 | 6 | undefined, port: number): Endpoint =>
  address === undefined ? { host: version === 4 ? "0.0.0.0" : "::", port } : make(address, port)

export const format = ({ host, port }: Endpoint): string => `${host.includes(":") ? `[${host}]` : host}:${port}`

/** The beginning of an error's message: what was tried, and where. */
export const situation = (operation: string, { local, remote }: Place): string => {
  const where = remote ?? local
  return where === undefined ? operation : `${operation} ${format(where)}`
}
