/**
 * `netstack get`: fetches a URL over HTTP from a host on a TAP device.
 */
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Option from "effect/Option"
import * as Stdio from "effect/Stdio"
import * as Stream from "effect/Stream"
import * as HttpGet from "../src/services/HttpGet.ts"
import * as Arguments from "./arguments.ts"
import * as Exit from "./exit.ts"
import * as TapHost from "./tapHost.ts"

const parseUrl = (text: string): URL => {
  const url = URL.parse(text)
  if (url === null) throw new Error("a URL such as http://10.0.0.1/path")
  if (url.protocol !== "http:") throw new Error("a URL of http, the only protocol spoken here")
  return url
}

const fetch = (url: URL, output: Option.Option<string>) =>
  Effect.gen(function*() {
    const host = url.hostname.replace(/^\[|\]$/g, "")
    const to = { host, port: url.port === "" ? 80 : Number(url.port) }
    const response = yield* HttpGet.get(to, url.host, `${url.pathname}${url.search}`)
    const file = Option.isSome(output) ? (yield* FileSystem.FileSystem).sink(output.value) : undefined
    const stdio = yield* Stdio.Stdio
    yield* Stream.run(response.body, file ?? stdio.stdout())
    if (response.status >= 400) return yield* new Exit.CommandFailure({ message: `answered ${response.status}` })
  })

export const command = Command.make("get", {
  ...Arguments.hostFlags,
  output: Flag.String("output").pipe(
    Flag.withAlias("o"),
    Flag.withMetavar("FILE"),
    Flag.withDescription("Writes the body to a file; to standard output by default"),
    Flag.optional
  ),
  url: Argument.String("url").pipe(
    Argument.mapTryCatch(parseUrl, Arguments.because),
    Argument.withDescription("What to fetch, such as http://10.0.0.1:8000/")
  )
}, (input) =>
  Effect.scoped(fetch(input.url, input.output)).pipe(
    Effect.mapError(Exit.at(input.url.host)),
    Effect.provide(TapHost.layerConfigured("get", input))
  )).pipe(
    Command.withDescription(
      "Fetch a URL over HTTP/1.1 from a host on a TAP device. Names are looked up by this machine's own resolver."
    ),
    Command.withExamples([
      {
        command: "netstack get --tap tap0 --address 10.0.0.2/24 http://10.0.0.1:8000/",
        description: "From a server on this machine, such as 'python3 -m http.server'"
      }
    ])
  )
