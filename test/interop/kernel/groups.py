"""The kernel's side of groups.

    groups.py hear GROUP INTERFACE    joins, prints `ready` and then the text of the first datagram
    groups.py say GROUP INTERFACE TEXT
"""

import socket
import struct
import sys

PORT = 7000
verb, group, interface = sys.argv[1:4]
index = socket.if_nametoindex(interface)
family = socket.AF_INET6 if ":" in group else socket.AF_INET
wire = socket.socket(family, socket.SOCK_DGRAM)
wire.settimeout(20)
if verb == "say":
    if family == socket.AF_INET6:
        wire.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, index)
    else:
        wire.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, struct.pack("4s4si", b"\0" * 4, b"\0" * 4, index))
    wire.sendto(sys.argv[4].encode(), (group, PORT))
else:
    wire.bind(("", PORT))
    if family == socket.AF_INET6:
        member = socket.inet_pton(family, group) + struct.pack("i", index)
        wire.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, member)
    else:
        member = struct.pack("4s4si", socket.inet_aton(group), b"\0" * 4, index)
        wire.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, member)
    print("ready", flush=True)
    print(wire.recv(2000).decode(), flush=True)
