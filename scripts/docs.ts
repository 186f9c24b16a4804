/**
 * Writes the pages of the documentation that are made from code: `npm run docs`. A test fails while one is stale.
 */
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import * as Bounds from "./bounds.ts"

const root = fileURLToPath(new URL("..", import.meta.url))

writeFileSync(join(root, "docs", "bounds.md"), Bounds.page)
