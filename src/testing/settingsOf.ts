/**
 * What the rules of a topology about packets come to: a choice for each frame.
 */
import type { Settings } from "../link/Faults.ts"
import { isLike } from "./Like.ts"
import * as Packet from "./Packet.ts"
import type { Faults, LosingRule } from "./Topology.ts"

type Choice = (frame: Uint8Array, number: number) => boolean

/** Counts the packets that a rule is about; so each direction of each run has a choice of its own. */
const choiceOf = ({ like, numbers }: LosingRule): (packet: Packet.Packet) => boolean => {
  const chosen = new Set(numbers)
  let count = 0
  return (packet) => {
    if (like !== undefined && !isLike(packet, like)) return false
    count++
    return numbers === undefined || chosen.has(count)
  }
}

/** The settings of one direction of a link of a run. */
export const settingsOf = ({ losing, ...settings }: Faults): Settings => {
  if (losing === undefined || losing.length === 0) return settings
  const choices = losing.map(choiceOf)
  const lose: Choice = (frame, number) => {
    const packet = Packet.read(frame)
    // Every rule counts every packet that it is about.
    const isChosen = choices.map((choice) => choice(packet)).includes(true)
    return isChosen || settings.lose?.(frame, number) === true
  }
  return { ...settings, lose }
}
