"""The kernel's side of a measurement, as server or as client, with nothing but Python's standard library.

Each socket is told to use CUBIC: a kernel whose default is BBR paces its packets, which spoils comparisons. A server prints
"ready" once it listens; a client prints one line of JSON. Times are of the monotonic clock, in nanoseconds.

    peer.py serve ADDRESS echo:7 discard:9 source:19
    peer.py send ADDRESS PORT BYTES         to a discard service; ends when that has read everything and closed
    peer.py receive ADDRESS PORT BYTES      from a source service
    peer.py latency ADDRESS PORT COUNT      single bytes to an echo service and back, one at a time
    peer.py connects ADDRESS PORT COUNT     connect, a byte there and back, close, one after the other
    peer.py parallel-send ADDRESS PORT COUNT      so many connections at once for two seconds, to a discard service
    peer.py parallel-receive ADDRESS PORT COUNT   the same from a source service
    peer.py idle ADDRESS PORT COUNT         opens connections, prints "open", holds them until its input ends
"""

import json
import os
import resource
import socket
import struct
import sys
from time import monotonic_ns

CHUNK = 1 << 18
BACKLOG = 512
PARALLEL_NS = 2_000_000_000


def new_socket():
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, b"cubic")
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def connect(address, port):
    sock = new_socket()
    sock.connect((address, port))
    return sock


def drain(sock):
    """Reads to the end; returns the number of bytes."""
    buffer = bytearray(CHUNK)
    total = 0
    while True:
        read = sock.recv_into(buffer)
        if read == 0:
            return total
        total += read


def fill(sock, count):
    """Sends `count` bytes."""
    chunk = memoryview(bytes(CHUNK))
    while count > 0:
        part = min(count, CHUNK)
        sock.sendall(chunk[:part])
        count -= part


def echo(sock):
    while True:
        data = sock.recv(65536)
        if not data:
            return
        sock.sendall(data)


def source(sock):
    request = b""
    while len(request) < 8:
        part = sock.recv(8 - len(request))
        if not part:
            return
        request += part
    fill(sock, struct.unpack(">Q", request)[0])


SERVICES = {"echo": echo, "discard": drain, "source": source}


def accept_for_ever(listener, service):
    while True:
        sock, _ = listener.accept()
        with sock:
            try:
                service(sock)
            except ConnectionError:
                pass


def serve(address, *services):
    """One process for each service, so that none waits for another; this one ends them with itself."""
    for entry in services:
        kind, port = entry.split(":")
        listener = new_socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((address, int(port)))
        listener.listen(BACKLOG)
        if os.fork() == 0:
            accept_for_ever(listener, SERVICES[kind])
        listener.close()
    print("ready", flush=True)
    while True:
        os.wait()


def report(**values):
    print(json.dumps(values), flush=True)


def send(address, port, count):
    with connect(address, port) as sock:
        begin = monotonic_ns()
        fill(sock, count)
        sock.shutdown(socket.SHUT_WR)
        drain(sock)
        report(bytes=count, nanos=monotonic_ns() - begin)


def receive(address, port, count):
    with connect(address, port) as sock:
        begin = monotonic_ns()
        sock.sendall(struct.pack(">Q", count))
        got = drain(sock)
        nanos = monotonic_ns() - begin
    if got != count:
        sys.exit(f"received {got} bytes instead of {count}")
    report(bytes=count, nanos=nanos)


def latency(address, port, count):
    samples = []
    with connect(address, port) as sock:
        warm_up = count // 10
        for i in range(count + warm_up):
            begin = monotonic_ns()
            sock.sendall(b"x")
            sock.recv(1)
            if i >= warm_up:
                samples.append(monotonic_ns() - begin)
    samples.sort()
    at = lambda fraction: samples[min(int(len(samples) * fraction), len(samples) - 1)]
    report(count=count, nanos=sum(samples), p50=at(0.5), p90=at(0.9), p99=at(0.99), max=samples[-1])


def connects(address, port, count):
    begin = monotonic_ns()
    for _ in range(count):
        with connect(address, port) as sock:
            sock.sendall(b"x")
            sock.recv(1)
    report(count=count, nanos=monotonic_ns() - begin)


def parallel(address, port, count, talk):
    """A process for each connection. They begin together, and tell how many bytes went in the same two seconds."""
    starts, results = os.pipe(), os.pipe()
    for _ in range(count):
        if os.fork() == 0:
            os.close(starts[1])
            with connect(address, port) as sock:
                os.write(results[1], struct.pack("q", 0))
                os.read(starts[0], 1)
                begin = monotonic_ns()
                os.write(results[1], struct.pack("q", talk(sock, begin + PARALLEL_NS)))
            os._exit(0)
    os.close(starts[0])
    read = lambda: struct.unpack("q", os.read(results[0], 8))[0]
    for _ in range(count):
        read()
    os.close(starts[1])
    counts = [read() for _ in range(count)]
    for _ in range(count):
        os.wait()
    squares = sum(each * each for each in counts)
    fairness = sum(counts) ** 2 / (count * squares) if squares else 0
    report(bytes=sum(counts), nanos=PARALLEL_NS, fairness=fairness)


def send_until(sock, end):
    chunk = bytes(CHUNK)
    total = 0
    while monotonic_ns() < end:
        total += sock.send(chunk)
    return total


def receive_until(sock, end):
    buffer = bytearray(CHUNK)
    total = 0
    sock.sendall(struct.pack(">Q", 1 << 40))
    while monotonic_ns() < end:
        total += sock.recv_into(buffer)
    return total


def parallel_send(address, port, count):
    parallel(address, port, count, send_until)


def parallel_receive(address, port, count):
    parallel(address, port, count, receive_until)


def idle(address, port, count):
    resource.setrlimit(resource.RLIMIT_NOFILE, (count + 100, count + 100))
    held = [connect(address, port) for _ in range(count)]
    print("open", flush=True)
    sys.stdin.read()
    report(count=len(held))


def main():
    command, address, *rest = sys.argv[1:]
    if command == "serve":
        return serve(address, *rest)
    clients = {
        "send": send,
        "receive": receive,
        "latency": latency,
        "connects": connects,
        "parallel-send": parallel_send,
        "parallel-receive": parallel_receive,
        "idle": idle,
    }
    port, count = rest
    clients[command](address, int(port), int(count))


main()
