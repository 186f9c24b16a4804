/**
 * Requests to the kernel about a TAP or TUN device and its network interface (`linux/if_tun.h`, `linux/if.h`), so that
 * no other program is needed to set one up.
 *
 * ```
 *   struct ifreq   | name, 16 octets with a zero | union: flags (16 bits) · mtu, index (32 bits) · family + address |
 * ```
 */
import * as Mac from "../src/wire/Mac.ts"
import type { System } from "./TunTapSystem.ts"

/** IFNAMSIZ: room for a name and the zero behind it. */
const nameBytes = 16
/** The size of `struct ifreq` on 64-bit machines; smaller ones use less of it. */
const requestBytes = 40

const TUNSETIFF = 0x400454ca
const TUNSETPERSIST = 0x400454cb
const TUNSETOWNER = 0x400454cc
const TUNSETOFFLOAD = 0x400454d0
const TUNGETFEATURES = 0x800454cf
const TUNGETIFF = 0x800454d2
const TUNGETVNETHDRSZ = 0x800454d7
const TUNSETVNETHDRSZ = 0x400454d8
const TUNSETVNETLE = 0x400454dc
const SIOCGIFFLAGS = 0x8913
const SIOCSIFFLAGS = 0x8914
const SIOCGIFMTU = 0x8921
const SIOCSIFMTU = 0x8922
const SIOCGIFHWADDR = 0x8927

/** Flags of a device. */
export const IFF_TUN = 0x0001
export const IFF_TAP = 0x0002
export const IFF_MULTI_QUEUE = 0x0100
export const IFF_NO_PI = 0x1000
export const IFF_VNET_HDR = 0x4000
/** Flag of an interface. */
const IFF_UP = 0x0001

/** Offloads of a device, for `setOffload`. */
export const TUN_F_CSUM = 0x01
export const TUN_F_TSO4 = 0x02
export const TUN_F_TSO6 = 0x04
export const TUN_F_USO4 = 0x20
export const TUN_F_USO6 = 0x40

/** Whether the kernel takes `name` for an interface (`dev_valid_name`): 1 to 15 octets, no slash, colon, blank or dot alone. */
export const isValidName = (name: string): boolean =>
  name.length > 0 && Buffer.byteLength(name) < nameBytes && name !== "." && name !== ".." && !/[\s/:%\0]/.test(name)

const request = (name: string): DataView => {
  const view = new DataView(new ArrayBuffer(requestBytes))
  Buffer.from(view.buffer).write(name, 0, nameBytes - 1)
  return view
}

const bytesOf = (view: DataView): Uint8Array => new Uint8Array(view.buffer)

const nameOf = (view: DataView): string => {
  const octets = bytesOf(view).subarray(0, nameBytes)
  return Buffer.from(octets.subarray(0, octets.indexOf(0))).toString()
}

// Records of the kernel are in the machine's byte order, which is little-endian wherever koffi is built for.
const littleEndian = true

/** What the kernel says of an attached device: its name and flags; or a negative error number. */
export const identify = (system: System, fd: number): { readonly name: string; readonly flags: number } | number => {
  const view = request("")
  const result = system.control(fd, TUNGETIFF, bytesOf(view))
  return result < 0 ? result : { name: nameOf(view), flags: view.getUint16(nameBytes, littleEndian) }
}

/** Attaches the descriptor to the device, which is made if it may be; gives the name in force or a negative error number. */
export const attach = (system: System, fd: number, name: string, flags: number): string | number => {
  const view = request(name)
  view.setUint16(nameBytes, flags, littleEndian)
  const result = system.control(fd, TUNSETIFF, bytesOf(view))
  return result < 0 ? result : nameOf(view)
}

const integer = (value: number): Uint8Array => {
  const view = new DataView(new ArrayBuffer(4))
  view.setInt32(0, value, littleEndian)
  return bytesOf(view)
}

const readInteger = (system: System, fd: number, code: number): number => {
  const record = integer(0)
  const result = system.control(fd, code, record)
  return result < 0 ? result : new DataView(record.buffer).getInt32(0, littleEndian)
}

/** The flags that this kernel knows. */
export const features = (system: System, fd: number): number => readInteger(system, fd, TUNGETFEATURES)

export const vnetHeaderBytes = (system: System, fd: number): number => readInteger(system, fd, TUNGETVNETHDRSZ)

/** Sets the length of the virtio-net header, and its byte order to little-endian. */
export const setVnetHeader = (system: System, fd: number, length: number): number => {
  // A kernel without the choice has the header in the machine's order, which is the same.
  system.control(fd, TUNSETVNETLE, integer(1))
  return system.control(fd, TUNSETVNETHDRSZ, integer(length))
}

/** What may be left undone in frames that the kernel hands over. */
export const setOffload = (system: System, fd: number, offloads: number): number =>
  system.command(fd, TUNSETOFFLOAD, offloads)

export const setPersistent = (system: System, fd: number, persistent: boolean): number =>
  system.command(fd, TUNSETPERSIST, persistent ? 1 : 0)

/** Allows the user to attach without further rights. */
export const setOwner = (system: System, fd: number, user: number): number => system.command(fd, TUNSETOWNER, user)

/** A request about an interface: asks with `name`, gives what `read` finds in the answer or a negative error number. */
const ask = (system: System, socket: number, name: string, code: number, read: (view: DataView) => number): number => {
  const view = request(name)
  const result = system.control(socket, code, bytesOf(view))
  return result < 0 ? result : read(view)
}

const flagsOf = (system: System, socket: number, name: string): number =>
  ask(system, socket, name, SIOCGIFFLAGS, (view) => view.getUint16(nameBytes, littleEndian))

export const mtu = (system: System, socket: number, name: string): number =>
  ask(system, socket, name, SIOCGIFMTU, (view) => view.getInt32(nameBytes, littleEndian))

export const setMtu = (system: System, socket: number, name: string, mtu: number): number => {
  const view = request(name)
  view.setInt32(nameBytes, mtu, littleEndian)
  return system.control(socket, SIOCSIFMTU, bytesOf(view))
}

/** The address of the kernel's end, which is not the address of whoever reads the device. */
export const mac = (system: System, socket: number, name: string): Mac.Mac =>
  ask(system, socket, name, SIOCGIFHWADDR, (view) => Mac.read(bytesOf(view), nameBytes + 2))

/** 1 if the interface is up, 0 if it is down, or a negative error number. */
export const isUp = (system: System, socket: number, name: string): number => {
  const flags = flagsOf(system, socket, name)
  return flags < 0 ? flags : flags & IFF_UP
}

export const setUp = (system: System, socket: number, name: string): number => {
  const flags = flagsOf(system, socket, name)
  if (flags < 0) return flags
  const view = request(name)
  view.setUint16(nameBytes, flags | IFF_UP, littleEndian)
  return system.control(socket, SIOCSIFFLAGS, bytesOf(view))
}
