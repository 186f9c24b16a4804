/** A TAP device whose every answer is given, for what a real kernel can't be made to do at will. */
import type { Device } from "../../layers/TunTapDevice.ts"
import { EAGAIN, type Readiness } from "../../layers/TunTapSystem.ts"
import * as Frame from "../../src/wire/Frame.ts"

export interface Scripted extends Device {
  /** Frames that `read` gives, then EAGAIN. */
  readonly incoming: Array<Uint8Array>
  readonly written: Array<Uint8Array>
  /** What `write` answers instead of taking the frame; 0 to take it. */
  refuseWith: number
  wants: string
  readonly tell: (readiness: Partial<Readiness>) => void
}

/** `onRead` hears of each read, before it. A `gather` among the options only says that the device has one. */
export const make = (options: Partial<Device> = {}, onRead: () => void = () => {}): Scripted => {
  let listener: (readiness: Readiness) => void = () => {}
  const self: Scripted = {
    fd: 0,
    name: "tap0",
    mode: "tap",
    vnetHeaderBytes: 0,
    segmentation: new Set(),
    mtu: 1500,
    kernelMac: undefined,
    isUp: () => 1,
    errorName: (errno) => `error ${Math.abs(errno)}`,
    ...options,
    incoming: [],
    written: [],
    refuseWith: 0,
    wants: "closed",
    tell: (readiness) => listener({ readable: false, writable: false, failed: false, ...readiness }),
    read: (into, at, length) => {
      onRead()
      const next = self.incoming.shift()
      if (next === undefined) return -EAGAIN
      into.set(next.subarray(0, length), at)
      return Math.min(next.length, length)
    },
    write: (bytes, start, end) => {
      if (self.refuseWith !== 0) return -self.refuseWith
      self.written.push(bytes.slice(start, end))
      return end - start
    },
    ...(options.gather === undefined ? {} : {
      gather: (bytes, start, end, rest) => {
        const whole = Frame.copy({ ...Frame.plain(bytes, start, end), rest })
        return self.write(whole, 0, whole.length)
      }
    }),
    poll: (onReady) => {
      listener = onReady
      self.wants = "r"
      return {
        want: (readable, writable) => {
          self.wants = `${readable ? "r" : ""}${writable ? "w" : ""}`
        },
        close: () => {
          self.wants = "closed"
        }
      }
    }
  }
  return self
}
