/**
 * Real frames, captured between two Linux hosts (02:00:00:00:00:0a is 10.9.0.1 and fd00:9::1, :0b is .2 and ::2), and the
 * dissector's reading of each in its name. Offloads were off, so every checksum is on the wire.
 */
export const fromHex = (hex: string): Uint8Array<ArrayBuffer> =>
  Uint8Array.from(hex.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16))

const frame = (...lines: ReadonlyArray<string>): Uint8Array<ArrayBuffer> => fromHex(lines.join(""))

/** 10.9.0.2 is at 02:00:00:00:00:0b */
export const arpReply = frame(
  "02000000000a02000000000b0806",
  "000108000604000202000000000b0a09000202000000000a0a090001"
)

/** Echo (ping) request id=0x5850, seq=1, ttl=64, 56 bytes of data */
export const echoRequest = frame(
  "02000000000b02000000000a0800",
  "45000054306540004001f62f0a0900010a090002",
  "0800a81f58500001",
  "86f8026b00000000011a010000000000",
  "abcdabcdabcdabcdabcdabcdabcdabcdabcdabcdabcdabcdabcdabcdabcdabcdabcdabcdabcdabcd"
)

/** The first of three fragments of a ping with 3000 bytes: offset 0, more fragments, id 0x3066; only its start. */
export const firstFragmentStart = frame(
  "02000000000b02000000000a0800",
  "450005dc30662000400110a70a0900010a090002",
  "0800037358510001"
)

/** Echo reply with a record route of 10.9.0.1, 10.9.0.2, 10.9.0.2 and room for six more */
export const echoReplyRecordRoute = frame(
  "02000000000a02000000000b0800",
  "4f00007c41d200004001e3550a0900020a090001",
  "0727100a0900010a0900020a09000200000000000000000000000000000000000000000000000000",
  "0000970758540001",
  "86f8026b00000000c76c010000000000",
  "101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f3031323334353637"
)

/** Echo reply with three timestamps, all 51206097 ms since midnight */
export const echoReplyTimestamp = frame(
  "02000000000a02000000000b0800",
  "4f00007c41d400004001b4d50a0900020a090001",
  "44281100030d57d1030d57d1030d57d1000000000000000000000000000000000000000000000000",
  "000037f658550001",
  "86f8026b00000000267d010000000000",
  "101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f3031323334353637"
)

/** 53906 → 8080 [SYN] Seq=695740680 Win=64240 MSS=1460 SACK_PERM TSval=3053393083 TSecr=0 WS=1024 */
export const syn = frame(
  "02000000000b02000000000a0800",
  "4500003cae9f4000400678080a0900010a090002",
  "d2921f902978290800000000a002faf0299a0000",
  "020405b40402080ab5ff14bb000000000103030a"
)

/** 8080 → 53906 [PSH, ACK] Len=11 "reply hello" TSval=3663853376 TSecr=3053393083 */
export const data = frame(
  "02000000000a02000000000b0800",
  "4500003ffa67400040062c3d0a0900020a090001",
  "1f90d292b23c459b2978290e80180040e9b20000",
  "0101080ada61f740b5ff14bb",
  "7265706c792068656c6c6f"
)

/** 57158 → 8080 [SYN] over IPv6, flow label 0xfae53, MSS=1440 */
export const synV6 = frame(
  "02000000000b02000000000a86dd",
  "600fae5300280640fd000009000000000000000000000001fd000009000000000000000000000002",
  "df461f902c45be3600000000a002fd20cbd10000",
  "020405a00402080a2ecc6ce9000000000103030a"
)

/** 50918 → 9, "datagram" */
export const datagram = frame(
  "02000000000b02000000000a0800",
  "45000024c5fa4000401160ba0a0900010a090002",
  "c6e6000900108327",
  "646174616772616d"
)

/** Destination unreachable (Port unreachable), which quotes {@link datagram} */
export const portUnreachable = frame(
  "02000000000a02000000000b0800",
  "45c0004042280000400123c10a0900020a090001",
  "0303113300000000",
  "45000024c5fa4000401160ba0a0900010a090002c6e6000900108327646174616772616d"
)
