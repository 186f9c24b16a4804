import { defineConfig } from "vitest/config"

/** Where `.ci/run` wants the results as JSON, beside the usual lines; unset elsewhere. */
const results = process.env["NETSTACK_TEST_RESULTS"]

export default defineConfig({
  test: {
    reporters: results === undefined ? ["default"] : ["default", ["json", { outputFile: results }]],
    teardownTimeout: 30_000,
    projects: [
      {
        test: {
          name: "unit",
          include: ["test/**/*.test.ts"],
          exclude: ["test/interop/**"],
          // Processes that keep the modules they loaded: there is no module state that one test could leave to another.
          pool: "forks",
          isolate: false,
          testTimeout: 30_000
        }
      },
      {
        test: {
          // The transports again, from the same files, over the other family (`test/core/family.ts`).
          name: "unit-ipv6",
          include: ["test/core/tcp/*.test.ts", "test/core/udp/{Udp,Errors}.test.ts", "test/sockets/{Tcp,Udp}.test.ts"],
          env: { NETSTACK_TEST_IP: "6" },
          pool: "forks",
          isolate: false,
          testTimeout: 30_000
        }
      },
      {
        test: {
          name: "interop",
          include: ["test/interop/**/*.test.ts"],
          pool: "forks",
          // One kernel, one set of device names, two cores: one file after the other.
          fileParallelism: false,
          testTimeout: 180_000,
          hookTimeout: 60_000
        }
      }
    ]
  }
})
