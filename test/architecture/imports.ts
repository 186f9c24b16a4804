/**
 * Who may import whom: the table of `docs/architecture.md`.
 */
import { posix } from "node:path"
import { inFolder, isNode, type Node, type Rule, type Source, type Violation, violation, walk } from "./Source.ts"

/** One import, however it is written: a declaration, a re-export, a dynamic import or an `import("…")` type. */
export interface Import {
  readonly specifier: string
  readonly typeOnly: boolean
  readonly node: Node
  /** The path of the imported file from the root; nothing for a package. */
  readonly file: string | undefined
}

const literal = (node: unknown): string | undefined =>
  isNode(node) && node.type === "Literal" && typeof node["value"] === "string" ? node["value"] : undefined

/** `import type …`, `export type …`, or every single specifier marked `type`. */
const isTypeOnly = (node: Node): boolean => {
  if (node.type === "TSImportType" || node["importKind"] === "type" || node["exportKind"] === "type") return true
  const specifiers = node["specifiers"] as ReadonlyArray<Node> | undefined
  if (specifiers === undefined || specifiers.length === 0) return false
  return specifiers.every((specifier) => specifier["importKind"] === "type" || specifier["exportKind"] === "type")
}

const specifierOf = (node: Node): string | undefined => {
  switch (node.type) {
    case "ImportDeclaration":
    case "ExportNamedDeclaration":
    case "ExportAllDeclaration":
    case "ImportExpression":
    case "TSImportType":
      return literal(node["source"])
    case "TSExternalModuleReference":
      return literal(node["expression"])
    case "CallExpression": {
      const callee = node["callee"] as Node
      return callee["name"] === "require" ? literal((node["arguments"] as ReadonlyArray<Node>)[0]) : undefined
    }
    default:
      return undefined
  }
}

/** Every import of a file, in its order. */
export const importsOf = (source: Source): ReadonlyArray<Import> => {
  const found: Array<Import> = []
  walk(source.program, (node) => {
    const specifier = specifierOf(node)
    if (specifier === undefined) return
    const file = specifier.startsWith(".") ? posix.join(posix.dirname(source.path), specifier) : undefined
    found.push({ specifier, typeOnly: isTypeOnly(node), node, file })
  })
  return found
}

const sourceAreas = ["wire", "core", "link", "workers", "sockets", "services", "testing"] as const
const outerAreas = ["layers", "bin", "examples", "bench", "scripts", "test"] as const
/** `src` itself is the folder's entry points, such as `src/index.ts`. */
type Area = typeof sourceAreas[number] | typeof outerAreas[number] | "src"

const areaOf = (path: string): Area | undefined => {
  const inner = sourceAreas.find((area) => inFolder(path, `src/${area}`))
  if (inner !== undefined) return inner
  if (inFolder(path, "src")) return "src"
  return outerAreas.find((area) => inFolder(path, area))
}

/** How far an area may reach into another: all of it, its types only, or the files that match only. */
type Reach = "all" | "types" | RegExp

const everything: Partial<Record<Area, Reach>> = {
  src: "all",
  wire: "all",
  core: "all",
  link: "all",
  workers: "all",
  sockets: "all",
  services: "all",
  testing: "all",
  layers: "all"
}

/** The core's vocabulary at the sockets' edge: `Request.ts`, `Reason.ts` and each protocol's `Requests.ts`. */
const requestsAndReasons = /^src\/core\/(Request|Reason|[a-z0-9]+\/Requests)\.ts$/

/** The layer that a network of the test kit makes its stacks with. */
const theStack = /^src\/Netstack\.ts$/

/** What makes namespaces and runs programs of the system, for tests and measurements alike. */
const interopHarness = /^test\/interop\/(Crossing|Namespace|Process|Relay|Requirements)\.ts$/

