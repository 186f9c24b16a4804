/**
 * HTTP between the stack and the world: curl and Effect's `HttpServer`, Effect's `HttpClient` and nginx.
 */
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import * as Dnsmasq from "./Dnsmasq.ts"
import * as Machine from "./Machine.ts"
import { suite } from "./Requirements.ts"

const { kernelAddress, stackAddress } = Machine

/** A web server in the namespace, all of whose files are in the machine's folder. */
const nginx = (machine: Machine.Machine) =>
  Effect.gen(function*() {
    const file = join(machine.folder, "nginx.conf")
    writeFileSync(
      file,
      `user root; daemon off; master_process off; pid ${machine.folder}/nginx.pid; error_log stderr notice;
events {}
http {
  access_log off;
  client_body_temp_path ${machine.folder}/body; proxy_temp_path ${machine.folder}/proxy;
  fastcgi_temp_path ${machine.folder}/fastcgi; uwsgi_temp_path ${machine.folder}/uwsgi; scgi_temp_path ${machine.folder}/scgi;
  server { listen ${kernelAddress}:80; root ${machine.folder};
    location = / { return 200 "hello from nginx\\n"; }
    location = /large { default_type text/plain; alias ${machine.folder}/large; } } }
`
    )
    writeFileSync(join(machine.folder, "large"), "a".repeat(1 << 20))
    const running = yield* machine.namespace.start("nginx", ["-p", machine.folder, "-c", file, "-e", "stderr"])
    yield* running.line(/start worker process|using the "epoll" event method/)
    return running
  })

suite("http", ["curl", "dnsmasq", "nginx", "tcpdump"], () => {
  it.live("curl gets pages from an Effect HttpServer on the stack, over one connection", () =>
    Effect.gen(function*() {
      const machine = yield* Machine.make("http server")
      yield* Machine.program(machine, "httpServer")
      const url = `http://${stackAddress}/`
      const got = yield* machine.namespace.succeed("curl", ["-sS", "-w", "%{num_connects}\n", url, url])
      assert.strictEqual(got.stdout, `hello, ${kernelAddress}\n1\nhello, ${kernelAddress}\n0\n`)
      const large = yield* machine.namespace.succeed("curl", [
        "-sS",
        "-o",
        "/dev/null",
        "-w",
        "%{size_download}",
        `${url}large`
      ])
      assert.strictEqual(large.stdout, String(1 << 20))
    }))

  it.live("the stack's HttpClient gets pages of nginx by name, with nothing but DHCP and DNS to start from", () =>
    Effect.gen(function*() {
      const machine = yield* Machine.make("http client")
      yield* Dnsmasq.start(machine, [
        `--dhcp-option=option:router,${kernelAddress}`,
        `--dhcp-option=option:dns-server,${kernelAddress}`,
        `--host-record=web.lan,${kernelAddress}`
      ])
      yield* nginx(machine)
      const program = fileURLToPath(new URL("programs/page.ts", import.meta.url))
      // By its whole name, and by a short one with the network's domain behind.
      const urls = ["http://web.lan/", "http://web/large"]
      const { stdout } = yield* machine.namespace.succeed(process.execPath, [program, ...urls])
      assert.deepStrictEqual(stdout.trim().split("\n"), [
        "http://web.lan/ 200 17 hello from nginx",
        `http://web/large 200 ${1 << 20} ${"a".repeat(40)}`
      ])
    }))
})
