/**
 * A TAP or TUN device of Linux: frames that the kernel routes to the interface can be read, frames that are written
 * arrive at the kernel as if from a wire.
 *
 * The service opens devices; `Tap` and `Tun` make links of them. With the virtio-net header (VIRTIO 1.2 §5.1.6) before
 * each frame the kernel leaves checksums and segmentation to the reader, and takes super-segments from the writer.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import { LinkError } from "../src/link/Link.ts"
import type { GsoKind } from "../src/wire/Frame.ts"
import type { Mac } from "../src/wire/Mac.ts"
import type { Piece } from "../src/wire/Piece.ts"
import * as Control from "./TunTapControl.ts"
import * as Refusal from "./TunTapRefusal.ts"
import * as System from "./TunTapSystem.ts"

export interface Options {
  /** At most 15 octets. */
  readonly name: string
  readonly mode: "tap" | "tun"
  /** Asks for the virtio-net header and offloads, unless it is false; what the kernel lacks is left out. */
  readonly vnetHeader?: boolean
  /** Lets several descriptors share the device; a device that exists must have been made so. */
  readonly multiQueue?: boolean
  /** Keeps the device when it is closed. Unchanged if absent. */
  readonly persistent?: boolean
  /** The user who may attach without further rights. Unchanged if absent. */
  readonly owner?: number
  /** Sets the MTU of the interface; the kernel's (1500 for a new device) if absent. */
  readonly mtu?: number
  /** Sets the interface up if it is not; true if absent. */
  readonly up?: boolean
}

/** An open device. */
export interface Device {
  readonly fd: number
  readonly name: string
  readonly mode: "tap" | "tun"
  /** Octets of the virtio-net header before each frame, both ways; 0 if there is none. */
  readonly vnetHeaderBytes: number
  /** Kinds of super-segments that may come and go; none without the header. */
  readonly segmentation: ReadonlySet<GsoKind>
  /** Largest IP packet, as the kernel had it when the device was opened. */
  readonly mtu: number
  /** The address of the kernel's end; undefined for TUN. */
  readonly kernelMac: Mac | undefined
  /** Whether the kernel's end is up now; a negative error number where it can't be told. */
  readonly isUp: () => number
  /** Reads one frame into `into[at..at+length)`; its length, or a negative error number. */
  readonly read: (into: Uint8Array, at: number, length: number) => number
  /** Writes `bytes[start..end)` as one frame; its length, or a negative error number. */
  readonly write: (bytes: Uint8Array, start: number, end: number) => number
  /** Writes `bytes[start..end)` and `rest` behind it as one frame; absent where that can't be done. */
  readonly gather?: (bytes: Uint8Array, start: number, end: number, rest: ReadonlyArray<Piece>) => number
  /** Tells when the device is readable, until `want` says otherwise or `close`. */
  readonly poll: (listener: (readiness: System.Readiness) => void) => System.Poll
  readonly errorName: (errno: number) => string
}

/** A descriptor that is attached to a device, and what was agreed about it. */
interface Attached {
  readonly fd: number
  readonly name: string
  readonly mode: "tap" | "tun"
  readonly vnetHeaderBytes: number
  readonly segmentation: ReadonlySet<GsoKind>
}

/** The header without the count of merged buffers, which a device of this kind does not use. */
const vnetHeaderBytes = 10

const noSegmentation: ReadonlySet<GsoKind> = new Set()

/** Sets of offloads from the most to the least; the first that the kernel takes is in force. */
const offers: ReadonlyArray<{ readonly flags: number; readonly kinds: ReadonlySet<GsoKind> }> = [
  {
    flags: Control.TUN_F_CSUM | Control.TUN_F_TSO4 | Control.TUN_F_TSO6 | Control.TUN_F_USO4 | Control.TUN_F_USO6,
    kinds: new Set<GsoKind>(["tcp4", "tcp6", "udp"])
  },
  {
    flags: Control.TUN_F_CSUM | Control.TUN_F_TSO4 | Control.TUN_F_TSO6,
    kinds: new Set<GsoKind>(["tcp4", "tcp6"])
  },
  { flags: Control.TUN_F_CSUM, kinds: noSegmentation },
  { flags: 0, kinds: noSegmentation }
]

const deviceFile = "/dev/net/tun"