const table: Record<Area, Partial<Record<Area, Reach>>> = {
  wire: {},
  core: { wire: "all" },
  link: { wire: "all" },
  workers: { wire: "all", core: "all", link: "all" },
  sockets: { core: requestsAndReasons, workers: "all" },
  services: { wire: "all", sockets: "all" },
  testing: { src: theStack, wire: "all", core: "all", link: "all", workers: "all", sockets: "all", services: "all" },
  layers: { ...everything, core: "types", layers: "all" },
  src: { core: "types", link: "all", workers: "all", sockets: "all", services: "all", layers: "all" },
  bin: everything,
  examples: everything,
  bench: { ...everything, test: interopHarness },
  scripts: everything,
  test: { ...everything, bin: "all", bench: "all", examples: "all", scripts: "all" }
}

const mayReach = (reach: Reach | undefined, edge: Import): boolean => {
  if (reach === undefined) return false
  if (reach === "all") return true
  return reach === "types" ? edge.typeOnly : reach.test(edge.file!)
}

const checkTable = (source: Source, edge: Import): Violation | undefined => {
  const from = areaOf(source.path)
  const to = areaOf(edge.file!)
  if (from === undefined || from === to) return undefined
  if (to === undefined) return violation(source, edge.node, `imports ${edge.file}, which lies in no known folder`)
  const reach = table[from][to]
  if (mayReach(reach, edge)) return undefined
  const limit = reach === undefined ? "nothing" : `only ${reach}`
  return violation(source, edge.node, `${from} may import ${limit} of ${to}, not ${edge.file}`)
}

/** `core/step.ts` is the shell's alone, so that nothing can drive the core past stamp, journal and rollback. */
const checkStep = (source: Source, edge: Import): Violation | undefined => {
  if (edge.file !== "src/core/step.ts" || source.path === "src/workers/runBatch.ts") return undefined
  if (inFolder(source.path, "test") || inFolder(source.path, "bench")) return undefined
  return violation(source, edge.node, "core/step.ts is imported by workers/runBatch.ts, tests and bench only")
}

/** The protocol folder of a file of the core; nothing for what siblings share. */
const protocolOf = (path: string): string | undefined => {
  const folder = /^src\/core\/([^/]+)\//.exec(path)?.[1]
  return folder === "data" ? undefined : folder
}

const checkSiblings = (source: Source, edge: Import): Violation | undefined => {
  const to = protocolOf(edge.file!)
  if (!inFolder(source.path, "src/core") || to === undefined) return undefined
  if (inFolder(source.path, "src/core/data")) {
    return violation(source, edge.node, `core/data serves every protocol and knows none, such as ${to}`)
  }
  const from = protocolOf(source.path)
  if (from === undefined || from === to) return undefined
  return violation(
    source,
    edge.node,
    `core/${from} may not import its sibling core/${to}; share through core/ or core/data`
  )
}

/** The modules of Effect that hold data and nothing else. */
const pureEffect = new Set([
  "effect/Option",
  "effect/Result",
  "effect/Equal",
  "effect/Hash",
  "effect/Brand",
  "effect/Data",
  "effect/Match",
  "effect/Order",
  "effect/net/NetAddress",
  "effect/net/IpNetwork",
  "effect/net/IpInterface"
])

const checkPackage = (source: Source, { node, specifier }: Import): Violation | undefined => {
  const area = areaOf(source.path)
  if (!inFolder(source.path, "src")) return undefined
  if (specifier === "effect") {
    return violation(source, node, "import a module of Effect, such as effect/Option, not all of it")
  }
  if (!specifier.startsWith("effect/")) {
    return violation(
      source,
      node,
      `src imports no package but effect: ${specifier} belongs in layers, bin, bench or test`
    )
  }
  if ((area === "wire" || area === "core") && !pureEffect.has(specifier)) {
    return violation(source, node, `${area} imports Effect's data modules only, not ${specifier}`)
  }
  return undefined
}

const checkImport = (source: Source, edge: Import): ReadonlyArray<Violation> =>
  (edge.file === undefined
    ? [checkPackage(source, edge)]
    : [checkTable(source, edge), checkStep(source, edge), checkSiblings(source, edge)])
    .filter((found) => found !== undefined)

