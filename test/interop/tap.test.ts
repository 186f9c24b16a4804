/**
 * TAP and TUN devices against the kernel of this machine: frames both ways, offload headers, and everything that can go wrong
 * with a device.
 */
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import { release } from "node:os"
import { fileURLToPath } from "node:url"
import * as Tap from "../../layers/Tap.ts"
import * as Tun from "../../layers/Tun.ts"
import { TunTapDevice } from "../../layers/TunTapDevice.ts"
import type { LinkError, Port } from "../../src/link/Link.ts"
import type * as Link from "../../src/link/Link.ts"
import * as Links from "../../src/link/Links.ts"
import * as Address from "../../src/wire/Address.ts"
import * as Arp from "../../src/wire/Arp.ts"
import * as Checksum from "../../src/wire/Checksum.ts"
import * as Ethernet from "../../src/wire/Ethernet.ts"
import * as Frame from "../../src/wire/Frame.ts"
import * as Malformed from "../../src/wire/Malformed.ts"
import type { Namespace } from "./Namespace.ts"
import * as Process from "./Process.ts"
import { suite } from "./Requirements.ts"
import * as TapEnd from "./TapEnd.ts"

const ownIp = Address.v4(10, 98, 0, 2)

const live = (name: string, test: Effect.Effect<void, unknown, TunTapDevice | Scope.Scope>) =>
  it.live(name, () => Effect.provide(test, TunTapDevice.layer))

const etherType = (bytes: Uint8Array): number => (bytes[12]! << 8) | bytes[13]!
const isEcho = (bytes: Uint8Array): boolean => etherType(bytes) === 0x0800 && bytes[23] === 1 && bytes[34] === 8

const arpReply = (request: Frame.Frame, mac: number): Frame.Frame => {
  const asked = Arp.parse(request.bytes, 14, request.end)
  if (Malformed.isMalformed(asked)) throw new Error("the kernel's ARP request does not parse")
  const bytes = new Uint8Array(10 + 42)
  Ethernet.emit({ destination: asked.senderMac, source: mac, type: 0x0806 }, bytes, 10)
  Arp.emit(Arp.reply(asked, mac), bytes, 24)
  return Frame.plain(bytes, 10)
}

/** The reply to an echo request: addresses swapped, type 8 made 0, which adds 0x0800 to the checksum. */
const echoReply = (request: Uint8Array, ipAt: number): Uint8Array => {
  const reply = request.slice()
  if (ipAt === 14) {
    reply.copyWithin(0, 6, 12)
    reply.set(request.subarray(0, 6), 6)
  }
  reply.set(request.subarray(ipAt + 16, ipAt + 20), ipAt + 12)
  reply.set(request.subarray(ipAt + 12, ipAt + 16), ipAt + 16)
  reply[ipAt + 20] = 0
  const sum = Checksum.fold((request[ipAt + 22]! << 8) + request[ipAt + 23]! + 0x0800)
  reply[ipAt + 22] = sum >>> 8
  reply[ipAt + 23] = sum
  return reply
}

/** A neighbour of the kernel that answers ARP and echo requests, and whatever else the test watches. */
const answering = (link: Link.Link) =>
  Effect.gen(function*() {
    const watcher = TapEnd.watcher((frame) => {
      const { bytes } = frame
      if (etherType(bytes) === 0x0806) port.send([arpReply(frame, link.mac!)], 0)
      else if (isEcho(bytes)) {
        const room = new Uint8Array(10 + bytes.length)
        room.set(echoReply(bytes, 14), 10)
        port.send([Frame.plain(room, 10)], 0)
      }
    })
    const port: Port = yield* link.open(watcher)
    return { watcher, port }
  })

/** `ping` waits for its last answer no longer than for its interval, or twice the longest round trip. */
const ping = (namespace: Namespace, count = 3) =>
  namespace.succeed("ping", ["-c", String(count), "-i", "0.3", "-W", "5", TapEnd.ownAddress])

/** Runs a module in a process of its own, with `prefix` before Node, to its end. */
const script = (source: string, prefix: ReadonlyArray<string> = []) => {
  const root = fileURLToPath(new URL("../..", import.meta.url))
  const text = `
    import * as Effect from "effect/Effect"
    import * as Tap from "${root}layers/Tap.ts"
    import { TunTapDevice } from "${root}layers/TunTapDevice.ts"
    const sink = { frames: () => {}, changed: () => {} }
    const run = (effect) => Effect.runPromise(Effect.scoped(effect).pipe(Effect.provide(TunTapDevice.layer)))
    ${source}`
  const [program, ...args] = [...prefix, process.execPath, "--input-type=module", "-e", text]
  return Process.succeed(program!, args, { limit: "30 seconds" })
}

