# SPDX-License-Identifier: Apache-2.0
"""Simulated power cuts.

An XFS image with reflinks holds the image of another filesystem, which is
loop-mounted as the state directory, and the store's directory. Stopping the
gateway and cloning both at one instant gives what the disk and the bucket
would hold had the power gone then: what only sat in the page cache is not in
the clone.
"""
import contextlib
import os
import shutil
import signal
import subprocess
import time

from conftest import PLAIN, SERVICE, Gateway, is_mounted, wait_for


# How each kind is made, and mount options: without ext4's own guesses at what
# programs forgot to sync; XFS clones have one UUID.
MKFS = {
    "ext4": (("mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=0,lazy_journal_init=0"), ("noauto_da_alloc",)),
    "xfs": (("mkfs.xfs", "-q"), ("nouuid",)),
}


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

    def start(self, barrier=True, env=()):
        with open(self.g.log_path, "ab") as log:
            self.proc = subprocess.Popen(
                [PLAIN / "daemon/main/merseyd", "--single", "rem", self.mnt, "--config", self.g.config]
                + ([] if barrier else ["--unsafe-no-barrier"]),
                stdout=log,
                stderr=log,
                env=self.g.env() | dict(env),
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

    def halt(self):
        """SIGSTOP, and wait until no thread of it runs any more."""
        self.proc.send_signal(signal.SIGSTOP)
        wait_for("it stands still", lambda: set(self.thread_states()) == {"T"}, 30, 0.001)

    def thread_states(self):
        for t in os.listdir(f"/proc/{self.proc.pid}/task"):
            with open(f"/proc/{self.proc.pid}/task/{t}/stat") as f:
                yield f.read().rsplit(")", 1)[1].split()[0]

    def resume(self):
        self.proc.send_signal(signal.SIGCONT)

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


class Disk:
    """The host filesystem with the live image and its clones."""

    def __init__(self, host, inner, options):
        self.host, self.state, self.bucket = host, inner / "s", host / "bucket"
        self.options = options

    def clone(self, name):
        """What the disk and the bucket would hold after a power cut now."""
        run("cp", "--reflink=always", self.host / "img", self.image(name))
        run("cp", "-a", "--reflink=always", self.bucket, self.host / f"bucket.{name}")

    def image(self, name):
        return self.host / f"img.{name}"

    @contextlib.contextmanager
    def restored(self, name, work, secrets):
        """A gateway, not started yet, on a clone; `secrets` of the old one."""
        d = work / f"c{name}"
        (d / "fresh").mkdir(parents=True)
        d.chmod(0o755)
        shutil.copytree(secrets, d / "fresh" / "secrets")
        with mounted(self.image(name), d / "chk", *self.options) as state:
            s = Single(d / "fresh", state / "s", self.host / f"bucket.{name}")
            try:
                yield s
            finally:
                s.stop()
        self.image(name).unlink()


@contextlib.contextmanager
def disk(work, kind="ext4", size="20G"):
    """A Disk below `work`; `kind` is the filesystem of the state."""
    image, host = work / "host.xfs", work / "host"
    run("truncate", "-s", size, image)
    run("mkfs.xfs", "-q", "-m", "reflink=1", image)
    with mounted(image, host):
        img = host / "img"
        run("truncate", "-s", "1G", img)
        run(*MKFS[kind][0], img)
        with mounted(img, work / "in", *MKFS[kind][1]) as inner:
            yield Disk(host, inner, MKFS[kind][1])


@contextlib.contextmanager
def live(work, d, left_out=None):
    """A new gateway on the live disk; some syncs are left out (nosync.c)."""
    (work / "live").mkdir()
    (work / "live").chmod(0o755)
    s = Single(work / "live", d.state, d.bucket)
    s.g.setup()
    plant = {"LD_PRELOAD": str(PLAIN / "tests/crash/nosync.so"), "MERSEY_NOSYNC": left_out} if left_out else {}
    s.start(env=plant)
    try:
        yield s
    finally:
        s.resume()
        s.stop()
