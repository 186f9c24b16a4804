/**
 * Adds up what was tested: `node .ci/totals.mjs EXTRA_PASSED EXTRA_FAILED results.json…`, each a result of vitest's JSON
 * reporter. Ends with status 1 if anything failed, or if a run left no result.
 */
import { readFileSync } from "node:fs"

const [extraPassed, extraFailed, ...files] = process.argv.slice(2)

const readResults = (file) => {
  try {
    const results = JSON.parse(readFileSync(file, "utf8"))
    // A file that cannot be loaded has no tests to count, and yet something failed.
    const unloaded = results.testResults.filter((suite) => suite.status === "failed" && suite.assertionResults.length === 0)
    return { passed: results.numPassedTests, failed: results.numFailedTests + unloaded.length }
  } catch (error) {
    console.error(`no results in ${file}: ${error.message}`)
    return { passed: 0, failed: 1 }
  }
}

let passed = Number(extraPassed)
let failed = Number(extraFailed)
for (const results of files.map(readResults)) {
  passed += results.passed
  failed += results.failed
}
console.log(`tests: ${passed} passed, ${failed} failed`)
process.exit(failed === 0 ? 0 : 1)
