# SPDX-License-Identifier: Apache-2.0
"""Power cuts 1 to 40 s after protect, evict and gc lose nothing (S1, P12).

An XFS image with reflinks holds the image of an ext4 filesystem, which is
loop-mounted as the state directory, and the store's directory. Stopping the
gateway and cloning both at one instant gives what the disk and the bucket
would hold had the power gone then: what only sat in the page cache is not in
the clone. A fresh gateway on the clone must serve every fsynced byte.

The same run with the barrier of S1 switched off must lose data: it proves
that the test can see a loss.
"""
import contextlib
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "mount"))
from conftest import FULL, PLAIN, SERVICE, Gateway, is_mounted, random_bytes, wait_for, workdir  # noqa: E402

FILES = 60
SIZE = 30000
# Shorter and longer than the journal's 5 s and the page cache's 30 s.
CUTS = {True: (1, 3, 6, 9, 14, 20, 27, 40), False: (7, 10, 14, 18, 24)}
if FULL:
    CUTS = {True: tuple(range(1, 41)), False: tuple(range(7, 29, 3))}


def run(*args):
    subprocess.run([str(a) for a in args], check=True, capture_output=True)


@contextlib.contextmanager
def mounted(image, where, *options):
    where.mkdir(exist_ok=True)
    run("mount", "-o", ",".join(("loop",) + options), image, where)
    try:
        yield where
    finally:
        for _ in range(50):
            if subprocess.run(["umount", where], capture_output=True).returncode == 0:
                break
            time.sleep(0.2)
        else:
            subprocess.run(["umount", "-l", where], check=False)


class Single:
    """merseyd --single on a state directory and a store of our choice."""

    def __init__(self, work, state, bucket):
        self.g = Gateway(work, trusts=("rem",), build=PLAIN, settle="1s", delete_after="1s")
        for name, target in (("state", state), ("bucket", bucket)):
            d = self.g.work / name
            shutil.rmtree(d)
            d.symlink_to(target)
        for d in (state, bucket / "rem"):
            d.mkdir(parents=True, exist_ok=True)
        os.chown(bucket / "rem", SERVICE["rem"], SERVICE["rem"])
        self.mnt = self.g.mount()  # where the config has it: verbs find it
        self.mnt.mkdir(exist_ok=True)
        self.proc = None

    def start(self, barrier=True):
        with open(self.g.log_path, "ab") as log:
            self.proc = subprocess.Popen(
                [PLAIN / "daemon/main/merseyd", "--single", "rem", self.mnt, "--config", self.g.config]
                + ([] if barrier else ["--unsafe-no-barrier"]),
                stdout=log,
                stderr=log,
                env=self.g.env(),
            )
        wait_for("mounted", lambda: is_mounted(self.mnt) or self.proc.poll() is not None, 30)
        assert self.proc.poll() is None, self.g.log()
        wait_for("it answers", self.answers, 30)
        return self

    def answers(self):
        try:
            return self.g.status()
        except Exception:
            return None

    def stop(self):
        if self.proc and self.proc.poll() is None:
            self.proc.send_signal(signal.SIGCONT)
            self.proc.terminate()
            try:
                self.proc.wait(30)
            except subprocess.TimeoutExpired:
                self.proc.kill()
                self.proc.wait()
        if is_mounted(self.mnt):
            subprocess.run(["umount", "-f", "-l", self.mnt], check=False)


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


def check(work, image, bucket, want):
    """A fresh gateway on what is left; the names whose bytes are lost."""
    with mounted(image, work / "chk") as state:
        s = Single(work / "fresh", state / "s", bucket)
        try:
            s.start()
            lost = []
            for name, data in want.items():
                try:
                    if (s.mnt / name).read_bytes() != data:
                        lost.append(name)
                except OSError:
                    lost.append(name)
            return lost
        finally:
            s.stop()


def cut(work, barrier, results):
    host = work / "host"
    image = work / "host.xfs"
    run("truncate", "-s", "20G", image)
    run("mkfs.xfs", "-q", "-m", "reflink=1", image)
    with mounted(image, host):
        img = host / "img"
        run("truncate", "-s", "1G", img)
        run("mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=0,lazy_journal_init=0", img)
        with mounted(img, work / "in") as inner:
            (work / "live").mkdir()
            (work / "live").chmod(0o755)
            s = Single(work / "live", inner / "s", host / "bucket")
            s.g.setup()
            s.start(barrier)
            try:
                want, first = load(s)
                if barrier:
                    wait_for("gc deletes what nobody names", lambda: not first & set(s.g.packs()), 20)
                start = time.monotonic()
                clones = []
                for at in CUTS[barrier]:
                    time.sleep(max(0, start + at - time.monotonic()))
                    s.proc.send_signal(signal.SIGSTOP)
                    run("cp", "--reflink=always", img, host / f"img.{at}")
                    run("cp", "-a", "--reflink=always", host / "bucket", host / f"bucket.{at}")
                    s.proc.send_signal(signal.SIGCONT)
                    clones.append(at)
            finally:
                s.stop()
        for at in clones:
            d = work / f"c{at}"
            d.mkdir()
            d.chmod(0o755)
            (d / "fresh").mkdir()
            (d / "secrets").mkdir()
            shutil.copytree(s.g.work / "secrets", d / "fresh" / "secrets")
            results[at] = check(d, host / f"img.{at}", host / f"bucket.{at}", want)


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
