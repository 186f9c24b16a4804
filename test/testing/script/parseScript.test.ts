import { assert, describe, it } from "@effect/vitest"
import { Unsupported } from "../../../src/testing/script/Descriptor.ts"
import { parseScript } from "../../../src/testing/script/parseScript.ts"
import { type Action, type Event, type Expression, SyntaxFault } from "../../../src/testing/script/Syntax.ts"
import * as Tcp from "../../../src/wire/Tcp.ts"

const only = (text: string): Event => {
  const { events } = parseScript(text)
  assert.strictEqual(events.length, 1, text)
  return events[0]!
}

const tcp = (text: string): Extract<Action, { readonly _tag: "TcpPacket" }> => {
  const { action } = only(`0 ${text}`)
  if (action._tag !== "TcpPacket") return assert.fail(`${text} is ${action._tag}`)
  return action
}

const call = (text: string): Extract<Action, { readonly _tag: "Call" }> => {
  const { action } = only(text)
  if (action._tag !== "Call") return assert.fail(`${text} is ${action._tag}`)
  return action
}

const fault = (text: string): string => {
  try {
    parseScript(text)
  } catch (error) {
    if (error instanceof SyntaxFault) return `${error.line}: ${error.message}`
    throw error
  }
  return assert.fail("the script was read")
}

const ellipsis: Expression = { _tag: "Ellipsis" }
const number = (value: number): Expression => ({ _tag: "Number", value })
const name = (name: string): Expression => ({ _tag: "Name", name })

