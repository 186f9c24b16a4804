/**
 * Connects that begin with their first text (RFC 7413): `sendto` with `MSG_FASTOPEN`, and `connect` on a socket with
 * `TCP_FASTOPEN_CONNECT`.
 */
import type { Options } from "../../core/tcp/Config.ts"
import { failed, type Pending, returned, type TcpSocket } from "./Descriptor.ts"
import { errnoOf } from "./Errno.ts"
import { portOf } from "./evaluate.ts"
import { type Kernel } from "./Kernel.ts"
import type { Expression } from "./Syntax.ts"

/** Whether the program wants its SYN to bring text: by Linux's option, or by FreeBSD's that servers have too. */
export const wantsFastOpen = ({ isFreeBsd }: Kernel, { stored }: TcpSocket): boolean =>
  Number(stored.get("TCP_FASTOPEN_CONNECT") ?? 0) !== 0 || (isFreeBsd && Number(stored.get("TCP_FASTOPEN") ?? 0) !== 0)

/** The options of a connect that would have text in its SYN, if the host may. */
export const clientOptions = (kernel: Kernel, self: TcpSocket): Options => {
  const mayOpen = kernel.fastOpen === "client" || kernel.fastOpen === "both"
  return { ...self.options, fastOpen: mayOpen ? "client" : "off" }
}

/** Connects without waiting; what the call fails with if that can't even begin. */
const begin = (
  kernel: Kernel,
  self: TcpSocket,
  address: Expression | undefined,
  options: Options
): { readonly connection: number } | Pending => {
  const asked = kernel.host.request({
    _tag: "TcpConnect",
    remote: kernel.ends.remote,
    remotePort: portOf(address, kernel.ends.connectPort),
    local: undefined,
    localPort: self.port,
    link: undefined,
    options,
    block: false
  })
  const outcome = asked.outcome()
  if (outcome._tag !== "Done") {
    return () => failed(outcome._tag === "Failed" ? errnoOf(outcome.reason, false) : "EINPROGRESS")
  }
  const { connection } = outcome.value
  kernel.adopt(self, connection)
  if (!kernel.waitsForText(connection)) {
    self.connecting = kernel.host.request({ _tag: "TcpAwait", connection, until: "established" })
  }
  return { connection }
}

const write = (kernel: Kernel, connection: number, length: number, block: boolean): Pending =>
  kernel.ask(
    { _tag: "TcpWrite", connection, bytes: new Uint8Array(length), start: 0, end: length, owned: true, block },
    (taken) => returned(taken),
    true
  )

/**
 * A write with an address on a socket of FreeBSD that is not connected: it connects, and the text leaves with the SYN if the socket may and the server's cookie is
 * known, else behind the handshake.
 */
export const impliedConnect = (
  kernel: Kernel,
  self: TcpSocket,
  length: number,
  address: Expression | undefined
): Pending => {
  const isFast = Number(self.stored.get("TCP_FASTOPEN") ?? 0) !== 0
  const begun = begin(kernel, self, address, isFast ? clientOptions(kernel, self) : self.options)
  return typeof begun === "function" ? begun : write(kernel, begun.connection, length, !self.nonBlocking)
}

/** Connects and writes; without a cookie the text leaves behind the handshake. */
export const fastOpenWrite = (
  kernel: Kernel,
  self: TcpSocket,
  length: number,
  address: Expression | undefined,
  block: boolean
): Pending => {
  const begun = begin(kernel, self, address, clientOptions(kernel, self))
  if (typeof begun === "function") return begun
  if (!block && !kernel.waitsForText(begun.connection)) return () => failed("EINPROGRESS")
  return write(kernel, begun.connection, length, block)
}
