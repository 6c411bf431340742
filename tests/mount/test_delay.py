# SPDX-License-Identifier: Apache-2.0
"""The delay proxy of scripts/bench: late, but whole, counted, and not slow."""
import contextlib
import hashlib
import json
import re
import signal
import socket
import subprocess
import threading
import time

from conftest import BUILD, random_bytes, wait_for

EXE = BUILD / "tests/bench/bench-delay"


class Server:
    """Serves each connection with a function, in a thread of its own."""

    def __init__(self, serve):
        self.serve = serve
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.loop, daemon=True).start()

    def loop(self):
        with contextlib.suppress(OSError):
            while True:
                c = self.listener.accept()[0]
                threading.Thread(target=self.one, args=(c,), daemon=True).start()

    def one(self, c):
        with contextlib.suppress(OSError), c:
            self.serve(c)


class Proxy:
    def __init__(self, port, rtt):
        self.proc = subprocess.Popen(
            [EXE, "--listen", "0", "--to", f"127.0.0.1:{port}", "--rtt", rtt],
            stdout=subprocess.PIPE,
            text=True,
        )
        self.port = int(re.fullmatch(r"listening on 127.0.0.1:(\d+)\n", self.line())[1])

    def line(self):
        return self.proc.stdout.readline()

    def counts(self):
        self.proc.send_signal(signal.SIGUSR1)
        return json.loads(self.line())

    def connect(self):
        return socket.create_connection(("127.0.0.1", self.port), timeout=60)


@contextlib.contextmanager
def proxied(serve, rtt):
    server = Server(serve)
    p = Proxy(server.port, rtt)
    try:
        yield p
        p.proc.terminate()
        p.last = json.loads(p.line())
        assert p.proc.wait(20) == 0
    finally:
        p.proc.kill()
        p.proc.wait()
        server.listener.close()


def everything(c):
    parts = []
    while part := c.recv(1 << 20):
        parts.append(part)
    return b"".join(parts)


def echo(c):
    while part := c.recv(1 << 16):
        c.sendall(part)


def test_each_exchange_takes_a_round_trip():
    with proxied(echo, "30ms") as p:
        began = time.monotonic()
        with p.connect() as c:
            for i in range(5):
                c.sendall(b"%d" % i)
                assert c.recv(1) == b"%d" % i
        took = time.monotonic() - began
    assert took >= 6 * 0.030  # one more: the connection
    assert p.last["connections"] == 1
    assert p.last["to_server"] == p.last["from_server"] == 5


def test_no_delay_asked_for():
    with proxied(echo, "0ms") as p, p.connect() as c:
        c.sendall(b"x" * 100_000)
        c.shutdown(socket.SHUT_WR)
        assert everything(c) == b"x" * 100_000


def test_bytes_are_whole_and_many_are_under_way():
    """Each connection's answer is 16 MiB: with only 64 KiB per round trip it
    would take 50 s."""
    data = random_bytes(16 << 20, seed=1)

    def serve(c):
        c.sendall(hashlib.sha256(everything(c)).digest() + data)

    def client(p, n, got):
        with p.connect() as c:
            c.sendall(data[: n << 20])
            c.shutdown(socket.SHUT_WR)
            got[n] = everything(c)

    got = {}
    with proxied(serve, "200ms") as p:
        began = time.monotonic()
        threads = [threading.Thread(target=client, args=(p, n, got)) for n in range(8)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        took = time.monotonic() - began
    for n in range(8):
        assert got[n] == hashlib.sha256(data[: n << 20]).digest() + data
    assert p.last["connections"] == 8
    assert p.last["to_server"] == sum(range(8)) << 20
    assert p.last["from_server"] == 8 * (32 + len(data))
    assert took < 50


def test_counts_while_it_runs():
    with proxied(echo, "2ms") as p:
        assert p.counts() == {"connections": 0, "open": 0, "to_server": 0, "from_server": 0}
        with p.connect() as c:
            c.sendall(b"abc")
            assert c.recv(3) == b"abc"
            assert p.counts() == {"connections": 1, "open": 1, "to_server": 3, "from_server": 3}
        wait_for("the connection is gone", lambda: p.counts()["open"] == 0)


def test_who_does_not_read_stops_the_sender():
    """What nobody reads is not fetched: the proxy is no large buffer."""
    accepted, full = [0], threading.Event()

    def serve(c):
        c.settimeout(2)
        with contextlib.suppress(TimeoutError):
            while accepted[0] < 256 << 20:
                accepted[0] += c.send(b"x" * (1 << 16))
        full.set()

    with proxied(serve, "10ms") as p, p.connect():
        assert full.wait(60)
    assert accepted[0] < 128 << 20


def test_no_server():
    unused = socket.create_server(("127.0.0.1", 0))
    port = unused.getsockname()[1]
    unused.close()
    p = Proxy(port, "1ms")
    try:
        with p.connect() as c, contextlib.suppress(ConnectionResetError):
            assert c.recv(1) == b""
        wait_for("the connection is gone", lambda: p.counts()["open"] == 0)
    finally:
        p.proc.kill()
        p.proc.wait()


def test_usage():
    for args in ([], ["--listen", "1", "--to", "localhost:2"], ["--listen", "x", "--rtt", "3"]):
        assert subprocess.run([EXE, *args], capture_output=True).returncode == 2
