"""The kernel's side of TCP Fast Open.

    fastOpen.py serve PORT TIMES             prints `ready`; answers each connection with its own words in capitals
    fastOpen.py ask ADDRESS PORT TIMES       says "hello N" with the SYN of each connection, prints what came back as JSON
"""

import json
import socket
import sys


def hear(wire):
    heard = b""
    while True:
        part = wire.recv(4096)
        if not part:
            return heard
        heard += part


if sys.argv[1] == "serve":
    listener = socket.socket()
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_FASTOPEN, 16)
    listener.bind(("", int(sys.argv[2])))
    listener.listen(16)
    print("ready", flush=True)
    for _ in range(int(sys.argv[3])):
        wire, _ = listener.accept()
        wire.sendall(hear(wire).upper())
        wire.close()
else:
    answers = []
    for i in range(int(sys.argv[4])):
        wire = socket.socket()
        wire.sendto(f"get {i + 1}\n".encode(), socket.MSG_FASTOPEN, (sys.argv[2], int(sys.argv[3])))
        wire.shutdown(socket.SHUT_WR)
        answers.append(len(hear(wire)))
        wire.close()
    print(json.dumps(answers))