describe("parseScript", () => {
  it("reads all forms of time", () => {
    const at = (isRelative: boolean, from: number, to?: number) => ({ _tag: "At", isRelative, from, to })
    const times: ReadonlyArray<readonly [string, unknown]> = [
      ["0", at(false, 0)],
      ["1.25", at(false, 1_250_000)],
      [".5", at(false, 500_000)],
      ["+0", at(true, 0)],
      ["+.1", at(true, 100_000)],
      ["+0.000001", at(true, 1)],
      ["*", { _tag: "Any" }],
      ["0.1~0.2", at(false, 100_000, 200_000)],
      ["+0.1~+0.2", at(true, 100_000, 200_000)],
      ["+.1~.2", at(true, 100_000, 200_000)]
    ]
    for (const [text, time] of times) {
      assert.deepStrictEqual(only(`${text} > . 1:1(0) ack 1`).time, time, text)
    }
  })

  it("reads when a call that blocks returns", () => {
    assert.strictEqual(call("0...0.1 accept(3, ..., ...) = 4").until, 100_000)
    assert.strictEqual(call("+0.05...0.1 accept(3, ..., ...) = 4").until, 100_000)
    assert.isUndefined(call("+0 accept(3, ..., ...) = 4").until)
  })

  it("reads options, a first command without a time, comments and lines", () => {
    const { events, options } = parseScript(`// a comment
--ip_version=ipv4 --tolerance_usecs=10000   /* another
over two lines */
--non_fatal="packet,syscall"
\`./defaults.sh\`
# and one more
 0.0 %{ assert 1 == 1 }%   // behind
+0 < . 1:1(0) ack 1 win 5
`)
    assert.deepStrictEqual([...options], [["ip_version", "ipv4"], ["tolerance_usecs", "10000"], [
      "non_fatal",
      "packet,syscall"
    ]])
    assert.deepStrictEqual(events.map(({ action, line }) => [line, action._tag]), [[5, "Command"], [7, "Code"], [
      8,
      "TcpPacket"
    ]])
    assert.strictEqual(events[2]!.text, "< . 1:1(0) ack 1 win 5")
  })

  it("reads values of options behind a blank, on the same line only", () => {
    const { events, options } = parseScript("--mtu 1400\n--verbose --bind_port=5\n--dry_run\n0 close(3) = 0")
    assert.deepStrictEqual([...options], [
      ["mtu", "1400"],
      ["verbose", "true"],
      ["bind_port", "5"],
      ["dry_run", "true"]
    ])
    assert.strictEqual(events.length, 1)
  })

  it("reads flags, with the ECN bits and the ACE field (RFC 9768 §3.1.1)", () => {
    const flags = (text: string): number => tcp(`> ${text} 0:0(0)`).flags
    assert.strictEqual(flags("S"), Tcp.SYN)
    assert.strictEqual(flags("S."), Tcp.SYN | Tcp.ACK)
    assert.strictEqual(flags("FP."), Tcp.FIN | Tcp.PSH | Tcp.ACK)
    assert.strictEqual(flags("R."), Tcp.RST | Tcp.ACK)
    assert.strictEqual(flags("."), Tcp.ACK)
    assert.strictEqual(flags("-"), 0)
    assert.strictEqual(flags("SEW"), Tcp.SYN | Tcp.ECE | Tcp.CWR)
    assert.strictEqual(flags("SEWA"), Tcp.SYN | Tcp.ECE | Tcp.CWR | Tcp.AE)
    assert.strictEqual(flags("U."), Tcp.URG | Tcp.ACK)
    assert.strictEqual(flags(".5"), Tcp.ACK | Tcp.AE | Tcp.ECE)
  })

  it("reads a segment whole", () => {
    assert.deepStrictEqual(tcp("< [ce] P. 1:1001(1000) ack 5 win 257 urg 3 <nop,nop,TS val 10 ecr 20>"), {
      _tag: "TcpPacket",
      direction: "in",
      ip: { ecn: "ce", trafficClass: undefined, hopLimit: undefined },
      ports: undefined,
      flags: Tcp.PSH | Tcp.ACK,
      sequence: { start: 1, end: 1001, length: 1000 },
      acknowledgment: 5,
      window: 257,
      urgent: 3,
      options: [{ _tag: "Nop" }, { _tag: "Nop" }, { _tag: "Timestamps", value: 10, echo: 20 }]
    })
    const bare = tcp("> . 1:1(0) ack 1")
    assert.deepStrictEqual([bare.window, bare.urgent, bare.options], [undefined, undefined, []])
    assert.strictEqual(tcp("> S. 0:0(0) ack 1 <...>").options, "any")
    assert.strictEqual(tcp("> (tos 0x20, ttl 5) . 1:1(0) ack 1").ip.trafficClass, 0x20)
  })

  it("reads every option", () => {
    assert.deepStrictEqual(
      tcp(
        "> S 0:0(0) <mss 1460,sackOK,TS val 1 ecr 0,nop,wscale 7,eol,sack 1:2 3:4,FO a1b2,FOEXP,uto 5,ECN e1b 1 ceb 0,raw 99 0102>"
      ).options,
      [
        { _tag: "Mss", value: 1460 },
        { _tag: "SackPermitted" },
        { _tag: "Timestamps", value: 1, echo: 0 },
        { _tag: "Nop" },
        { _tag: "WindowScale", value: 7 },
        { _tag: "Eol" },
        { _tag: "Sack", blocks: [[1, 2], [3, 4]] },
        { _tag: "FastOpen", cookie: Uint8Array.of(0xa1, 0xb2), isExperimental: false },
        { _tag: "FastOpen", cookie: new Uint8Array(0), isExperimental: true },
        { _tag: "UserTimeout", value: 5 },
        { _tag: "AccurateEcn", kind: 174, counters: [1, 0] },
        { _tag: "Raw", kind: 99, value: Uint8Array.of(1, 2) }
      ]
    )
  })

  it("reads datagrams and ICMP messages", () => {
    const udp = only("0 > udp (1000)").action
    assert.deepInclude(udp, { _tag: "UdpPacket", direction: "out", length: 1000 })
    const icmp = only("+.1 < icmp unreachable frag_needed mtu 1200 [1:1461(1460)]").action
    assert.deepInclude(icmp, {
      _tag: "IcmpPacket",
      type: "unreachable",
      code: "frag_needed",
      mtu: 1200,
      quoted: { protocol: "tcp", sequence: { start: 1, end: 1461, length: 1460 } }
    })
    assert.deepInclude(only("0 < icmp packet_too_big mtu 1280 [udp (5)]").action, {
      code: undefined,
      mtu: 1280,
      quoted: { protocol: "udp", length: 5 }
    })
  })

  it("reads calls with all kinds of arguments, and their results", () => {
    const accepted = call("0 accept(3, ..., ...) = 4")
    assert.deepStrictEqual(accepted.args, [number(3), ellipsis, ellipsis])
    assert.deepStrictEqual(accepted.result, number(4))
    const failed = call("+0 read(4, ..., 1000) = -1 EAGAIN (Resource temporarily unavailable)")
    assert.deepStrictEqual([failed.result, failed.errno], [number(-1), "EAGAIN"])
    assert.deepStrictEqual(call("0 fcntl(3, F_GETFL) = 0x2 (flags O_RDWR)").result, number(2))
    assert.deepStrictEqual(call("0 fcntl(3, F_SETFL, O_RDWR|O_NONBLOCK) = 0").args[2], {
      _tag: "Or",
      parts: [name("O_RDWR"), name("O_NONBLOCK")]
    })
    assert.deepStrictEqual(call("0 setsockopt(3, SOL_SOCKET, SO_LINGER, {onoff=1, linger=0}, 8) = 0").args[3], {
      _tag: "Record",
      fields: [["onoff", number(1)], ["linger", number(0)]]
    })
    assert.deepStrictEqual(call(`0 setsockopt(3, IPPROTO_TCP, TCP_CONGESTION, "reno", 4) = 0`).args[3], {
      _tag: "Text",
      value: "reno"
    })
    assert.deepStrictEqual(call("0 writev(4, [{..., 1000}, {..., 5}], 2) = 1005").args[1], {
      _tag: "List",
      items: [
        { _tag: "Record", fields: [["0", ellipsis], ["1", number(1000)]] },
        { _tag: "Record", fields: [["0", ellipsis], ["1", number(5)]] }
      ]
    })
    assert.deepStrictEqual(
      call("0 sendmsg(4, {msg_name(...)=..., msg_iov(1)=[{..., 40}], msg_flags=0}, 0) = 40").args[1],
      {
        _tag: "Record",
        fields: [
          ["msg_name", ellipsis],
          ["msg_iov", {
            _tag: "List",
            items: [{ _tag: "Record", fields: [["0", ellipsis], ["1", number(40)]] }]
          }],
          ["msg_flags", number(0)]
        ]
      }
    )
    assert.deepStrictEqual(call(`0 bind(3, {sa_family = AF_INET, sin_port = htons(8888)}, ...) = 0`).args[1], {
      _tag: "Record",
      fields: [["sa_family", name("AF_INET")], ["sin_port", {
        _tag: "Apply",
        name: "htons",
        args: [number(8888)]
      }]]
    })
  })

  it("says what it does not understand, and in which line", () => {
    assert.match(fault("0 > X 0:0(0)"), /^1: X is no TCP flag/)
    assert.match(fault("\n\n0 > S 0:0"), /^3: expected a range of sequence numbers/)
    assert.match(fault("0 read(4, ..., 1000)"), /expected = and the result/)
    assert.match(fault("now read(4) = 0"), /expected a time before "now/)
  })

  it("names what it understands and is not done here, and in which line", () => {
    const refusal = (text: string): string => {
      try {
        parseScript(text)
      } catch (error) {
        if (error instanceof Unsupported) return `${error.line}: ${error.message}`
        throw error
      }
      return assert.fail("the script was read")
    }
    assert.strictEqual(refusal("0 > . 1:1(0) <what 5>"), "1: the TCP option what")
    assert.strictEqual(refusal("\n0 > [up] . 1:1(0)"), "2: the field up of the IP header")
    assert.strictEqual(refusal("0 > ipv4 192.0.2.1 > 192.0.2.2: . 1:1(0)"), "1: packets with ipv4")
    assert.strictEqual(refusal("0 < sctp: INIT[flgs=0]"), "1: packets with sctp")
  })

  it("replaces words that are defined, in the script or by its caller, who wins", () => {
    const text = "--define=FLAGS=O_RDWR -D SIZE=5\n0 fcntl(3, F_SETFL, FLAGS) = SIZE"
    assert.deepStrictEqual(parseScript(text).events[0]?.action, call("0 fcntl(3, F_SETFL, O_RDWR) = 5"))
    const defined = parseScript(text, new Map([["SIZE", "6"]])).events[0]?.action
    assert.deepStrictEqual(defined, call("0 fcntl(3, F_SETFL, O_RDWR) = 6"))
    const cookie = tcp("> S. 0:0(0) ack 1 <FO TFO_COOKIE>").options[0]
    assert.strictEqual(typeof cookie === "object" && cookie._tag === "FastOpen" && cookie.cookie.length, 8)
  })
})
