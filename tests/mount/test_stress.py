# SPDX-License-Identifier: Apache-2.0
"""The bytes are right, whatever happens beside it: evictions, recalls,
protects, a cache that is too small, restarts, kill -9; with passthrough and
without. fsx.py knows what they must be.

$MERSEY_STRESS_SEED repeats a run, $MERSEY_STRESS_SECONDS lengthens it.
"""
import concurrent.futures
import contextlib
import hashlib
import mmap
import os
import pathlib
import random
import signal
import subprocess
import sys
import threading
import time

import pytest

from conftest import FULL, PLAIN, CliError, digest, drop_caches, random_bytes, running, wait_for

SEED = int(os.environ.get("MERSEY_STRESS_SEED", random.randrange(1 << 20)))
SECONDS = float(os.environ.get("MERSEY_STRESS_SECONDS", 120 if FULL else 2))
FSX = pathlib.Path(__file__).with_name("fsx.py")
MIB = 1 << 20
# a clean file that no pressure touches, nor does the chaos
COLD = 6 * MIB


@pytest.fixture(scope="module", params=["true", "false"], ids=["passed", "served"])
def gateway(request):
    with running(
        trusts=("rem",),
        settle="0s",
        read_wait="20s",
        cache_size="64MiB",
        passthrough=request.param + ", passthrough_reserve: 1MiB",
    ) as g:
        yield g


class Chaos(threading.Thread):
    """Evicts, recalls and protects what it finds, and fills the cache."""

    def __init__(self, g, seed):
        super().__init__()
        self.g, self.rng = g, random.Random(seed)
        self.end = threading.Event()
        self.done = {}

    def one(self):
        names = [n for n in os.listdir(self.g.mount()) if n.startswith("f")]
        what = self.rng.choice(["evict", "evict", "evict", "recall", "fill"])
        if what == "fill":
            p = self.g.mount() / f"fill{self.rng.randrange(8)}"
            p.write_bytes(bytes(self.rng.randrange(8 * MIB)))
        elif names:
            self.verb(what, self.g.mount() / self.rng.choice(names))
        self.done[what] = self.done.get(what, 0) + 1

    def verb(self, what, path):
        """Without a sanitizer a verb takes milliseconds, which is what counts.
        In use, gone, or the worker is: all fine."""
        subprocess.run(
            [PLAIN / "daemon/cli/mersey", "--config", self.g.config, what, path],
            capture_output=True,
            timeout=60,
        )

    def run(self):
        while not self.end.is_set():
            with contextlib.suppress(OSError, subprocess.TimeoutExpired):
                self.one()

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *exc):
        self.end.set()
        self.join()
        print(f"chaos: {self.done}")


