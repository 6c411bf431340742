# SPDX-License-Identifier: Apache-2.0
"""The disk loses what was written to the database's log (S4).

The filesystem below the loop device is full: the kernel cannot write the log
back, so an fsync fails, and from then on the page cache calls clean what the
disk has not got. Whoever went on would promise what is not there. So the
process ends; the next one, when there is room again, keeps its promises, and
what was promised before is there.
"""
import errno
import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "mount"))
from conftest import is_mounted, wait_for, workdir  # noqa: E402

from powercut import Single, disk  # noqa: E402

GONE = (errno.EIO, errno.ENOTCONN, errno.ECONNABORTED)


def fill(path):
    """No room for anything any more."""
    with open(path, "wb", buffering=0) as f:
        for n in (1 << 20, 4096):
            try:
                while True:
                    f.write(bytes(n))
            except OSError as e:
                assert e.errno == errno.ENOSPC
        os.fsync(f.fileno())


def promise(d, name):
    """A directory that a power cut leaves."""
    (d / name).mkdir()
    fd = os.open(d, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def until_it_fails(s):
    """Names that were promised, until one is not."""
    kept = []
    for i in range(2000):
        try:
            promise(s.mnt, f"full{i}")
        except OSError as e:
            assert e.errno in GONE, e
            return kept
        kept.append(f"full{i}")
    raise AssertionError("a full disk took all")


def test_lost_log():
    with workdir() as work, disk(work, size="400M") as d:
        (work / "live").mkdir()
        (work / "live").chmod(0o755)
        s = Single(work / "live", d.state, d.bucket)
        try:
            s.g.setup()
            s.start()
            promise(s.mnt, "before")
            fill(d.host / "filler")
            kept = until_it_fails(s)
            assert s.proc.wait(20) == 1
            assert "cannot be made durable" in s.g.log()
            # a dead one is no mount point to os.path.ismount()
            wait_for("the dead mount is gone", lambda: not is_mounted(s.mnt), 20)
            (d.host / "filler").unlink()
            s.start()
            promise(s.mnt, "after")
            s.halt()
            d.clone(0)
            s.resume()
        finally:
            s.stop()
        with d.restored(0, work, s.g.work / "secrets") as fresh:
            fresh.start()
            assert {"before", "after", *kept} <= set(os.listdir(fresh.mnt))
            fresh.stop()
