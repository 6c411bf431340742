# SPDX-License-Identifier: Apache-2.0
"""Power cuts 1 to 40 s after protect, evict and gc lose nothing (S1, P12).

Stopping the gateway and cloning its disk and its store at one instant gives
what they would hold had the power gone then. A fresh gateway on the clone
must serve every fsynced byte.

The same run with the barrier of S1 switched off must lose data: it proves
that the test can see a loss.
"""
import os
import pathlib
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "mount"))
from conftest import FULL, random_bytes, wait_for, workdir  # noqa: E402

from powercut import Single, disk  # noqa: E402

FILES = 60
SIZE = 30000
# Shorter and longer than the journal's 5 s and the page cache's 30 s.
CUTS = {True: (1, 3, 6, 9, 14, 20, 27, 40), False: (7, 10, 14, 18, 24)}
if FULL:
    CUTS = {True: tuple(range(1, 41)), False: tuple(range(7, 29, 3))}


def load(s):
    """Writes, protects, rewrites a part, protects, evicts: all fsynced."""
    want = {}
    for i in range(FILES):
        p = s.mnt / f"{i}"
        data = random_bytes(SIZE, i)
        with open(p, "wb") as f:
            f.write(data)
            os.fsync(f.fileno())
        want[p.name] = data
    fd = os.open(s.mnt, os.O_RDONLY)
    os.fsync(fd)
    os.close(fd)
    s.g.cli("wait", "--all", "--trust", "rem")
    first = set(s.g.packs())
    for i in range(FILES):  # every object of the first round loses its users
        p = s.mnt / f"{i}"
        data = random_bytes(SIZE, 1000 + i)
        with open(p, "r+b") as f:
            f.write(data)
            os.fsync(f.fileno())
        want[p.name] = data
    s.g.cli("wait", "--all", "--trust", "rem")
    s.g.cli("evict", *[s.mnt / n for n in want])
    return want, first


def check(s, want):
    """The names whose bytes a gateway on a clone has lost."""
    s.start()
    lost = []
    for name, data in want.items():
        try:
            if (s.mnt / name).read_bytes() != data:
                lost.append(name)
        except OSError:
            lost.append(name)
    return lost


def cut(work, barrier, results):
    with disk(work) as d:
        (work / "live").mkdir()
        (work / "live").chmod(0o755)
        s = Single(work / "live", d.state, d.bucket)
        s.g.setup()
        s.start(barrier)
        try:
            want, first = load(s)
            if barrier:
                wait_for("gc deletes what nobody names", lambda: not first & set(s.g.packs()), 20)
            else:
                s.halt()  # a syncfs for something else would be a barrier, too
            start = time.monotonic()
            for at in CUTS[barrier]:
                time.sleep(max(0, start + at - time.monotonic()))
                s.halt()
                d.clone(at)
                if barrier:
                    s.resume()
        finally:
            s.stop()
        for at in CUTS[barrier]:
            with d.restored(at, work, s.g.work / "secrets") as fresh:
                results[at] = check(fresh, want)


def test_power_cut(capsys):
    with workdir() as work:
        results = {True: {}, False: {}}
        errors = []

        def one(barrier):
            d = work / ("with" if barrier else "without")
            d.mkdir()
            d.chmod(0o755)
            try:
                cut(d, barrier, results[barrier])
            except BaseException as e:  # shown by the assertion below
                errors.append(e)
                raise

        threads = [threading.Thread(target=one, args=(b,)) for b in (True, False)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        assert not errors, errors
        with capsys.disabled():
            for barrier, name in ((True, "with"), (False, "without")):
                r = results[barrier]
                print(
                    f"\n   {name} the barrier: {len(r)} cuts, files lost: "
                    + ", ".join(f"{len(v)} at {k} s" for k, v in sorted(r.items())),
                    end="",
                )
            print()
        assert len(results[True]) == len(CUTS[True])
        assert not any(results[True].values()), results[True]
        assert any(results[False].values()), "without the barrier nothing was lost: this test sees nothing"
