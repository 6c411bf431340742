# SPDX-License-Identifier: Apache-2.0
"""kill -9 of a worker at random moments under load (P1, P2).

What was acknowledged (a namespace change) or fsynced must be there after the
fresh mount; nothing is half there; clients get an error, none hangs. A kill
with nothing in flight proves nothing and does not count.
"""
import errno
import os
import pathlib
import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "mount"))
from conftest import FULL, alive, running, wait_for  # noqa: E402

KILLS = 50 if FULL else 10
PER_GATEWAY = 5  # the supervisor's back-off grows with each
GONE = (errno.ENOTCONN, errno.ECONNABORTED, errno.EIO, errno.ENXIO, errno.ESHUTDOWN)


class Writer(threading.Thread):
    """Makes files, renames, links, removes; remembers what was acknowledged."""

    def __init__(self, root, number):
        super().__init__(daemon=True)
        self.dir = root / f"w{number}"
        self.rng = random.Random(number)
        self.present = {}  # name -> content that must be there
        self.absent = set()  # names that must not
        self.marks = {}  # name -> value of an xattr
        self.links = {}  # name -> another name of the same file
        self.unsure = set()  # an operation on it was cut off
        self.in_flight = 0
        self.acked = 0
        self.error = None
        self.go = True

    def run(self):
        n = 0
        while self.go:
            n += 1
            name = f"{n}-{self.rng.randrange(1 << 30)}"
            self.in_flight = 1
            try:
                self.one(name)
                self.acked += 1
            except OSError as e:
                if e.errno not in GONE:
                    self.error = e
                    return
                self.in_flight = 0
                return  # the worker died under it
            self.in_flight = 0

    def one(self, name):
        p = self.dir / name
        data = self.rng.randbytes(self.rng.choice((0, 10, 5000, 70000, 300000)))
        self.unsure.add(name)
        with open(p, "wb") as f:
            f.write(data)
            f.flush()
            os.fsync(f.fileno())
        self.unsure.discard(name)
        self.present[name] = data
        what = self.rng.randrange(7)
        if what == 0:
            self.rename(name, name + ".renamed")
        elif what == 1 and len(self.present) > 5:
            old = self.rng.choice([n for n, d in self.present.items() if d is not None])
            self.unsure.add(old)
            os.unlink(self.dir / old)
            del self.present[old]
            self.absent.add(old)
            self.unsure.discard(old)
        elif what == 2:
            d = name + ".dir"
            os.mkdir(self.dir / d)
            self.present[d] = None
        elif what == 3 and self.some_file() != name:
            self.rename(name, self.some_file())
        elif what == 4:
            new = name + ".link"
            self.unsure |= {name, new}
            os.link(p, self.dir / new)
            self.present[new] = data
            self.links[name] = new
            self.unsure -= {name, new}
        elif what == 5:
            self.unsure.add(name)
            os.setxattr(p, "user.mark", name.encode())
            self.marks[name] = name.encode()
            self.unsure.discard(name)
        elif what == 6:
            fd = os.open(self.dir, os.O_RDONLY)
            try:
                os.fsync(fd)
            finally:
                os.close(fd)

    def some_file(self):
        """The first that there is: the same again and again."""
        return next(n for n, d in self.present.items() if d is not None)

    def rename(self, old, new):
        """Over what has that name."""
        self.unsure |= {old, new}
        os.rename(self.dir / old, self.dir / new)
        self.present[new] = self.present.pop(old)
        self.marks.pop(new, None)
        self.links = {a: b for a, b in self.links.items() if new not in (a, b)}
        self.absent.add(old)
        self.unsure -= {old, new}

    def check(self):
        for name, data in self.present.items():
            if name in self.unsure:
                continue
            p = self.dir / name
            if data is None:
                assert p.is_dir(), f"{p}: an acknowledged directory is gone"
            else:
                assert p.read_bytes() == data, f"{p}: acknowledged bytes differ"
        for name in self.marks.keys() & self.present.keys() - self.unsure:
            assert os.getxattr(self.dir / name, "user.mark") == self.marks[name]
        for a, b in self.links.items():
            if {a, b} <= self.present.keys() and not {a, b} & self.unsure:
                assert os.path.samefile(self.dir / a, self.dir / b), f"{a}, {b}: no links of one file"
        listed = set(os.listdir(self.dir))
        for name in self.absent - self.unsure:
            assert name not in listed, f"{name}: removed, but it is back"
        for name in listed - set(self.present) - self.unsure:
            raise AssertionError(f"{name}: nobody made it")
        for name in listed:  # nothing half there: all can be read
            p = self.dir / name
            if p.is_file():
                assert len(p.read_bytes()) == p.stat().st_size


def kills(g, wanted, rng):
    """Kills the worker under load until it counted; the writers, and acks."""
    root = g.mount()
    writers = []
    counted = 0
    for _ in range(wanted * 4):
        if counted == wanted:
            return writers
        batch = []
        for _ in range(4):
            w = Writer(root, len(writers) + len(batch))
            w.dir.mkdir()
            batch.append(w)
        for w in batch:
            w.start()
        time.sleep(rng.uniform(0.2, 2.0))
        pid = g.worker_pid()
        busy = sum(w.in_flight for w in batch)
        os.kill(pid, signal.SIGKILL)
        for w in batch:
            w.join(20)
            assert not w.is_alive(), "a client hangs on a dead worker"
            assert w.error is None, w.error
        wait_for("the old worker is gone", lambda: not alive(pid), 10)
        wait_for("a fresh worker serves", lambda: g.serves("rem") and g.worker_pid() != pid, 60)
        if busy and sum(w.acked for w in batch):
            counted += 1
        writers += batch
        for w in batch:
            w.check()
    raise AssertionError("too few kills hit anything in flight")