/** Agrees on offloads. They outlive the descriptor on a persistent device, so that they are also taken back. */
const negotiate = (system: System.System, fd: number, header: boolean): ReadonlySet<GsoKind> => {
  if (!header) {
    Control.setOffload(system, fd, 0)
    return noSegmentation
  }
  const agreed = offers.find((offer) => Control.setOffload(system, fd, offer.flags) >= 0)
  return agreed?.kinds ?? noSegmentation
}

const attach = (system: System.System, fd: number, options: Options): Effect.Effect<Attached, LinkError> =>
  Effect.suspend(() => {
    const { mode, name } = options
    const known = Control.features(system, fd)
    const header = options.vnetHeader !== false && known > 0 && (known & Control.IFF_VNET_HDR) !== 0
    const flags = (mode === "tap" ? Control.IFF_TAP : Control.IFF_TUN) | Control.IFF_NO_PI |
      (header ? Control.IFF_VNET_HDR : 0) | (options.multiQueue === true ? Control.IFF_MULTI_QUEUE : 0)
    const attached = Control.attach(system, fd, name, flags)
    if (typeof attached === "number") return Effect.fail(Refusal.refused(system, "attach", attached, options))
    const headerBytes = header ? vnetHeaderBytes : 0
    const set = header ? Control.setVnetHeader(system, fd, vnetHeaderBytes) : 0
    if (set < 0) return Effect.fail(Refusal.refused(system, "configure", set, options))
    return Effect.succeed({
      fd,
      name: attached,
      mode,
      vnetHeaderBytes: headerBytes,
      segmentation: negotiate(system, fd, header)
    })
  })

/** Changes what the options ask for and is not so already, so that a device that is ready needs no rights. */
const configure = (
  system: System.System,
  socket: number,
  fd: number,
  options: Options
): Effect.Effect<void, LinkError> =>
  Effect.suspend(() => {
    const { name } = options
    const steps: Array<[command: string, run: () => number]> = []
    if (options.owner !== undefined) {
      const owner = options.owner
      steps.push([`ip tuntap add dev ${name} mode ${options.mode} user ${owner}`, () =>
        Control.setOwner(system, fd, owner)])
    }
    if (options.persistent !== undefined) {
      const persistent = options.persistent
      steps.push([`ip tuntap add dev ${name} mode ${options.mode}`, () =>
        Control.setPersistent(system, fd, persistent)])
    }
    if (options.mtu !== undefined && options.mtu !== Control.mtu(system, socket, name)) {
      const mtu = options.mtu
      steps.push([`ip link set ${name} mtu ${mtu}`, () => Control.setMtu(system, socket, name, mtu)])
    }
    if (options.up !== false && Control.isUp(system, socket, name) === 0) {
      steps.push([`ip link set ${name} up`, () => Control.setUp(system, socket, name)])
    }
    for (const [command, run] of steps) {
      const result = run()
      if (result < 0) return Effect.fail(Refusal.refused(system, "configure", result, options, command))
    }
    return Effect.void
  })

const makeDevice = (system: System.System, socket: number, attached: Attached): Device => {
  const { fd, name } = attached
  const { gather } = system
  const kernelMac = attached.mode === "tap" ? Control.mac(system, socket, name) : -1
  return {
    ...attached,
    mtu: Control.mtu(system, socket, name),
    kernelMac: kernelMac < 0 ? undefined : kernelMac,
    isUp: () => Control.isUp(system, socket, name),
    read: (into, at, length) => system.read(fd, into, at, length),
    write: (bytes, start, end) => system.write(fd, bytes, start, end),
    ...(gather === undefined
      ? {}
      : {
        gather: (bytes: Uint8Array, start: number, end: number, rest: ReadonlyArray<Piece>) =>
          gather(fd, bytes, start, end, rest)
      }),
    poll: (listener) => system.poll(fd, listener),
    errorName: system.errorName
  }
}

/** A descriptor that is closed with the scope. */
const acquire = (
  system: System.System,
  open: () => number,
  options: Refusal.Device
): Effect.Effect<number, LinkError, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.suspend(() => {
      const fd = open()
      return fd < 0 ? Effect.fail(Refusal.refused(system, "open", fd, options)) : Effect.succeed(fd)
    }),
    (fd) => Effect.sync(() => system.close(fd))
  )

