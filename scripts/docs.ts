/**
 * Writes the pages of the documentation that are made from code, and the line numbers of those that point into it: `npm run docs`. A test fails while one is stale.
 */
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import * as Anchors from "./anchors.ts"
import * as Bounds from "./bounds.ts"
import * as Knobs from "./knobs.ts"

const root = fileURLToPath(new URL("..", import.meta.url))

writeFileSync(join(root, "docs", "bounds.md"), Bounds.page)
writeFileSync(join(root, "docs", "tcp-knobs.md"), Knobs.page)

const docs = join(root, "docs")
const controlFlow = join(docs, "control-flow.md")
const readFrom = (path: string): string => readFileSync(join(docs, path), "utf8")
writeFileSync(controlFlow, Anchors.refresh(readFileSync(controlFlow, "utf8"), readFrom))