@pytest.mark.parametrize("seed", range(KILLS // PER_GATEWAY))
def test_kill_9_under_load(seed, capsys):
    with running(trusts=("rem",), settle="1s") as g:
        writers = kills(g, PER_GATEWAY, random.Random(seed))
        for w in writers:
            w.check()
        # dirty files are protected later, and all can come back
        wait_for("all is protected", lambda: g.status()["unprotected"]["files"] == 0, 180, 0.5)
        g.evict(g.mount())
        for w in writers:
            w.check()
        assert g.status()["worker"]["restarts"] >= PER_GATEWAY
        g.stop()
        db = sqlite3.connect(f"file:{next((g.work / 'state/rem').glob('*.db'))}?mode=ro", uri=True)
        assert db.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
        db.close()
    with capsys.disabled():
        print(f"\n   {PER_GATEWAY} kills under load, {sum(w.acked for w in writers)} acknowledged rounds of operations, none lost")


def size_of(path):
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def test_unlinked_open_files_are_cleaned_up():
    with running(trusts=("rem",), settle="1s") as g:
        p = g.mount() / "orphan"
        f = open(p, "wb")
        f.write(b"x" * 100000)
        f.flush()  # python buffers a whole st_blksize
        os.unlink(p)

        def used():  # empty ones are made ahead
            top = g.work / "state/rem/cache"
            return sum(1 for p in top.rglob("*") if p.is_file() and size_of(p) > 0)

        assert used() == 1
        pid = g.worker_pid()
        os.kill(pid, signal.SIGKILL)
        wait_for("a fresh worker", lambda: g.serves("rem") and g.worker_pid() != pid, 60)
        wait_for("the cache file is gone", lambda: used() == 0, 20)
        assert g.status()["files"] <= 1
        try:
            f.close()
        except OSError as e:
            assert e.errno in GONE


MIB = 1 << 20
LARGE = 84 * MIB  # six parts, and the pack that names them


class Packs:
    """The packs of a bucket, and what they say without any database."""

    def __init__(self, g):
        self.g = g
        self.top = g.work / "bucket" / "rem"
        self.seen = {}

    def names(self):
        return {p for p in self.top.rglob("packs/*") if p.is_file() and "tmp" not in p.name}

    def listed(self, pack):
        if pack not in self.seen:
            keys = next(self.top.rglob("keys"))
            args = ["--key", self.g.work / "secrets" / "rem.key", "--keys", keys]
            self.seen[pack] = self.g.cli("pack", "list", pack, *args)["files"]
        return self.seen[pack]

    def versions(self, path):
        """Those that are named, with how many bytes; and the newest of a part."""
        named, part = {}, 0
        for f in (f for p in self.names() for f in self.listed(p) if f["path"] == path):
            if f["part"]:
                part = max(part, f["version"])
            else:
                named[f["version"]] = f["bytes_here"] + f["bytes_elsewhere"]
        return named, part


def test_upload_cut_short():
    """A large file's packs name no version before all of it is there."""
    cut = 0
    with running(trusts=("rem",), settle="1h") as g:
        p, packs = g.mount() / "large", Packs(g)
        data = random.Random(1).randbytes(LARGE)
        p.write_bytes(data)
        g.protect(p)
        for want in (1, 3, 6):
            before = packs.names()
            acked = max(packs.versions("large")[0])
            data = data[1:] + data[:1]
            p.write_bytes(data)
            pid = g.worker_pid()
            wait = subprocess.Popen(
                [g.build / "daemon/cli/mersey", "--config", g.config, "wait", p],
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=g.env(),
            )  # fmt: skip
            wait_for("packs arrive", lambda: len(packs.names() - before) >= want, 60, 0.001)
            os.kill(pid, signal.SIGKILL)
            wait.wait(60)
            wait_for("the old worker is gone", lambda: not alive(pid), 10)
            named, part = packs.versions("large")
            assert all(n == LARGE for n in named.values()), named
            assert max(named) >= acked
            cut += part > max(named)
            wait_for("a fresh worker", lambda: g.serves("rem") and g.worker_pid() != pid, 60)
            g.protect(p)
            named, part = packs.versions("large")
            assert named[max(named)] == LARGE
            assert max(named) > acked and max(named) >= part
        assert cut > 0, "no upload was cut short"
        g.evict(p)
        assert p.read_bytes() == data


def test_killed_supervisor_leaves_nothing_hanging():
    with running(trusts=("rem",)) as g:
        pid = g.worker_pid()
        g.proc.kill()
        g.proc.wait()
        wait_for("the worker dies with it", lambda: not alive(pid), 10)
        r = subprocess.run(["timeout", "10", "stat", g.mount() / "x"], capture_output=True)
        assert r.returncode == 1  # an error, not a hang
        g.start()  # cleans the stale mount
        (g.mount() / "x").write_bytes(b"again")
