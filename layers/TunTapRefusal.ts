/**
 * What to do when the kernel refuses a TAP or TUN device: each error number at each step has its own cause and mend.
 */
import { LinkError } from "../src/link/Link.ts"
import type { System } from "./TunTapSystem.ts"

/** The step that was refused. */
export type Step =
  /** Opening `/dev/net/tun`. */
  | "open"
  /** Attaching to the device by name, or making it. */
  | "attach"
  /** Setting the interface up, its MTU, owner or persistence. */
  | "configure"
  /** Taking over a descriptor that somebody else opened. */
  | "adopt"

export interface Device {
  readonly name: string
  readonly mode: "tap" | "tun"
}

const container = "in a container, start it with --device /dev/net/tun --cap-add NET_ADMIN"

const openHint = (code: string): string | undefined => {
  switch (code) {
    case "ENOENT":
    case "ENODEV":
    case "ENXIO":
      return `the kernel offers no /dev/net/tun: run 'modprobe tun' as root; ${container}`
    case "EACCES":
      return "this user may not open /dev/net/tun: run as root (sudo), or let root open it to a group of yours " +
        "('chgrp GROUP /dev/net/tun && chmod 0660 /dev/net/tun')"
    case "EPERM":
      return `/dev/net/tun is forbidden here: ${container}`
    default:
      return undefined
  }
}

const addCommand = (device: Device): string => {
  const user = process.getuid?.() ?? 0
  return `ip tuntap add dev ${device.name} mode ${device.mode} user ${user} && ip link set ${device.name} up`
}

const attachHint = (code: string, device: Device): string | undefined => {
  switch (code) {
    case "EPERM":
      return `making ${device.name} needs the capability CAP_NET_ADMIN, or a device that root has made for this user: '${
        addCommand(device)
      }'`
    case "EBUSY":
      return `another program has ${device.name} open: end it, or choose another name`
    case "EINVAL":
      return `${device.name} exists and is not a ${device.mode} device of the wanted kind: 'ip -d link show ${device.name}' tells whether ` +
        "it is one, and whether it has multi_queue, which a stack in shards needs and no other may have; " +
        "a program that has it open may have made it so. Choose another name, or remove it"
    default:
      return undefined
  }
}

const configureHint = (code: string, device: Device, command: string): string | undefined => {
  switch (code) {
    case "EPERM":
      return `setting up ${device.name} needs the capability CAP_NET_ADMIN: run '${command}' as root beforehand`
    case "EINVAL":
    case "ERANGE":
      return `the kernel refuses what '${command}' would do`
    default:
      return undefined
  }
}

/** The error for a refused step; `command` is what does the same from a shell. */
export const refused = (system: System, step: Step, errno: number, device: Device, command = ""): LinkError => {
  const code = system.errorName(errno)
  const hint = step === "open"
    ? openHint(code)
    : step === "attach"
    ? attachHint(code, device)
    : step === "configure"
    ? configureHint(code, device, command)
    : "the object's descriptor is not that of an open TAP or TUN device"
  return new LinkError({ link: device.name, operation: step, code, ...(hint === undefined ? {} : { hint }) })
}
