/**
 * TLS on top of a connection: Node's `tls` over a stream, and Effect's `NodeSocket` over what comes out of it.
 */
import * as NodeSocket from "@effect/platform-node/NodeSocket"
import * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Scope from "effect/Scope"
import type * as Socket from "effect/socket/Socket"
import type { Socket as NetSocket } from "node:net"
import * as Tls from "node:tls"
import type { TcpConnection } from "../src/sockets/TcpConnection.ts"
import * as Transport from "./NetstackSocketTransport.ts"
import * as NodeDuplex from "./NodeDuplex.ts"

/** How long closing waits for a peer to take the last records; then the connection is reset. */
const flushTimeout = "2 seconds"

/** Why these options can't start a handshake; nothing if they can. */
const incomplete = (options: Socket.TlsUpgradeOptions, isServer: boolean): string | undefined => {
  const hasKey = options.key !== undefined
  const hasCertificate = options.cert !== undefined
  if (isServer && (!hasKey || !hasCertificate)) return "server TLS upgrade requires both key and cert"
  return hasKey === hasCertificate ? undefined : "TLS upgrade credentials must include both key and cert"
}

const buffers = (input: string | Uint8Array | ReadonlyArray<string | Uint8Array> | undefined) =>
  input === undefined ? undefined : Arr.ensure(input).map((value) => Buffer.from(value))

const secureOptions = (options: Socket.TlsUpgradeOptions) => ({
  secureContext: Tls.createSecureContext({
    key: options.key === undefined ? undefined : Arr.ensure(options.key).map((key) => Buffer.from(Redacted.value(key))),
    cert: buffers(options.cert),
    ca: buffers(options.ca),
    passphrase: options.passphrase === undefined ? undefined : Redacted.value(options.passphrase)
  }),
  ...(options.alpnProtocols === undefined ? {} : { ALPNProtocols: [...options.alpnProtocols] }),
  requestCert: options.requestCert,
  rejectUnauthorized: options.rejectUnauthorized
})

/** A handshake that can begin. */
export interface Prepared {
  readonly start: (raw: NodeDuplex.NodeDuplex) => Tls.TLSSocket
  /** The event of its end; a client's comes only if the certificate is trusted. */
  readonly event: "secure" | "secureConnect"
}

/** Reads keys and certificates; a failure leaves the connection as it is. */
export const prepare = (
  options: Socket.TlsUpgradeOptions,
  isServer: boolean
): Effect.Effect<Prepared, Socket.SocketError> => {
  const missing = incomplete(options, isServer)
  if (missing !== undefined) return Effect.fail(Transport.upgradeFailed(new Error(missing)))
  return Effect.try({
    try: (): Prepared => {
      const secure = secureOptions(options)
      const start = (raw: NodeDuplex.NodeDuplex) => {
        // Node's types want a `net.Socket`; its code takes any duplex stream.
        const socket = raw as unknown as NetSocket
        return isServer
          ? new Tls.TLSSocket(socket, { ...secure, isServer })
          : Tls.connect({ ...secure, servername: options.servername, socket })
      }
      return { start, event: isServer ? "secure" : "secureConnect" }
    },
    catch: Transport.upgradeFailed
  })
}

/** Runs the handshake; a failed or an interrupted one ends the stream. */
const handshake = (
  { event, start }: Prepared,
  raw: NodeDuplex.NodeDuplex
): Effect.Effect<Tls.TLSSocket, Socket.SocketError> =>
  Effect.callback((resume) => {
    const tls = start(raw)
    const fail = (cause: unknown) => resume(Effect.fail(Transport.upgradeFailed(cause)))
    tls.once(event, () => resume(Effect.succeed(tls)))
    tls.once("close", () => fail(new Error("socket closed during TLS upgrade")))
    // It stays, so that what goes wrong when nobody looks any more is no uncaught exception.
    tls.on("error", fail)
    return Effect.sync(() => tls.destroy())
  })

/** Sends what is left, within a time, and closes. */
const finish = (raw: NodeDuplex.NodeDuplex, tls: Tls.TLSSocket): Effect.Effect<void> =>
  Effect.callback<void>((resume) => {
    if (raw.closed) return resume(Effect.void)
    raw.once("close", () => resume(Effect.void))
    tls.end()
    if (raw.writableFinished) raw.destroy()
    else raw.once("finish", () => raw.destroy())
  }).pipe(
    Effect.timeoutOrElse({
      duration: flushTimeout,
      orElse: () => Effect.sync(() => raw.resetAndDestroy())
    }),
    Effect.asVoid
  )

/**
 * Upgrades a connection that nobody else reads or writes from now on; the scope closes it. When it fails, the connection is to
 * be closed.
 */
export const upgrade = (
  connection: TcpConnection,
  prepared: Prepared
): Effect.Effect<Transport.Transport, Socket.SocketError, Scope.Scope> =>
  Effect.gen(function*() {
    const raw = yield* NodeDuplex.make(connection, { closePolicy: "orderly" })
    raw.on("error", () => {})
    const tls = yield* handshake(prepared, raw)
    yield* Effect.addFinalizer(() => finish(raw, tls))
    const socket = yield* NodeSocket.fromDuplex(Effect.succeed(tls))
    const { pull } = yield* socket.reader
    const writer = yield* Scope.provide(socket.writer, Scope.makeUnsafe())
    return {
      pull,
      write: writer.write,
      writeAll: writer.writeAll,
      end: Effect.sync(() => void tls.end()),
      close: Effect.sync(() => tls.destroySoon())
    }
  })
