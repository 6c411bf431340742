# SPDX-License-Identifier: Apache-2.0
"""The store goes away under load: writes and cached reads go on (P10)."""
import contextlib
import errno
import os
import select
import socket
import threading
import time

import pytest

from conftest import digest, drop_caches, new_buckets, random_bytes, running, wait_for


class Proxy:
    """Forwards TCP to the server; can be dead (refuses) or hang (silent)."""

    def __init__(self, target):
        self.target = target
        self.listener = None
        self.hanging = False
        self.pairs = set()
        probe = socket.create_server(("127.0.0.1", 0))
        self.port = probe.getsockname()[1]
        probe.close()
        self.up()

    def up(self):
        self.hanging = False
        if self.listener is None:
            self.listener = socket.create_server(("127.0.0.1", self.port), reuse_port=True)
            threading.Thread(target=self.accept, args=(self.listener,), daemon=True).start()

    def down(self):
        listener, self.listener = self.listener, None
        if listener:
            listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        for pair in list(self.pairs):
            for s in pair:
                try:
                    s.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass

    def hang(self):
        self.hanging = True

    def accept(self, listener):
        while True:
            try:
                a, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self.carry, args=(a,), daemon=True).start()

    def carry(self, a):
        try:
            b = socket.create_connection(self.target)
        except OSError:
            a.close()
            return
        self.pairs.add((a, b))
        try:
            while True:
                ready, _, _ = select.select([a, b], [], [], 0.2)
                if self.hanging:
                    time.sleep(0.2)
                    continue
                for s in ready:
                    data = s.recv(65536)
                    if not data:
                        return
                    (b if s is a else a).sendall(data)
        except (OSError, ValueError):
            pass
        finally:
            self.pairs.discard((a, b))
            a.close()
            b.close()


@contextlib.contextmanager
def gateway_behind_proxy(s3, **keys):
    host, port = s3["endpoint"].rsplit("/", 1)[-1].split(":")
    proxy = Proxy((host, int(port)))
    try:
        with running(
            store="s3",
            s3=s3,
            buckets=new_buckets(s3),
            endpoint=f"http://127.0.0.1:{proxy.port}",
            trusts=("rem",),
            **keys,
        ) as g:
            yield g, proxy
    finally:
        proxy.down()


@pytest.fixture(scope="module")
def behind_proxy(s3):
    with gateway_behind_proxy(s3, read_wait="3s") as both:
        yield both


@pytest.mark.parametrize("how", ["down", "hang"])
def test_outage(behind_proxy, how):
    g, proxy = behind_proxy
    d = g.mount() / how
    d.mkdir()
    (d / "cold").write_bytes(random_bytes(500000, 1))
    g.protect(d)
    g.evict(d)
    (d / "cached").write_bytes(random_bytes(500000, 2))
    g.protect(d / "cached")
    drop_caches()

    getattr(proxy, how)()
    try:
        # uncached reads: not now, within read_wait and a margin
        t = time.monotonic()
        with pytest.raises(OSError) as e:
            (d / "cold").read_bytes()
        assert e.value.errno == errno.ETIMEDOUT
        assert time.monotonic() - t < 15
        assert (d / "cold").stat().st_size == 500000  # P6: it exists

        # cached reads, listing and writes go on, and do not wait
        assert (d / "cached").read_bytes() == random_bytes(500000, 2)
        for i in range(20):
            (d / f"new-{i}").write_bytes(random_bytes(100000, 100 + i))
        with open(d / "synced", "wb") as f:
            f.write(b"s" * 1000)
            os.fsync(f.fileno())
        assert len(os.listdir(d)) == 23

        # and ops can see it
        wait_for("status says degraded", lambda: g.status()["state"] == "degraded", 60)
        st = g.status()
        assert st["unprotected"]["files"] >= 20
        assert st["stores"][0]["state"] == "down" and st["stores"][0]["error"]
        assert g.screen("status")[0] == 3

        def protect_says_why():  # once the files have settled and it tried
            (job,) = [j for j in g.cli("jobs")["jobs"] if j["job"] == "protect"]
            return job["waiting_for"] or job["last_error"]

        wait_for("protect says what it waits for", protect_says_why, 60)
    finally:
        proxy.up()

    # all becomes protected by itself
    wait_for(
        "all is protected again",
        lambda: g.status()["unprotected"]["files"] == 0 and g.status()["state"] == "online",
        120,
        0.5,
    )
    assert (d / "cold").read_bytes() == random_bytes(500000, 1)
    g.evict(d)
    drop_caches()
    for i in range(20):
        assert (d / f"new-{i}").read_bytes() == random_bytes(100000, 100 + i)


def test_starts_with_the_cloud_down(behind_proxy):
    g, proxy = behind_proxy
    p = g.mount() / "kept"
    p.write_bytes(random_bytes(100000, 5))
    want = digest(p)
    g.stop()
    proxy.down()
    try:
        g.start()
        assert digest(p) == want
        p.write_bytes(b"written with the cloud away")
    finally:
        proxy.up()
    wait_for("protected", lambda: g.status()["unprotected"]["files"] == 0, 120, 0.5)


def test_wrong_ca_is_refused(s3, rgw_gateway, tmp_path):
    """A server that the CA does not vouch for gets nothing."""
    import subprocess

    g = rgw_gateway
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=other CA",
         "-keyout", tmp_path / "k", "-out", tmp_path / "ca"],
        check=True, capture_output=True,
    )  # fmt: skip
    right = g.keys["ca_file"]
    d = g.mount() / "ca"
    d.mkdir()
    (d / "f").write_bytes(b"x" * 50000)
    g.protect(d)
    g.evict(d)
    g.stop()
    g.keys["ca_file"] = tmp_path / "ca"
    g.write_config()
    try:
        g.start()
        drop_caches()
        with pytest.raises(OSError) as e:
            (d / "f").read_bytes()
        assert e.value.errno in (errno.ETIMEDOUT, errno.EIO)
        assert "certificate" in g.status()["stores"][0]["error"].lower()
        g.stop()
    finally:
        g.keys["ca_file"] = right
        g.write_config()
    g.start()
    assert (d / "f").read_bytes() == b"x" * 50000
