import { assert, describe, it } from "@effect/vitest"
import * as Time from "../../../src/core/Time.ts"
import { linuxDefaults } from "../../../src/testing/script/Knobs.ts"
import { runCommand } from "../../../src/testing/script/runCommand.ts"

const knobs = (command: string): unknown => {
  const { knobs, unknown } = runCommand(command)
  assert.deepStrictEqual(unknown, [], command)
  return knobs.tcp
}

describe("runCommand", () => {
  it("turns settings of Linux into knobs, however they are written", () => {
    assert.deepStrictEqual(knobs("sysctl -q net.ipv4.tcp_timestamps=0"), { timestamps: false })
    assert.deepStrictEqual(knobs("sysctl -w net.ipv4.tcp_sack=0 net.ipv4.tcp_ecn=1 > /dev/null 2>&1"), {
      sack: false,
      ecn: "active"
    })
    assert.deepStrictEqual(knobs("echo 0 > /proc/sys/net/ipv4/tcp_window_scaling"), { windowScaling: false })
    assert.deepStrictEqual(knobs("../common/set_sysctls.py /proc/sys/net/ipv4/tcp_syncookies=2"), {
      synCookies: "always"
    })
    assert.deepStrictEqual(knobs(`sysctl -q net.ipv4.tcp_wmem="4096 $((64*1024)) 4194304"`), {
      sendBuffer: 65_536,
      sendBufferLimit: 4_194_304
    })
    assert.deepStrictEqual(
      knobs("sysctl -q net.ipv4.tcp_congestion_control=reno; sysctl -q net.ipv4.tcp_recovery=0 && true"),
      {
        congestionControl: "newReno",
        rack: false
      }
    )
    assert.deepStrictEqual(knobs("../common/defaults.sh\nsysctl -q net.ipv4.tcp_reordering=6"), {
      ...linuxDefaults,
      reordering: 6
    })
  })

  it("turns settings of FreeBSD into knobs, and knows them for FreeBSD's", () => {
    assert.deepInclude(knobs("sysctl net.inet.tcp.rfc1323=3"), { timestamps: true, windowScaling: false })
    assert.isTrue(runCommand("kldload -n cc_newreno").isFreeBsd)
    assert.isFalse(runCommand("sysctl -q net.ipv4.tcp_sack=0").isFreeBsd)
    assert.deepInclude(knobs("sysctl net.inet.tcp.msl=1000 net.inet.tcp.cc.algorithm=newreno"), {
      timeWait: Time.seconds(2),
      congestionControl: "newReno"
    })
    assert.deepInclude(knobs("sysctl net.inet.tcp.delayed_ack=0"), { quickAcks: Infinity })
    assert.deepStrictEqual(runCommand("sysctl net.inet.tcp.insecure_rst=0").unknown, [])
    assert.deepStrictEqual(knobs("kldstat -q -m tcp_rack; sysctl net.inet.ip.random_id=1 net.inet.icmp.icmplim=0"), {})
    assert.deepStrictEqual(knobs("sysctl net.inet.ip.ttl=5"), { hopLimit: 5 })
    assert.lengthOf(runCommand("sysctl net.inet.tcp.insecure_rst=1").unknown, 1)
  })

  it("takes from routes and links what connections over them begin with", () => {
    const command = "ip route replace 192.0.2.0/24 via 192.168.0.1 dev tun0 initcwnd 4 rto_min 5ms congctl lock reno"
    assert.deepStrictEqual(knobs(command), {
      initialWindow: 4,
      minRto: Time.millis(5),
      congestionControl: "newReno"
    })
    assert.strictEqual(runCommand("ip link set dev tun0 mtu 1280").mtu, 1280)
    assert.strictEqual(runCommand("ip -6 ro change default dev tun0 mtu 1400").mtu, 1400)
    assert.deepStrictEqual(runCommand("ip link set dev tun0 down").unknown, ["ip link set dev tun0 down"])
    assert.strictEqual(runCommand("sleep 0.5").lasts, 500_000)
  })

  it("sets limits too", () => {
    assert.deepStrictEqual(runCommand("sysctl -q net.ipv4.tcp_challenge_ack_limit=5").knobs.limits, {
      tcpChallengeAcksPerSecond: 5
    })
  })

  it("passes over what changes nothing, and names what it does not know", () => {
    assert.deepStrictEqual(knobs("ip tcp_metrics flush all > /dev/null"), {})
    assert.deepStrictEqual(knobs("sysctl -q net.ipv4.tcp_no_metrics_save=1"), {})
    assert.deepStrictEqual(knobs("nstat -n > /dev/null"), {})
    assert.deepStrictEqual(runCommand("nstat -s | grep Tcp | grep -q 1").unknown, ["nstat -s | grep Tcp | grep -q 1"])
    assert.deepStrictEqual(knobs("sysctl net.inet.tcp.hostcache.purgenow=1 net.inet.tcp.rack.x=1 kern.ipc.y=2"), {})
    assert.deepStrictEqual(knobs("echo hello; sysctl -n net.ipv4.tcp_rmem # as it is"), {})
    assert.deepStrictEqual(runCommand("tc qdisc add dev tun0 root fq").unknown, ["tc qdisc add dev tun0 root fq"])
    assert.deepStrictEqual(runCommand("sysctl -q net.ipv4.tcp_magic=1 net.ipv4.tcp_sack=1").unknown, [
      "net.ipv4.tcp_magic=1"
    ])
    assert.deepStrictEqual(runCommand("sysctl -q net.ipv4.tcp_congestion_control=vegas").unknown, [
      "net.ipv4.tcp_congestion_control=vegas"
    ])
  })
})