suite("TAP", ["ping"], () => {
  live(
    "carries ARP and echo both ways",
    Effect.gen(function*() {
      const link = yield* Tap.make({ name: TapEnd.freshName() })
      const { port, watcher } = yield* answering(link)
      const namespace = yield* TapEnd.intoNamespace(link.name)
      const { stdout } = yield* ping(namespace)
      assert.match(stdout, /3 packets transmitted, 3 received, 0% packet loss/)
      const request = yield* watcher.frame((bytes) => etherType(bytes) === 0x0806)
      const asked = Arp.parse(request.bytes, 14, request.end)
      assert.isFalse(Malformed.isMalformed(asked))
      assert.strictEqual((asked as Arp.Header).targetIp, ownIp)
      assert.deepStrictEqual(Object.values(port.counters()).filter((count) => count > 0), [])
    })
  )

  live(
    "takes a locally administered address of its own, not the kernel's",
    Effect.gen(function*() {
      const devices = yield* TunTapDevice
      const device = yield* devices.open({ name: TapEnd.freshName(), mode: "tap" })
      assert.isDefined(device.kernelMac)
      const macs = new Set(Array.from({ length: 100 }, Tap.randomMac))
      assert.strictEqual(macs.size, 100)
      for (const mac of macs) assert.strictEqual(Math.floor(mac / 2 ** 40) & 3, 2)
      assert.isFalse(macs.has(device.kernelMac))
    })
  )

  live(
    "sets the MTU of the interface and takes nothing longer",
    Effect.gen(function*() {
      const link = yield* Tap.make({ name: TapEnd.freshName(), mtu: 1280 })
      assert.strictEqual(link.mtu, 1280)
      const { stdout } = yield* Process.succeed("ip", ["link", "show", link.name])
      assert.match(stdout, /[<,]UP[,>].* mtu 1280 /)
      const port = yield* link.open(TapEnd.watcher())
      assert.strictEqual(port.send([Frame.plain(new Uint8Array(1295))], 0), 1)
      assert.strictEqual(port.counters()["tooLong"], 1)
    })
  )

  live(
    "stops reading when no slab is free, and goes on when one comes back",
    Effect.gen(function*() {
      const link = yield* Tap.make({ name: TapEnd.freshName(), vnetHeader: false, batchFrames: 2, slabs: 2 })
      const held: Array<Frame.Frame> = []
      const watcher = TapEnd.watcher()
      yield* link.open({
        ...watcher,
        frames: (batch) => {
          held.push(...batch)
          watcher.frames(batch.map((frame) => ({ ...frame, slab: undefined })))
        }
      })
      const namespace = yield* TapEnd.intoNamespace(link.name)
      yield* namespace.succeed("ip", [
        "neighbour",
        "add",
        TapEnd.ownAddress,
        "lladdr",
        "02:00:00:00:00:09",
        "dev",
        link.name
      ])
      yield* namespace.run("ping", ["-c", "20", "-i", "0.002", "-s", "1400", "-W", "1", TapEnd.ownAddress])
      assert.isAtLeast(held.length, 2)
      assert.isAtMost(held.length, 8)
      const before = held.length
      for (const frame of held) frame.slab!.release()
      const later = yield* watcher.frame((bytes) => isEcho(bytes) && bytes[41]! > before)
      assert.isTrue(isEcho(later.bytes))
    })
  )

  live(
    "tells when the kernel's end goes down and up, and counts what is sent between",
    Effect.gen(function*() {
      const link = yield* Tap.make({ name: TapEnd.freshName() })
      const { port, watcher } = yield* answering(link)
      const namespace = yield* TapEnd.intoNamespace(link.name)
      yield* namespace.succeed("ip", ["link", "set", link.name, "down"])
      const frame = Frame.plain(new Uint8Array(60))
      assert.strictEqual(port.send([frame, frame], 0), 2)
      assert.deepStrictEqual(watcher.changes, [{ _tag: "Down" }])
      assert.strictEqual(port.counters()["down"], 2)
      yield* namespace.succeed("ip", ["link", "set", link.name, "up"])
      yield* watcher.change("Up")
      assert.strictEqual(port.send([frame], 0), 1)
      assert.strictEqual(port.counters()["down"], 2)
      yield* ping(namespace)
    })
  )

  live(
    "is down from the start where nobody has set the device up",
    Effect.gen(function*() {
      const link = yield* Tap.make({ name: TapEnd.freshName(), up: false })
      const watcher = TapEnd.watcher()
      yield* link.open(watcher)
      assert.deepStrictEqual(watcher.changes, [{ _tag: "Down" }])
      yield* Process.succeed("ip", ["link", "set", link.name, "up"])
      yield* watcher.change("Up")
    })
  )

  live(
    "is gone when the device is deleted, once, and takes no more",
    Effect.gen(function*() {
      const link = yield* Tap.make({ name: TapEnd.freshName() })
      const watcher = TapEnd.watcher()
      const port = yield* link.open(watcher)
      yield* Process.succeed("ip", ["link", "delete", link.name])
      const gone = yield* watcher.change("Gone")
      assert.strictEqual(gone._tag === "Gone" ? gone.error?.hint : undefined, "the device was removed")
      assert.strictEqual(port.send([Frame.plain(new Uint8Array(60))], 0), 1)
      assert.strictEqual(port.counters()["gone"], 1)
      yield* port.writable
      assert.strictEqual(watcher.changes.length, 1)
    })
  )

  live(
    "finds out by a write that the device was deleted, before the poll tells",
    Effect.gen(function*() {
      const devices = yield* TunTapDevice
      const device = yield* devices.open({ name: TapEnd.freshName(), mode: "tap" })
      yield* Process.succeed("ip", ["link", "delete", device.name])
      const result = device.write(new Uint8Array(60), 0, 60)
      assert.strictEqual(device.errorName(result), "EBADFD")
      assert.strictEqual(device.errorName(device.read(new Uint8Array(2000), 0, 2000)), "EBADFD")
    })
  )

  live(
    "is a layer that gives the links of a stack",
    Effect.gen(function*() {
      const name = TapEnd.freshName()
      const { links } = yield* Effect.provide(Links.Links, Tap.layer({ name }))
      assert.deepStrictEqual(links.map((link) => [link.name, link.medium]), [[name, "ethernet"]])
      assert.notStrictEqual((yield* Process.run("ip", ["link", "show", name])).status, 0)
    })
  )

  live(
    "checks every range before the kernel sees it",
    Effect.gen(function*() {
      const devices = yield* TunTapDevice
      const device = yield* devices.open({ name: TapEnd.freshName(), mode: "tap" })
      const bytes = new Uint8Array(100)
      for (const [start, end] of [[-1, 50], [0, 101], [60, 20]] as const) {
        assert.strictEqual(device.errorName(device.write(bytes, start, end)), "EINVAL")
        assert.strictEqual(device.errorName(device.read(bytes, start, end - start)), "EINVAL")
        assert.strictEqual(device.errorName(device.gather!(bytes, start, end, [])), "EINVAL")
        assert.strictEqual(device.errorName(device.gather!(bytes, 0, 50, [{ bytes, start, end }])), "EINVAL")
      }
      const many = Array.from({ length: 16 }, () => ({ bytes, start: 0, end: 1 }))
      assert.strictEqual(device.errorName(device.gather!(bytes, 0, 50, many)), "EINVAL")
      const detached = new Uint8Array(100)
      structuredClone(detached.buffer, { transfer: [detached.buffer] })
      assert.strictEqual(
        device.errorName(device.gather!(bytes, 0, 50, [{ bytes: detached, start: 0, end: 1 }])),
        "EINVAL"
      )
    })
  )

  live(
    "vanishes with its scope, unless it is persistent",
    Effect.gen(function*() {
      const name = TapEnd.freshName()
      const show = Process.run("ip", ["link", "show", name])
      yield* Effect.scoped(Tap.make({ name }))
      assert.notStrictEqual((yield* show).status, 0)
      yield* Effect.scoped(Tap.make({ name, persistent: true, owner: 0 }))
      assert.strictEqual((yield* show).status, 0)
      yield* Effect.scoped(Tap.make({ name, persistent: false }))
      assert.notStrictEqual((yield* show).status, 0)
    })
  )

  live(
    "leaves no handle behind: a process that closed its link ends by itself",
    Effect.gen(function*() {
      const { stdout } = yield* script(`
        await run(Effect.flatMap(Tap.make({ name: "${TapEnd.freshName()}" }), (link) => link.open(sink)))
        console.log("closed")`)
      assert.strictEqual(stdout.trim(), "closed")
    })
  )
})

