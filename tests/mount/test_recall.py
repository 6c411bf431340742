# SPDX-License-Identifier: Apache-2.0
"""Cold files: what is fetched for what is read, many at once, and writers
that come between."""
import os
import random
import subprocess
import sys
import threading

import pytest

from conftest import PLAIN, drop_caches, random_bytes, running, wait_for

MIB = 1 << 20


@pytest.fixture(scope="module")
def g():
    with running(trusts=("rem",), settle="0s") as gateway:
        yield gateway


def cold(g, path, data):
    path.write_bytes(data)
    g.protect(path)
    g.evict(path)
    drop_caches()
    assert g.info(path)["state"] == "remote"


def recalled(g):
    return g.status()["recall"]


def test_readers_of_one_file(g):
    """16 at once, each at its own pace: every byte comes once."""
    p = g.mount() / "shared"
    data = random_bytes(24 * MIB, 1)
    cold(g, p, data)
    before = recalled(g)
    wrong = []

    def read(n):
        rnd = random.Random(n)
        with open(p, "rb", buffering=0) as f:
            at = 0
            while block := f.read(rnd.randrange(4096, MIB)):
                if block != data[at : at + len(block)]:
                    wrong.append((n, at))
                at += len(block)
            if at != len(data):
                wrong.append((n, at))

    threads = [threading.Thread(target=read, args=(n,)) for n in range(16)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not wrong
    fetched = recalled(g)["fetched_bytes"] - before["fetched_bytes"]
    assert len(data) <= fetched <= len(data) * 1.01


def test_viewer_jumps(g):
    """Reads of 64 KiB anywhere in a large file fetch two frames each."""
    p = g.mount() / "slide"
    data = random_bytes(64 * MIB, 2)
    cold(g, p, data)
    before = recalled(g)
    rnd = random.Random(2)
    fd = os.open(p, os.O_RDONLY)
    for _ in range(40):
        off = rnd.randrange(0, len(data) - 65536)
        assert os.pread(fd, 65536, off) == data[off : off + 65536]
    os.close(fd)
    after = recalled(g)
    asked = 40 * 65536
    assert after["fetched_bytes"] - before["fetched_bytes"] <= 2.2 * asked
    assert after["requests"] - before["requests"] <= 45


def test_truncate_while_it_is_read(g):
    """A file that is cut, and written, while others read it."""
    p = g.mount() / "cut"
    data = random_bytes(16 * MIB, 3)
    for round_ in range(4):
        cold(g, p, data)
        seen = []

        def read():
            with open(p, "rb", buffering=0) as f:
                at = 0
                while block := f.read(300000):
                    if block != data[at : at + len(block)]:
                        seen.append((at, at + len(block)))
                        break
                    at += len(block)

        t = threading.Thread(target=read)
        t.start()
        if round_ % 2:
            os.truncate(p, 5 * MIB + 7)
            want = data[: 5 * MIB + 7]
        else:
            with open(p, "r+b") as f:
                f.seek(100)
                f.write(b"changed")
                f.truncate(6 * MIB)
            want = data[:100] + b"changed" + data[107 : 6 * MIB]
        t.join()
        # What did not change is never seen otherwise; a read that meets the
        # new end may see zeros behind it, as on a local filesystem.
        for start, end in seen:
            assert end > len(want) or start == 0 and round_ % 2 == 0
        assert p.read_bytes() == want
        p.unlink()


def test_evicted_while_it_is_read(g):
    p = g.mount() / "evicted"
    data = random_bytes(8 * MIB, 4)
    cold(g, p, data)
    with open(p, "rb", buffering=0) as f:
        at = 0
        while block := f.read(MIB):
            assert block == data[at : at + len(block)]
            at += len(block)
            g.evict(p)  # it is open: refused, or done between two reads
    assert at == len(data)


READ_ALL = """
import os, sys, threading
root, first, last, seed = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
import random
bad = []
def read(i):
    with open(f"{root}/{i}", "rb", buffering=0) as f:
        if f.read() != i.to_bytes(8, "little") * 9000:
            bad.append(i)
threads = [threading.Thread(target=read, args=(i,)) for i in range(first, last)]
for t in threads: t.start()
for t in threads: t.join()
sys.exit(bool(bad))
"""


def test_thousand_cold_files_at_once():
    """Memory, threads and descriptors keep to their limits (P9)."""
    with running(build=PLAIN, trusts=("rem",), settle="0s") as g:
        d = g.mount() / "d"
        d.mkdir()
        for i in range(1000):
            (d / str(i)).write_bytes(i.to_bytes(8, "little") * 9000)
        g.protect()
        g.evict(d)
        drop_caches()
        pid = g.worker_pid()
        peak = {"rss": 0, "fds": 0, "threads": 0}
        stop = threading.Event()

        def watch():
            while not stop.wait(0.02):
                text = open(f"/proc/{pid}/status").read()
                peak["rss"] = max(peak["rss"], int(text.split("VmRSS:")[1].split()[0]) << 10)
                peak["threads"] = max(peak["threads"], int(text.split("Threads:")[1].split()[0]))
                peak["fds"] = max(peak["fds"], len(os.listdir(f"/proc/{pid}/fd")))

        w = threading.Thread(target=watch)
        w.start()
        try:
            step = 125
            readers = [
                subprocess.Popen(
                    [sys.executable, "-c", READ_ALL, d, str(i), str(i + step), "0"]
                )
                for i in range(0, 1000, step)
            ]
            assert [p.wait(120) for p in readers] == [0] * len(readers)
            wait_for(
                "what was fetched is recorded",
                lambda: g.status()["by_state"]["local"]["files"] >= 1000,
                30,
            )
        finally:
            stop.set()
            w.join()
        assert g.worker_pid() == pid
        assert peak["rss"] <= 512 * MIB, peak
        assert peak["fds"] <= 8192, peak
        assert peak["threads"] <= 64, peak
        r = recalled(g)
        assert r["fetched_bytes"] <= 2 * 1000 * 72000, r
