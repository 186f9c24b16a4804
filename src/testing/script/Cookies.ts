/**
 * Fast Open cookies (RFC 7413): a script has those of a server with another key, so what the host gives out is called what the script
 * calls it, and translated back where the far side returns it.
 */
import * as SipHash from "../../core/data/SipHash.ts"
import { cookieFor } from "../../core/tcp/FastOpen.ts"
import * as Address from "../../wire/Address.ts"
import * as Tcp from "../../wire/Tcp.ts"
import type { Bench } from "./Bench.ts"
import type { Segment } from "./Segment.ts"
import type { Settings } from "./Settings.ts"
import type { TcpOption } from "./Syntax.ts"

type FastOpen = Extract<TcpOption, { readonly _tag: "FastOpen" }>

const isFastOpen = (option: TcpOption): option is FastOpen => option._tag === "FastOpen"

const hexadecimal = (bytes: Uint8Array): string =>
  Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("")

/** What a server of Linux with the usual key gives the usual address of the far side, over IPv4 and over IPv6. */
const usual = ["3021b9d889017eeb", "c1d1e9742a47a9bc"]

/** What a server of FreeBSD with a key gives a client: the keyed hash of its address, as bytes lie in memory. */
const freeBsdCookie = (key: string, client: Address.Address): string => {
  const octets = Uint8Array.from({ length: 16 }, (_, i) => Number.parseInt(key.slice(2 * i, 2 * i + 2), 16) || 0)
  const address = new Uint8Array(typeof client === "object" ? 16 : 4)
  if (typeof client === "object") Address.writeV6(client, address, 0)
  else Address.writeV4(client, address, 0)
  const { high, low } = SipHash.hash(SipHash.keyFrom(octets), address)
  const cookie = new Uint8Array(8)
  new DataView(cookie.buffer).setUint32(0, low, true)
  new DataView(cookie.buffer).setUint32(4, high, true)
  return hexadecimal(cookie)
}

export class Cookies {
  /** From the script's cookies to the host's. */
  private readonly known: Map<string, Uint8Array> = new Map()

  constructor(bench: Bench, { remote }: Settings, keys: ReadonlyArray<string>) {
    const ours = cookieFor(bench.host.state.keys.cookie, remote)
    for (const cookie of usual) this.known.set(cookie, ours)
    for (const key of keys) this.known.set(freeBsdCookie(key, remote), ours)
  }

  /** The options of a segment to the host. */
  inbound(options: ReadonlyArray<TcpOption>): ReadonlyArray<TcpOption> {
    return options.map((option) => {
      if (!isFastOpen(option)) return option
      return { ...option, cookie: this.known.get(hexadecimal(option.cookie)) ?? option.cookie }
    })
  }

  /** A cookie of the host, from its SYN/ACK, is what the script has there. */
  outbound(segment: Segment, expected: ReadonlyArray<TcpOption> | "any"): Segment {
    const written = expected === "any" ? undefined : expected.find(isFastOpen)
    const live = segment.options.find(isFastOpen)
    const isGiven = (segment.flags & Tcp.SYN) !== 0 && (segment.flags & Tcp.ACK) !== 0
    if (written === undefined || live === undefined || live.cookie.length === 0) return segment
    if (written.isAny !== true && (!isGiven || written.cookie.length === 0)) return segment
    this.known.set(hexadecimal(written.cookie), live.cookie)
    const called = { ...live, cookie: written.cookie }
    return { ...segment, options: segment.options.map((option) => option === live ? called : option) }
  }
}