class Walker:
    """An fsx.py beside us."""

    def __init__(self, top, seed, seconds):
        self.proc = subprocess.Popen(
            [sys.executable, FSX, top, str(seed), str(seconds)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def phase(self):
        line = self.proc.stdout.readline()
        if line != "phase\n":
            pytest.fail(line + self.proc.stdout.read())

    def go(self):
        self.proc.stdin.write("go\n")
        self.proc.stdin.flush()

    def finish(self):
        self.proc.stdin.close()
        out = self.proc.stdout.read()
        assert self.proc.wait(60) == 0, out

    def kill(self):
        self.proc.kill()
        self.proc.wait()


@contextlib.contextmanager
def walkers(top, n, seed, seconds):
    all_ = [Walker(top, seed + i, seconds) for i in range(n)]
    try:
        yield all_
    finally:
        for w in all_:
            w.kill()


def remove_all(g):
    for p in g.mount().iterdir():
        p.unlink()


def test_the_model_itself(tmp_path):
    """On the filesystem below: what fails here is the model."""
    with walkers(tmp_path, 1, SEED, 1) as (w,):
        w.phase()
        w.finish()


def test_random(gateway):
    print(f"MERSEY_STRESS_SEED={SEED}")
    g = gateway
    with Chaos(g, SEED) as chaos, walkers(g.mount(), 3, SEED, SECONDS) as ws:
        for w in ws:
            w.phase()
        for w in ws:
            w.finish()
    assert chaos.done.get("evict", 0) > 0, chaos.done
    remove_all(g)


def restart(g, kill):
    if not kill:
        g.stop()
        g.start()
        return
    pid = g.worker_pid()
    os.kill(pid, signal.SIGKILL)

    def again():
        with contextlib.suppress(CliError, KeyError, TypeError):
            return g.worker_pid() != pid and g.status()["state"] == "online"

    wait_for("another worker serves", again, 60)


def test_random_with_restarts(gateway):
    """All is closed, nothing was synced: a killed worker loses none of it."""
    g = gateway
    rounds = 6 if FULL else 2
    with walkers(g.mount(), 2, SEED + 100, SECONDS / 4) as ws:
        for i in range(rounds):
            with Chaos(g, SEED + i):
                for w in ws:
                    w.phase()
            restart(g, kill=i % 2 == 0)
            for w in ws:
                w.go()
        for w in ws:
            w.phase()
            w.finish()
    remove_all(g)


# ---- one cold file, many who want it -------------------------------------


@pytest.fixture
def cold(gateway):
    """A protected file of which nothing is here."""
    g = gateway
    p = g.mount() / "cold"
    data = random_bytes(COLD, SEED)
    p.write_bytes(data)
    make_cold(g, p)
    yield p, data
    p.unlink()


def make_cold(g, p):
    g.protect(p)

    def gone():
        with contextlib.suppress(CliError):
            g.evict(p)
        return g.info(p)["state"] == "remote"

    wait_for("it is evicted", gone)
    drop_caches()


def test_sixteen_readers(gateway, cold):
    path, data = cold

    def read(i):
        rng = random.Random(i)
        with open(path, "rb", buffering=0) as f:
            for _ in range(40):
                off = rng.randrange(len(data))
                n = rng.randrange(1, 200000)
                if os.pread(f.fileno(), n, off) != data[off : off + n]:
                    return off
            f.seek(0)
            return None if f.read() == data else -1

    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        assert list(pool.map(read, range(16))) == [None] * 16


def test_reader_and_writer(gateway, cold):
    """Each page is all of one write or all of another."""
    path, data = cold
    page = 4096
    end = threading.Event()
    pages = len(data) // page

    def old(i):
        return data[i * page : (i + 1) * page]

    def new(i):
        return bytes([i & 0xFF, i >> 8]) * (page // 2)

    def write():
        rng = random.Random(SEED)
        with open(path, "r+b", buffering=0) as f:
            for i in rng.sample(range(pages), pages // 4):
                os.pwrite(f.fileno(), new(i), i * page)
        end.set()

    def read(seed):
        rng = random.Random(seed)
        with open(path, "rb", buffering=0) as f:
            while not end.is_set():
                i = rng.randrange(pages)
                got = os.pread(f.fileno(), page, i * page)
                if got not in (old(i), new(i)):
                    return i
        return None

    with concurrent.futures.ThreadPoolExecutor(5) as pool:
        jobs = [pool.submit(read, i) for i in range(4)]
        pool.submit(write).result()
        assert [j.result() for j in jobs] == [None] * 4
    want = bytearray(data)
    for i in random.Random(SEED).sample(range(pages), pages // 4):
        want[i * page : (i + 1) * page] = new(i)
    assert path.read_bytes() == want


def wrong_before(got, want, off, cut):
    """Bytes of a read at `off` that are wrong, and were not cut off beside
    it. The kernel fills pages behind the end, which its reader asked for
    before it knew, with zeros: those it may see."""
    return [
        off + i
        for i, (a, b) in enumerate(zip(got, want))
        if a != b and (off + i < cut or a)
    ]


def test_truncate_during_recall(gateway, cold):
    """Readers see what was there, or the end."""
    path, data = cold
    for cut in (len(data) // 2, 100, 0):
        wrong = []

        def read():
            with open(path, "rb", buffering=0) as f:
                off = 0
                while b := os.pread(f.fileno(), 100000, off):
                    wrong.extend(wrong_before(b, data[off : off + len(b)], off, cut))
                    off += len(b)

        readers = [threading.Thread(target=read) for _ in range(3)]
        for t in readers:
            t.start()
        time.sleep(0.005)
        os.truncate(path, cut)
        for t in readers:
            t.join()
        assert not wrong, (cut, wrong[0], wrong[-1])
        assert path.read_bytes() == data[:cut]
        path.write_bytes(data)
        make_cold(gateway, path)


def test_eviction_races_with_open(gateway, cold):
    path, data = cold
    end = threading.Event()

    def evict():
        while not end.is_set():
            with contextlib.suppress(CliError):
                gateway.evict(path)

    t = threading.Thread(target=evict)
    t.start()
    try:
        rng = random.Random(SEED)
        for i in range(200 if FULL else 40):
            off = rng.randrange(len(data) - 70000)
            with open(path, "rb", buffering=0) as f:
                assert os.pread(f.fileno(), 70000, off) == data[off : off + 70000], off
                if i % 4 == 0:
                    with mmap.mmap(f.fileno(), 0, prot=mmap.PROT_READ) as m:
                        assert m[off : off + 5000] == data[off : off + 5000]
    finally:
        end.set()
        t.join()


def test_stores_after_close(gateway):
    """A mapping outlives its descriptor: what is stored is protected."""
    path = gateway.mount() / "mapped"
    data = bytearray(random_bytes(MIB, 7))
    path.write_bytes(data)
    gateway.protect(path)
    fd = os.open(path, os.O_RDWR)
    m = mmap.mmap(fd, MIB)
    os.close(fd)
    rng = random.Random(SEED)
    for _ in range(20):
        off = rng.randrange(MIB - 100)
        m[off : off + 100] = data[off : off + 100] = rng.randbytes(100)
        with contextlib.suppress(CliError):
            gateway.evict(path)
        time.sleep(0.02)
    m.close()
    make_cold(gateway, path)
    assert digest(path) == digest_of(data)
    path.unlink()


def digest_of(data):
    return hashlib.sha256(data).hexdigest()


# ---- files that never close ---------------------------------------------


@pytest.fixture(scope="module", params=["true", "false"], ids=["passed", "served"])
def impatient(request):
    """A gateway that copies what is open for longer than a second."""
    with running(
        trusts=("rem",),
        passthrough=request.param,
        max_unprotected="1s",
    ) as g:
        yield g


def stored(g, path):
    """Bytes of a file that the bucket has, whatever its state is."""
    return sum(e["bytes"] for e in g.info(path)["extents"])


@pytest.mark.parametrize("mapped", [False, True], ids=["open", "mapped"])
def test_never_closed(impatient, mapped):
    g = impatient
    path = g.mount() / f"db-{mapped}"
    data = bytearray(random_bytes(MIB, 3))
    path.write_bytes(data)
    fd = os.open(path, os.O_RDWR)
    m = mmap.mmap(fd, MIB) if mapped else None
    if mapped:
        os.close(fd)
        m[:4] = data[:4] = b"1234"
    else:
        os.pwrite(fd, b"1234", 0)
        data[:4] = b"1234"
    wait_for("a copy is stored", lambda: stored(g, path) == MIB, 60)
    assert g.info(path)["state"] == "dirty"
    packs = set(g.packs())
    # it goes on, and is copied again
    if mapped:
        m[MIB - 4 :] = data[MIB - 4 :] = b"5678"
    else:
        os.pwrite(fd, b"5678", MIB - 4)
        data[MIB - 4 :] = b"5678"
    wait_for("a newer copy is stored", lambda: set(g.packs()) - packs, 60)
    assert path.read_bytes() == data
    if mapped:
        m.close()
    else:
        os.close(fd)
    make_cold(g, path)
    assert path.read_bytes() == data
