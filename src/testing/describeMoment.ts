/** A moment of a recording in lines: the event, what came of it, what it changed. */
import type { LinkId } from "../core/Device.ts"
import type { Event } from "../core/Event.ts"
import type { Output } from "../core/Output.ts"
import { noTicket } from "../core/Request.ts"
import { describePacket } from "./describePacket.ts"
import type { Moment } from "./Flight.ts"
import * as Packet from "./Packet.ts"
import * as StateDifference from "./StateDifference.ts"

const eventOf = (event: Event, crossings: Moment["crossings"], nameOf: (link: LinkId) => string): string => {
  switch (event._tag) {
    case "Frame": {
      const came = crossings.find(({ direction }) => direction === "in")
      const bytes = came?.frame ?? event.frame.bytes.slice(event.frame.start, event.frame.end)
      return `${nameOf(event.link)} ← ${describePacket(Packet.read(bytes))}`
    }
    case "Request":
      return `${event.ticket === noTicket ? "told" : `request ${event.ticket}`}: ${
        StateDifference.textOf(event.request)
      }`
    case "Timer":
      return `timer: ${event.timer._tag} ${event.timer.key}`
  }
}

/** What is neither a frame nor an alarm, which the state shows. */
const outputOf = (output: Output): ReadonlyArray<string> => {
  switch (output._tag) {
    case "Reply":
      return [
        output.reason === undefined
          ? `reply ${output.ticket}${output.isPart ? ", a part" : ""}: ${StateDifference.textOf(output.value)}`
          : `reply ${output.ticket} failed: ${StateDifference.textOf(output.reason)}`
      ]
    case "Notice":
      return [`notice: ${StateDifference.textOf(output.change)}`]
    case "Drop":
      return [`dropped: ${output.reason}${output.detail === undefined ? "" : `, ${output.detail}`}`]
    case "Transmit":
    case "SetTimer":
      return []
  }
}

/** Seconds with microseconds. */
const seconds = (microseconds: number): string => (microseconds / 1e6).toFixed(6)

/** Parts of the state that every event changes and nobody asks for. */
const isNoise = ({ path }: StateDifference.Difference): boolean => /^(counters|queued|memory|drops)\b/.test(path)

/** The first line tells the event; those that follow are indented. */
export const describeMoment = (
  moment: Moment,
  nameOf: (link: LinkId) => string = (link) => `link ${link}`
): ReadonlyArray<string> => {
  const { at, crossings, event, number, outputs } = moment
  const sent = crossings.filter(({ direction }) => direction === "out")
  return [
    `#${number} ${seconds(at)} s  ${eventOf(event, crossings, nameOf)}`,
    ...sent.map(({ frame, link }) => `    ${nameOf(link)} → ${describePacket(Packet.read(frame))}`),
    ...outputs.flatMap(outputOf).map((line) => `    ${line}`),
    ...moment.changes().filter((each) => !isNoise(each)).map((each) => `    ~ ${StateDifference.render(each)}`)
  ]
}
