import { assert, describe, it } from "@effect/vitest"
import * as Script from "../../src/testing/Script.ts"

/** A listener on descriptor 3 and an accepted connection on descriptor 4; 0.1 s have passed. */
const accepted = `
 0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
+0 setsockopt(3, SOL_SOCKET, SO_REUSEADDR, [1], 4) = 0
+0 bind(3, ..., ...) = 0
+0 listen(3, 1) = 0
+0 < S 0:0(0) win 32792 <mss 1000,nop,nop,sackOK>
+0 > S. 0:0(0) ack 1 <...>
+.1 < . 1:1(0) ack 1 win 32792
+0 accept(3, ..., ...) = 4
`

const passes = (text: string, options?: Script.RunOptions): Script.Outcome => {
  const outcome = Script.run(text, options)
  assert.strictEqual(outcome.status, "passed", Script.render(outcome))
  return outcome
}

/** Why a script fails: its line and what differs. */
const failure = (text: string, options?: Script.RunOptions): string => {
  const { reason, status } = Script.run(text, options)
  assert.strictEqual(status, "failed")
  return `${reason!.line}: ${reason!.detail}`
}

describe("Script", () => {
  it("runs a passive connection from its SYN to its end", () => {
    passes(`${accepted}
+0 write(4, ..., 2000) = 2000
+0 > P. 1:2001(2000) ack 1
+.1 < P. 1:501(500) ack 2001 win 32792
+0~+.05 > . 2001:2001(0) ack 501
+0 fcntl(4, F_SETFL, O_RDWR|O_NONBLOCK) = 0
+.1 < F. 501:501(0) ack 2001 win 32792
+0~+.05 > . 2001:2001(0) ack 502
+0 read(4, ..., 1000) = 500
+0 read(4, ..., 1000) = 0
+0 close(4) = 0
+0 > F. 2001:2001(0) ack 502
+.1 < . 502:502(0) ack 2002 win 32792
`)
  })

  it("takes lines that end as those of Windows do", () => {
    passes(`--mtu 1400
0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
+0 bind(3, ..., ...) = 0
+0 listen(3, 1) = 0
+0 < S 0:0(0) win 32792
+0 > S. 0:0(0) ack 1 <mss 1360>
`.replaceAll("\n", "\r\n"))
  })

  it("runs an active connection, and learns the host's numbers and timestamps", () => {
    passes(`
 0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
+0 fcntl(3, F_GETFL) = 0x2 (flags O_RDWR)
+0 fcntl(3, F_SETFL, O_RDWR|O_NONBLOCK) = 0
+0 connect(3, ..., ...) = -1 EINPROGRESS (Operation now in progress)
+0 > S 0:0(0) <mss 1460,sackOK,TS val 100 ecr 0,nop,wscale 7>
+.05 < S. 0:0(0) ack 1 win 5792 <mss 1460,sackOK,TS val 700 ecr 100,nop,wscale 7>
+0 > . 1:1(0) ack 1 <nop,nop,TS val 150 ecr 700>
+0 connect(3, ..., ...) = 0
+0 connect(3, ..., ...) = -1 EISCONN (Transport endpoint is already connected)
+0 getsockopt(3, SOL_SOCKET, SO_ERROR, [0], [4]) = 0
+0 write(3, ..., 100) = 100
+0 > P. 1:101(100) ack 1 <nop,nop,TS val 150 ecr 700>
+.05 < . 1:1(0) ack 101 win 257 <nop,nop,TS val 750 ecr 150>
+0 %{ assert tcpi_unacked == 0 and tcpi_state == TCP_ESTABLISHED }%
`)
  })

  it("tells a call that would block from one that has nothing", () => {
    passes(`${accepted}
+0 fcntl(4, F_SETFL, O_RDWR|O_NONBLOCK) = 0
+0 read(4, ..., 1000) = -1 EAGAIN (Resource temporarily unavailable)
+0 accept(3, ..., ...) = -1 EAGAIN
`.replace("= 4\n", "= 4\n+0 fcntl(3, F_SETFL, O_RDWR|O_NONBLOCK) = 0\n"))
  })

  it("waits for calls that block, and for packets without a time", () => {
    passes(`
 0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
+0...0.05 connect(3, ..., ...) = 0
* > S 0:0(0) <...>
+.05 < S. 0:0(0) ack 1 win 5792 <mss 1000>
* > . 1:1(0) ack 1
+0...0.2 read(3, ..., 1000) = 10
+.2 < P. 1:11(10) ack 1 win 5792
* > . 1:1(0) ack 11
`)
  })

  it("knows connections one after the other, and sockets' errors", () => {
    passes(`${accepted}
+0 < R. 1:1(0) ack 1 win 0
+0 read(4, ..., 10) = -1 ECONNRESET (Connection reset by peer)
+0 fcntl(4, F_SETFL, O_RDWR|O_NONBLOCK) = 0
+0 read(4, ..., 10) = 0
+0 close(4) = 0
+0 < S 5000:5000(0) win 32792 <mss 1000>
+0 > S. 0:0(0) ack 5001 <...>
+.1 < . 5001:5001(0) ack 1 win 65535
+0 accept(3, ..., ...) = 5
+0 < F. 5001:5001(0) ack 1 win 65535
+0 > . 1:1(0) ack 5002
+0 poll([{fd=5, events=POLLIN|POLLRDHUP, revents=POLLIN|POLLRDHUP}], 1, 0) = 1
+0 getsockopt(5, IPPROTO_TCP, TCP_INFO, {tcpi_state=TCP_CLOSE_WAIT, tcpi_rto=...}, [...]) = 0
`)
  })

  it("joins what the host sends at once in segments, where the script has one", () => {
    passes(`${accepted}
+0 write(4, ..., 4000) = 4000
+0 > . 1:1001(1000) ack 1
+0 > . 1001:3001(2000) ack 1
+0 > P. 3001:4001(1000) ack 1
`)
  })

  it("delivers ICMP errors about the host's segments (RFC 1191 §3)", () => {
    passes(`${accepted}
+0 write(4, ..., 1000) = 1000
+0 > P. 1:1001(1000) ack 1
+.05 < icmp unreachable frag_needed mtu 600 [1:1001(1000)]
+0 > . 1:561(560) ack 1
+0 > P. 561:1001(440) ack 1
`)
  })

  it("sets knobs by commands before and while the host runs", () => {
    passes("`sysctl -q net.ipv4.tcp_sack=0`" + accepted.replace("<...>", "<mss 1460>"))
    passes(`${accepted}
+0 \`sysctl -q net.ipv4.tcp_sack=0\`
+0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 5
+0 fcntl(5, F_SETFL, O_RDWR|O_NONBLOCK) = 0
+0 connect(5, ..., ...) = -1 EINPROGRESS
+0 > S 0:0(0) <mss 1460,nop,nop,TS val 1 ecr 0,nop,wscale 7>
`)
  })

  it("fails where a packet differs, and says in what", () => {
    const syn = accepted.split("+0 > S.")[0]!
    assert.strictEqual(failure(`${syn}+0 > S. 0:0(0) ack 2 <...>`), "7: ack: expected 2, got 1")
    assert.strictEqual(failure(`${syn}+0 > R. 0:0(0) ack 1 <...>`), "7: flags: expected R., got S.")
    assert.strictEqual(
      failure(`${syn}+0 > S. 0:0(0) ack 1 win 1 <mss 1400>`),
      "7: window: expected 1, got 64240; options: expected mss 1400, got mss 1460,sackOK"
    )
    assert.match(
      failure(`${accepted}+0 write(4, ..., 10) = 10\n+0 > P. 2:12(10) ack 1`),
      /^11: sequence: expected 2, got 1$/
    )
    assert.match(
      failure(`${accepted}+0 write(4, ..., 10) = 10\n+0 > [ce] P. 1:12(11) ack 1`),
      /^11: ECN: expected ce, got noecn; length: expected 11, got 10$/
    )
  })

  it("compares the order of options and the PSH flag as it is told", () => {
    const syn = accepted.split("+0 > S.")[0]!
    passes(`${syn}+0 > S. 0:0(0) ack 1 <nop,nop,sackOK,mss 1460>`)
    assert.match(
      failure(`${syn}+0 > S. 0:0(0) ack 1 <nop,nop,sackOK,mss 1460>`, { strictOptions: true }),
      /^7: options/
    )
    const written = `${accepted}+0 write(4, ..., 10) = 10\n+0 > . 1:11(10) ack 1`
    assert.match(failure(written), /^11: flags: expected \., got P\.$/)
    passes(written, { ignorePush: true })
    passes(`--ignore_push=true\n${written}`)
  })

  it("fails where the time differs by more than the tolerance", () => {
    const sent = `${accepted}+0 write(4, ..., 10) = 10\n`
    assert.match(
      failure(`${sent}+.1 > P. 1:11(10) ack 1`),
      /^11: time of the packet: expected 0\.200000 s, got 0\.100000 s$/
    )
    passes(`--tolerance_usecs=100000\n${sent}+.1 > P. 1:11(10) ack 1`)
    passes(`${sent}+.1 > P. 1:11(10) ack 1`, { toleranceMicros: 100_000 })
    assert.match(
      failure(`${sent}+0 > P. 1:11(10) ack 1\n+.1 > P. 1:11(10) ack 1`),
      /^12: packet: expected .*, got nothing until 0\.204000 s$/
    )
    assert.match(failure(`${sent}+0 > P. 1:11(10) ack 1\n+.1~+.15 > P. 1:11(10) ack 1`), /nothing until 0\.254000 s$/)
  })

  it("fails where a call returns something else, or at another time, or not at all", () => {
    assert.match(failure(`${accepted}+0 write(4, ..., 10) = 11`), /^10: result of write: expected 11, got 10$/)
    assert.match(failure(`${accepted}+0 read(4, ..., 10) = 5`), /^10: call: expected a result at once, got it blocks$/)
    assert.match(
      failure(`${accepted}+0...0.3 read(4, ..., 10) = 5`),
      /^10: return of read: expected 0\.400000 s, got it still blocks$/
    )
    assert.match(
      failure(`${accepted}+0...0.3 read(4, ..., 10) = 5\n+.1 < P. 1:6(5) ack 1 win 9`),
      /^10: return of read: expected 0\.400000 s, got 0\.200000 s$/
    )
    assert.match(
      failure(`${accepted}+0 fcntl(4, F_SETFL, O_NONBLOCK) = 0\n+0 read(4, ..., 10) = -1 ECONNRESET`),
      /^11: result of read: expected -1 ECONNRESET, got -1 EAGAIN$/
    )
    assert.match(failure(`${accepted}+0 ioctl(4, SIOCINQ, [5]) = 0`), /SIOCINQ gives 0, not 5/)
    passes(`${accepted}+0 fcntl(4, F_SETFL, O_NONBLOCK) = 0\n+0 read(4, ..., 10) = -1`)
    passes(`${accepted}+0 fcntl(4, F_SETFL, O_NONBLOCK) = 0\n+0 read(4, ..., 10) = -1 EWOULDBLOCK (Try again)`)
  })

  it("fails where an assertion does not hold, and tells the values", () => {
    assert.match(
      failure(`${accepted}+0 %{ assert tcpi_unacked == 5 }%`),
      /^10: assertion: expected tcpi_unacked == 5, got tcpi_unacked = 0$/
    )
    assert.match(failure(`${accepted}+0 %{ assert tcpi_unacked == 5, tcpi_unacked }%`), /got tcpi_unacked = 0; 0$/)
  })

  it("names fields and options that it does not know, and goes on", () => {
    const { skips } = passes(`${accepted}
+0 getsockopt(4, IPPROTO_TCP, TCP_INFO, {tcpi_state=TCP_ESTABLISHED, tcpi_of_the_future=7}, [...]) = 0
+0 getsockopt(4, IPPROTO_TCP, TCP_OF_THE_FUTURE, [7], [4]) = 0
`)
    assert.deepStrictEqual(skips.map(({ what }) => what), [
      "tcpi_of_the_future of TCP_INFO",
      "getsockopt TCP_OF_THE_FUTURE"
    ])
  })

  it("names what it leaves out, and goes on", () => {
    const outcome = passes(`--fancy=1\n${accepted}
+0 \`tc qdisc add dev tun0 root fq\`
+0 %{ assert tcpi_mystery == 1 }%
`)
    assert.deepStrictEqual(outcome.skips, [
      { line: 1, what: "option: --fancy=1" },
      { line: 12, what: "command: tc qdisc add dev tun0 root fq" },
      { line: 13, what: "assertion: assert tcpi_mystery == 1 (the name tcpi_mystery)" }
    ])
  })

  it("does commands of its options before it begins", () => {
    const syn = accepted.split("+0 > S.")[0]!.replace("nop,nop,sackOK", "nop,nop,sackOK,nop,wscale 7")
    const answer = "+0 > S. 0:0(0) ack 1 <mss 1460,nop,nop,sackOK,nop,wscale "
    passes(`${syn}${answer}7>`)
    passes(`--init_scripts=./defaults.sh\n${syn}${answer}8>`)
    passes(`${syn}${answer}8>`, { flags: { init_scripts: "x/defaults.sh,true" } })
  })

  it("asks no more of the machine than a script has use for", () => {
    const reason = (text: string): string | undefined => Script.run(text).reason?.detail
    assert.strictEqual(reason(`${accepted}+0 write(4, ..., 4000000000) = 1`), "a write of 4000000000 octets")
    assert.match(reason("0 < P. 1:90001(90000) ack 1 win 5") ?? "", /^a segment of 90000 octets/)
    assert.match(reason("0 < udp (90000)") ?? "", /^a datagram of 90000 octets/)
  })

  it("is skipped where a call is not done here, and invalid where it can't be read", () => {
    const skipped = Script.run(`${accepted}+0 sctp_bindx(3, ..., 1, 0) = 0`)
    assert.deepStrictEqual([skipped.status, skipped.reason?.line, skipped.reason?.detail], [
      "skipped",
      10,
      "the call sctp_bindx"
    ])
    const invalid = Script.run("0 socket(")
    assert.deepStrictEqual([invalid.status, invalid.reason?.line], ["invalid", 1])
    assert.strictEqual(Script.run("--tolerance_usecs=some\n0 close(3) = 0").status, "invalid")
  })

  it("gives the same for the same seed, and shows script and host side by side", () => {
    const text = `${accepted}+0 write(4, ..., 10) = 10\n+0 > P. 1:11(11) ack 1`
    assert.deepStrictEqual(Script.run(text), Script.run(text))
    const lines = Script.render(Script.run(text)).split("\n")
    assert.strictEqual(lines[0], "failed at line 11: length: expected 11, got 10")
    assert.match(
      lines.find((line) => line.startsWith("!"))!,
      /^! {4}0\.100000 {3}11 {2}> P\. 1:11\(11\) ack 1 {2,}> P\. 1:11\(10\) ack 1 win \d+$/
    )
    assert.include(lines, "    expected 11")
  })

  it("never throws, whatever the text is", () => {
    const words = accepted.split(/(?<=\s)/)
    for (let i = 0; i < 300; i++) {
      const shuffled = words.map((word, j) => (i * 7 + j * 13) % 29 === 0 ? words[(i + j * 5) % words.length]! : word)
      assert.include(["passed", "failed", "skipped", "invalid"], Script.run(shuffled.join("")).status)
    }
  })
})
