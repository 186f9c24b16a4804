"""A peer that tags its own frames, on a packet socket: it asks for an address in a VLAN and pings it there.

    vlanPeer.py DEVICE VLAN OWN_ADDRESS ADDRESS [untagged]

Prints `found MAC in VLAN n` and `pong in VLAN n`; `untagged` instead of a number where the answer has no tag. Ends with 1 if nothing comes.
"""

import socket
import struct
import sys

PACKET_AUXDATA = 8
SOL_PACKET = 263
VLAN_VALID = 1 << 4


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return 0xFFFF - total


def receive(wire):
    """A frame without its tag, and the VLAN that the kernel took off or that stands in it."""
    data, extra, _, _ = wire.recvmsg(2048, 256)
    vlan = None
    for level, kind, payload in extra:
        if level == SOL_PACKET and kind == PACKET_AUXDATA:
            status, _, _, _, _, tci, _ = struct.unpack("IIIHHHH", payload[:20])
            if status & VLAN_VALID:
                vlan = tci & 0xFFF
    if data[12:14] == b"\x81\x00":
        vlan = struct.unpack("!H", data[14:16])[0] & 0xFFF
        data = data[:12] + data[16:]
    return data, vlan


def wait(wire, fits):
    while True:
        data, vlan = receive(wire)
        if fits(data):
            return data, "untagged" if vlan is None else f"in VLAN {vlan}"


def main():
    device, vlan, own, address = sys.argv[1:5]
    tag = b"" if "untagged" in sys.argv else struct.pack("!HH", 0x8100, int(vlan))
    mac = bytes.fromhex("02000000a001")
    own, address = socket.inet_aton(own), socket.inet_aton(address)
    wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    wire.bind((device, 0))
    wire.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
    wire.settimeout(3)
    request = struct.pack("!HHBBH", 1, 0x0800, 6, 4, 1) + mac + own + b"\0" * 6 + address
    wire.send(b"\xff" * 6 + mac + tag + b"\x08\x06" + request)
    # A reply: its neighbour doubt makes the other side ask for us too, in the VLAN where it knows us.
    arp_reply = b"\x08\x06" + struct.pack("!HHBBH", 1, 0x0800, 6, 4, 2)
    reply, where = wait(wire, lambda data: data[:6] == mac and data[12:22] == arp_reply and data[28:32] == address)
    far = reply[22:28]
    print("found", far.hex(":"), where, flush=True)
    echo = struct.pack("!BBHHH", 8, 0, 0, 7, 1) + b"in a VLAN."
    echo = echo[:2] + struct.pack("!H", checksum(echo)) + echo[4:]
    ip = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(echo), 1, 0, 64, 1, 0) + own + address
    ip = ip[:10] + struct.pack("!H", checksum(ip)) + ip[12:]
    wire.send(far + mac + tag + b"\x08\x00" + ip + echo)
    _, where = wait(wire, lambda data: data[:6] == mac and data[12:14] == b"\x08\x00" and data[34:35] == b"\0")
    print("pong", where, flush=True)


main()
