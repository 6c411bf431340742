# SPDX-License-Identifier: Apache-2.0
"""A store that accepts connections and never answers: who does not need it
does not notice, who does is told "not now" in time."""
import errno
import os
import socket
import threading
import time

import pytest

from conftest import drop_caches, random_bytes, wait_for
from test_outage import gateway_behind_proxy

READ_WAIT = 8
IN_TIME = 1.75 * READ_WAIT  # less than twice that
READERS = 40  # more than there are threads for anything
SIZE = 50000


class Stalled:
    """Accepts on the port, reads nothing, says nothing."""

    def __init__(self, port):
        self.listener = socket.create_server(("127.0.0.1", port), reuse_port=True, backlog=256)
        self.accepted = []
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                self.accepted.append(self.listener.accept()[0])
            except OSError:
                return

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for s in self.accepted:
            s.close()


@pytest.fixture(scope="module")
def behind_proxy(s3):
    with gateway_behind_proxy(s3, read_wait=f"{READ_WAIT}s") as both:
        yield both


class Reader(threading.Thread):
    """Reads a file that is not here; says how that ended."""

    def __init__(self, path):
        super().__init__(daemon=True)
        self.path = path
        self.error = None
        self.seconds = None
        self.start()

    def run(self):
        t = time.monotonic()
        try:
            self.path.read_bytes()
            self.error = 0
        except OSError as e:
            self.error = e.errno
        self.seconds = time.monotonic() - t


def work_on(g, d):
    """What needs nothing of the store."""
    assert (d / "cached").read_bytes() == random_bytes(SIZE, 999)
    assert len(os.listdir(d)) >= READERS + 1
    assert (d / "cold-0").stat().st_size == SIZE
    with open(d / "new", "wb") as f:
        f.write(b"n" * SIZE)
        os.fsync(f.fileno())
    assert (d / "new").read_bytes() == b"n" * SIZE
    assert g.status()["stores"][0]["store"] == "near-store"
    assert g.screen("status", "rem")[0] in (0, 3)
    assert g.cli("jobs")["jobs"]


def test_stalled(behind_proxy):
    g, proxy = behind_proxy
    d = g.mount() / "stalled"
    d.mkdir()
    for i in range(READERS):
        (d / f"cold-{i}").write_bytes(random_bytes(SIZE, i))
    g.protect(d)
    g.evict(d)
    (d / "cached").write_bytes(random_bytes(SIZE, 999))
    g.protect(d / "cached")
    drop_caches()

    proxy.down()
    stalled = Stalled(proxy.port)
    try:
        readers = [Reader(d / f"cold-{i}") for i in range(READERS)]
        wait_for("the store is being asked", lambda: stalled.accepted, READ_WAIT)

        # all of this ends while every one of them waits
        work_on(g, d)
        assert [r.error for r in readers] == [None] * READERS

        for r in readers:
            r.join(READ_WAIT + 60)
        assert {r.error for r in readers} == {errno.ETIMEDOUT}
        assert max(r.seconds for r in readers) < IN_TIME

        # who asks later waits just as long for the store to come back, and
        # not for the breaker to say no (P6)
        late = Reader(d / "cold-0")
        late.join(READ_WAIT + 60)
        assert late.error == errno.ETIMEDOUT
        assert READ_WAIT - 1 <= late.seconds < IN_TIME
        wait_for("it is not asked any more", lambda: breaker(g) != "closed", 90)
        store = g.status()["stores"][0]
        assert store["state"] == "down" and store["breaker_since"] and store["next_probe_at"]

        # one that waits while it comes back gets its bytes
        late = Reader(d / "cold-1")
        time.sleep(1)
        assert late.error is None
    finally:
        stalled.close()
        proxy.up()
    late.join(READ_WAIT + 60)
    assert late.error == 0
    assert (d / "cold-1").read_bytes() == random_bytes(SIZE, 1)
    assert breaker(g) == "closed"


def breaker(g):
    return g.status()["stores"][0]["breaker"]


def test_starts_beside_a_stalled_store(behind_proxy):
    g, proxy = behind_proxy
    p = g.mount() / "kept"
    p.write_bytes(random_bytes(SIZE, 7))
    g.stop()
    proxy.down()
    stalled = Stalled(proxy.port)
    try:
        g.start()
        assert p.read_bytes() == random_bytes(SIZE, 7)
        p.write_bytes(b"written beside it")
        assert p.read_bytes() == b"written beside it"
    finally:
        stalled.close()
        proxy.up()
    wait_for("all is protected", lambda: g.status()["unprotected"]["files"] == 0, 120, 0.5)