suite("TAP with offload", ["ping", "bash"], () => {
  live(
    "gets partial checksums from the kernel and completes them to valid ones",
    Effect.gen(function*() {
      const link = yield* Tap.make({ name: TapEnd.freshName(), vnetHeader: true })
      assert.isTrue(link.capabilities.checksumOffload)
      // Datagrams since Linux 6.2.
      const [major = 0, minor = 0] = release().split(".").map(Number)
      const kinds = major > 6 || (major === 6 && minor >= 2) ? ["tcp4", "tcp6", "udp"] : ["tcp4", "tcp6"]
      assert.deepStrictEqual([...link.capabilities.segmentation], kinds)
      const { watcher } = yield* answering(link)
      const namespace = yield* TapEnd.intoNamespace(link.name)
      assert.match((yield* ping(namespace)).stdout, / 3 received/)
      yield* namespace.succeed("bash", ["-c", `echo hello > /dev/udp/${TapEnd.ownAddress}/9`])
      const { bytes, checksum, checksumOffset, checksumStart } = yield* watcher.frame((bytes) =>
        etherType(bytes) === 0x0800 && bytes[23] === 17
      )
      assert.deepStrictEqual([checksum, checksumStart, checksumOffset], ["partial", 34, 6])
      Checksum.complete(bytes, 34, bytes.length, 40)
      const pseudo = Checksum.pseudoV4(Address.readV4(bytes, 26), Address.readV4(bytes, 30), 17, bytes.length - 34)
      assert.isTrue(Checksum.verify(bytes, 34, bytes.length, pseudo))
    })
  )

  live(
    "hands over super-segments with their metadata, and the kernel takes them",
    Effect.gen(function*() {
      const first = yield* Tap.make({ name: TapEnd.freshName(), vnetHeader: true })
      const second = yield* Tap.make({ name: TapEnd.freshName(), vnetHeader: true })
      // Two kernels talk through this process, which passes their frames on with all metadata.
      const ports: Array<Port> = []
      let largest = 0
      let longest: Frame.Frame | undefined
      const relay = (to: number): Link.Sink => ({
        frames: (batch) => {
          for (const frame of batch) {
            if (Frame.size(frame) > largest) {
              largest = Frame.size(frame)
              longest = frame
            }
          }
          assert.strictEqual(ports[to]!.send(batch, 0), batch.length)
          for (const frame of batch) frame.slab!.release()
        },
        changed: () => {}
      })
      ports.push(yield* first.open(relay(1)))
      ports.push(yield* second.open(relay(0)))
      const one = yield* TapEnd.intoNamespace(first.name)
      const two = yield* TapEnd.intoNamespace(second.name)
      yield* two.succeed("ip", ["address", "del", `${TapEnd.kernelAddress}/24`, "dev", second.name])
      yield* two.succeed("ip", ["address", "add", `${TapEnd.ownAddress}/24`, "dev", second.name])
      const server = yield* two.start(process.execPath, [
        "-e",
        `require("net").createServer((socket) => {
          let count = 0
          socket.on("data", (data) => { count += data.length }).on("end", () => { console.log("got", count); process.exit() })
        }).listen(5001, () => console.log("listening"))`
      ])
      yield* server.line(/listening/)
      yield* one.succeed("bash", ["-c", `head -c 20000000 /dev/zero > /dev/tcp/${TapEnd.ownAddress}/5001`])
      const [, count] = yield* server.line(/got (\d+)/)
      assert.strictEqual(count, "20000000")
      assert.isAbove(largest, 20_000)
      assert.strictEqual(longest!.gso!.kind, "tcp4")
      assert.strictEqual(longest!.gso!.headerLength, 66)
      assert.strictEqual(longest!.gso!.size, 1448)
    })
  )
})