export const imports: Rule = {
  name: "imports follow the table of folders",
  check: (sources) => sources.flatMap((source) => importsOf(source).flatMap((edge) => checkImport(source, edge))),
  faults: [
    { "src/wire/Tcp.ts": `import * as Time from "../core/Time.ts"` },
    { "src/wire/Tcp.ts": `import type { Instant } from "../core/Time.ts"` },
    { "src/wire/Tcp.ts": `type Instant = import("../core/Time.ts").Instant` },
    { "src/wire/Tcp.ts": `export * from "../core/Time.ts"` },
    { "src/wire/Tcp.ts": `import * as Effect from "effect/Effect"` },
    { "src/core/Time.ts": `import * as Link from "../link/Link.ts"` },
    { "src/core/Time.ts": `import * as Clock from "effect/Clock"` },
    { "src/core/Time.ts": `import { Option } from "effect"` },
    { "src/core/Entropy.ts": `import { randomBytes } from "node:crypto"` },
    { "src/core/Entropy.ts": `const crypto = await import("node:crypto")` },
    { "src/core/tcp/Send.ts": `import * as Udp from "../udp/Udp.ts"` },
    { "src/core/tcp/congestion/Cubic.ts": `import type { State } from "../../udp/State.ts"` },
    { "src/core/data/RangeSet.ts": `import * as Send from "../tcp/Send.ts"` },
    { "src/core/tcp/Send.ts": `import { step } from "../step.ts"` },
    { "src/workers/Stack.ts": `import { step } from "../core/step.ts"` },
    { "src/testing/Host.ts": `import { step } from "../core/step.ts"` },
    { "src/link/Capture.ts": `import * as Drop from "../core/Drop.ts"` },
    { "src/link/Capture.ts": `import { writeFileSync } from "node:fs"` },
    { "src/sockets/Tcp.ts": `import * as State from "../core/State.ts"` },
    { "src/sockets/Tcp.ts": `import koffi from "koffi"` },
    { "src/sockets/Tcp.ts": `import * as Tcp from "../core/tcp/Tcp.ts"` },
    { "bench/run.ts": `import { check } from "../test/architecture/imports.ts"` },
    { "src/services/DnsClient.ts": `import * as Stack from "../workers/Stack.ts"` },
    { "src/workers/Stack.ts": `import * as Tap from "../../layers/Tap.ts"` },
    { "layers/Tap.ts": `import * as State from "../src/core/State.ts"` },
    { "layers/Tap.ts": `import { type State, make } from "../src/core/State.ts"` },
    { "src/index.ts": `export * from "./core/State.ts"` },
    { "src/testing/TestNetwork.ts": `import * as Everything from "../index.ts"` },
    { "layers/Tap.ts": `import * as Up from "../bin/up.ts"` },
    { "src/wire/Tcp.ts": `import * as Package from "../../package.ts"` }
  ],
  clean: [
    { "src/core/tcp/Send.ts": `import * as Tcp from "../../wire/Tcp.ts"\nimport * as Option from "effect/Option"` },
    {
      "src/core/tcp/congestion/Cubic.ts":
        `import * as Rtt from "../Rtt.ts"\nimport * as RangeSet from "../../data/RangeSet.ts"`
    },
    { "src/core/Protocols.ts": `import * as Tcp from "./tcp/Tcp.ts"\nimport * as Udp from "./udp/Udp.ts"` },
    { "src/workers/runBatch.ts": `import { step } from "../core/step.ts"` },
    { "src/testing/TestNetwork.ts": `import * as Netstack from "../Netstack.ts"` },
    {
      "test/core/step.test.ts": `import { step } from "../../src/core/step.ts"\nimport { assert } from "@effect/vitest"`
    },
    {
      "src/sockets/Tcp.ts": `import type { Reason } from "../core/Reason.ts"\nimport * as Effect from "effect/Effect"`
    },
    {
      "layers/Tap.ts": `import type { State } from "../src/core/State.ts"\nimport koffi from "koffi"\nimport "node:fs"`
    },
    { "bin/netstack.ts": `import * as Tcp from "../src/sockets/Tcp.ts"\nimport * as Tap from "../layers/Tap.ts"` }
  ]
}
