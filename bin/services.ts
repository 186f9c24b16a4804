/**
 * The services that `netstack up` offers, by name.
 */
import { chargen, daytime, discard, echo, source } from "../src/services/classic.ts"
import type { Service } from "../src/services/Service.ts"
import * as StatusSite from "../src/services/StatusSite.ts"

export const byName: ReadonlyMap<string, Service> = new Map(
  [echo, discard, chargen, daytime, source, StatusSite.service].map((service) => [service.name, service])
)

/** A service and where it runs. */
export interface Placed {
  readonly service: Service
  readonly port: number
}