suite("TUN", ["ping"], () => {
  live(
    "carries bare IP packets both ways",
    Effect.gen(function*() {
      const link = yield* Tun.make({ name: TapEnd.freshName() })
      assert.strictEqual(link.medium, "ip")
      assert.isUndefined(link.mac)
      const port: Port = yield* link.open(TapEnd.watcher(({ bytes }) => {
        if (bytes[0]! >>> 4 === 4 && bytes[9] === 1) port.send([Frame.plain(echoReply(bytes, 0))], 0)
      }))
      const namespace = yield* TapEnd.intoNamespace(link.name)
      assert.match((yield* ping(namespace)).stdout, /3 packets transmitted, 3 received/)
    })
  )
})

suite("a refused device", ["setpriv"], () => {
  /** Opens a device in a process with fewer rights and gives the error that it prints. */
  const refusal = (name: string, rights: ReadonlyArray<string>) =>
    Effect.map(
      script(
        `await run(Effect.flip(Tap.make({ name: "${name}" }))).then((error) => console.log(error.code, error.message))`,
        ["setpriv", ...rights]
      ),
      ({ stdout }) => stdout
    )

  live(
    "that is open already says so (EBUSY)",
    Effect.gen(function*() {
      const name = TapEnd.freshName()
      yield* Tap.make({ name })
      const error: LinkError = yield* Effect.flip(Effect.scoped(Tap.make({ name })))
      assert.strictEqual(error.code, "EBUSY")
      assert.include(error.message, `another program has ${name} open`)
    })
  )

  live(
    "of the other kind says so (EINVAL)",
    Effect.gen(function*() {
      const name = TapEnd.freshName()
      yield* Tap.make({ name })
      const error = yield* Effect.flip(Effect.scoped(Tun.make({ name })))
      assert.strictEqual(error.code, "EINVAL")
      assert.include(error.message, "is not a tun device")
    })
  )

  live(
    "with an impossible name is refused before the kernel is asked",
    Effect.gen(function*() {
      for (const name of ["", "sixteen-octets-x", "a b", "a/b", "tap%d", ".."]) {
        const error = yield* Effect.flip(Effect.scoped(Tap.make({ name })))
        assert.strictEqual(error.code, "EINVAL")
        assert.include(error.message, "1 to 15 octets")
      }
    })
  )

  live(
    "without CAP_NET_ADMIN tells how to make one beforehand (EPERM)",
    Effect.gen(function*() {
      const name = TapEnd.freshName()
      const printed = yield* refusal(name, ["--bounding-set", "-net_admin", "--inh-caps", "-net_admin"])
      assert.match(printed, /^EPERM/)
      assert.include(printed, `ip tuntap add dev ${name} mode tap user 0 && ip link set ${name} up`)
    })
  )

  live(
    "whose /dev/net/tun may not be opened tells how to allow it (EACCES)",
    Effect.gen(function*() {
      const devices = yield* Process.succeed("stat", ["-c", "%a", "/dev/net/tun"])
      // Where anybody may open it, the refusal comes one step later.
      const expected = devices.stdout.trim().endsWith("6") ? /^EPERM/ : /^EACCES .*chmod 0660 \/dev\/net\/tun/
      const caps = ["--bounding-set", "-all", "--inh-caps", "-all"]
      const printed = yield* refusal(TapEnd.freshName(), ["--reuid", "65534", "--clear-groups", ...caps])
      assert.match(printed, expected)
    })
  )
})

