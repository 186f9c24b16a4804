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

/** The options of a connect that would have text in its SYN, if the host may. */
export const clientOptions = (kernel: Kernel, self: TcpSocket): Options => {
  const mayOpen = kernel.fastOpen === "client" || kernel.fastOpen === "both"
  return { ...self.options, fastOpen: mayOpen ? "client" : "off" }
}

/** Connects and writes; without a cookie the text leaves behind the handshake. */
export const fastOpenWrite = (
  kernel: Kernel,
  self: TcpSocket,
  length: number,
  address: Expression | undefined,
  block: boolean
): Pending => {
  const asked = kernel.host.request({
    _tag: "TcpConnect",
    remote: kernel.ends.remote,
    remotePort: portOf(address, kernel.ends.connectPort),
    local: undefined,
    localPort: self.port,
    link: undefined,
    options: clientOptions(kernel, self),
    block: false
  })
  const outcome = asked.outcome()
  if (outcome._tag !== "Done") {
    return () => failed(outcome._tag === "Failed" ? errnoOf(outcome.reason, false) : "EINPROGRESS")
  }
  const { connection } = outcome.value
  kernel.adopt(self, connection)
  const goesAtOnce = kernel.waitsForText(connection)
  if (!goesAtOnce) self.connecting = kernel.host.request({ _tag: "TcpAwait", connection, until: "established" })
  if (!goesAtOnce && !block) return () => failed("EINPROGRESS")
  const bytes = new Uint8Array(length)
  return kernel.ask(
    { _tag: "TcpWrite", connection, bytes, start: 0, end: length, owned: true, block },
    (taken) => returned(taken),
    true
  )
}
