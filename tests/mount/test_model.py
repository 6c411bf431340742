# SPDX-License-Identifier: Apache-2.0
"""Random operations on a mount and on the model of model.py (walk.py compares), with restarts,
kill -9, evictions, recalls and a cache that is too small thrown in.

$MERSEY_MODEL_SEED repeats a run, $MERSEY_MODEL_SECONDS lengthens it.
"""
import contextlib
import os
import random
import signal
import subprocess
import time

import pytest

from conftest import FULL, Gateway, is_mounted, wait_for, workdir
from walk import Walk

SEED = int(os.environ.get("MERSEY_MODEL_SEED", random.randrange(1 << 32)))
SECONDS = float(os.environ.get("MERSEY_MODEL_SECONDS", 600 if FULL else 32))


@contextlib.contextmanager
def no_umask():
    old = os.umask(0)
    try:
        yield
    finally:
        os.umask(old)


def walk_for(walk, seconds, steps):
    """So many steps and so long, and until each operation was done."""
    end = time.monotonic() + seconds
    print(f"MERSEY_MODEL_SEED={walk.seed}")
    with no_umask():
        while (
            walk.steps < steps
            or time.monotonic() < end
            or len(walk.counts) < len(walk.ops)
        ):
            walk.step()
        walk.check_all()
    print(f"{walk.steps} steps: {dict(walk.counts)}")


def test_the_model_itself():
    """The same walk on the filesystem below: what fails here is the model."""
    with workdir() as work:
        (work / "plain").mkdir()
        walk = Walk(work / "plain", SEED)
        try:
            walk_for(walk, 0, 3000)
        finally:
            for h in walk.handles:
                os.close(h.fd)


class Mounted:
    """A trust with a mount of its own, and what happens to it."""

    def __init__(self, work, cache):
        self.g = Gateway(work, trusts=("rem",), cache_size=cache, settle="200ms").setup()
        self.mnt = work / "model"
        self.mount()

    def mount(self):
        self.g.cli("mount", "rem", self.mnt)

    def pid(self):
        return int((self.g.work / "run/rem.lock").read_text().split()[0])

    def let_go(self, walk, writers_only=False):
        """What was open is closed: files without a name are gone."""
        for h in walk.handles[:]:
            if h.writes or not writers_only:
                walk.close(h)

    def restart(self, walk):
        self.let_go(walk)
        subprocess.run(["umount", self.mnt], check=True, timeout=60)
        self.mount()

    def kill(self, walk):
        """Names and attributes stay (P2); so does what was written, it is the
        kernel's: only a power cut takes what was not synced."""
        os.kill(self.pid(), signal.SIGKILL)
        wait_for("the mount is gone", lambda: not is_mounted(self.mnt), 30)
        for h in walk.handles[:]:
            with contextlib.suppress(OSError):
                walk.close(h)
        self.mount()

    def evict(self, walk):
        """All but what is open for reading."""
        self.protect(walk)
        self.g.evict(self.mnt)

    def recall(self, walk):
        self.g.cli("recall", self.mnt)

    def protect(self, walk):
        self.let_go(walk, writers_only=True)  # who writes is not waited for
        self.g.cli("wait", "--all")

    def destroy(self):
        for _ in range(3):
            if is_mounted(self.mnt):
                subprocess.run(["umount", "-f", "-l", self.mnt], check=False)


@pytest.mark.parametrize("cache", ["1GiB", "8MiB"])
def test_mount(cache):
    with workdir() as work:
        m = Mounted(work, cache)
        special = {
            "restart": (2, m.restart),
            "kill": (2, m.kill),
            "evict": (4, m.evict),
            "recall": (2, m.recall),
            "protect": (2, m.protect),
        }
        walk = Walk(m.mnt, SEED, special)
        try:
            walk_for(walk, SECONDS / 2, 1500)
            m.let_go(walk)
            subprocess.run(["umount", m.mnt], check=True, timeout=60)
            log = (work / "run/rem.log").read_text()
            assert "Sanitizer" not in log and "runtime error" not in log, log[-8000:]
            assert "damaged" not in log, log[-8000:]
        finally:
            for h in walk.handles:
                os.close(h.fd)
            m.destroy()
            with contextlib.suppress(FileNotFoundError):
                print((work / "run/rem.log").read_text()[-4000:])
