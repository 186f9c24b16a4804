/**
 * The test kit: hosts without fibers, simulated networks, and running stacks in virtual time. It needs no network, no root and no
 * real time, and the same seed gives the same run on any machine.
 *
 * | to test | take |
 * | --- | --- |
 * | one host, frame by frame | `Host`, `Wire` |
 * | one host, by a script in packetdrill's language | `Script` |
 * | many hosts on bad networks, fast | `Simulator`, `Topology`, `Transfer` |
 * | what a network does to connections, with pictures | `Scenario`, `ScenarioRun` |
 * | whole programs with their layers | `TestNetwork`, `VirtualTime` |
 * | what a stack did, event by event | `Recording`, `Flight` |
 *
 * `Expect` has expectations for all of them.
 */

// One host, and hosts on a wire
export * as Host from "./Host.ts"
export * as Packet from "./Packet.ts"
export * as Script from "./Script.ts"
export * as Wire from "./Wire.ts"

// Networks as data, simulated
export * as Pattern from "./Pattern.ts"
export { pcapngOf } from "./pcapngOf.ts"
export * as Program from "./Program.ts"
export * as Scenario from "./Scenario.ts"
export * as ScenarioRun from "./scenario/Run.ts"
export * as Simulator from "./Simulator.ts"
export * as Topology from "./Topology.ts"
export * as Trace from "./Trace.ts"
export * as Transfer from "./Transfer.ts"

// Running stacks in virtual time
export * as Artifacts from "./Artifacts.ts"
export * as TestNetwork from "./TestNetwork.ts"
export * as VirtualTime from "./VirtualTime.ts"

export * as Expect from "./Expect.ts"

// Recordings, event by event
export * as Recording from "../workers/Recording.ts"
export { describeMoment } from "./describeMoment.ts"
export * as Flight from "./Flight.ts"
export * as StateDifference from "./StateDifference.ts"

// What hosts and simulations are spoken to in
export * as Time from "../core/Time.ts"
export * as Address from "../wire/Address.ts"
