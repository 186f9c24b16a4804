"""The kernel's side of datagrams that travel as one.

    segments.py ADDRESS PORT COUNT SIZE

Sends COUNT datagrams of SIZE bytes, numbered, by one call that has the kernel cut them (UDP_SEGMENT), then waits for as many and prints how many came that
were as they should be.
"""

import socket
import struct
import sys

UDP_SEGMENT = 103
address, port, count, size = sys.argv[1], *map(int, sys.argv[2:5])
datagrams = [struct.pack(">I", number).ljust(size, bytes([number % 251])) for number in range(count)]
with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM) as wire:
    wire.settimeout(20)
    wire.setsockopt(socket.SOL_UDP if hasattr(socket, "SOL_UDP") else 17, UDP_SEGMENT, size)
    wire.connect((address, port))
    wire.send(b"".join(datagrams))
    print(sum(wire.recv(65536) == datagram for datagram in datagrams))
