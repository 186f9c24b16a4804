/**
 * What looks into the stack of `netstack up`: its own site where it has one, and a collector of OpenTelemetry where there is one.
 */
import * as Flag from "effect/cli/Flag"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as Layer from "effect/Layer"
import * as Otlp from "effect/observability/Otlp"
import * as Option from "effect/Option"
import * as Telemetry from "../layers/Telemetry.ts"
import * as StatusSite from "../src/services/StatusSite.ts"
import { because } from "./arguments.ts"
import type { Placed } from "./services.ts"

const parseCollector = (text: string): string => {
  const url = URL.parse(text)
  if (url === null || !/^https?:$/.test(url.protocol)) throw new Error("a URL such as http://127.0.0.1:4318")
  return url.href
}

export const otlpFlag = Flag.String("otlp").pipe(
  Flag.mapTryCatch(parseCollector, because),
  Flag.withMetavar("URL"),
  Flag.withDescription("Sends traces and metrics to a collector of OpenTelemetry, such as http://127.0.0.1:4318"),
  Flag.optional
)

/** Without a site and a collector nobody would look, and the stack measures nothing for them. */
export const layer = (services: ReadonlyArray<Placed>, collector: Option.Option<string>): Layer.Layer<never> => {
  if (Option.isSome(collector)) {
    const exporter = Otlp.layerJson({ baseUrl: collector.value, resource: { serviceName: "netstack" } })
    return Layer.merge(Telemetry.layer(), Layer.provide(exporter, FetchHttpClient.layer))
  }
  return services.some(({ service }) => service === StatusSite.service)
    ? Telemetry.layer({ connections: false, batchSample: 0, metrics: false })
    : Layer.empty
}