const checkName = (options: Options): Effect.Effect<void, LinkError> =>
  Control.isValidName(options.name) ? Effect.void : Effect.fail(
    new LinkError({
      link: options.name,
      operation: "open",
      code: "EINVAL",
      hint: "a device's name has 1 to 15 octets, without blanks and without any of / : %"
    })
  )

const open = (system: System.System, options: Options): Effect.Effect<Device, LinkError, Scope.Scope> =>
  Effect.gen(function*() {
    yield* checkName(options)
    const fd = yield* acquire(system, () => system.open(deviceFile), options)
    const attached = yield* attach(system, fd, options)
    const socket = yield* acquire(system, () => system.socket(), options)
    yield* configure(system, socket, fd, options)
    return makeDevice(system, socket, attached)
  })

/** The part of an object of the package `tuntap2` that is needed to use its device. */
export interface Tuntap2Device {
  /** The descriptor of `/dev/net/tun`, attached to the device. */
  readonly fd: number
}

/** Looks at a descriptor that is attached already; it has to carry bare frames, as `tuntap2` opens it. */
const adopt = (system: System.System, fd: number, options: Options): Effect.Effect<Attached, LinkError> =>
  Effect.suspend(() => {
    const identity = Control.identify(system, fd)
    if (typeof identity === "number") return Effect.fail(Refusal.refused(system, "adopt", identity, options))
    const refuse = (hint: string) =>
      Effect.fail(new LinkError({ link: options.name, operation: "adopt", code: "EINVAL", hint }))
    const mode = (identity.flags & Control.IFF_TAP) === 0 ? "tun" : "tap"
    if (mode !== options.mode) return refuse(`the object holds a ${mode} device, not a ${options.mode} device`)
    if (identity.name !== options.name) return refuse(`the object holds ${identity.name}, not ${options.name}`)
    if ((identity.flags & Control.IFF_NO_PI) === 0) {
      return refuse("the object's frames have a header of packet information; open it with IFF_NO_PI")
    }
    const nonBlocking = system.setNonBlocking(fd)
    if (nonBlocking < 0) return Effect.fail(Refusal.refused(system, "adopt", nonBlocking, options))
    const header = (identity.flags & Control.IFF_VNET_HDR) !== 0
    return Effect.succeed({
      fd,
      name: identity.name,
      mode,
      vnetHeaderBytes: header ? Control.vnetHeaderBytes(system, fd) : 0,
      segmentation: negotiate(system, fd, header)
    })
  })

/** The descriptor stays open when the scope closes: who made the object releases it. */
const openAdopted = (
  system: System.System,
  device: Tuntap2Device,
  options: Options
): Effect.Effect<Device, LinkError, Scope.Scope> =>
  Effect.gen(function*() {
    const attached = yield* adopt(system, device.fd, options)
    const socket = yield* acquire(system, () => system.socket(), options)
    yield* configure(system, socket, device.fd, options)
    return makeDevice(system, socket, attached)
  })

/** Opens TAP and TUN devices. A device that does not exist is made, and vanishes with the scope unless it is persistent. */
export class TunTapDevice extends Context.Service<TunTapDevice, {
  readonly open: (options: Options) => Effect.Effect<Device, LinkError, Scope.Scope>
}>()("effect-netstack/layers/TunTapDevice") {
  /** Devices of this system; the addon is loaded with the first one. */
  static readonly layer: Layer.Layer<TunTapDevice> = Layer.effect(
    TunTapDevice,
    Effect.map(Effect.cached(System.load), (system) => ({
      open: (options: Options) => Effect.flatMap(system, (calls) => open(calls, options))
    }))
  )

  /**
   * The one device that an object of a user-installed `tuntap2` holds. The package is only used to open it: its own
   * streams reorder and merge frames, so frames are read and written on its descriptor instead. Do not read the object
   * as a stream, and release it after the scope has closed.
   */
  static readonly layerTuntap2 = (device: Tuntap2Device): Layer.Layer<TunTapDevice> =>
    Layer.effect(
      TunTapDevice,
      Effect.map(Effect.cached(System.load), (system) => ({
        open: (options: Options) => Effect.flatMap(system, (calls) => openAdopted(calls, device, options))
      }))
    )
}