suite("an adopted tuntap2 device", ["ping"], () => {
  live(
    "carries frames on the object's descriptor, which stays open",
    Effect.gen(function*() {
      const devices = yield* TunTapDevice
      const opened = yield* devices.open({ name: TapEnd.freshName(), mode: "tap" })
      const object = { fd: opened.fd, name: opened.name, release: () => {} }
      const scope = yield* Scope.make()
      const link = yield* Tap.make({ name: opened.name }).pipe(
        Effect.provide(TunTapDevice.layerTuntap2(object)),
        Effect.provideService(Scope.Scope, scope)
      )
      yield* Scope.provide(answering(link), scope)
      const namespace = yield* TapEnd.intoNamespace(link.name)
      assert.match((yield* ping(namespace)).stdout, / 3 received/)
      yield* Scope.close(scope, Exit.void)
      assert.strictEqual(opened.write(new Uint8Array(60), 0, 60), 60)
    })
  )

  live(
    "of another kind or name, and what is no device, is refused",
    Effect.gen(function*() {
      const devices = yield* TunTapDevice
      const { fd, name } = yield* devices.open({ name: TapEnd.freshName(), mode: "tap" })
      const adopt = (
        object: { readonly fd: number },
        link: Effect.Effect<Link.Link, LinkError, TunTapDevice | Scope.Scope>
      ) => Effect.flip(Effect.scoped(link).pipe(Effect.provide(TunTapDevice.layerTuntap2(object))))
      assert.include((yield* adopt({ fd }, Tun.make({ name }))).message, "holds a tap device, not a tun device")
      assert.include((yield* adopt({ fd }, Tap.make({ name: "other0" }))).message, `holds ${name}, not other0`)
      assert.include((yield* adopt({ fd: 0 }, Tap.make({ name }))).message, "not that of an open TAP or TUN device")
    })
  )
})
