/** The site of a stack in memory, for programs of the system. */
import * as Effect from "effect/Effect"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import * as StatusSite from "../../src/services/StatusSite.ts"
import { on, pair } from "../workers/Hosts.ts"

/** Serves the site of a running stack over the system's loopback, and counts how often the page asks again. */
export const overLoopback = Effect.gen(function*() {
  const { two } = yield* pair()
  const asked = { count: 0 }
  const server = createServer((request, response) => {
    const target = request.url ?? "/"
    if (target === "/status.json") asked.count += 1
    const answer = StatusSite.respond({ method: "GET", target, headers: new Map() })
    Effect.runPromise(on(two)(answer)).then(({ body, contentType, status }) =>
      response.writeHead(status, { "content-type": contentType }).end(body)
    ).catch(() => response.destroy())
  })
  yield* Effect.acquireRelease(
    Effect.callback<void>((resume) => void server.listen(0, "127.0.0.1", () => resume(Effect.void))),
    () =>
      Effect.callback<void>((resume) => {
        server.close(() => resume(Effect.void))
        server.closeAllConnections()
      })
  )
  return { asked, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/` }
})
