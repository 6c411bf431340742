# SPDX-License-Identifier: Apache-2.0
"""Power cuts while clients work: what was acknowledged is there (P1).

Clients write, rename, link, remove, fsync and pause (client.py) while files
are protected and evicted. The disk and the store are cloned at one instant,
again and again; a fresh gateway on each clone must have everything that had
been acknowledged as durable before it, nothing that is half there, and no
bytes of another file.

The same with syncs left out on purpose (nosync.c) must lose something: it
proves that the test can see a forgotten one.
"""
import concurrent.futures
import contextlib
import os
import pathlib
import random
import sqlite3
import subprocess
import sys
import threading
import time

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "mount"))
from conftest import FULL, CliError, wait_for, workdir  # noqa: E402

from acks import replay, violations  # noqa: E402
from powercut import disk, live  # noqa: E402

CLIENTS = 3  # more would sync for each other all the time
# What is left out -> how many clones. The words are parts of paths.
CLONES = {None: int(os.environ.get("MERSEY_CUTS", 200 if FULL else 10)), "-wal": 3, "/cache": 3}
GAP = (0.1, 1.5) if FULL else (0.3, 4.0)  # seconds between two
NAMES = {None: "all syncs", "-wal": "no sync of the log", "/cache": "no sync of cache files"}


class Clients:
    """Processes, so that a mapping of a stopped gateway stops only them."""

    def __init__(self, root, work, seed):
        self.records = [work / f"record{i}" for i in range(CLIENTS)]
        for r in self.records:
            r.touch()
        self.procs = [
            subprocess.Popen(
                [sys.executable, pathlib.Path(__file__).with_name("client.py"), root / f"w{i}", r, str(seed * 100 + i + 1)],
                stderr=subprocess.PIPE,
            )
            for i, r in enumerate(self.records)
        ]

    def marks(self):
        """How long each record is now."""
        return [r.stat().st_size for r in self.records]

    def models(self, marks):
        return [replay(r.read_bytes()[:n]) for r, n in zip(self.records, marks)]

    def synced(self, marks):
        return sum(m.synced for m in self.models(marks))

    def check(self):
        for p in self.procs:
            assert p.poll() is None, f"a client ended: {p.stderr.read().decode()}"

    def stop(self):
        for p in self.procs:
            p.terminate()
        for p in self.procs:
            try:
                p.wait(30)
            except subprocess.TimeoutExpired:
                p.kill()
                p.wait()
            p.stderr.close()


def evicting(s, stop):
    """Evicts what it can, so that files come back from the store, too."""
    while not stop.wait(1.0):
        with contextlib.suppress(CliError):
            s.g.evict(s.mnt)


def take_clones(s, d, clients, n, rng):
    """Clones under load: [(name, marks of the records, newly synced)]."""
    taken, last, idle = [], 0, 0
    wait_for("each client has been promised something", lambda: all(m.synced for m in clients.models(clients.marks())), 60)
    for i in range(n):
        time.sleep(rng.uniform(*GAP))
        clients.check()
        if idle >= n // 4:  # a forgotten sync shows when all pause, but not only
            wait_for("a new promise", lambda: clients.synced(clients.marks()) > last, 60)
        s.halt()
        marks = clients.marks()
        d.clone(i)
        s.resume()
        synced = clients.synced(marks)
        taken.append((i, marks, synced - last))
        idle += synced == last
        last = synced
    return taken


def strays(state):
    """Cache files that no row explains, once the gateway has ended."""
    db = sqlite3.connect(f"file:{state / 'mersey.db'}?mode=ro", uri=True)
    with contextlib.closing(db):
        assert db.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
        rows = {r[0] for r in db.execute("SELECT ino FROM inode")}
    bad = []
    for p in (state / "cache").rglob("*"):
        if p.is_file():
            ino = int.from_bytes(os.getxattr(p, "user.mersey.id")[16:], "little")
            if ino != int(p.name, 16) or ino not in rows:
                bad.append(f"{p.name}: a cache file of inode {ino}")
    return bad


def scanned(s):
    """The search for cache files without a row has been through."""
    job = next(j for j in s.g.cli("jobs")["jobs"] if j["job"] == "lost")
    return job["state"] == "sleeping" and job["started_at"]


def check(d, work, s, clients, name, marks):
    """What is wrong with one clone."""
    with d.restored(name, work, s.g.work / "secrets") as fresh:
        fresh.start()
        wrong = []
        for i, model in enumerate(clients.models(marks)):
            wrong += [f"clone {name}, client {i}, {what}" for what in violations(model, fresh.mnt / f"w{i}")]
        wait_for("cache files were looked at", lambda: scanned(fresh), 60)
        rc, out, err = fresh.g.screen("quota", "check", "rem")
        if rc != 0:
            wrong.append(f"clone {name}: the counters are wrong: {out}{err}")
        fresh.stop()
        assert fresh.proc.returncode == 0, fresh.g.log()
        return wrong + strays(fresh.g.work / "state/rem")


def cut(work, kind, left_out, seed):
    """(clones, those with something newly promised, what is wrong)."""
    with disk(work, kind) as d:
        with live(work, d, left_out) as s:
            clients = Clients(s.mnt, work, seed)
            stop = threading.Event()
            evictor = threading.Thread(target=evicting, args=(s, stop))
            evictor.start()
            try:
                taken = take_clones(s, d, clients, CLONES[left_out], random.Random(seed))
            finally:
                s.resume()
                stop.set()
                evictor.join()
                clients.stop()
        with concurrent.futures.ThreadPoolExecutor(3) as pool:
            jobs = [pool.submit(check, d, work, s, clients, name, marks) for name, marks, _ in taken]
            wrong = [w for j in jobs for w in j.result()]
        return len(taken), sum(new > 0 for _, _, new in taken), wrong


@pytest.mark.parametrize("kind", ("ext4", "xfs") if FULL else ("ext4",))
def test_power_cut_under_load(kind, capsys):
    seed = int(os.environ.get("MERSEY_SEED", time.time_ns() % 100000))
    with workdir() as work, concurrent.futures.ThreadPoolExecutor(len(CLONES)) as pool:
        jobs = {}
        for i, left_out in enumerate(CLONES):
            (work / f"{i}").mkdir()
            (work / f"{i}").chmod(0o755)
            jobs[left_out] = pool.submit(cut, work / f"{i}", kind, left_out, seed + i)
        results = {k: j.result() for k, j in jobs.items()}
        with capsys.disabled():
            print(f"\n   {kind}, seed {seed} (MERSEY_SEED)", end="")
            for left_out, (n, new, wrong) in results.items():
                print(f"\n   {NAMES[left_out]}: {n} cuts, {new} with new promises, {len(wrong)} broken", end="")
            print()
        n, new, wrong = results[None]
        assert not wrong, "\n".join(wrong[:40])
        assert new >= n / 2, "too few cuts came after something was promised"
        for left_out, (n, new, wrong) in results.items():
            assert left_out is None or wrong, f"{NAMES[left_out]}: nothing was lost, this test sees nothing"
